//! An invoice and a credit note as JSON: what clients and operators see.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    billing::{
        Amount, Compared, CreditNote, CreditSettlement, Currency, Invoice, InvoiceStatus, Line, LineKind,
        PaymentStatus, Profile, Seller, TaxLine,
    },
    clock::Timestamp,
    id::{CreditNoteId, InvoiceId, TenantId},
};

/// An invoice. Amounts are decimal numbers in quotes, in its currency; times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceView {
    /// Its identifier.
    pub id: InvoiceId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The UTC month, as in `2026-11`.
    pub period: String,
    /// Its number; absent before it is finalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// How far it is.
    pub status: InvoiceStatus,
    /// What became of its payment.
    pub payment: PaymentStatus,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Who sells.
    pub seller: Seller,
    /// Who buys.
    pub buyer: Profile,
    /// The lines; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineView>>,
    /// Their sum, before tax.
    pub subtotal: Amount,
    /// What tax comes on top.
    pub tax: TaxLine,
    /// With tax.
    pub total: Amount,
    /// Paid out of prepaid credit.
    pub from_credit: Amount,
    /// What is to be paid.
    pub due: Amount,
    /// What was paid of it.
    pub paid: Amount,
    /// What of that went back.
    pub refunded: Amount,
    /// What credit notes took back.
    pub credited: Amount,
    /// What the next invoice begins with: zero or negative.
    pub carried: Amount,
    /// The versions of plans that it was rated by, as `name@effective`.
    pub plans: Vec<String>,
    /// How many requests it is made of.
    pub requests: u64,
    /// Its date: when it was finalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalised_at: Option<String>,
    /// By when it is to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Why it is void, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_for: Option<String>,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineView {
    /// What it is for.
    #[serde(flatten)]
    pub kind: LineKind,
    /// What it says.
    pub text: String,
    /// Of what it is so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// What one costs, or a million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Amount>,
    /// The amount to the nano-unit.
    pub exact: Amount,
    /// The amount, rounded.
    pub amount: Amount,
    /// From when it is.
    pub from: String,
    /// Until when, exclusively.
    pub to: String,
}

/// A credit note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreditNoteView {
    /// Its identifier.
    pub id: CreditNoteId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number.
    pub number: String,
    /// The invoice that it takes back.
    pub invoice: InvoiceId,
    /// Its number.
    pub invoice_number: String,
    /// Why.
    pub reason: String,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Before tax.
    pub subtotal: Amount,
    /// The tax that is taken back with it.
    pub tax: TaxLine,
    /// With tax.
    pub total: Amount,
    /// What becomes of the money.
    pub settlement: CreditSettlement,
    /// Its date.
    pub created_at: String,
}

/// Both books of an invoice's month and its ledger, as they were compared last. For operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BooksView {
    /// When they were compared.
    pub at: String,
    /// Whether all three agree.
    pub agree: bool,
    /// Requests that were under way.
    pub holds: usize,
    /// Requests, tokens and nano-USD at list prices by the meter.
    pub meter: [u64; 3],
    /// The same by the totals.
    pub totals: [u64; 3],
    /// The same by the ledger.
    pub ledger: [u64; 3],
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl InvoiceView {
    /// The same without its lines, for lists.
    #[must_use]
    pub fn without_lines(self) -> Self {
        Self { lines: None, ..self }
    }
}

impl From<&Invoice> for InvoiceView {
    fn from(invoice: &Invoice) -> Self {
        let invoice = invoice.clone();
        Self {
            id: invoice.id,
            tenant: invoice.tenant,
            period: invoice.period,
            number: invoice.number,
            status: invoice.status,
            payment: invoice.payment,
            currency: invoice.currency,
            seller: invoice.seller,
            buyer: invoice.buyer,
            lines: Some(invoice.lines.into_iter().map(LineView::from).collect()),
            subtotal: invoice.subtotal,
            tax: invoice.tax,
            total: invoice.total,
            from_credit: invoice.from_credit,
            due: invoice.due,
            paid: invoice.paid,
            refunded: invoice.refunded,
            credited: invoice.credited,
            carried: invoice.carried,
            plans: invoice.plans,
            requests: invoice.entries,
            finalised_at: text(invoice.finalised_at),
            due_at: text(invoice.due_at),
            void_for: invoice.void_for,
        }
    }
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        let Line { kind, text, quantity, unit_price, exact, amount, from, to } = line;
        Self { kind, text, quantity, unit_price, exact, amount, from: from.to_string(), to: to.to_string() }
    }
}

impl From<&CreditNote> for CreditNoteView {
    fn from(note: &CreditNote) -> Self {
        let note = note.clone();
        Self {
            id: note.id,
            tenant: note.tenant,
            number: note.number,
            invoice: note.invoice,
            invoice_number: note.invoice_number,
            reason: note.reason,
            currency: note.currency,
            subtotal: note.subtotal,
            tax: note.tax,
            total: note.total,
            settlement: note.settlement,
            created_at: note.created_at.to_string(),
        }
    }
}

impl From<&Compared> for BooksView {
    fn from(compared: &Compared) -> Self {
        let figures = |book: crate::usage::Book| [book.requests, book.tokens, book.nano_usd];
        Self {
            at: compared.at.to_string(),
            agree: compared.agree,
            holds: compared.books.holds,
            meter: figures(compared.books.meter),
            totals: figures(compared.books.totals),
            ledger: figures(compared.ledger),
        }
    }
}
