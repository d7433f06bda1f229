//! Money that goes back the way that it came: noted with why, then asked for, and found again if the answer is lost.

use serde_json::json;

use super::{
    KEY_LIFE, LONGEST_TEXT, LOST, Payments, State, TRIES,
    attempt::tags,
    contended,
    settle::{begin_refund, note_event, shown},
    unknown, watch,
};
use crate::{
    audit::{Actor, Deed, record},
    billing::{
        Amount, Invoice, Method, Payment, PaymentState, Refund, RefundState,
        stripe::{Event as Told, StripeError, StripeRefund, chargeable, from_units},
    },
    clock::Timestamp,
    error::{Error, Result},
    id::{InvoiceId, TenantId},
    store::{Change, Committed},
};

impl State {
    /// A payment of which something is to be sent back that nobody knows to be on its way.
    pub(super) fn refund_due(&self) -> Option<(&Payment, u32)> {
        let due = |payment: &'_ Payment| {
            payment.refunds.iter().find(|refund| refund.status == RefundState::Begun).map(|refund| refund.number)
        };
        self.payments.iter().find_map(|payment| Some((payment, due(payment)?)))
    }
}

impl Payments {
    /// Notes in a change of an invoice that an amount goes back, of what was paid last first; the invoice is to be written by
    /// whoever makes the change, which has it [watched](watch) from `now` on by this. When it is committed,
    /// [`collect`](Self::collect) sends it back, now or when its time has come.
    ///
    /// # Errors
    /// `Invalid` if less was paid than is to go back, or if it can't go back that way; `Unavailable`.
    pub async fn refund_in(
        &self,
        change: &mut Change,
        invoice: &mut Invoice,
        amount: Amount,
        reason: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let mut left = amount;
        let mut payments = self.of(invoice.tenant, invoice.id).await?;
        if amount <= Amount::ZERO {
            return Err(Error::invalid("amount", "amount must be more than 0"));
        }
        for payment in payments.iter_mut().rev().filter(|payment| payment.status == PaymentState::Succeeded) {
            let part = payment.amount.minus(payment.refunded)?.min(left);
            if part <= Amount::ZERO {
                continue;
            }
            let exact = chargeable(part, invoice.currency).is_some_and(|(charged, _)| charged == part);
            if payment.method == Method::Stripe && !exact {
                return Err(Error::invalid("amount", "amount is not one that Stripe can send back in this currency"));
            }
            let before = shown(payment);
            begin_refund(invoice, payment, part, reason, now)?;
            if payment.method == Method::Manual
                && let Some(refund) = payment.refunds.last_mut()
            {
                // The operator sends it.
                refund.status = RefundState::Succeeded;
            }
            self.put_payment(change, invoice.tenant, payment)?;
            let mut after = shown(payment);
            after["reason"] = json!(reason);
            let deed = Deed { action: "payment.refund", target: invoice.id.to_string(), before, after };
            record(change, invoice.tenant, actor, now, deed)?;
            left = left.minus(part)?;
        }
        if left > Amount::ZERO {
            return Err(Error::invalid("amount", "amount must not be more than was paid and has not gone back yet"));
        }
        watch(change, invoice, Some(now))
    }

    /// Notes in a change that an amount of an invoice goes back, whatever becomes of the invoice otherwise.
    ///
    /// # Errors
    /// As [`refund_in`](Self::refund_in), and `NotFound`.
    pub async fn refund(
        &self,
        change: &mut Change,
        tenant: TenantId,
        id: InvoiceId,
        amount: Amount,
        reason: &str,
        actor: &Actor,
    ) -> Result<Invoice> {
        if reason.trim().is_empty() || reason.chars().count() > LONGEST_TEXT {
            return Err(Error::invalid("reason", format!("reason must have 1 to {LONGEST_TEXT} characters")));
        }
        let mut invoice = self.read(tenant, id).await?.invoice;
        self.refund_in(change, &mut invoice, amount, reason, actor, self.clock.now()).await?;
        self.put_invoice(change, &mut invoice)?;
        Ok(invoice)
    }

    /// Sends something back; `false` if it isn't known whether it is on its way.
    pub(super) async fn send_back(&self, invoice: Invoice, payment: Payment, number: u32) -> Result<bool> {
        let Some(refund) = payment.refunds.iter().find(|refund| refund.number == number).cloned() else {
            return Ok(true);
        };
        match self.ask_back(&invoice, &payment, &refund).await {
            Ok(Some(found)) => self.went_back(invoice, payment, &[found], None).await.map(|_| true),
            Ok(None) => self.could_not(invoice, payment, number).await.map(|()| true),
            Err(error) => {
                unknown(&error);
                Ok(false)
            }
        }
    }

