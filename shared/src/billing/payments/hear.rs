//! What Stripe tells: that something happened, not what is. Events come late, twice, in any order, and before the answer to
//! the request that they are about; so each has the object read anew, and what is known already changes nothing.

use serde::Serialize;
use serde_json::json;

use super::{
    Payments, TRIES, contended,
    rules::Outcome,
    settle::{Settled, note_event},
};
use crate::{
    audit::{Actor, Deed, record},
    billing::stripe::{Event, Intent, StripeError},
    error::Result,
    id::{GrantId, InvoiceId, TenantId},
    store::{Change, Committed, keys},
};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// What it tells of is as it says now.
    Known,
    /// It is of no matter here: another kind, another account, or something that LMO never made.
    Ignored,
}

/// Whom a payment at Stripe is of.
enum Of {
    Attempt(TenantId, InvoiceId, u32),
    Purchase(TenantId, GrantId),
}

impl Payments {
    /// Hears an event whose signature is good.
    ///
    /// # Errors
    /// `Unavailable`: Stripe is to tell it again.
    pub async fn hear(&self, event: &Event) -> Result<Heard> {
        // It is of somebody who is connected to the account.
        if event.account.is_some() || event.id.len() > 255 {
            return Ok(Heard::Ignored);
        }
        match event.kind.as_str() {
            "payment_intent.succeeded"
            | "payment_intent.payment_failed"
            | "payment_intent.requires_action"
            | "payment_intent.processing"
            | "payment_intent.canceled" => self.of_payment(event, event.data.text("id")).await,
            "charge.refunded" | "charge.refund.updated" | "refund.created" | "refund.updated" | "refund.failed" => {
                self.of_refund(event).await
            }
            "charge.dispute.created" => self.of_dispute(event).await,
            "setup_intent.succeeded" => self.of_setup(event).await,
            "payment_method.detached" => self.of_method(event).await,
            _ => Ok(Heard::Ignored),
        }
    }

    async fn is_known(&self, event: &Event) -> Result<bool> {
        let found: Option<serde_json::Value> = self.table.stripe().find(&keys::stripe_event(&event.id)).await?;
        Ok(found.is_some())
    }

