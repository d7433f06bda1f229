//! Invoices, from the ledger to a document that never changes: [`Invoices::bill`] does for one tenant and month whatever can be
//! done now. It may be killed anywhere and run twice at once: what it writes is on condition of what it has read.
//!
//! *The books.* All of a month's ledger is read, entry by entry, and compared with totals and meter. Only if all three agree an
//! invoice is finalised; else it stays a draft, and says by how much they differ.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Compared, Invoice, InvoiceStatus,
    repo::{BillingSettings, Buyers, Grants, Subscribed, Subscriptions},
};
use crate::{
    audit::{Actor, Deed, record},
    batch::Batcher,
    clock::{Clock, Period, Timestamp},
    error::{Error, Result},
    id::{InvoiceId, TenantId},
    llm::catalogue::Catalogues,
    store::{Change, Order, Partition, Table, Written, keys, number},
    telemetry::metrics,
    tenant::{Members, Tenant, Tenants},
    usage::{Aggregator, Books, Sweeper},
};

mod credit_note;
mod draft;
mod finalise;
mod fold;
mod gather;
mod late;
mod number;
mod preview;
mod repair;
mod seats;
mod tax;
mod void;

pub use credit_note::NewCreditNote;
pub use repair::{Reconciliation, RowDifference};
pub use tax::{Tax, TaxTable, Taxed};

/// What became of a tenant's month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "billed", rename_all = "snake_case")]
pub enum Billed {
    /// There is nothing to bill: no such tenant, or none that was on a plan.
    Nothing,
    /// It can't be finalised before then.
    Waiting {
        /// When.
        until: Timestamp,
    },
    /// It stays a draft for now.
    Draft {
        /// Why.
        why: String,
    },
    /// It is finalised.
    Finalised {
        /// Whether it just was.
        new: bool,
    },
}

/// Invoices of all tenants.
#[derive(Clone)]
pub struct Invoices {
    table: Table,
    clock: Clock,
    tenants: Tenants,
    members: Members,
    subscriptions: Subscriptions,
    settings: BillingSettings,
    buyers: Buyers,
    grants: Grants,
    catalogues: Arc<Catalogues>,
    aggregator: Aggregator,
    sweeper: Sweeper,
    books: Books,
    /// All that are to be finalised share the writes that give them numbers.
    finalising: Arc<Batcher<(), finalise::Ready, bool>>,
}

/// How many are finalised in one transaction, at most; it has room for 100 writes.
const AT_ONCE: usize = 8;

