//! Invoices: what they say, and what becomes of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Amount, Collection, Currency, Line, Percent, Profile, Seller};
use crate::{
    clock::{Period, Timestamp},
    id::{CreditNoteId, GrantId, InvoiceId, TenantId},
    usage::Difference,
};

/// An invoice. There is at most one of a tenant and a period, because its id follows from both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invoice {
    /// Its identifier.
    pub id: InvoiceId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The UTC month, as in `2026-11`.
    pub period: String,
    /// Its number: gapless within the operator and the year of its date; none before it is finalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// How far it is.
    pub status: InvoiceStatus,
    /// What became of its payment.
    pub payment: PaymentStatus,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Who sells, as it was when the invoice was finalised.
    pub seller: Seller,
    /// Who buys, as it was when the invoice was finalised.
    pub buyer: Profile,
    /// The lines.
    pub lines: Vec<Line>,
    /// Their sum, before tax.
    pub subtotal: Amount,
    /// What tax comes on top.
    pub tax: TaxLine,
    /// With tax.
    pub total: Amount,
    /// Paid out of prepaid credit.
    #[serde(default)]
    pub from_credit: Amount,
    /// Which credit that was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credit_used: Vec<(GrantId, Amount)>,
    /// What is to be paid: total without what came from credit.
    pub due: Amount,
    /// What was paid of it, whatever became of that later.
    #[serde(default)]
    pub paid: Amount,
    /// What of that went back the way that it came.
    #[serde(default)]
    pub refunded: Amount,
    /// What was given back, by credit notes.
    #[serde(default)]
    pub credited: Amount,
    /// The part of that before tax.
    #[serde(default)]
    pub credited_subtotal: Amount,
    /// The part of it that became prepaid credit.
    #[serde(default)]
    pub credited_as_credit: Amount,
    /// What later invoices made up for, because it came late.
    #[serde(default)]
    pub late: Amount,
    /// What the next invoice begins with, because this one had nothing left to take it off: zero or negative.
    #[serde(default)]
    pub carried: Amount,
    /// The versions of plans that it was rated by, as `name@effective`.
    pub plans: Vec<String>,
    /// How many ledger entries it is made of.
    pub entries: u64,
    /// Both books as they were compared last; `None` before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub books: Option<Compared>,
    /// When the draft was made first.
    pub created_at: Timestamp,
    /// When it was finalised: its date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalised_at: Option<Timestamp>,
    /// By when it is to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it is void, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_for: Option<String>,
    /// How many payments there are of it, whatever became of them.
    #[serde(default)]
    pub attempts: u32,
    /// How its payment is followed up.
    #[serde(default)]
    pub collection: Collection,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

/// How far an invoice is. `Generating -> Draft -> Finalised -> Void`; nothing goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// Somebody is computing it for the first time.
    Generating,
    /// It can still change: the grace period isn't over, or the books don't agree.
    Draft,
    /// It has a number and never changes any more.
    Finalised,
    /// It has a number and counts for nothing.
    Void,
}

/// What became of an invoice's payment: a status of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing is due yet, because the invoice isn't finalised, or any more, because it is void.
    #[default]
    None,
    /// It is to be paid, or on its way.
    Pending,
    /// The buyer has to do something (strong customer authentication).
    ActionRequired,
    /// The last attempt failed; there will be another one.
    Failed,
    /// It is paid, or there was nothing to pay.
    Paid,
    /// It was given up.
    Uncollectible,
}

/// What tax comes on top of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TaxLine {
    /// What it is called: `VAT`, or empty if there is none.
    pub name: String,
    /// How much.
    pub rate: Percent,
    /// On the whole subtotal, rounded half up once.
    pub amount: Amount,
    /// By how much the sum would differ if each line had been taxed and rounded by itself.
    #[serde(default)]
    pub per_line_difference: Amount,
    /// What the law wants to be said (`Reverse charge`), if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Both books of an invoice's period, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// When.
    pub at: Timestamp,
    /// Whether meter, totals and ledger agree.
    pub agree: bool,
    /// Whether there are hours that are not counted to their end.
    #[serde(default)]
    pub open: bool,
    /// Meter and totals.
    pub books: Difference,
    /// What the ledger has, counted entry by entry.
    pub ledger: crate::usage::Book,
}

/// A credit note: it takes back an invoice in part or in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreditNote {
    /// Its identifier.
    pub id: CreditNoteId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number, gapless like those of invoices, in a sequence of its own.
    pub number: String,
    /// The invoice that it takes back.
    pub invoice: InvoiceId,
    /// Its number.
    pub invoice_number: String,
    /// Why.
    pub reason: String,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Who sells.
    pub seller: Seller,
    /// Who buys.
    pub buyer: Profile,
    /// Before tax; positive.
    pub subtotal: Amount,
    /// The tax that is taken back with it.
    pub tax: TaxLine,
    /// With tax; positive.
    pub total: Amount,
    /// What becomes of the money.
    pub settlement: CreditSettlement,
    /// When it was made: its date.
    pub created_at: Timestamp,
}

/// What becomes of the money of a credit note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CreditSettlement {
    /// The invoice isn't paid, and less of it is due.
    Due,
    /// It becomes prepaid credit.
    Credit,
    /// It goes back the way that it came.
    Refund,
}

impl Invoice {
    /// Whether its tenant is to stay suspended until it is paid.
    #[must_use]
    pub fn keeps_suspended(&self) -> bool {
        self.collection.suspended && self.status == InvoiceStatus::Finalised && self.payment != PaymentStatus::Paid
    }

    /// What is still to be paid: due, less what was paid and what credit notes took off.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn open(&self) -> crate::error::Result<Amount> {
        Ok(self.due.minus(self.paid)?.minus(self.credited)?.or_zero())
    }

    /// The month that it is for; `None` if the item is broken.
    #[must_use]
    pub fn month(&self) -> Option<Period> {
        Period::parse(&self.period)
    }
}