    /// Asks for it, under the key that was written with it; `None` if it can't go back, or not under that key.
    async fn ask_back(
        &self,
        invoice: &Invoice,
        payment: &Payment,
        refund: &Refund,
    ) -> Result<Option<StripeRefund>, StripeError> {
        let (Some(reference), Some((_, units))) = (&payment.reference, chargeable(refund.amount, payment.currency))
        else {
            return Ok(None);
        };
        let age = self.clock.now().since(refund.created_at);
        let number = refund.number.to_string();
        let find = async || {
            let all = self.stripe.refunds(reference).await?;
            Ok::<_, StripeError>(all.into_iter().find(|found| found.metadata.get("refund") == Some(&number)))
        };
        if age >= KEY_LIFE
            && let Some(found) = find().await?
        {
            return Ok(Some(found));
        }
        let key = format!("{}:{}:refund:{number}", payment.invoice, payment.attempt);
        let tags: Vec<_> = tags(invoice, payment).into_iter().chain([("refund", number.clone())]).collect();
        match self.stripe.refund(reference, units, &tags, &key).await {
            Ok(found) => Ok(Some(found)),
            Err(StripeError::Refused { .. } | StripeError::Declined { .. } | StripeError::Missing) => find().await,
            Err(error @ (StripeError::Failed { replayed: true, .. } | StripeError::KeyMismatch)) => match find().await?
            {
                Some(found) => Ok(Some(found)),
                // Under this key Stripe will never say anything else.
                None if age >= LOST => Ok(None),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// It can't go back. Somebody has to see to it.
    async fn could_not(&self, mut invoice: Invoice, mut payment: Payment, number: u32) -> Result<()> {
        let before = shown(&payment);
        let Some(refund) = payment.refunds.iter_mut().find(|refund| refund.number == number) else { return Ok(()) };
        let amount = refund.amount;
        refund.status = RefundState::Failed;
        fail(&mut invoice, &mut payment, amount)?;
        self.write_refunds(invoice, payment, before, "payment.refund_fail", None).await.map(drop)
    }

    /// What Stripe says of what goes back of a payment: states of what is known, and what was sent back past LMO. `false` if
    /// somebody was quicker.
    pub(super) async fn went_back(
        &self,
        mut invoice: Invoice,
        mut payment: Payment,
        found: &[StripeRefund],
        told: Option<&Told>,
    ) -> Result<bool> {
        let (was, before) = (payment.clone(), shown(&payment));
        for found in found {
            let status = match found.status.as_deref() {
                Some("succeeded") => RefundState::Succeeded,
                Some("failed" | "canceled") => RefundState::Failed,
                _ => RefundState::Pending,
            };
            let is_it = |refund: &&mut Refund| match &refund.reference {
                Some(reference) => *reference == found.id,
                None => found.metadata.get("refund") == Some(&refund.number.to_string()),
            };
            match payment.refunds.iter_mut().find(is_it) {
                Some(refund) => {
                    refund.reference = Some(found.id.clone());
                    let (amount, was_failed) = (refund.amount, refund.status == RefundState::Failed);
                    refund.status = status;
                    match (was_failed, status == RefundState::Failed) {
                        (false, true) => fail(&mut invoice, &mut payment, amount)?,
                        (true, false) => {
                            payment.refunded = payment.refunded.plus(amount)?;
                            invoice.refunded = invoice.refunded.plus(amount)?;
                        }
                        (false, false) | (true, true) => {}
                    }
                }
                None if status != RefundState::Failed => {
                    let amount = from_units(found.amount, payment.currency);
                    begin_refund(&mut invoice, &mut payment, amount, "sent back at Stripe", self.clock.now())?;
                    if let Some(refund) = payment.refunds.last_mut() {
                        (refund.status, refund.reference) = (status, Some(found.id.clone()));
                    }
                }
                None => {}
            }
        }
        if payment == was {
            return Ok(true);
        }
        self.write_refunds(invoice, payment, before, "payment.refunded", told).await
    }

    async fn write_refunds(
        &self,
        mut invoice: Invoice,
        mut payment: Payment,
        before: serde_json::Value,
        action: &'static str,
        told: Option<&Told>,
    ) -> Result<bool> {
        let now = self.clock.now();
        payment.changed_at = now;
        let mut change = Change::new(&self.table);
        self.put_payment(&mut change, invoice.tenant, &mut payment)?;
        self.put_invoice(&mut change, &mut invoice)?;
        let mut after = shown(&payment);
        after["refunds"] = json!(payment.refunds);
        let deed = Deed { action, target: invoice.id.to_string(), before, after };
        record(&mut change, invoice.tenant, &Actor::system(), now, deed)?;
        if let Some(told) = told {
            note_event(&mut change, told, now)?;
        }
        Ok(change.commit().await? == Committed::Yes)
    }

    /// Reads what Stripe says of all that goes back of a payment, and writes it.
    pub(super) async fn compare_refunds(
        &self,
        tenant: TenantId,
        id: InvoiceId,
        attempt: u32,
        told: &Told,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let Some((invoice, payment)) = self.read_one(tenant, id, attempt).await? else { return Ok(()) };
            let Some(reference) = payment.reference.clone() else { return Ok(()) };
            let found = self.stripe.refunds(&reference).await?;
            if self.went_back(invoice, payment, &found, Some(told)).await? {
                return Ok(());
            }
        }
        Err(contended())
    }
}

fn fail(invoice: &mut Invoice, payment: &mut Payment, amount: Amount) -> Result<()> {
    metrics::counter!("RefundsFailed").increment(1);
    tracing::error!(invoice = %invoice.id, payment = %payment.id, "money can't go back; somebody has to see to it");
    payment.refunded = payment.refunded.minus(amount)?.or_zero();
    invoice.refunded = invoice.refunded.minus(amount)?.or_zero();
    Ok(())
}
