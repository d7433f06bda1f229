//! Plans, subscriptions, invoices, and what is to be collected.

use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::{
    clock::{Granularity, Period, Timestamp},
    id::{AdjustmentId, CreditNoteId, GrantId, InvoiceId, TenantId},
};

/// The operator's settings.
pub const SETTINGS: &str = "SETTINGS";
/// How far the usage export is.
pub const EXPORT: &str = "EXPORT";
/// What all versions of plans begin with.
pub const PLAN_PREFIX: &str = "PLAN#";
/// What all coupons begin with.
pub const COUPON_PREFIX: &str = "COUPON#";

/// What all versions of a plan begin with.
#[must_use]
pub fn plan_versions(name: &str) -> String {
    format!("{PLAN_PREFIX}{name}#")
}

/// A version of a plan. Padded, so that text order is time order.
#[must_use]
pub fn plan_version(name: &str, effective: Timestamp) -> String {
    format!("{}{:015}", plan_versions(name), effective.0)
}

/// A coupon.
#[must_use]
pub fn coupon(code: &str) -> String {
    format!("{COUPON_PREFIX}{code}")
}

const TERM_PREFIX: &str = "TERM#";

/// A tenant whose plan or credit is to be looked at, by when. Padded, so that text order is time order.
#[must_use]
pub fn term(at: Timestamp, tenant: TenantId) -> String {
    format!("{TERM_PREFIX}{:015}#{tenant}", at.0)
}

/// Between which sort keys all of them lie that are due at a time.
#[must_use]
pub fn terms_until(at: Timestamp) -> (String, String) {
    (TERM_PREFIX.to_owned(), format!("{TERM_PREFIX}{:015}~", at.0))
}

/// What such a sort key says; `None` if it is none.
#[must_use]
pub fn parse_term(sort: &str) -> Option<(Timestamp, TenantId)> {
    let (at, tenant) = sort.strip_prefix(TERM_PREFIX)?.split_once('#')?;
    Some((Timestamp(at.parse().ok()?), TenantId::parse(tenant)?))
}

/// A sequence of numbers, which have no gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sequence {
    /// Of invoices.
    Invoices,
    /// Of credit notes.
    CreditNotes,
}

/// The last number of a sequence in a year.
#[must_use]
pub fn numbers(sequence: Sequence, year: i32) -> String {
    match sequence {
        Sequence::Invoices => format!("NUMBERS#INVOICE#{year:04}"),
        Sequence::CreditNotes => format!("NUMBERS#CREDIT_NOTE#{year:04}"),
    }
}

/// Which plans a tenant is and was on.
pub const SUBSCRIPTION: &str = "SUBSCRIPTION";
/// Who buys.
pub const BUYER: &str = "BUYER";
/// How a tenant pays.
pub const WALLET: &str = "WALLET";
/// What all prepaid credit begins with.
pub const GRANT_PREFIX: &str = "GRANT#";
/// What all adjustments begin with that no invoice has yet.
pub const ADJUSTMENT_PREFIX: &str = "ADJUSTMENT#";

/// Prepaid credit.
#[must_use]
pub fn grant(id: GrantId) -> String {
    format!("{GRANT_PREFIX}{id}")
}

/// What the next invoice is to make up for.
#[must_use]
pub fn adjustment(id: AdjustmentId) -> String {
    format!("{ADJUSTMENT_PREFIX}{id}")
}

/// What all marks of hours begin with that got something when they were counted to their end, or when their month was over.
pub const LATE_PREFIX: &str = "LATE#";

/// The mark of such an hour.
#[must_use]
pub fn late(hour: Period) -> String {
    debug_assert_eq!(hour.granularity, Granularity::Hour);
    format!("{LATE_PREFIX}{hour}")
}

/// What all such marks of a month begin with.
#[must_use]
pub fn late_in(month: Period) -> String {
    format!("{LATE_PREFIX}{month}-")
}

/// What all invoices of a tenant begin with; they sort by period.
pub const INVOICE_PREFIX: &str = "INVOICE#";
/// What all credit notes of a tenant begin with.
pub const CREDIT_NOTE_PREFIX: &str = "NOTE#";

/// The invoice of a tenant and a month. Its id follows from both, so there can't be two.
#[must_use]
pub fn invoice_of(tenant: TenantId, month: Period) -> InvoiceId {
    debug_assert_eq!(month.granularity, Granularity::Month);
    let hash = Sha256::digest(format!("lmo invoice\n{tenant}\n{month}"));
    let random = hash.iter().take(10).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    InvoiceId::from_ulid(Ulid::from_parts(month.start().0, random))
}

