//! All that there is of a tenant, for the tenant: page by page, each line a JSON object
//! `{"kind": "key", "id": "KEY#key_...", "data": {...}}`.
//!
//! What is given is a list, so an item that nobody has thought of stays where it is; and no field that could hold a secret
//! is given, whatever the item. What is left out is named in [`LEFT_OUT`], and a test holds both lists against the table.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Authority, Retention, Tenant};
use crate::{
    audit::{Deed, Entry, record_as},
    auth::Role,
    clock::{Clock, Granularity, Period, Timestamp},
    error::{Error, Result},
    id::{AuditId, TenantId},
    session::{SessionId, Sessions},
    store::{Change, Order, Partition, Table, TenantTable, keys},
};

/// How long an export may take from its beginning to its last page.
pub const LIFE: Duration = Duration::from_hours(24);

/// A page ends behind this many bytes: with the longest line of 4 MB it stays below the 6 MB of a response.
const ENOUGH: usize = 1_500_000;
/// How many queries a page may take.
const MOST_QUERIES: u32 = 800;
/// How many items are read at once.
const AT_ONCE: u16 = 100;

/// What the tenant's own partition has, by the beginning of the sort key.
pub const KINDS: [(&str, &str); 16] = [
    (keys::TENANT, "tenant"),
    (keys::CONFIG, "config"),
    (keys::KEY_PREFIX, "key"),
    (keys::MEMBER_PREFIX, "member"),
    (keys::INVITE_PREFIX, "invite"),
    (keys::WEBHOOK_PREFIX, "webhook"),
    ("IDENTITY_PROVIDER", "identity_provider"),
    ("LINK#", "link"),
    (keys::TEMPLATE_PREFIX, "template"),
    ("TEMPLATE_VERSION#", "template_version"),
    ("METER#", "meter"),
    (keys::SUBSCRIPTION, "subscription"),
    (keys::BUYER, "billing_profile"),
    (keys::GRANT_PREFIX, "credit"),
    (keys::ADJUSTMENT_PREFIX, "adjustment"),
    (keys::WALLET, "payment_method"),
];

/// What it has and is not given: marks that say nothing that isn't said elsewhere, secrets, and responses that are sealed.
/// Sessions are given by themselves.
pub const LEFT_OUT: [&str; 9] = [
    "INVITED#",
    "ONCE#",
    "KEYS",
    "PROVIDERS",
    "STATE#",
    keys::PAYING,
    keys::COUPON_TRIES,
    keys::LISTED_SESSION_PREFIX,
    keys::LATE_PREFIX,
];

/// What a field's name must not have in it.
const SECRET: [&str; 4] = ["secret", "hash", "sealed", "password"];

/// Where in the export the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The entry of the audit log that says that it was begun.
    of: AuditId,
    part: Part,
    /// The sort key, hour or session to go on behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// The turn of the session behind that to go on before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<u32>,
}

/// What is given, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Main,
    Webhooks,
    Audit,
    Days,
    Months,
    Hours,
    Ledger,
    Sessions,
}

impl Position {
    /// Whether a page may have ended there. The table refuses to go on behind what is not in the part.
    fn is_possible(&self) -> bool {
        const LONGEST: usize = 1_024;
        let Some(after) = &self.after else { return true };
        let is_in_part = if self.part == Part::Ledger {
            let hour = after.split_once(' ').and_then(|(hour, _)| Period::parse(hour));
            hour.is_some_and(|hour| hour.granularity == Granularity::Hour)
        } else {
            after.starts_with(self.part.prefix())
        };
        is_in_part && (1..=LONGEST).contains(&after.len())
    }
}

impl Part {
    /// What the sort keys of its items begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Main | Self::Webhooks | Self::Audit | Self::Ledger => "",
            Self::Days => "D#",
            Self::Months => "M#",
            Self::Hours => "H#",
            Self::Sessions => keys::LISTED_SESSION_PREFIX,
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Main => Some(Self::Webhooks),
            Self::Webhooks => Some(Self::Audit),
            Self::Audit => Some(Self::Days),
            Self::Days => Some(Self::Months),
            Self::Months => Some(Self::Hours),
            Self::Hours => Some(Self::Ledger),
            Self::Ledger => Some(Self::Sessions),
            Self::Sessions => None,
        }
    }
}

/// Exports of tenants.
#[derive(Debug, Clone)]
pub struct Exports {
    table: Table,
    clock: Clock,
    sessions: Sessions,
}