    /// The payment that a reference names, if LMO made it in this account. What it says of itself is Stripe's word, not the
    /// event's.
    async fn payment_of(&self, reference: Option<&str>) -> Result<Option<(Intent, Of)>> {
        let Some(reference) = reference else { return Ok(None) };
        let intent = match self.stripe.intent(reference).await {
            Ok(intent) => intent,
            Err(StripeError::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let tag = |name: &str| intent.metadata.get(name).map(String::as_str);
        let tenant = tag("tenant").and_then(TenantId::parse);
        let (invoice, grant) = (tag("invoice").and_then(InvoiceId::parse), tag("grant").and_then(GrantId::parse));
        let attempt = tag("attempt").and_then(|attempt| attempt.parse().ok());
        let of = match (tenant, invoice, attempt, grant) {
            (Some(tenant), Some(invoice), Some(attempt), _) => Of::Attempt(tenant, invoice, attempt),
            (Some(tenant), _, _, Some(grant)) => Of::Purchase(tenant, grant),
            _ => return Ok(None),
        };
        Ok(Some((intent, of)))
    }

    async fn of_payment(&self, event: &Event, reference: Option<&str>) -> Result<Heard> {
        for _ in 0..TRIES {
            if self.is_known(event).await? {
                return Ok(Heard::Known);
            }
            let (intent, tenant, invoice, attempt) = match self.payment_of(reference).await? {
                None => return Ok(Heard::Ignored),
                Some((_, Of::Purchase(tenant, grant))) => {
                    let known = self.settle_purchase(tenant, grant, Some(event)).await?;
                    return Ok(if known.is_some() { Heard::Known } else { unknown_to_us(event) });
                }
                Some((intent, Of::Attempt(tenant, invoice, attempt))) => (intent, tenant, invoice, attempt),
            };
            let Some((of, payment)) = self.read_one(tenant, invoice, attempt).await? else {
                return Ok(unknown_to_us(event));
            };
            match self.settle(of, payment, &Outcome::of(&intent), Some(event)).await? {
                Settled::Yes => {
                    // What follows is in the list; whoever works that off does it if it can't be done now.
                    if let Err(error) = self.see_to(tenant, invoice, false).await {
                        tracing::warn!(?error, %tenant, %invoice, "what follows from a payment is done later");
                    }
                    return Ok(Heard::Known);
                }
                Settled::Known => return Ok(Heard::Known),
                Settled::Foreign => return Ok(Heard::Ignored),
                Settled::Refused => {}
            }
        }
        Err(contended())
    }

    async fn of_refund(&self, event: &Event) -> Result<Heard> {
        if self.is_known(event).await? {
            return Ok(Heard::Known);
        }
        match self.payment_of(event.data.text("payment_intent")).await? {
            Some((_, Of::Attempt(tenant, invoice, attempt))) => {
                self.compare_refunds(tenant, invoice, attempt, event).await?;
                Ok(Heard::Known)
            }
            Some((_, Of::Purchase(tenant, grant))) => {
                self.purchase_refunded(tenant, grant).await?;
                Ok(Heard::Known)
            }
            None => Ok(Heard::Ignored),
        }
    }

    /// A buyer disputes a payment. Credit that it bought is taken away; else nothing is done about it but that it is told: the
    /// evidence is the operator's.
    async fn of_dispute(&self, event: &Event) -> Result<Heard> {
        if self.is_known(event).await? {
            return Ok(Heard::Known);
        }
        let Some((intent, of)) = self.payment_of(event.data.text("payment_intent")).await? else {
            return Ok(Heard::Ignored);
        };
        let (tenant, target) = match of {
            Of::Attempt(tenant, invoice, _) => (tenant, invoice.to_string()),
            Of::Purchase(tenant, grant) => {
                self.take_back(tenant, grant, None).await?;
                (tenant, grant.to_string())
            }
        };
        let now = self.clock.now();
        let mut change = Change::new(&self.table);
        let after = json!({
            "dispute": event.data.text("id"), "reason": event.data.text("reason"), "payment": intent.id,
        });
        let deed = Deed { action: "payment.dispute", target, after, ..Deed::default() };
        record(&mut change, tenant, &Actor::system(), now, deed)?;
        note_event(&mut change, event, now)?;
        if change.commit().await? == Committed::Yes {
            metrics::counter!("PaymentsDisputed").increment(1);
            tracing::error!(%tenant, payment = %intent.id, "a payment is disputed");
        }
        Ok(Heard::Known)
    }

    async fn of_setup(&self, event: &Event) -> Result<Heard> {
        let Some(id) = event.data.text("id") else { return Ok(Heard::Ignored) };
        let setup = match self.stripe.setup(id).await {
            Ok(setup) => setup,
            Err(StripeError::Missing) => return Ok(Heard::Ignored),
            Err(error) => return Err(error.into()),
        };
        let Some(tenant) = setup.metadata.get("tenant").and_then(|id| TenantId::parse(id)) else {
            return Ok(Heard::Ignored);
        };
        let kept = self.keep_method(tenant, &setup).await?;
        Ok(if kept { Heard::Known } else { unknown_to_us(event) })
    }

    async fn of_method(&self, event: &Event) -> Result<Heard> {
        let before = event.data.previous_attributes.get("customer").and_then(serde_json::Value::as_str);
        let (Some(method), Some(customer)) = (event.data.text("id"), before) else { return Ok(Heard::Ignored) };
        match self.stripe.method(method).await {
            // It is somebody's again.
            Ok(method) if method.customer.is_some() => return Ok(Heard::Known),
            Ok(_) | Err(StripeError::Missing) => {}
            Err(error) => return Err(error.into()),
        }
        let customer = match self.stripe.customer(customer).await {
            Ok(customer) => customer,
            Err(StripeError::Missing) => return Ok(Heard::Ignored),
            Err(error) => return Err(error.into()),
        };
        let tenant = customer.metadata.get("tenant").and_then(|id| TenantId::parse(id));
        let Some(tenant) = tenant else { return Ok(Heard::Ignored) };
        self.forget_method(tenant, method, &Actor::system()).await?;
        Ok(Heard::Known)
    }
}

fn unknown_to_us(event: &Event) -> Heard {
    tracing::warn!(event = %event.id, kind = %event.kind, "Stripe tells of something that is unknown here");
    Heard::Ignored
}
