//! The list of invoices and purchases whose payment is to be seen to, by when, for all tenants. Whoever takes one
//! claims it first, so that two workers don't do the same; who dies over it leaves a claim that ends by itself. That
//! nothing is done twice doesn't hang on it: everything is written on condition of the invoice's version.

use std::{collections::HashSet, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Payments;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
    store::{failure, is_condition_failure, keys, keys::Collect, number},
};

/// How long a claim lasts: longer than what is done about an invoice takes.
const CLAIM: Duration = Duration::from_mins(5);
/// How many invoices are seen to at once.
const AT_ONCE: usize = 16;
/// What is read at once.
const PAGE: i32 = 100;

/// An item of the list.
#[derive(Serialize)]
pub(super) struct Unclaimed {}

#[derive(Deserialize)]
struct Row {
    sk: String,
    #[serde(default)]
    claimed_until: Option<Timestamp>,
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ran {
    /// Invoices that were seen to.
    pub seen: u64,
    /// Invoices that something failed about; they are seen to again later.
    pub failed: u64,
    /// Whether there is more to do, for which there was no time.
    pub unfinished: bool,
}

impl Payments {
    /// Sees to the payment of each invoice whose time has come. It begins nothing more after `deadline`; what is under way
    /// then may take a minute.
    ///
    /// # Errors
    /// `Unavailable` if the list can't be read. Whatever else fails is logged and done again when its claim is over.
    pub async fn run_due(&self, deadline: Timestamp) -> Result<Ran> {
        let mut ran = Ran::default();
        let mut tasks = JoinSet::new();
        let mut begun: HashSet<String> = HashSet::new();
        loop {
            let now = self.clock.now();
            let until = keys::collect_until(now);
            let mut rows = self.table.collect().between::<Row>("0", &until).in_pages_of(PAGE);
            let before = begun.len();
            while let Some(page) = rows.page().await? {
                for row in page {
                    let Some((at, tenant, what)) = keys::parse_collect(&row.sk) else { continue };
                    let is_free = row.claimed_until.is_none_or(|until| until <= now);
                    if !is_free || !begun.insert(row.sk.clone()) {
                        continue;
                    }
                    if self.clock.now() >= deadline {
                        ran.unfinished = true;
                        return Ok(ended(ran, tasks).await);
                    }
                    if tasks.len() >= AT_ONCE {
                        count(&mut ran, tasks.join_next().await.as_ref());
                    }
                    let payments = self.clone();
                    tasks.spawn(async move { payments.take(at, tenant, what, &row.sk).await });
                }
            }
            while let Some(done) = tasks.join_next().await {
                count(&mut ran, Some(&done));
            }
            if begun.len() == before {
                return Ok(ran);
            }
        }
    }

    /// Claims an item of the list and sees to what it names; `false` if somebody else is at it.
    async fn take(&self, at: Timestamp, tenant: TenantId, what: Collect, sort: &str) -> Result<bool> {
        let now = self.clock.now();
        let free = "attribute_exists(pk) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)";
        let update = self.table.collect().update(sort).update_expression("SET claimed_until = :until");
        let update = update.condition_expression(free).expression_attribute_values(":now", number(now.0));
        match update.expression_attribute_values(":until", number(now.after(CLAIM).0)).send().await {
            Ok(_) => {}
            Err(error) if is_condition_failure(&error) => return Ok(false),
            Err(error) => return Err(failure(error)),
        }
        let next = match what {
            Collect::Invoice(invoice) => self.see_to(tenant, invoice, false).await.map(|collected| collected.next),
            Collect::Purchase(purchase) => self.look_at_purchase(tenant, purchase).await.map(|()| None),
        };
        match next {
            // What it says next is another item; then this one is nobody's any more.
            Ok(next) if next != Some(at) => {}
            // An invoice that is gone has nothing to be collected.
            Err(Error::NotFound { .. }) => {}
            Ok(_) => return Ok(true),
            Err(error) => {
                tracing::error!(?error, %tenant, ?what, "a payment is left until its claim is over");
                return Err(error);
            }
        }
        self.table.collect().delete_all(&[sort.to_owned()]).await.map(|()| true)
    }
}

type Done = std::result::Result<Result<bool>, tokio::task::JoinError>;

async fn ended(mut ran: Ran, mut tasks: JoinSet<Result<bool>>) -> Ran {
    while let Some(done) = tasks.join_next().await {
        count(&mut ran, Some(&done));
    }
    ran
}

fn count(ran: &mut Ran, done: Option<&Done>) {
    match done {
        Some(Ok(Ok(true))) => ran.seen += 1,
        Some(Ok(Ok(false))) | None => {}
        Some(Ok(Err(_)) | Err(_)) => ran.failed += 1,
    }
}
