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
//! | | `SUBSCRIPTION` | the plans that it is and was on, and its coupons |
//! | | `BUYER` | who buys, as its invoices have it |
//! | | `WALLET` | how it pays |
//! | | `GRANT#<crd>` | prepaid credit |
//! | | `PAYING`, `COUPONTRIES` | how many payments the tenant wanted to make, and coupons it tried |
//! | | `ADJUSTMENT#<adj>` | what its next invoice makes up for |
//! | | `LATE#<hour>` | that an event came for an hour that was counted to its end |
//! | `TENANT#<tnt>#INVOICES` | `INVOICE#<inv>` | the invoice of a month; it outlives its tenant, like all that follow |
//! | | `NOTE#<crn>` | a credit note, by time |
//! | | `PAYMENT#<inv>#<nnnnn>` | an attempt to pay an invoice |
//! | | `PURCHASE#<crd>` | prepaid credit that is being bought, or was |
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
//! | `BILLING` | `SETTINGS` | what the operator says of billing |
//! | | `PLAN#<name>#<effective>` | a version of a plan, by the time it takes effect |
//! | | `COUPON#<code>` | a coupon |
//! | | `TERM#<ms>#<tnt>` | a tenant whose plan or credit is to be looked at, by when |
//! | | `EXPORT` | how far the usage export is |
//! | | `NUMBERS#<kind>#<year>` | the last number of an invoice or a credit note |
//! | `RUNS` | `RUN#<month>` | a billing run |
//! | | `PART#<month>#<nnnn>` | how far a part of it is |
//! | `COLLECT` | `<ms>#<tnt>#<inv>` | an invoice whose payment is to be seen to, by when |
//! | | `<ms>#<tnt>#<crd>` | a purchase of credit, likewise |
//! | `LETTERS` | `<ms>#<tnt>#<month>#<measure>#<percent>` | that a tenant is to be written that so much of a cap is spent, by time |
//! | `STRIPE` | `EVENT#<id>` | an event of Stripe that was seen |
//! | `DUE` | `<ms>#<tnt>#<msg>` | an event that webhooks are to be told, by time |
//! | | `<ms>#<tnt>#<msg>#<whk>` | an attempt to tell one of them |

use crate::{
    clock::{Granularity, Period, Timestamp},
    id::{AuditId, KeyId, RequestId, SessionId, TenantId, UserId},
};

mod billing;
mod people;
mod usage;
mod webhooks;

pub use billing::*;
pub use people::*;
pub use usage::*;
pub use webhooks::*;

/// Name of the partition key attribute.
pub const PK: &str = "pk";
/// Name of the sort key attribute.
pub const SK: &str = "sk";
/// Name of the TTL attribute, in seconds since the epoch.
pub const EXPIRES_AT: &str = "expires_at";

pub(super) const CATALOGUE: &str = "CATALOGUE";
pub(super) const TENANTS: &str = "TENANTS";
pub(super) const OPERATORS: &str = "OPERATORS";
/// What all partitions of tenants begin with.
pub(super) const ANY_TENANT: &str = "TENANT#";
pub(super) const DUE: &str = "DUE";
pub(super) const PURGE: &str = "PURGE";
pub(super) const BILLING: &str = "BILLING";
pub(super) const RUNS: &str = "RUNS";
pub(super) const COLLECT: &str = "COLLECT";
pub(super) const LETTERS: &str = "LETTERS";
pub(super) const STRIPE: &str = "STRIPE";

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

pub(super) fn invoices(id: TenantId) -> String {
    format!("TENANT#{id}#INVOICES")
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

/// A tenant in the operators' list.
#[must_use]
pub fn listed(id: TenantId) -> String {
    id.to_string()
}

/// How far the removal of tenants has come.
pub const PASS: &str = "PASS";

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
        /// So `dynamodb:LeadingKeys` like `TENANT#<id>*` limits a role to one tenant, and to all of it.
        #[test]
        fn all_partitions_of_a_tenant_begin_with_it_and_with_no_other(a in any::<u64>(), b in any::<u64>()) {
            prop_assume!(a >> 16 != b >> 16);
            let (a, b) = (TenantId::new(Timestamp(a >> 16)), TenantId::new(Timestamp(b >> 16)));
            let hour = Period::of(Granularity::Hour, Timestamp(0));
            let chat = SessionId::parse("chat").unwrap();
            let one = [tenant(a), ledger(a, hour), totals(a), audit(a), webhooks(a), invoices(a)];
            let many = [cached(a, "0"), neighbours(a, "0"), session(a, &chat)];
            for partition in one.into_iter().chain(many) {
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
}
