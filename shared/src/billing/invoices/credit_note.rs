//! Credit notes: what is taken back of an invoice that is finalised, in part or in full, with the tax that is in it.

use serde_json::json;

use super::{Invoices, number::Numbers};
use crate::{
    audit::{Actor, Deed, record, record_for_operators},
    billing::{
        Amount, CreditNote, CreditSettlement, Invoice, InvoiceStatus, PaymentStatus, TaxLine,
        payments::{self, Payments},
        repo::{Grants, grants},
    },
    error::{Error, Result},
    id::{CreditNoteId, InvoiceId, TenantId},
    store::{Change, Committed, Order, keys, keys::Sequence},
    webhook::{Event, announce},
};

/// How often it is tried again that others were quicker.
const TRIES: usize = 30;

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCreditNote {
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// How much, before tax; all that is left if absent.
    pub amount: Option<Amount>,
    /// Why.
    pub reason: String,
    /// What becomes of the money.
    pub settlement: CreditSettlement,
}

impl Invoices {
    /// Adds a credit note to a change; refused if others are quicker.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` unless the invoice is finalised, or if the settlement doesn't fit to how far it is paid; `Invalid` if it
    /// is more than what is left of the invoice; `Unavailable`.
    pub async fn credit(
        &self,
        change: &mut Change,
        tenant: TenantId,
        new: &NewCreditNote,
        through: &Payments,
        actor: &Actor,
    ) -> Result<CreditNote> {
        let (now, mut invoice) = (self.clock.now(), self.get(tenant, new.invoice).await?);
        let settings = self.settings.get().await?;
        let (subtotal, tax, total) = share(&invoice, new)?;
        let numbers = Numbers::read(&self.table, Sequence::CreditNotes, now).await?;
        numbers.take(change, 1)?;
        let note = CreditNote {
            id: CreditNoteId::new(now),
            tenant,
            number: numbers.at(&settings.credit_note_prefix, 0),
            invoice: invoice.id,
            invoice_number: invoice.number.clone().unwrap_or_default(),
            reason: new.reason.clone(),
            currency: invoice.currency,
            seller: settings.seller,
            buyer: invoice.buyer.clone(),
            subtotal,
            tax,
            total,
            settlement: new.settlement,
            created_at: now,
        };
        let of = invoice.version;
        invoice.credited = invoice.credited.plus(total)?;
        invoice.credited_subtotal = invoice.credited_subtotal.plus(subtotal)?;
        match new.settlement {
            CreditSettlement::Due => payments::watch(change, &mut invoice, Some(now))?,
            CreditSettlement::Credit => {
                let reason = format!("credit note {}", note.number);
                Grants::give(change, tenant, &grants::grant(total, note.currency, reason, None, now), actor)?;
                invoice.credited_as_credit = invoice.credited_as_credit.plus(total)?;
                change.put(&self.table.billing(), &keys::term(now, tenant), &json!({"tenant": tenant}))?;
            }
            CreditSettlement::Refund => {
                through.refund_in(change, &mut invoice, total, &new.reason, actor, now).await?;
            }
        }
        invoice.version = of + 1;
        change.replace(&self.of(tenant), &keys::invoice(invoice.id), &invoice, of)?;
        change.put_new(&self.of(tenant), &keys::credit_note(note.id), &note)?;
        let after =
            json!({"number": note.number, "invoice": note.invoice_number, "total": note.total, "reason": note.reason});
        let deed = || Deed {
            action: "credit_note.create",
            target: note.id.to_string(),
            after: after.clone(),
            ..Deed::default()
        };
        record(change, tenant, actor, now, deed())?;
        record_for_operators(change, actor, now, deed())?;
        announce(change, tenant, now, &Event::CreditNoteCreated(&note))?;
        Ok(note)
    }

    /// Makes a credit note.
    ///
    /// # Errors
    /// As [`Invoices::credit`].
    pub async fn make_credit_note(
        &self,
        tenant: TenantId,
        new: &NewCreditNote,
        through: &Payments,
        actor: &Actor,
    ) -> Result<CreditNote> {
        for _ in 0..TRIES {
            let mut change = Change::new(&self.table);
            let note = self.credit(&mut change, tenant, new, through, actor).await?;
            if change.commit().await? == Committed::Yes {
                return Ok(note);
            }
        }
        Err(Error::Conflict("others are changing the invoice at the same time; try again".to_owned()))
    }

    /// A credit note.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub async fn credit_note(&self, tenant: TenantId, id: CreditNoteId) -> Result<CreditNote> {
        let note = self.of(tenant).find(&keys::credit_note(id)).await?;
        note.ok_or_else(|| Error::NotFound { kind: "credit note", id: id.to_string() })
    }

    /// A page of a tenant's credit notes, the latest first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn credit_notes(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<CreditNote>, Option<String>)> {
        self.of(tenant).page(keys::CREDIT_NOTE_PREFIX, after, limit, Order::Descending).await
    }
}

/// What a credit note comes to: before tax, the tax, and with it. The tax of all credit notes of an invoice is rounded together, so
/// that those of all of it take back exactly its tax.
fn share(invoice: &Invoice, new: &NewCreditNote) -> Result<(Amount, TaxLine, Amount)> {
    if invoice.status != InvoiceStatus::Finalised {
        return Err(Error::Conflict("a credit note takes back an invoice that is finalised and not void".to_owned()));
    }
    let left = invoice.subtotal.minus(invoice.credited_subtotal)?;
    let amount = new.amount.unwrap_or(left);
    if amount <= Amount::ZERO || amount > left {
        let left = left.text(invoice.currency);
        return Err(Error::invalid("amount", format!("amount must be above 0 and at most what is left: {left}")));
    }
    if amount.minor_units(invoice.currency).is_none() {
        return Err(Error::invalid("amount", "amount must be one that the currency has coins for"));
    }
    let taxed_before = invoice.credited.minus(invoice.credited_subtotal)?;
    let all = invoice.credited_subtotal.plus(amount)?;
    let tax_of_all = if all == invoice.subtotal {
        invoice.tax.amount
    } else {
        invoice.tax.rate.of(all)?.rounded(invoice.currency).min(invoice.tax.amount)
    };
    let tax =
        TaxLine { amount: tax_of_all.minus(taxed_before)?, per_line_difference: Amount::ZERO, ..invoice.tax.clone() };
    let total = amount.plus(tax.amount)?;
    let conflict = |why: &str| Err(Error::Conflict(why.to_owned()));
    match new.settlement {
        CreditSettlement::Due if total > invoice.open()? => {
            conflict("less than that is still to be paid: settle it as credit or refund")
        }
        // What is open is taken back first, so that nobody pays what was given back already.
        CreditSettlement::Refund | CreditSettlement::Credit if !is_paid(invoice)? => {
            conflict("something of it is still to be paid: settle that as due first")
        }
        CreditSettlement::Refund | CreditSettlement::Credit if total > left_of_payment(invoice)? => {
            conflict("less than that was paid and has not been given back yet")
        }
        CreditSettlement::Due | CreditSettlement::Refund | CreditSettlement::Credit => Ok((amount, tax, total)),
    }
}

fn is_paid(invoice: &Invoice) -> Result<bool> {
    Ok(invoice.payment == PaymentStatus::Paid || invoice.open()? == Amount::ZERO)
}

/// What was paid of an invoice, by money or by credit, and not given back in either way.
fn left_of_payment(invoice: &Invoice) -> Result<Amount> {
    let paid = invoice.paid.plus(invoice.from_credit)?;
    Ok(paid.minus(invoice.refunded)?.minus(invoice.credited_as_credit)?.or_zero())
}
