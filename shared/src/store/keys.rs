//! Every key of the table, with what it sorts by. All partitions of a tenant begin with `TENANT#<id>`, so that an IAM
//! policy can limit a role by `dynamodb:LeadingKeys`.
//!
//! | partition | sort key | item |
//! |---|---|---|
//! | `TENANT#<tnt>` | `TENANT` | the tenant |
//! | | `CONFIG` | its configuration |
//! | | `PROVIDERS` | the keys of providers that it has brought, sealed |
//! | | `TEMPLATE#<name>` | a prompt template in its latest version |
//! | | `TEMPLATE_VERSION#<name>#<born>#<nnnnnnnn>` | a version of it, by when its first one was put |
//! | | `KEY#<key>` | an API key, by time of creation |
//! | | `KEYS` | how many keys there are that are not revoked |
//! | | `MEMBER#<usr>` | a member |
//! | | `WEBHOOK#<whk>` | a webhook |
//! | | `INVITE#<inv>` | an open invitation, by time |
//! | | `INVITED#<hash>` | the invitation that is open to an address |
//! | | `SESSION#<id>` | that there is such a session, or was |
//! | | `ONCE#<hash>` | the response to a request with an `Idempotency-Key` |
//! | | `IDENTITY_PROVIDER` | its identity provider |
//! | | `LINK#<usr>` | whom the provider means by a member |
//! | | `STATE#<id>` | a sign-in by the provider that was finished |
//! | | `METER#<month>#TENANT#<nn>` | a sub-meter of the tenant's month |
//! | | `METER#<month>#KEY#<key>` | the month of a key that has limits of its own |
//! | `TENANT#<tnt>#LEDGER#<hour>` | `<req>` | one request, by its start |
//! | `TENANT#<tnt>#TOTALS` | `B#<hour>#<nnn>` | totals of ten seconds |
//! | | `H#<hour>`, `D#<day>`, `M#<month>` | totals of an hour, a day, a month |
//! | `TENANT#<tnt>#AUDIT` | `<aud>` | an entry of the audit log, by time |
//! | `TENANT#<tnt>#WEBHOOKS` | `EVENT#<msg>` | what webhooks are told, by time |
//! | | `DELIVERY#<whk>#<msg>` | how far that came with one of them |
//! | | `HEALTH#<whk>` | since when a webhook has failed; nothing while it works |
//! | | `TRIALS` | how many deliveries the tenant wanted to have at once |
//! | `TENANT#<tnt>#CACHE#<hash>` | `PART#<nn>` | a kept answer, in as many items as it needs |
//! | `TENANT#<tnt>#NEAR#<hash>` | `<ms>#<hash>` | the vector of an answered question, by time |
//! | `TENANT#<tnt>#SESSION#<id>` | `HEAD` | a session: its lock, its summary, how many turns it has |
//! | | `TURN#<req>#<nnnnnnnn>#<pp>` | a part of a turn, by the request that began the conversation, number and part |
//! | `CONN#<connection>` | `CONNECTION` | an open WebSocket connection: who opened it |
//! | | `MESSAGE#<message>` | a message that came over it |
//! | `CATALOGUE` | `V#<effective>` | a version of the model catalogue, by the time it takes effect |
//! | `USER#<usr>` | `USER` | a person |
//! | | `MEMBER#<tnt>` | a tenant that the person is a member of |
//! | | `SESSION#<ses>` | a sign-in |
//! | `EMAIL#<hash>` | `USER` | whose address it is |
//! | | `ONCE#<hash>` | the response to a registration with an `Idempotency-Key` |
//! | | `FAILURES`, `FROM#<hash>` | failed attempts on an account, from anywhere and from a known address |
//! | | `MAILS#<purpose>` | mails that were sent to the address, for each purpose; of invitations for each tenant |
//! | `ADDRESS#<hash>` | `FAILURES`, `MAILS` | failed attempts, and mails that were asked for, from an internet address |
//! | `PURGE` | `PASS` | how far the removal of tenants has come |
//! | `TENANTS` | `<tnt>` | what operators see of a tenant in a list |
//! | `OPERATORS` | `USER#<usr>` | somebody who works for the operator |
//! | | `AUDIT#<aud>` | what one of them did, by time |
//! | | `ONCE#<hash>` | the response to one of them that sent an `Idempotency-Key` |
//! | `ACTIVE#<month>` | `<tnt>` | a tenant that has a meter in the month |
//! | `DUE` | `<ms>#<tnt>#<msg>` | an event that webhooks are to be told, by time |
//! | | `<ms>#<tnt>#<msg>#<whk>` | an attempt to tell one of them |