impl Exports {
    /// Exports from `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, sessions: Sessions) -> Self {
        Self { table, clock, sessions }
    }

    /// Begins one, which goes into the audit log.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is an owner; `Conflict` if that changes in this moment; `Unavailable`.
    pub async fn begin(&self, tenant: TenantId, by: &Authority) -> Result<Position> {
        let (main, now) = (self.table.tenant(tenant).main(), self.clock.now());
        let standing = by.now(&main, now).await?;
        standing.may(Role::Owner)?;
        let mut change = Change::new(&self.table);
        standing.demand(&mut change, &main)?;
        let deed = Deed { action: "tenant.export", target: tenant.to_string(), ..Deed::default() };
        let of = record_as(&mut change, tenant, &by.actor, now, deed)?;
        change.commit().await?.or(|| Error::Conflict("your role has changed meanwhile; try again".to_owned()))?;
        Ok(Position { of, part: Part::Main, after: None, before: None })
    }

    /// A page: its lines, each with a line break behind it, and where the next one begins, if there is more.
    ///
    /// # Errors
    /// `Invalid` for `cursor` if no export was begun there within a day; `Unavailable` if the table can't be reached.
    pub async fn page(
        &self,
        tenant: &Tenant,
        retention: Retention,
        position: Position,
    ) -> Result<(String, Option<Position>)> {
        let table = self.table.tenant(tenant.id);
        self.check(&table, &position).await?;
        let mut page = Writing { lines: String::new(), queries: 0, next: Some(position) };
        while let Some(at) = page.next.clone().filter(|_| !page.is_enough()) {
            match at.part {
                Part::Main => self.items(&mut page, &table.main(), "", main_kind).await?,
                Part::Webhooks => self.items(&mut page, &table.webhooks(), "", told).await?,
                Part::Audit => self.items(&mut page, &table.audit(), "", |_| Some("audit")).await?,
                Part::Days => self.items(&mut page, &table.totals(), at.part.prefix(), |_| Some("total")).await?,
                Part::Months => self.items(&mut page, &table.totals(), at.part.prefix(), |_| Some("total")).await?,
                Part::Hours => self.items(&mut page, &table.totals(), at.part.prefix(), |_| Some("total")).await?,
                Part::Ledger => self.ledger(&mut page, &table, tenant.created_at).await?,
                Part::Sessions => self.session(&mut page, &table, retention).await?,
            }
        }
        Ok((page.lines, page.next))
    }

    async fn check(&self, table: &TenantTable, position: &Position) -> Result<()> {
        let found: Option<Entry> = table.audit().find(&keys::entry(position.of)).await?;
        let good = |entry: &Entry| entry.action == "tenant.export" && entry.at.after(LIFE) > self.clock.now();
        let found = found.filter(|_| position.is_possible());
        let bad = || Error::invalid("cursor", "begin an export with `POST /api/tenant/export`; one may take a day");
        found.filter(good).map(drop).ok_or_else(bad)
    }

    /// Writes items of a partition, of the kinds that have a name.
    async fn items(
        &self,
        page: &mut Writing,
        partition: &Partition,
        prefix: &str,
        kind: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<()> {
        let (items, next) = partition.page::<Value>(prefix, page.after(), AT_ONCE, Order::Ascending).await?;
        for item in items {
            let sort = item[keys::SK].as_str().unwrap_or_default().to_owned();
            if let Some(kind) = kind(&sort) {
                page.line(kind, &sort, &shown(item));
            }
            page.behind(sort);
        }
        if next.is_none() {
            page.end_of_part();
        }
        Ok(())
    }

    /// Writes requests of an hour. Hours of a month without a meter have none.
    async fn ledger(&self, page: &mut Writing, table: &TenantTable, since: Timestamp) -> Result<()> {
        let at = page
            .after()
            .and_then(|after| after.split_once(' '))
            .map(|(hour, request)| (hour.to_owned(), request.to_owned()));
        let hour = at.as_ref().and_then(|(hour, _)| Period::parse(hour));
        let hour = hour.unwrap_or_else(|| Period::of(Granularity::Hour, since));
        if hour.start() > self.clock.now() {
            page.end_of_part();
            return Ok(());
        }
        let month = Period::month(hour.start());
        let after = at.as_ref().map(|(_, request)| request.as_str()).filter(|request| !request.is_empty());
        if after.is_none() && hour.start() == month.start() {
            let (meters, _) = table.main().page::<Value>(&keys::meters(month), None, 1, Order::Ascending).await?;
            if meters.is_empty() {
                page.behind(format!("{} ", Period::of(Granularity::Hour, month.end())));
                return Ok(());
            }
        }
        let (items, next) = table.ledger(hour).page::<Value>("", after, AT_ONCE, Order::Ascending).await?;
        for item in items {
            let sort = item[keys::SK].as_str().unwrap_or_default().to_owned();
            page.line("request", &sort, &shown(item));
        }
        page.behind(match next {
            Some(request) => format!("{hour} {request}"),
            None => format!("{} ", hour.next()),
        });
        Ok(())
    }

    /// Writes a page of turns of a session, the last first.
    async fn session(&self, page: &mut Writing, table: &TenantTable, retention: Retention) -> Result<()> {
        const TURNS: usize = 100;
        #[derive(Deserialize)]
        struct Row {
            sk: String,
        }
        let (listed, _) =
            table.main().page::<Row>(keys::LISTED_SESSION_PREFIX, page.after(), 1, Order::Ascending).await?;
        let Some(Row { sk }) = listed.into_iter().next() else {
            page.end_of_part();
            return Ok(());
        };
        let id = sk.strip_prefix(keys::LISTED_SESSION_PREFIX).and_then(SessionId::parse);
        let id = id.ok_or_else(|| Error::internal("a session's name in the list is none"))?;
        let session = match self.sessions.get(table.id(), &id, retention, page.before(), TURNS).await {
            Ok(session) => session,
            // It is over.
            Err(Error::NotFound { .. }) => {
                page.behind(sk);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let data = json!({
            "created_at": session.created_at,
            "updated_at": session.updated_at,
            "expires_at": session.expires_at,
            "turns": session.turns,
            "model": session.model,
            "summary": session.summary,
            "messages": session.messages,
        });
        page.line("session", id.as_str(), &data);
        match session.before {
            Some(before) => page.inside(before),
            None => page.behind(sk),
        }
        Ok(())
    }
}

/// A page that is being written.
struct Writing {
    lines: String,
    queries: u32,
    next: Option<Position>,
}

impl Writing {
    fn is_enough(&self) -> bool {
        self.lines.len() >= ENOUGH || self.queries >= MOST_QUERIES
    }

    fn after(&self) -> Option<&str> {
        self.next.as_ref()?.after.as_deref()
    }

    fn before(&self) -> Option<u32> {
        self.next.as_ref()?.before
    }

    fn line(&mut self, kind: &str, id: &str, data: &Value) {
        self.lines.push_str(&json!({"kind": kind, "id": id, "data": data}).to_string());
        self.lines.push('\n');
    }

    fn behind(&mut self, after: String) {
        self.queries += 1;
        if let Some(next) = &mut self.next {
            (next.after, next.before) = (Some(after), None);
        }
    }

    fn inside(&mut self, before: u32) {
        self.queries += 1;
        if let Some(next) = &mut self.next {
            next.before = Some(before);
        }
    }

    fn end_of_part(&mut self) {
        self.next =
            self.next.take().and_then(|at| Some(Position { part: at.part.next()?, after: None, before: None, ..at }));
    }
}

fn main_kind(sort: &str) -> Option<&'static str> {
    KINDS.iter().find(|(prefix, _)| sort.starts_with(prefix)).map(|(_, kind)| *kind)
}

/// What webhooks were told, and how far that came; how well they are is no more than what follows from it.
fn told(sort: &str) -> Option<&'static str> {
    let kinds = [("EVENT#", "webhook_event"), ("DELIVERY#", "webhook_delivery")];
    kinds.iter().find(|(prefix, _)| sort.starts_with(prefix)).map(|(_, kind)| *kind)
}

