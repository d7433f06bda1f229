//! A draft: what the invoice would be if it were finalised now.

use super::{
    Invoices,
    fold::folded,
    tax::{Tax, TaxTable, tax_line},
};
use crate::{
    billing::{
        Account, Adjustment, Amount, Compared, Currency, Grant, Invoice, InvoiceStatus, PaymentStatus, Profile, Seller,
        Settings, Statement, TaxLine, rate,
        repo::{Subscribed, grants},
    },
    clock::{Period, Timestamp},
    error::Result,
    id::{AdjustmentId, TenantId},
    store::{Change, keys},
    tenant::Tenant,
};

/// How many adjustments and grants an invoice uses up at most, so that finalising it fits into one transaction. What is left is
/// the next one's.
const MOST_ADJUSTMENTS: usize = 40;
const MOST_GRANTS: usize = 45;

/// An adjustment that waits for the next invoice.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Waiting {
    /// Its identifier.
    pub id: AdjustmentId,
    /// What it is in.
    pub currency: Currency,
    /// What it says, and how much.
    #[serde(flatten)]
    pub adjustment: Adjustment,
}

impl Waiting {
    /// Has the next invoice make up for something.
    pub fn put(
        change: &mut Change,
        tenant: TenantId,
        currency: Currency,
        adjustment: Adjustment,
        now: Timestamp,
    ) -> Result<()> {
        let id = AdjustmentId::new(now);
        let main = change.table().tenant(tenant).main();
        change.put_new(&main, &keys::adjustment(id), &Self { id, currency, adjustment }).map(drop)
    }
}

/// A draft, and what it would use up.
pub(super) struct Drafted {
    pub invoice: Invoice,
    pub compared: Compared,
    /// Adjustments that it has.
    pub adjustments: Vec<AdjustmentId>,
    /// Credit that it uses, as it is after that but for the versions.
    pub grants: Vec<Grant>,
    /// Whether credit is all that the tenant pays with.
    pub prepaid: bool,
}

/// An invoice that says nothing yet.
pub(super) fn empty(tenant: &Tenant, month: Period, currency: Currency, seller: Seller, now: Timestamp) -> Invoice {
    Invoice {
        id: keys::invoice_of(tenant.id, month),
        tenant: tenant.id,
        period: month.to_string(),
        number: None,
        status: InvoiceStatus::Generating,
        payment: PaymentStatus::None,
        currency,
        seller,
        buyer: Profile::default(),
        lines: Vec::new(),
        subtotal: Amount::ZERO,
        tax: TaxLine::default(),
        total: Amount::ZERO,
        from_credit: Amount::ZERO,
        credit_used: Vec::new(),
        due: Amount::ZERO,
        paid: Amount::ZERO,
        refunded: Amount::ZERO,
        credited: Amount::ZERO,
        credited_subtotal: Amount::ZERO,
        credited_as_credit: Amount::ZERO,
        carried: Amount::ZERO,
        late: Amount::ZERO,
        plans: Vec::new(),
        entries: 0,
        books: None,
        created_at: now,
        finalised_at: None,
        due_at: None,
        void_for: None,
        attempts: 0,
        collection: super::super::Collection::default(),
        version: 1,
    }
}

impl Invoices {
    /// What the invoice would be now.
    pub(super) async fn draft(
        &self,
        tenant: &Tenant,
        subscribed: &Subscribed,
        month: Period,
        settings: &Settings,
        kept: &Invoice,
        now: Timestamp,
    ) -> Result<Drafted> {
        let gathered = self.gather(tenant.id, subscribed, month).await?;
        let compared = self.compare_with(tenant.id, month, &gathered.total, now).await?;
        let mut segments = gathered.segments;
        self.count_seats(tenant.id, &mut segments).await?;
        let currency = kept.currency;
        let mut waiting = self.waiting(tenant.id, currency).await?;
        waiting.truncate(MOST_ADJUSTMENTS);
        let prepaid = segments.iter().any(|segment| segment.plan.overage == super::super::Overage::Prepaid);
        let plans =
            segments.iter().map(|segment| format!("{}@{}", segment.plan.name, segment.plan.effective)).collect();
        let account = Account {
            from: month.start(),
            to: month.end(),
            currency,
            segments,
            discounts: subscribed.subscription.discounts(month, currency),
            adjustments: waiting.iter().map(|one| one.adjustment.clone()).collect(),
        };
        let Statement { lines, subtotal, carried, .. } = rate(&account)?;
        let lines = folded(lines)?;
        let buyer = self.buyer(tenant).await?;
        let tax = tax_line(TaxTable::of(settings).of(&settings.seller, &buyer), &lines, subtotal, currency)?;
        let total = subtotal.plus(tax.amount)?;
        let mut usable = self.grants.usable(tenant.id, currency, month).await?;
        usable.truncate(MOST_GRANTS);
        let left_before: Vec<_> = usable.iter().map(|grant| (grant.id, grant.left)).collect();
        let (from_credit, used) = grants::take(usable, total)?;
        let credit_used = used
            .iter()
            .filter_map(|grant| {
                let (_, before) = left_before.iter().find(|(id, _)| *id == grant.id)?;
                Some(before.minus(grant.left).map(|amount| (grant.id, amount)))
            })
            .collect::<Result<_>>()?;
        let invoice = Invoice {
            status: InvoiceStatus::Draft,
            seller: settings.seller.clone(),
            buyer,
            lines,
            subtotal,
            tax,
            total,
            from_credit,
            credit_used,
            due: total.minus(from_credit)?,
            carried,
            plans,
            entries: gathered.total.n,
            books: Some(compared.clone()),
            ..kept.clone()
        };
        let adjustments = waiting.into_iter().map(|one| one.id).collect();
        Ok(Drafted { invoice, compared, adjustments, grants: used, prepaid })
    }

    /// Adjustments that wait for the next invoice in a currency.
    pub(super) async fn waiting(&self, tenant: TenantId, currency: Currency) -> Result<Vec<Waiting>> {
        let mut waiting: Vec<Waiting> =
            self.table.tenant(tenant).main().begins_with(keys::ADJUSTMENT_PREFIX).collect().await?;
        waiting.retain(|one| one.currency == currency);
        Ok(waiting)
    }

    /// Who buys: as the tenant says it, or by its name.
    async fn buyer(&self, tenant: &Tenant) -> Result<Profile> {
        let profile = self.buyers.get(tenant.id).await?.profile;
        Ok(if profile.name.is_empty() { Profile { name: tenant.name.clone(), ..profile } } else { profile })
    }
}