use ulid::Ulid;

use crate::{
    clock::{Granularity, Period, Timestamp},
    id::{AuditId, InviteId, KeyId, MessageId, RequestId, SessionId, SignInId, TenantId, UserId, WebhookId},
};

/// Name of the partition key attribute.
pub const PK: &str = "pk";
/// Name of the sort key attribute.
pub const SK: &str = "sk";
/// Name of the TTL attribute, in seconds since the epoch.
pub const EXPIRES_AT: &str = "expires_at";
/// How long a bucket of the ledger is, in milliseconds.
pub const BUCKET_MS: u64 = 10_000;

pub(super) const CATALOGUE: &str = "CATALOGUE";
pub(super) const TENANTS: &str = "TENANTS";
pub(super) const OPERATORS: &str = "OPERATORS";
/// What all partitions of tenants begin with.
pub(super) const ANY_TENANT: &str = "TENANT#";
pub(super) const DUE: &str = "DUE";
pub(super) const PURGE: &str = "PURGE";

pub(super) fn tenant(id: TenantId) -> String {
    format!("TENANT#{id}")
}

pub(super) fn ledger(id: TenantId, hour: Period) -> String {
    debug_assert_eq!(hour.granularity, Granularity::Hour);
    format!("TENANT#{id}#LEDGER#{hour}")
}

pub(super) fn totals(id: TenantId) -> String {
    format!("TENANT#{id}#TOTALS")
}

pub(super) fn audit(id: TenantId) -> String {
    format!("TENANT#{id}#AUDIT")
}

pub(super) fn webhooks(id: TenantId) -> String {
    format!("TENANT#{id}#WEBHOOKS")
}

pub(super) fn user(id: UserId) -> String {
    format!("USER#{id}")
}

pub(super) fn email(hash: &str) -> String {
    format!("EMAIL#{hash}")
}

pub(super) fn cached(id: TenantId, key: &str) -> String {
    format!("TENANT#{id}#CACHE#{key}")
}

pub(super) fn neighbours(id: TenantId, group: &str) -> String {
    format!("TENANT#{id}#NEAR#{group}")
}

pub(super) fn session(id: TenantId, session: &SessionId) -> String {
    format!("TENANT#{id}#SESSION#{session}")
}

pub(super) fn active(month: Period) -> String {
    debug_assert_eq!(month.granularity, Granularity::Month);
    format!("ACTIVE#{month}")
}

pub(super) fn connection(id: &str) -> String {
    format!("CONN#{id}")
}

/// The tenant itself.
pub const TENANT: &str = "TENANT";
/// The tenant's configuration.
pub const CONFIG: &str = "CONFIG";
/// The keys of providers that the tenant has brought, sealed.
pub const PROVIDERS: &str = "PROVIDERS";
/// What all templates begin with.
pub const TEMPLATE_PREFIX: &str = "TEMPLATE#";

/// A template in its latest version.
#[must_use]
pub fn template(name: &str) -> String {
    format!("{TEMPLATE_PREFIX}{name}")
}

/// What all versions of a template begin with, by when its first one was put.
#[must_use]
pub fn template_versions(name: &str, born: Timestamp) -> String {
    format!("TEMPLATE_VERSION#{name}#{:015}#", born.0)
}

/// A version of a template.
#[must_use]
pub fn template_version(name: &str, born: Timestamp, version: u64) -> String {
    format!("{}{version:08}", template_versions(name, born))
}

/// How many API keys there are that are not revoked.
pub const KEYS: &str = "KEYS";
/// What all API keys begin with.
pub const KEY_PREFIX: &str = "KEY#";

/// An API key.
#[must_use]
pub fn key(id: KeyId) -> String {
    format!("{KEY_PREFIX}{id}")
}

pub(super) fn address(hash: &str) -> String {
    format!("ADDRESS#{hash}")
}

/// What all members begin with.
pub const MEMBER_PREFIX: &str = "MEMBER#";

