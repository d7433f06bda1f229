//! Letters about quotas. The sweep, which has no mail, notes them with what it raises, in one transaction; a schedule of
//! the function that has mail posts them. Each is posted to each of its readers once, as far as mail allows: twice only if
//! whoever posts it dies between sending it and noting so.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::{
    billing::repo::Buyers,
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::TenantId,
    mail::{EmailAddress, Mail, Mailer},
    store::{Change, Table, failure, is_condition_failure, keys, number},
    tenant::{Members, Status, Tenants},
    webhook::Reached,
};

/// How long somebody may be at a letter, and how long it rests after a failure.
const CLAIM: Duration = Duration::from_mins(5);
/// For how long a letter is tried; then it has no news any more.
const PATIENCE: Duration = Duration::from_hours(3 * 24);

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Posted {
    /// Mails that were sent.
    pub sent: u64,
    /// Letters that are tried again.
    pub failed: u64,
    /// Letters that nobody can get, or that could not be sent for days.
    pub dropped: u64,
    /// Whether there is more to do, for which there was no time.
    pub unfinished: bool,
}

/// Posts letters about quotas.
#[derive(Clone)]
pub struct QuotaLetters {
    table: Table,
    clock: Clock,
    tenants: Tenants,
    members: Members,
    buyers: Buyers,
    mailer: Mailer,
}

/// What is kept of a letter beside its key.
#[derive(Serialize, Deserialize)]
struct Kept {
    spent: u64,
    limit: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<String>,
}

/// A letter that is due.
#[derive(Deserialize)]
struct Row {
    sk: String,
    #[serde(default)]
    claimed_until: Option<Timestamp>,
}

/// Adds a letter to a change.
pub(super) fn note(change: &mut Change, tenant: TenantId, at: Timestamp, reached: &Reached) -> Result<()> {
    let Reached { month, measure, percent, spent, limit } = *reached;
    let partition = change.table().letters();
    let sort = keys::letter(at, tenant, month, measure, percent);
    change.put_new(&partition, &sort, &Kept { spent, limit, told: Vec::new() }).map(drop)
}

impl QuotaLetters {
    /// Those in `table`, posted by `mailer`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, mailer: Mailer) -> Self {
        let (tenants, members) = (Tenants::new(table.clone()), Members::new(table.clone()));
        Self { buyers: Buyers::new(table.clone()), tenants, members, table, clock, mailer }
    }

    /// Posts what is due, until `deadline`. It may run twice at once.
    ///
    /// # Errors
    /// `Unavailable` if the letters can't be read. One that fails holds up no other, and is tried again.
    pub async fn post(&self, deadline: Timestamp) -> Result<Posted> {
        let mut posted = Posted::default();
        let mut rows = self.table.letters().between::<Row>("", &keys::letters_until(self.clock.now()));
        while let Some(page) = rows.page().await? {
            for row in page {
                let now = self.clock.now();
                if now >= deadline {
                    return Ok(Posted { unfinished: true, ..posted });
                }
                if row.claimed_until.is_some_and(|until| now < until) {
                    continue;
                }
                if let Err(error) = self.post_one(&row, now, &mut posted).await {
                    tracing::error!(?error, letter = %row.sk, "a letter about a quota is tried again");
                    posted.failed += 1;
                }
            }
        }
        Ok(posted)
    }

    async fn post_one(&self, row: &Row, now: Timestamp, posted: &mut Posted) -> Result<()> {
        let Some((at, tenant, month, measure, percent)) = keys::parse_letter(&row.sk) else { return Ok(()) };
        let Some(kept) = self.claim(row, now).await? else { return Ok(()) };
        let (spent, limit) = (kept.spent, kept.limit);
        let reached = Reached { month, measure, percent, spent, limit };
        let active = self.tenants.find(tenant).await?.filter(|tenant| tenant.status != Status::Deleting);
        let readers = match &active {
            Some(_) if now.since(at) < PATIENCE => self.readers(tenant).await?,
            Some(_) | None => Vec::new(),
        };
        if readers.is_empty() {
            tracing::warn!(%tenant, percent, "nobody can be written about a quota");
            posted.dropped += 1;
        }
        let name = active.map(|tenant| tenant.name).unwrap_or_default();
        for to in readers.into_iter().filter(|to| !kept.told.iter().any(|told| told == to.as_str())) {
            match self.mailer.send(&Mail::quota_reached(to.clone(), &name, &reached)).await {
                Ok(()) => posted.sent += 1,
                Err(error @ Error::Unavailable(_)) => return Err(error),
                // Its recipient, or all mail, is refused: trying again is of no use.
                Err(error) => tracing::error!(?error, %tenant, "a letter about a quota can't be sent"),
            }
            self.note_told(&row.sk, &to).await?;
        }
        self.table.letters().delete_all(std::slice::from_ref(&row.sk)).await
    }

    /// Claims a letter, as it is then; `None` if somebody else is at it, or it is posted.
    async fn claim(&self, row: &Row, now: Timestamp) -> Result<Option<Kept>> {
        let update = self.table.letters().update(&row.sk).update_expression("SET claimed_until = :until");
        let free = "attribute_exists(pk) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)";
        let update = update.condition_expression(free).expression_attribute_values(":now", number(now.0));
        let update = update.expression_attribute_values(":until", number(now.after(CLAIM).0));
        let update = update.return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew);
        match update.send().await {
            Ok(updated) => {
                let item = updated.attributes.unwrap_or_default();
                serde_dynamo::from_item(item).map(Some).map_err(Error::internal)
            }
            Err(error) if is_condition_failure(&error) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    async fn note_told(&self, sort: &str, to: &EmailAddress) -> Result<()> {
        let update = self.table.letters().update(sort).update_expression("ADD told :to");
        let update = update.condition_expression("attribute_exists(pk)");
        let to = AttributeValue::Ss(vec![to.to_string()]);
        match update.expression_attribute_values(":to", to).send().await {
            Ok(_) => Ok(()),
            // Whoever took the claim over has posted it.
            Err(error) if is_condition_failure(&error) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// Whom a tenant's quotas concern: where its invoices go, or its owners and those who pay.
    async fn readers(&self, tenant: TenantId) -> Result<Vec<EmailAddress>> {
        match self.buyers.get(tenant).await?.profile.email {
            Some(email) => Ok(vec![email]),
            None => self.members.payers(tenant).await,
        }
    }
}
