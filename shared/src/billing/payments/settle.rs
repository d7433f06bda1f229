//! What became of an attempt, written with all that follows from it: the payment, the invoice, what webhooks are told, and
//! the audit entry are one transaction.

use serde_json::json;

use super::{Payments, rules, rules::Outcome, watch};
use crate::{
    audit::{Actor, Deed, record},
    billing::{
        Amount, Invoice, Letter, Payment, PaymentState, PaymentStatus, Refund, RefundState,
        stripe::{Event as Told, from_units},
    },
    clock::Timestamp,
    error::Result,
    store::{Change, Committed, keys},
    webhook::{Event, announce},
};

/// Whether an outcome was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It was.
    Yes,
    /// It is known already.
    Known,
    /// Somebody was quicker; it has to be found out again.
    Refused,
    /// It is of another payment than the one that is known for the attempt.
    Foreign,
}

/// An event of Stripe that is to be noted with its effect, so that it has none a second time.
pub(super) fn note_event(change: &mut Change, told: &Told, now: Timestamp) -> Result<()> {
    /// Stripe tells an event for three days, and shows it for 30.
    const KEPT: std::time::Duration = std::time::Duration::from_hours(60 * 24);
    let partition = change.table().stripe();
    let item = json!({"kind": told.kind, "expires_at": now.after(KEPT).seconds()});
    change.put_new(&partition, &keys::stripe_event(&told.id), &item).map(drop)
}

impl Payments {
    /// Writes what became of an attempt.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub(super) async fn settle(
        &self,
        mut invoice: Invoice,
        mut payment: Payment,
        outcome: &Outcome,
        told: Option<&Told>,
    ) -> Result<Settled> {
        if let (Some(known), Some(new)) = (&payment.reference, &outcome.reference)
            && known != new
        {
            tracing::error!(payment = %payment.id, "Stripe has two payments of one attempt");
            return Ok(Settled::Foreign);
        }
        // What is there stays there, whatever comes late.
        let is_news = payment.status != outcome.state || payment.reference != outcome.reference;
        if payment.status == PaymentState::Succeeded || !is_news {
            return Ok(Settled::Known);
        }
        let now = self.clock.now();
        let before = shown(&payment);
        let changed = payment.status != outcome.state;
        payment.status = outcome.state;
        payment.reference = outcome.reference.clone().or(payment.reference);
        payment.failure.clone_from(&outcome.failure);
        payment.changed_at = now;
        let mut change = Change::new(&self.table);
        if changed {
            follow(&mut change, &mut invoice, &mut payment, outcome, now)?;
            let (action, target) = (action(outcome.state), invoice.id.to_string());
            let deed = Deed { action, target, before, after: shown(&payment) };
            record(&mut change, invoice.tenant, &Actor::system(), now, deed)?;
        }
        if let Some(told) = told {
            note_event(&mut change, told, now)?;
        }
        self.put_payment(&mut change, invoice.tenant, &mut payment)?;
        self.put_invoice(&mut change, &mut invoice)?;
        Ok(match change.commit().await? {
            Committed::Yes => Settled::Yes,
            Committed::Refused(_) => Settled::Refused,
        })
    }
}

/// What follows for the invoice.
fn follow(
    change: &mut Change,
    invoice: &mut Invoice,
    payment: &mut Payment,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<()> {
    let is_open = match invoice.payment {
        PaymentStatus::Pending | PaymentStatus::ActionRequired | PaymentStatus::Failed => true,
        PaymentStatus::None | PaymentStatus::Paid | PaymentStatus::Uncollectible => false,
    };
    match outcome.state {
        PaymentState::Succeeded => {
            if outcome.received > 0 {
                payment.amount = from_units(outcome.received, payment.currency);
            }
            receive(change, invoice, payment, now)?;
        }
        PaymentState::Failed if is_open => {
            metrics::counter!("PaymentsFailed").increment(1);
            invoice.payment = PaymentStatus::Failed;
            invoice.collection.since.get_or_insert(now);
            // Who asked for it sees it, and must not be able to have letters written without end.
            if !payment.wanted {
                write_to(invoice, Letter::Failed);
            }
            announce(change, invoice.tenant, now, &Event::InvoicePaymentFailed(invoice))?;
        }
        PaymentState::ActionRequired if is_open => {
            invoice.payment = PaymentStatus::ActionRequired;
            invoice.collection.since.get_or_insert(now);
            write_to(invoice, Letter::ActionRequired);
            announce(change, invoice.tenant, now, &Event::InvoiceActionRequired(invoice))?;
        }
        PaymentState::Processing | PaymentState::Begun if is_open => invoice.payment = PaymentStatus::Pending,
        PaymentState::Failed | PaymentState::ActionRequired | PaymentState::Processing | PaymentState::Begun => {}
    }
    watch(change, invoice, Some(now))
}

/// Money of a payment is there. What is more than was owed goes back.
pub(super) fn receive(change: &mut Change, invoice: &mut Invoice, payment: &mut Payment, now: Timestamp) -> Result<()> {
    let owed = rules::owed(invoice)?;
    let excess = payment.amount.minus(owed)?.or_zero();
    if excess > Amount::ZERO {
        tracing::warn!(invoice = %invoice.id, payment = %payment.id, "more was paid than was owed; it goes back");
        begin_refund(invoice, payment, excess, "more was paid than was owed", now)?;
    }
    invoice.paid = invoice.paid.plus(payment.amount)?;
    if owed > Amount::ZERO && rules::is_settled(invoice)? {
        settled(change, invoice, now)?;
    }
    Ok(())
}

/// An invoice is paid.
pub(super) fn settled(change: &mut Change, invoice: &mut Invoice, now: Timestamp) -> Result<()> {
    invoice.payment = PaymentStatus::Paid;
    invoice.collection.letters.retain(|letter| *letter == Letter::Ready);
    announce(change, invoice.tenant, now, &Event::InvoicePaid(invoice)).map(drop)
}

/// Notes that something of a payment is to go back.
pub(super) fn begin_refund(
    invoice: &mut Invoice,
    payment: &mut Payment,
    amount: Amount,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    payment.refunded = payment.refunded.plus(amount)?;
    invoice.refunded = invoice.refunded.plus(amount)?;
    let number = u32::try_from(payment.refunds.len()).unwrap_or(u32::MAX).saturating_add(1);
    let (status, reason) = (RefundState::Begun, reason.to_owned());
    payment.refunds.push(Refund { number, amount, status, reason, reference: None, created_at: now });
    Ok(())
}

/// Has the buyer written something. What it would have been written before on the same matter it need not read any more.
pub(super) fn write_to(invoice: &mut Invoice, letter: Letter) {
    invoice.collection.letters.retain(|before| *before == Letter::Ready && letter != Letter::Ready);
    invoice.collection.letters.push(letter);
}

fn action(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Begun => "payment.begin",
        PaymentState::Processing => "payment.process",
        PaymentState::ActionRequired => "payment.require_action",
        PaymentState::Failed => "payment.fail",
        PaymentState::Succeeded => "payment.succeed",
    }
}

/// What the audit log shows of a payment.
pub(super) fn shown(payment: &Payment) -> serde_json::Value {
    json!({
        "payment": payment.id, "attempt": payment.attempt, "method": payment.method, "amount": payment.amount,
        "currency": payment.currency, "status": payment.status, "reference": payment.reference,
        "failure": payment.failure, "refunded": payment.refunded,
    })
}