/// A member, in its tenant's partition.
#[must_use]
pub fn member(id: UserId) -> String {
    format!("{MEMBER_PREFIX}{id}")
}

/// What all webhooks begin with.
pub const WEBHOOK_PREFIX: &str = "WEBHOOK#";

/// A webhook.
#[must_use]
pub fn webhook(id: WebhookId) -> String {
    format!("{WEBHOOK_PREFIX}{id}")
}

/// What webhooks are told.
#[must_use]
pub fn event(id: MessageId) -> String {
    format!("EVENT#{id}")
}

/// What all deliveries to a webhook begin with.
#[must_use]
pub fn deliveries(id: WebhookId) -> String {
    format!("DELIVERY#{id}#")
}

/// A delivery to a webhook.
#[must_use]
pub fn delivery(id: WebhookId, message: MessageId) -> String {
    format!("DELIVERY#{id}#{message}")
}

/// Since when a webhook has failed.
#[must_use]
pub fn health(id: WebhookId) -> String {
    format!("HEALTH#{id}")
}

/// What is to be done at a time: tell a webhook, or, without one, find out which are to be told. Padded, so that text
/// order is time order.
#[must_use]
pub fn due(at: Timestamp, tenant: TenantId, message: MessageId, webhook: Option<WebhookId>) -> String {
    let webhook = webhook.map(|id| format!("#{id}")).unwrap_or_default();
    format!("{:015}#{tenant}#{message}{webhook}", at.0)
}

/// Between which sort keys everything lies that is due after `from` and not after `to`.
#[must_use]
pub fn due_between(from: Timestamp, to: Timestamp) -> (String, String) {
    (format!("{:015}~", from.0), format!("{:015}~", to.0))
}

/// What a sort key of the queue says; `None` if it is none.
#[must_use]
pub fn parse_due(sort: &str) -> Option<(Timestamp, TenantId, MessageId, Option<WebhookId>)> {
    let mut parts = sort.split('#');
    let (at, tenant, message) = (parts.next()?, parts.next()?, parts.next()?);
    let webhook = match parts.next() {
        Some(id) => Some(WebhookId::parse(id)?),
        None => None,
    };
    Some((Timestamp(at.parse().ok()?), TenantId::parse(tenant)?, MessageId::parse(message)?, webhook))
}

/// What all invitations begin with.
pub const INVITE_PREFIX: &str = "INVITE#";

/// An invitation.
#[must_use]
pub fn invite(id: InviteId) -> String {
    format!("{INVITE_PREFIX}{id}")
}

/// Which invitation is open to an address, by the hash of it.
#[must_use]
pub fn invited(hash: &str) -> String {
    format!("INVITED#{hash}")
}

/// A person; in the partition of an address, whose it is.
pub const USER: &str = "USER";

/// A membership, in its person's partition.
#[must_use]
pub fn membership(id: TenantId) -> String {
    format!("{MEMBER_PREFIX}{id}")
}

/// What all sign-ins begin with.
pub const SIGN_IN_PREFIX: &str = "SESSION#";

/// A sign-in, in its person's partition.
#[must_use]
pub fn sign_in(id: SignInId) -> String {
    format!("{SIGN_IN_PREFIX}{id}")
}

/// The response to a request that is to be carried out once, by a hash of who asked for what.
#[must_use]
pub fn once(hash: &str) -> String {
    format!("ONCE#{hash}")
}

/// An entry of the audit log.
#[must_use]
pub fn entry(id: AuditId) -> String {
    id.to_string()
}

/// What all who work for the operator begin with.
pub const OPERATOR_PREFIX: &str = "USER#";

/// Somebody who works for the operator.
#[must_use]
pub fn operator(id: UserId) -> String {
    format!("{OPERATOR_PREFIX}{id}")
}

/// What all that operators did begins with.
pub const OPERATED_PREFIX: &str = "AUDIT#";

/// Something that an operator did.
#[must_use]
pub fn operated(id: AuditId) -> String {
    format!("{OPERATED_PREFIX}{id}")
}

/// A tenant in the operators' list.
#[must_use]
pub fn listed(id: TenantId) -> String {
    id.to_string()
}

/// How far the removal of tenants has come.
pub const PASS: &str = "PASS";

