//! Reconciling: the three books of a month side by side, row by row where they differ; and putting totals and meter right by the
//! ledger, which is the truth. Repairing takes the operator's own permissions: the deployed functions may not do it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use super::{Invoices, difference, gather::hours_of};
use crate::{
    audit::{Actor, Deed, record},
    billing::Compared,
    clock::Period,
    error::{Error, Result},
    id::TenantId,
    quota::Meter,
    store::{Change, Written, keys, keys::MeterScope, number},
    usage::{Book, RowKey, Total, TotalRow},
};

/// The books of a month, compared.
#[derive(Debug, Clone, Serialize)]
pub struct Reconciliation {
    /// Whose.
    pub tenant: TenantId,
    /// The UTC month.
    pub period: String,
    /// Whether all three say the same.
    pub agree: bool,
    /// By how much they differ, in words; absent if they agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// What each says.
    pub books: Compared,
    /// Where totals and ledger differ.
    pub rows: Vec<RowDifference>,
}

/// A row in which totals and ledger differ.
#[derive(Debug, Clone, Serialize)]
pub struct RowDifference {
    /// Which.
    #[serde(flatten)]
    pub row: RowKey,
    /// What the totals say; absent if they don't have it.
    pub totals: Option<TotalRow>,
    /// What the ledger says; absent if it doesn't have it.
    pub ledger: Option<TotalRow>,
}

/// How often a meter is tried again that moves meanwhile.
const TRIES: usize = 10;

impl Invoices {
    /// Compares the books of a month, reading the ledger of each of its hours.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn reconcile(&self, tenant: TenantId, month: Period) -> Result<Reconciliation> {
        let ledger = self.whole_ledger(tenant, month).await?;
        let books = self.compare_with(tenant, month, &ledger, self.clock.now()).await?;
        let totals = self.aggregator.total(tenant, month).await?.unwrap_or_default();
        let keys: BTreeSet<_> = totals.rows.keys().chain(ledger.rows.keys()).collect();
        let differ = |key: &&RowKey| totals.rows.get(*key) != ledger.rows.get(*key);
        let row = |key: &RowKey| RowDifference {
            row: key.clone(),
            totals: totals.rows.get(key).copied(),
            ledger: ledger.rows.get(key).copied(),
        };
        let rows = keys.into_iter().filter(differ).map(row).collect();
        let (agree, period) = (books.agree, month.to_string());
        let difference = (!agree).then(|| difference(&books));
        Ok(Reconciliation { tenant, period, agree, difference, books, rows })
    }

    /// Puts totals and meter right by the ledger, and compares again: settles what nobody works on any more, counts every hour anew,
    /// and moves what the meter says was spent.
    ///
    /// # Errors
    /// `Conflict` if the month isn't over, or the meter keeps moving; `Unavailable`.
    pub async fn repair(&self, tenant: TenantId, month: Period, actor: &Actor) -> Result<Reconciliation> {
        let now = self.clock.now();
        if now < month.end() {
            return Err(Error::Conflict("the month isn't over: the sweep puts right what is open".to_owned()));
        }
        let before = self.reconcile(tenant, month).await?;
        self.sweeper.finish_month(tenant, month).await?;
        for hour in hours_of(month) {
            self.aggregator.rewrite(tenant, hour).await?;
        }
        self.aggregator.rewrite_sums(tenant, month).await?;
        let ledger = self.whole_ledger(tenant, month).await?;
        self.set_meter(tenant, month, &ledger).await?;
        let after = self.reconcile(tenant, month).await?;
        let mut change = Change::new(&self.table);
        let shown = |found: &Reconciliation| json!({"period": found.period, "agree": found.agree, "difference": found.difference});
        let deed = Deed {
            action: "books.repair",
            target: format!("{tenant} {month}"),
            before: shown(&before),
            after: shown(&after),
        };
        record(&mut change, tenant, actor, now, deed)?;
        change.commit().await?.or(|| Error::internal("an audit entry that is there already"))?;
        Ok(after)
    }

    async fn whole_ledger(&self, tenant: TenantId, month: Period) -> Result<Total> {
        let nobody = super::Subscribed::default();
        Ok(self.gather_from(tenant, &nobody, month, hours_of(month)).await?.total)
    }

    /// Has the first of the tenant's meters say what the others leave of the ledger.
    async fn set_meter(&self, tenant: TenantId, month: Period, ledger: &Total) -> Result<()> {
        const AS_READ: &str = "requests = :requests AND tokens_spent = :tokens AND nano_usd_spent = :nano_usd AND \
                               tokens_left = :tokens_left AND nano_usd_left = :nano_usd_left";
        let sum = ledger.sum()?;
        let wanted = Book { requests: sum.requests, tokens: sum.tokens()?.0, nano_usd: sum.nano_usd.0 };
        let (main, sort) = (self.table.tenant(tenant).main(), keys::meter(month, MeterScope::Tenant(0)));
        for _ in 0..TRIES {
            let found = self.books.compare(tenant, month).await?;
            if found.meter == wanted && found.balanced {
                return Ok(());
            }
            let Some(meter) = main.find::<Meter>(&sort).await? else {
                // It is lost, or there never was one.
                let limits = self.tenants.find(tenant).await?.map(|tenant| tenant.limits).unwrap_or_default();
                let opened = Meter::open(&limits).having_spent(wanted.requests, wanted.tokens, wanted.nano_usd)?;
                main.put_new(&sort, &opened).await?;
                continue;
            };
            let of_this = |wanted: u64, all: u64, own: u64| (wanted.saturating_add(own)).saturating_sub(all);
            let right = meter.having_spent(
                of_this(wanted.requests, found.meter.requests, meter.requests),
                of_this(wanted.tokens, found.meter.tokens, meter.tokens_spent),
                of_this(wanted.nano_usd, found.meter.nano_usd, meter.nano_usd_spent),
            )?;
            let as_read = [
                (":requests", number(meter.requests)),
                (":tokens", number(meter.tokens_spent)),
                (":nano_usd", number(meter.nano_usd_spent)),
                (":tokens_left", number(meter.tokens_left)),
                (":nano_usd_left", number(meter.nano_usd_left)),
            ];
            if main.put_if(&sort, &right, AS_READ, &as_read).await? == Written::Yes {
                return Ok(());
            }
        }
        Err(Error::Conflict("the meter keeps moving".to_owned()))
    }
}
