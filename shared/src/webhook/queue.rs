//! The queue: what is due, by time, for all tenants in one partition. Whoever takes something out of it claims it first,
//! so that two workers never do the same at once; who dies over it leaves a claim that ends by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::Result,
    id::{MessageId, TenantId, WebhookId},
    store::{Change, Step, Table, Written, failure, is_condition_failure, keys, number},
};

/// How long a claim lasts: longer than an attempt and what is written about it.
const CLAIM: Duration = Duration::from_secs(30);
/// What is read at once.
const PAGE: i32 = 100;

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Due {
    /// When.
    pub at: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is to be told.
    pub message: MessageId,
    /// Whom; if absent, it is to be found out whom.
    pub webhook: Option<WebhookId>,
}

/// That somebody is at it: until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim(Timestamp);

#[derive(Serialize)]
struct Unclaimed {}

#[derive(Deserialize)]
struct Row {
    sk: String,
    #[serde(default)]
    claimed_until: Option<Timestamp>,
}

impl Due {
    pub fn sort(&self) -> String {
        keys::due(self.at, self.tenant, self.message, self.webhook)
    }
}

/// Adds something to the queue.
pub(super) fn add(change: &mut Change, due: &Due) -> Result<()> {
    let partition = change.table().due();
    change.put_new(&partition, &due.sort(), &Unclaimed {}).map(drop)
}

/// Takes something out of the queue that nobody is at.
pub(super) fn take(change: &mut Change, due: &Due, now: Timestamp) -> Result<Step> {
    let free = "attribute_exists(pk) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)";
    let partition = change.table().due();
    change.delete_if(&partition, &due.sort(), free, &[(":now", number(now.0))])
}

/// Takes something out of the queue that is still claimed.
pub(super) fn done(change: &mut Change, due: &Due, claim: Claim) -> Result<Step> {
    let partition = change.table().due();
    change.delete_if(&partition, &due.sort(), "claimed_until = :mine", &[(":mine", number(claim.0.0))])
}

/// The queue, to be worked off.
#[derive(Debug, Clone)]
pub(super) struct Queue(pub Table);

impl Queue {
    /// A reading of what is due by `now` and was not claimed when it was read, the oldest first.
    pub fn due_by(&self, now: Timestamp) -> Reading {
        let (first, last) = keys::due_between(Timestamp(0), now);
        Reading { rows: self.0.due().between::<Row>(&first, &last).in_pages_of(PAGE), now }
    }

    /// Whether something becomes due in the time from `now` to `then`.
    pub async fn is_due_between(&self, now: Timestamp, then: Timestamp) -> Result<bool> {
        let (first, last) = keys::due_between(now, then);
        let mut rows = self.0.due().between::<Row>(&first, &last).in_pages_of(1);
        Ok(rows.page().await?.is_some_and(|page| !page.is_empty()))
    }

    /// Claims something; `None` if somebody else is at it, or has done it.
    pub async fn claim(&self, due: &Due, now: Timestamp) -> Result<Option<Claim>> {
        let until = now.after(CLAIM);
        let update = self.0.due().update(&due.sort()).update_expression("SET claimed_until = :until");
        let free = "attribute_exists(pk) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)";
        let update = update.condition_expression(free);
        let update = update.expression_attribute_values(":until", number(until.0));
        match update.expression_attribute_values(":now", number(now.0)).send().await {
            Ok(_) => Ok(Some(Claim(until))),
            Err(error) if is_condition_failure(&error) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    /// Takes something out that is claimed, with nothing more to say of it.
    pub async fn drop(&self, due: &Due, claim: Claim) -> Result<Written> {
        let values = [(":mine", number(claim.0.0))];
        self.0.due().delete_if(&due.sort(), "claimed_until = :mine", &values).await
    }
}

/// What is due, page by page.
pub(super) struct Reading {
    rows: crate::store::Rows<Row>,
    now: Timestamp,
}

impl Reading {
    /// The next page; `None` after the last.
    pub async fn page(&mut self) -> Result<Option<Vec<Due>>> {
        let Some(rows) = self.rows.page().await? else { return Ok(None) };
        let free = rows.into_iter().filter(|row| row.claimed_until.is_none_or(|until| until <= self.now));
        Ok(Some(free.filter_map(|row| parse(&row.sk)).collect()))
    }
}

fn parse(sort: &str) -> Option<Due> {
    let (at, tenant, message, webhook) = keys::parse_due(sort)?;
    Some(Due { at, tenant, message, webhook })
}