/// What a meter counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeterScope {
    /// The whole tenant; with the number of the sub-meter.
    Tenant(u8),
    /// One key.
    Key(KeyId),
}

/// A meter of a month.
#[must_use]
pub fn meter(month: Period, scope: MeterScope) -> String {
    match scope {
        MeterScope::Tenant(shard) => format!("METER#{month}#TENANT#{shard:02}"),
        MeterScope::Key(id) => format!("METER#{month}#KEY#{id}"),
    }
}

/// What all meters of a month begin with.
#[must_use]
pub fn meters(month: Period) -> String {
    format!("METER#{month}#")
}

/// What all sub-meters of the tenant in a month begin with.
#[must_use]
pub fn tenant_meters(month: Period) -> String {
    format!("METER#{month}#TENANT#")
}

/// Which scope a meter's sort key names; `None` if it is none.
#[must_use]
pub fn parse_meter(sort: &str) -> Option<MeterScope> {
    let mut parts = sort.strip_prefix("METER#")?.split('#').skip(1);
    match (parts.next()?, parts.next()?) {
        ("TENANT", shard) => shard.parse().ok().map(MeterScope::Tenant),
        ("KEY", id) => KeyId::parse(id).map(MeterScope::Key),
        _ => None,
    }
}

/// One request in its hour's ledger.
#[must_use]
pub fn request(id: RequestId) -> String {
    id.to_string()
}

/// Ten seconds of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u64);

impl Bucket {
    /// The one that a request belongs to, by its start.
    #[must_use]
    pub fn of(id: RequestId) -> Self {
        Self::at(id.made_at())
    }

    /// The one that `at` lies in.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self(at.0 / BUCKET_MS)
    }

    /// Its first instant.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp(self.0 * BUCKET_MS)
    }

    /// The hour that it is part of.
    #[must_use]
    pub fn hour(self) -> Period {
        Period::of(Granularity::Hour, self.start())
    }

    /// The sort keys of its first and last possible request.
    #[must_use]
    pub fn requests(self) -> (String, String) {
        let last = self.start().0 + BUCKET_MS - 1;
        let bound = |at, random| request(RequestId::from_ulid(Ulid::from_parts(at, random)));
        (bound(self.start().0, 0), bound(last, u128::MAX >> 48))
    }
}

/// Totals of ten seconds.
#[must_use]
pub fn bucket_total(bucket: Bucket) -> String {
    let hour = bucket.hour();
    format!("B#{hour}#{:03}", (bucket.start().0 - hour.start().0) / BUCKET_MS)
}

/// What the bucket totals of an hour begin with.
#[must_use]
pub fn bucket_totals(hour: Period) -> String {
    format!("B#{hour}#")
}

/// Totals of an hour, a day or a month.
#[must_use]
pub fn total(period: Period) -> String {
    let letter = match period.granularity {
        Granularity::Hour => 'H',
        Granularity::Day => 'D',
        Granularity::Month => 'M',
    };
    format!("{letter}#{period}")
}

/// What all sessions in the list of their tenant begin with.
pub const LISTED_SESSION_PREFIX: &str = "SESSION#";

/// A session in the list of its tenant.
#[must_use]
pub fn listed_session(id: &SessionId) -> String {
    format!("{LISTED_SESSION_PREFIX}{id}")
}

/// The state of a session.
pub const HEAD: &str = "HEAD";

/// What all turns of a conversation begin with; `born` is the request that began it, so that one which takes the place
/// of a deleted or expired one never meets its turns.
#[must_use]
pub fn turns(born: RequestId) -> String {
    format!("TURN#{born}#")
}

/// The greatest number of a part.
pub const LAST_PART: u8 = 99;

/// A part of a turn. Padded, so that text order is the order of the conversation.
#[must_use]
pub fn turn(born: RequestId, number: u32, part: u8) -> String {
    format!("TURN#{born}#{number:08}#{part:02}")
}

/// An open connection itself.
pub const CONNECTION: &str = "CONNECTION";

/// A message that came over a connection.
#[must_use]
pub fn message(id: &str) -> String {
    format!("MESSAGE#{id}")
}

/// A tenant's identity provider.
pub const IDENTITY_PROVIDER: &str = "IDENTITY_PROVIDER";

