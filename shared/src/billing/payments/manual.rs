//! Payments that arrive past Stripe, by transfer: whoever works for the operator notes them.

use super::{
    LONGEST_TEXT, Payments, rules,
    settle::{receive, shown},
    watch,
};
use crate::{
    audit::{Actor, Deed, record},
    billing::{Amount, Invoice, InvoiceStatus, Method, Payment, PaymentState},
    error::{Error, Result},
    id::{InvoiceId, PaymentId, TenantId},
    store::Change,
};

/// A payment that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The payment.
    pub payment: Payment,
    /// What is still open of the invoice.
    pub open: Amount,
}

impl Payments {
    /// Adds to a change that so much of an invoice was paid past Stripe, and what follows from that.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it is nothing, more than is open, or not a whole number of the currency's minor units;
    /// `Conflict` unless the invoice is finalised; `Unavailable`.
    pub async fn note(
        &self,
        change: &mut Change,
        tenant: TenantId,
        id: InvoiceId,
        amount: Amount,
        reference: &str,
        actor: &Actor,
    ) -> Result<Noted> {
        if reference.trim().is_empty() || reference.chars().count() > LONGEST_TEXT {
            return Err(Error::invalid("reference", format!("reference must have 1 to {LONGEST_TEXT} characters")));
        }
        let mut invoice: Invoice = self.read(tenant, id).await?.invoice;
        if invoice.status != InvoiceStatus::Finalised {
            return Err(Error::Conflict("only invoices that are finalised can be paid".to_owned()));
        }
        if amount <= Amount::ZERO || amount.minor_units(invoice.currency).is_none() {
            return Err(Error::invalid("amount", "amount must be more than 0, in whole minor units of the currency"));
        }
        if amount > rules::owed(&invoice)? {
            return Err(Error::invalid("amount", "amount must not be more than is open"));
        }
        let now = self.clock.now();
        invoice.attempts += 1;
        let mut payment = Payment {
            id: PaymentId::new(now),
            invoice: id,
            attempt: invoice.attempts,
            method: Method::Manual,
            amount,
            currency: invoice.currency,
            status: PaymentState::Succeeded,
            wanted: false,
            source: None,
            reference: Some(reference.to_owned()),
            failure: None,
            refunded: Amount::ZERO,
            refunds: Vec::new(),
            created_at: now,
            changed_at: now,
            version: 0,
        };
        receive(change, &mut invoice, &mut payment, now)?;
        watch(change, &mut invoice, Some(now))?;
        self.put_payment(change, tenant, &mut payment)?;
        self.put_invoice(change, &mut invoice)?;
        let deed = Deed { action: "payment.note", target: id.to_string(), after: shown(&payment), ..Deed::default() };
        record(change, tenant, actor, now, deed)?;
        Ok(Noted { payment, open: rules::owed(&invoice)? })
    }
}