/// An invoice.
#[must_use]
pub fn invoice(id: InvoiceId) -> String {
    format!("{INVOICE_PREFIX}{id}")
}

/// A credit note.
#[must_use]
pub fn credit_note(id: CreditNoteId) -> String {
    format!("{CREDIT_NOTE_PREFIX}{id}")
}

/// What all payments of an invoice begin with.
#[must_use]
pub fn payments(invoice: InvoiceId) -> String {
    format!("PAYMENT#{invoice}#")
}

/// An attempt to pay an invoice, from 1.
#[must_use]
pub fn payment(invoice: InvoiceId, attempt: u32) -> String {
    format!("{}{attempt:05}", payments(invoice))
}

/// Prepaid credit that is being bought, or was.
#[must_use]
pub fn purchase(id: GrantId) -> String {
    format!("PURCHASE#{id}")
}
/// What all runs begin with; they sort by month.
pub const RUN_PREFIX: &str = "RUN#";

/// A run of a month.
#[must_use]
pub fn run(month: Period) -> String {
    format!("{RUN_PREFIX}{month}")
}

/// What all parts of a run begin with.
#[must_use]
pub fn run_parts(month: Period) -> String {
    format!("PART#{month}#")
}

/// A part of a run.
#[must_use]
pub fn run_part(month: Period, part: u16) -> String {
    format!("{}{part:04}", run_parts(month))
}

/// Whose payment is to be seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collect {
    /// An invoice's.
    Invoice(InvoiceId),
    /// That of credit that a tenant buys.
    Purchase(GrantId),
}

impl From<InvoiceId> for Collect {
    fn from(id: InvoiceId) -> Self {
        Self::Invoice(id)
    }
}

impl From<GrantId> for Collect {
    fn from(id: GrantId) -> Self {
        Self::Purchase(id)
    }
}

/// A payment that is to be seen to, by when. Padded, so that text order is time order.
#[must_use]
pub fn collect(at: Timestamp, tenant: TenantId, what: impl Into<Collect>) -> String {
    match what.into() {
        Collect::Invoice(invoice) => format!("{:015}#{tenant}#{invoice}", at.0),
        Collect::Purchase(purchase) => format!("{:015}#{tenant}#{purchase}", at.0),
    }
}

/// Up to which sort key everything lies that is to be seen to by `now`.
#[must_use]
pub fn collect_until(now: Timestamp) -> String {
    format!("{:015}~", now.0)
}

/// What such a sort key says; `None` if it is none.
#[must_use]
pub fn parse_collect(sort: &str) -> Option<(Timestamp, TenantId, Collect)> {
    let mut parts = sort.splitn(3, '#');
    let (at, tenant, what) = (parts.next()?, parts.next()?, parts.next()?);
    let purchase = || GrantId::parse(what).map(Collect::Purchase);
    let what = InvoiceId::parse(what).map(Collect::Invoice).or_else(purchase)?;
    Some((Timestamp(at.parse().ok()?), TenantId::parse(tenant)?, what))
}

/// An event of Stripe that was seen.
#[must_use]
pub fn stripe_event(id: &str) -> String {
    format!("EVENT#{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_follows_from_tenant_and_month_and_sorts_by_month() {
        let (a, b) = (TenantId::new(Timestamp(1)), TenantId::new(Timestamp(1)));
        let [october, november] = ["2026-10", "2026-11"].map(|month| Period::parse(month).unwrap());
        assert_eq!(invoice_of(a, october), invoice_of(a, october));
        assert_ne!(invoice_of(a, october), invoice_of(b, october));
        assert!(invoice(invoice_of(a, october)) < invoice(invoice_of(b, november)));
    }

    #[test]
    fn what_is_to_be_collected_reads_back_and_sorts_by_time() {
        let tenant = TenantId::new(Timestamp(1));
        let invoice = invoice_of(tenant, Period::parse("2026-10").unwrap());
        let purchase = GrantId::new(Timestamp(3));
        for what in [Collect::Invoice(invoice), Collect::Purchase(purchase)] {
            assert_eq!(parse_collect(&collect(Timestamp(5), tenant, what)), Some((Timestamp(5), tenant, what)));
        }
        assert!(collect(Timestamp(9), tenant, invoice) < collect(Timestamp(10), tenant, invoice));
    }
}