/// Whom a tenant's identity provider means by a member.
#[must_use]
pub fn provider_link(id: UserId) -> String {
    format!("LINK#{id}")
}

/// A sign-in by a tenant's identity provider that was finished.
#[must_use]
pub fn used_state(id: &str) -> String {
    format!("STATE#{id}")
}

/// How many attempts failed.
pub const FAILURES: &str = "FAILURES";
/// How many mails were asked for from an internet address.
pub const MAILS: &str = "MAILS";
/// How many deliveries a tenant wanted to have at once.
pub const TRIALS: &str = "TRIALS";

/// How many mails were sent for a purpose.
#[must_use]
pub fn mails(purpose: &str) -> String {
    format!("MAILS#{purpose}")
}

/// How many attempts failed from an internet address from which an account was used before, by its hash.
#[must_use]
pub fn known_address(hash: &str) -> String {
    format!("FROM#{hash}")
}

/// A version of the catalogue. Padded, so that text order is time order.
#[must_use]
pub fn catalogue_version(effective: Timestamp) -> String {
    format!("V#{:015}", effective.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_request_lies_between_the_bounds_of_its_bucket_and_of_no_other(at in 0..1_u64 << 44) {
            let id = RequestId::new(Timestamp(at));
            let bucket = Bucket::of(id);
            let (first, last) = bucket.requests();
            prop_assert!(first <= request(id) && request(id) <= last);
            let (after, _) = Bucket(bucket.0 + 1).requests();
            prop_assert!(last < after);
        }

        /// So `dynamodb:LeadingKeys` like `TENANT#<id>*` limits a role to one tenant, and to all of it.
        #[test]
        fn all_partitions_of_a_tenant_begin_with_it_and_with_no_other(a in any::<u64>(), b in any::<u64>()) {
            prop_assume!(a >> 16 != b >> 16);
            let (a, b) = (TenantId::new(Timestamp(a >> 16)), TenantId::new(Timestamp(b >> 16)));
            let hour = Period::of(Granularity::Hour, Timestamp(0));
            let chat = SessionId::parse("chat").unwrap();
            for partition in [tenant(a), ledger(a, hour), totals(a), audit(a), cached(a, "0"), neighbours(a, "0"), session(a, &chat)] {
                prop_assert!(partition.starts_with(&format!("TENANT#{a}")), "{partition}");
                prop_assert!(!partition.starts_with(&format!("TENANT#{b}")), "{partition}");
            }
        }
    }

    #[test]
    fn parts_of_turns_sort_by_turn_then_part() {
        let born = RequestId::new(Timestamp(5));
        let keys =
            [(0, 0), (0, 1), (0, 10), (1, 0), (9, LAST_PART), (10, 0)].map(|(number, part)| turn(born, number, part));
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| key.starts_with(&turns(born))));
    }

    #[test]
    fn a_meters_key_reads_back() {
        let month = Period::parse("2026-11").unwrap();
        for scope in [MeterScope::Tenant(7), MeterScope::Key(KeyId::new(Timestamp(5)))] {
            assert_eq!(parse_meter(&meter(month, scope)), Some(scope));
        }
    }

    #[test]
    fn what_is_due_reads_back_and_lies_between_its_times() {
        let (at, tenant, message) = (Timestamp(50), TenantId::new(Timestamp(1)), MessageId::new(Timestamp(2)));
        for webhook in [None, Some(WebhookId::new(Timestamp(3)))] {
            let sort = due(at, tenant, message, webhook);
            assert_eq!(parse_due(&sort), Some((at, tenant, message, webhook)));
            for (from, to, inside) in [(49, 50, true), (0, 1_000, true), (50, 60, false), (0, 49, false)] {
                let (first, last) = due_between(Timestamp(from), Timestamp(to));
                assert_eq!((first..=last).contains(&sort), inside, "{from} {to}");
            }
        }
        assert_eq!(parse_due("5"), None);
    }

    #[test]
    fn buckets_of_an_hour_sort_by_time() {
        let hour = Period::parse("2026-11-22T08").unwrap();
        let first = bucket_total(Bucket::at(hour.start()));
        let last = bucket_total(Bucket::at(Timestamp(hour.end().0 - 1)));
        assert_eq!((first.as_str(), last.as_str()), ("B#2026-11-22T08#000", "B#2026-11-22T08#359"));
    }
}