impl Invoices {
    /// The invoices in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, subscriptions: Subscriptions, catalogues: Arc<Catalogues>) -> Self {
        let (writer, now) = (table.clone(), clock.clone());
        Self {
            tenants: Tenants::new(table.clone()),
            members: Members::new(table.clone()),
            settings: BillingSettings::new(table.clone()),
            buyers: Buyers::new(table.clone()),
            grants: Grants::new(table.clone()),
            aggregator: Aggregator::new(table.clone(), clock.clone()),
            sweeper: Sweeper::new(table.clone(), clock.clone()),
            books: Books::new(table.clone(), clock.clone()),
            finalising: Batcher::new(AT_ONCE, move |(), ready| finalise::all(writer.clone(), now.now(), ready)),
            table,
            clock,
            subscriptions,
            catalogues,
        }
    }

    /// Does for a tenant's month whatever can be done at `now`.
    ///
    /// # Errors
    /// `Conflict` if billing has no settings; `Unavailable`; whatever rating fails with. It is done again by the next run.
    pub async fn bill(&self, id: TenantId, month: Period, now: Timestamp) -> Result<Billed> {
        if now < month.end() {
            return Ok(Billed::Waiting { until: month.end() });
        }
        let kept = self.find(id, keys::invoice_of(id, month)).await?;
        if kept.as_ref().is_some_and(|invoice| invoice.status >= InvoiceStatus::Finalised) {
            return Ok(Billed::Finalised { new: false });
        }
        let Some(tenant) = self.tenants.find(id).await? else { return Ok(Billed::Nothing) };
        let Some(subscribed) = self.subscriptions.find(&tenant).await? else { return Ok(Billed::Nothing) };
        if subscribed.segments(month).is_empty() {
            return Ok(Billed::Nothing);
        }
        let settings = self.settings.get().await?;
        let kept = match kept {
            Some(kept) => kept,
            None => self.generate(&tenant, &subscribed, month, &settings, now).await?,
        };
        if kept.status >= InvoiceStatus::Finalised {
            // Somebody else began after this, and was quicker with all of it.
            return Ok(Billed::Finalised { new: false });
        }
        self.late(&tenant, month, now).await?;
        let until = month.end().after(std::time::Duration::from_hours(1) * settings.grace_hours);
        let draft = self.draft(&tenant, &subscribed, month, &settings, &kept, now).await?;
        if now < until {
            // Its last hours are still being counted, so that the books may differ.
            self.write_draft(&kept, draft.invoice).await?;
            return Ok(Billed::Waiting { until });
        }
        if !draft.compared.agree {
            let why = self.hold_back(&tenant, &kept, draft, now).await?;
            return Ok(Billed::Draft { why });
        }
        let ready = finalise::Ready::of(draft, &kept, &settings, now);
        if self.finalising.submit((), ready).await? {
            return Ok(Billed::Finalised { new: true });
        }
        // Somebody else was quicker, with this or something that it follows from.
        let again = self.find(id, kept.id).await?;
        if again.is_some_and(|invoice| invoice.status >= InvoiceStatus::Finalised) {
            return Ok(Billed::Finalised { new: false });
        }
        Err(Error::Conflict("the invoice was changed by others; it is made again".to_owned()))
    }

    /// The one invoice of the month, if nobody has put it there yet.
    async fn generate(
        &self,
        tenant: &Tenant,
        subscribed: &Subscribed,
        month: Period,
        settings: &super::Settings,
        now: Timestamp,
    ) -> Result<Invoice> {
        let plan = subscribed.plan_at(Timestamp(month.end().0 - 1)).or_else(|| subscribed.plans.last());
        let currency =
            plan.map(|plan| plan.currency).ok_or_else(|| Error::internal("a subscription without a plan"))?;
        let invoice = draft::empty(tenant, month, currency, settings.seller.clone(), now);
        let of = self.of(tenant.id);
        match of.put_new(&keys::invoice(invoice.id), &invoice).await? {
            Written::Yes => Ok(invoice),
            Written::Refused => self.get(tenant.id, invoice.id).await,
        }
    }

    /// Keeps a draft whose books differ, says so once, and why.
    async fn hold_back(
        &self,
        tenant: &Tenant,
        kept: &Invoice,
        draft: draft::Drafted,
        now: Timestamp,
    ) -> Result<String> {
        let why = difference(&draft.compared);
        metrics::invoice_held();
        tracing::error!(tenant = %tenant.id, invoice = %kept.id, %why, "an invoice is held back, because the books differ");
        let known = kept.books.as_ref().is_some_and(|before| !before.agree && same(before, &draft.compared));
        if known && kept.status == InvoiceStatus::Draft {
            return Ok(why);
        }
        let mut change = Change::new(&self.table);
        let mut invoice = draft.invoice;
        let of = kept.version;
        invoice.version = of + 1;
        change.replace(&self.of(tenant.id), &keys::invoice(invoice.id), &invoice, of)?;
        let after = json!({"period": invoice.period, "difference": why});
        let deed = Deed { action: "invoice.hold", target: invoice.id.to_string(), after, ..Deed::default() };
        record(&mut change, tenant.id, &Actor::system(), now, deed)?;
        // Somebody who was quicker has said the same.
        let _ = change.commit().await?;
        Ok(why)
    }

    /// Keeps a draft, unless it says what is kept already. By how much its books differ is said when its time has come.
    async fn write_draft(&self, kept: &Invoice, mut invoice: Invoice) -> Result<()> {
        invoice.books = invoice.books.filter(|books| books.agree);
        let content = |invoice: &Invoice| {
            let Invoice { status, lines, subtotal, total, carried, buyer, seller, entries, .. } = invoice.clone();
            (status, lines, subtotal, total, carried, buyer, seller, entries)
        };
        if content(kept) == content(&invoice) {
            return Ok(());
        }
        let of = kept.version;
        invoice.version = of + 1;
        // A transaction of one write would cost two. Somebody who was quicker has written the same, or a newer one.
        let (sort, as_read) = (keys::invoice(invoice.id), [(":version", number(of))]);
        self.of(invoice.tenant).put_if(&sort, &invoice, "version = :version", &as_read).await.map(drop)
    }

    /// An invoice, if there is one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find(&self, tenant: TenantId, id: InvoiceId) -> Result<Option<Invoice>> {
        self.of(tenant).find(&keys::invoice(id)).await
    }

    /// An invoice.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub async fn get(&self, tenant: TenantId, id: InvoiceId) -> Result<Invoice> {
        self.find(tenant, id).await?.ok_or_else(|| Error::NotFound { kind: "invoice", id: id.to_string() })
    }

    /// A page of a tenant's invoices, the latest first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<Invoice>, Option<String>)> {
        self.of(tenant).page(keys::INVOICE_PREFIX, after, limit, Order::Descending).await
    }

    fn of(&self, tenant: TenantId) -> Partition {
        self.table.tenant(tenant).invoices()
    }
}

/// Whether two comparisons found the same.
fn same(one: &Compared, other: &Compared) -> bool {
    (one.agree, one.books, one.ledger) == (other.agree, other.books, other.ledger)
}

/// By how much the books differ, in words.
fn difference(compared: &Compared) -> String {
    let (meter, totals, ledger) = (compared.books.meter, compared.books.totals, compared.ledger);
    if compared.open {
        return "hours of the month are not counted to their end".to_owned();
    }
    if compared.books.holds > 0 {
        return format!("{} requests are still under way", compared.books.holds);
    }
    let say = |name, of: fn(&crate::usage::Book) -> u64| {
        let (meter, totals, ledger) = (of(&meter), of(&totals), of(&ledger));
        (meter != totals || totals != ledger)
            .then(|| format!("{name}: meter {meter}, totals {totals}, ledger {ledger}"))
    };
    let parts = [
        say("requests", |book| book.requests),
        say("tokens", |book| book.tokens),
        say("nano-USD", |book| book.nano_usd),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        false => parts.join("; "),
        true if !compared.books.balanced => "a meter's cap is not what is left, held and spent".to_owned(),
        true => "totals and ledger have different rows".to_owned(),
    }
}