/// An item without its key, and without what could be a secret, however deep.
fn shown(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_shown =
                |name: &str| name != keys::PK && name != keys::SK && !SECRET.iter().any(|word| name.contains(word));
            let fields = fields.into_iter().filter(|(name, _)| is_shown(name)).map(|(name, value)| {
                // Totals are kept as text.
                let read = value.as_str().filter(|_| name == "rows").and_then(|text| serde_json::from_str(text).ok());
                (name, read.unwrap_or_else(|| shown(value)))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(values) => values.into_iter().map(shown).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_given_whatever_it_is_called() {
        let item =
            json!({"pk": "p", "sk": "s", "name": "n", "secret_hash": "x", "previous": [{"secret": "x", "at": 1}]});
        assert_eq!(shown(item), json!({"name": "n", "previous": [{"at": 1}]}));
    }

    #[test]
    fn a_page_ends_in_its_part() {
        let is_possible = |part, after: &str| {
            let of = AuditId::new(Timestamp(1));
            Position { of, part, after: Some(after.to_owned()), before: None }.is_possible()
        };
        for (part, good, bad) in [
            (Part::Main, "KEY#key_1", ""),
            (Part::Audit, "aud_1", &*"a".repeat(1_025)),
            (Part::Days, "D#2026-11-25", "H#2026-11-25T10"),
            (Part::Months, "M#2026-11", "Z"),
            (Part::Hours, "H#2026-11-25T10", "D#2026-11-25"),
            (Part::Ledger, "2026-11-25T10 req_1", "2026-11 req_1"),
            (Part::Ledger, "2026-11-25T10 ", "2026-11-25T10"),
            (Part::Sessions, "SESSION#chat", "ONCE#1"),
        ] {
            assert!(is_possible(part, good) && !is_possible(part, bad), "{part:?}");
        }
    }

    #[test]
    fn whatever_a_tenant_has_is_given_or_left_out_on_purpose() {
        let rows = include_str!("../store/keys.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let mut own = rows.skip_while(|row| !row.starts_with("`TENANT#<tnt>` |"));
        let first = own.next().unwrap();
        let others = own.take_while(|row| row.starts_with("| ")).map(|row| row.trim_start_matches("| "));
        let sorts: Vec<_> = std::iter::once(first.split_once("| ").unwrap().1).chain(others).collect();
        assert!(sorts.len() > 8, "{sorts:?}");
        for sort in sorts {
            let sort = sort.split('`').nth(1).unwrap();
            let left_out = LEFT_OUT.iter().any(|prefix| sort.starts_with(prefix));
            assert!(main_kind(sort).is_some() != left_out, "{sort}");
        }
    }
}
