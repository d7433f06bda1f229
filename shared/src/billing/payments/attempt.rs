//! An attempt to have an invoice paid by Stripe. It is written before it is made; whoever finds it later without an end
//! finds out what became of it, and nothing else is tried before that is known.

use futures_util::future::BoxFuture;

use super::{
    Collected, Confirmation, KEY_LIFE, LOST, Payments, STEPS, State, contended,
    rules::{self, Duty, Outcome, Situation},
    settle::Settled,
    unknown, watch,
};
use crate::{
    billing::{
        Amount, Dunning, Invoice, Method, Payment, PaymentState, PaymentStatus, Source, Wallet,
        stripe::{Charge, Intent, IntentStatus, StripeError, chargeable},
    },
    error::{Error, Result},
    id::{InvoiceId, PaymentId, TenantId},
    store::Change,
};

/// How long after a failure a buyer may have it tried again.
const BREATHER: std::time::Duration = std::time::Duration::from_mins(1);

impl Payments {
    /// Does one thing after another until there is nothing to do for now. In a box, because it is much code, which would
    /// be in a program once for each crate that waits for it.
    pub(super) fn see_to(&self, tenant: TenantId, id: InvoiceId, wanted: bool) -> BoxFuture<'_, Result<Collected>> {
        Box::pin(self.steps(tenant, id, wanted))
    }

    async fn steps(&self, tenant: TenantId, id: InvoiceId, wanted: bool) -> Result<Collected> {
        // What isn't known now is asked once: it takes its time.
        let (mut wanted, mut asked, mut silent) = (wanted, false, false);
        for _ in 0..STEPS {
            let mut state = self.read(tenant, id).await?;
            if !silent && !state.invoice.collection.letters.is_empty() {
                match self.post(state.invoice).await {
                    // Money doesn't wait for mail.
                    Err(Error::Unavailable(error)) => {
                        tracing::warn!(%error, invoice = %id, "letters about an invoice wait");
                        silent = true;
                    }
                    posted => posted?,
                }
                continue;
            }
            let refund = state.refund_due().map(|(payment, number)| (payment.clone(), number));
            if let Some((payment, number)) = refund.clone().filter(|_| !asked) {
                if self.send_back(state.invoice, payment, number).await? {
                    continue;
                }
                asked = true;
                continue;
            }
            if let Some(payment) = state.under_way().cloned().filter(|_| !asked) {
                match self.find_out(&state.invoice, &payment).await? {
                    None => asked = true,
                    Some(outcome) => match self.settle(state.invoice.clone(), payment, &outcome, None).await? {
                        Settled::Yes | Settled::Refused => continue,
                        Settled::Known | Settled::Foreign => {}
                    },
                }
            }
            let wallet = self.wallet(tenant).await?;
            let source = self.source(&state, &wallet).await?;
            let dunning = self.dunning().await?;
            let now = self.clock.now();
            let under_way = state.under_way().map(|payment| payment.status);
            let situation = Situation {
                invoice: &state.invoice,
                chargeable: source.is_some(),
                under_way,
                dunning: &dunning,
                wanted,
                now,
            };
            let duty = rules::duty(situation)?;
            let free = source.is_some() && under_way.is_none();
            if let Some(since) = rules::since(&state.invoice, free, now) {
                state.invoice.collection.since = Some(since);
            }
            match (duty, source) {
                (Duty::Wait(next), _) => {
                    let again = (refund.is_some() || silent).then(|| now.after(super::UNKNOWN));
                    let next = next.into_iter().chain(again).min();
                    let payment = state.invoice.payment;
                    let kept =
                        state.invoice.collection.next.filter(|at| *at > now && next.is_some_and(|next| *at <= next));
                    let next = kept.or(next);
                    if next == state.invoice.collection.next {
                        return Ok(Collected { payment, next });
                    }
                    let mut change = Change::new(&self.table);
                    watch(&mut change, &mut state.invoice, next)?;
                    if self.write(change, state.invoice).await? {
                        return Ok(Collected { payment, next });
                    }
                }
                (Duty::Charge, Some(source)) => {
                    let by_buyer = std::mem::take(&mut wanted);
                    asked = !self.charge(state, source, by_buyer, &dunning).await?;
                }
                // The rules charge nothing that there is nothing to charge with.
                (Duty::Charge, None) => return Err(Error::internal("there is nothing to charge")),
                (Duty::Paid | Duty::Remind | Duty::Suspend | Duty::Resume | Duty::GiveUp, _) => {
                    self.follow_up(state.invoice, duty, &dunning).await?;
                }
            }
        }
        Err(contended())
    }

    /// Has an invoice paid now, by whoever owes it. Returns how far that is, and what it takes to confirm the payment if it
    /// has to be.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if there is nothing to pay, or nothing to pay it with; `TooManyAttempts` just after a failure;
    /// `Unavailable`.
    pub async fn pay(&self, tenant: TenantId, id: InvoiceId) -> Result<(Collected, Option<Confirmation>)> {
        let state = self.read(tenant, id).await?;
        if rules::is_settled(&state.invoice)? {
            return Err(Error::Conflict("there is nothing to be paid of this invoice".to_owned()));
        }
        let now = self.clock.now();
        if let Some(last) = state.payments.last()
            && last.status == PaymentState::Failed
            && now.since(last.changed_at) < BREATHER
        {
            return Err(Error::TooManyAttempts { retry_after: last.changed_at.after(BREATHER).since(now) });
        }
        let wallet = self.wallet(tenant).await?;
        let source = self.source(&state, &wallet).await?;
        match (state.under_way(), source) {
            (None, None) => {
                let none = "there is no payment method; set one up, or pay the invoice by transfer";
                return Err(Error::Conflict(none.to_owned()));
            }
            // It waits for a method that isn't the current one any more.
            (Some(payment), Some(source))
                if payment.status == PaymentState::ActionRequired && payment.source.as_ref() != Some(&source) =>
            {
                if let Some(reference) = &payment.reference {
                    let outcome = Outcome::of(&self.end(reference).await?);
                    self.settle(state.invoice.clone(), payment.clone(), &outcome, None).await?;
                }
            }
            (Some(_), _) | (None, Some(_)) => {}
        }
        let collected = self.see_to(tenant, id, true).await?;
        let state = self.read(tenant, id).await?;
        let waiting = state.under_way().filter(|payment| payment.status == PaymentState::ActionRequired);
        let Some(reference) = waiting.and_then(|payment| payment.reference.as_deref()) else {
            return Ok((collected, None));
        };
        let method = waiting.and_then(|payment| payment.source.as_ref()).map(|source| source.payment_method.clone());
        let intent = self.stripe.intent(reference).await?;
        let keys = self.stripe.keys().await?;
        let confirmation = intent.client_secret.map(|secret| Confirmation {
            client_secret: secret.0,
            payment_method: intent.payment_method.or(method),
            publishable_key: keys.and_then(|keys| keys.value.publishable_key.clone()),
        });
        Ok((collected, confirmation))
    }

    /// What the open amount can be charged to; `None` if there is nothing.
    async fn source(&self, state: &State, wallet: &Wallet) -> Result<Option<Source>> {
        let (Some(customer), Some(method)) = (&wallet.customer, &wallet.payment_method) else { return Ok(None) };
        if chargeable(rules::owed(&state.invoice)?, state.invoice.currency).is_none() {
            return Ok(None);
        }
        let source =
            Source { customer: customer.clone(), payment_method: method.id.clone(), kind: method.kind.clone() };
        Ok(self.stripe.keys().await?.map(|_| source))
    }

    /// Begins an attempt, makes it, and writes what became of it; `false` if that isn't known.
    async fn charge(&self, state: State, source: Source, wanted: bool, dunning: &Dunning) -> Result<bool> {
        let State { mut invoice, payments } = state;
        let (tenant, now) = (invoice.tenant, self.clock.now());
        if !self.is_dead(&invoice, &payments).await? {
            return Ok(true);
        }
        let owed = rules::owed(&invoice)?;
        let (amount, _) = chargeable(owed, invoice.currency).ok_or_else(|| Error::internal("there is nothing open"))?;
        invoice.attempts += 1;
        let mut payment = Payment {
            id: PaymentId::new(now),
            invoice: invoice.id,
            attempt: invoice.attempts,
            method: Method::Stripe,
            amount,
            currency: invoice.currency,
            status: PaymentState::Begun,
            wanted,
            source: Some(source),
            reference: None,
            failure: None,
            refunded: Amount::ZERO,
            refunds: Vec::new(),
            created_at: now,
            changed_at: now,
            version: 0,
        };
        if let Some(since) = invoice.collection.since {
            invoice.collection.step = rules::steps(dunning, since, now);
        }
        invoice.payment = PaymentStatus::Pending;
        let mut change = Change::new(&self.table);
        self.put_payment(&mut change, tenant, &mut payment)?;
        watch(&mut change, &mut invoice, Some(now.after(super::UNKNOWN)))?;
        if !self.write(change, invoice.clone()).await? {
            return Ok(true);
        }
        invoice.version += 1;
        let Some(outcome) = self.find_out(&invoice, &payment).await? else { return Ok(false) };
        // Whether or not it is the first to say so.
        self.settle(invoice, payment, &outcome, None).await?;
        Ok(true)
    }

    /// Sees to it that nothing can come of the attempt before any more: whoever has its secret could still confirm it.
    /// `false` if something has come of it, which is written then, or may yet.
    async fn is_dead(&self, invoice: &Invoice, payments: &[Payment]) -> Result<bool> {
        let Some(last) = payments.iter().rev().find(|payment| payment.method == Method::Stripe) else {
            return Ok(true);
        };
        let Some(reference) = last.reference.as_deref().filter(|_| last.status == PaymentState::Failed) else {
            return Ok(true);
        };
        match self.end(reference).await {
            Ok(intent) if intent.status == IntentStatus::Canceled => Ok(true),
            Ok(intent) => {
                self.settle(invoice.clone(), last.clone(), &Outcome::of(&intent), None).await?;
                Ok(false)
            }
            Err(StripeError::Missing) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a payment at Stripe, if it can be; returns it as it is then.
    pub(super) async fn end(&self, reference: &str) -> Result<Intent, StripeError> {
        match self.stripe.cancel(reference).await {
            Err(StripeError::Refused { .. }) => self.stripe.intent(reference).await,
            answered => answered,
        }
    }

    /// Finds out what became of an attempt; `None` if it can't be known now. One that was never made, or not to its end, is
    /// made.
    async fn find_out(&self, invoice: &Invoice, payment: &Payment) -> Result<Option<Outcome>> {
        let found = match (payment.status, &payment.reference) {
            (PaymentState::Begun, None) => self.make(invoice, payment).await,
            (_, Some(reference)) => self.look(invoice, payment, reference).await,
            (_, None) => return Err(Error::internal("a payment without a reference")),
        };
        match found {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                unknown(&error);
                Ok(None)
            }
        }
    }

    /// Looks at an attempt that is under way, and ends one that is for another amount than is owed now.
    async fn look(
        &self,
        invoice: &Invoice,
        payment: &Payment,
        reference: &str,
    ) -> Result<Option<Outcome>, StripeError> {
        let owed = rules::owed(invoice).ok().and_then(|owed| chargeable(owed, invoice.currency));
        let is_right = owed.is_some_and(|(amount, _)| amount == payment.amount);
        let intent = match payment.status {
            PaymentState::ActionRequired if !is_right => self.end(reference).await,
            _ => self.stripe.intent(reference).await,
        };
        match intent {
            Ok(intent) => Ok(Some(Outcome::of(&intent))),
            Err(StripeError::Missing) => Ok(Some(Outcome::failed(Some(reference.to_owned()), "resource_missing"))),
            Err(error) => Err(error),
        }
    }

    /// Makes an attempt, under the key that was written with it. Stripe does it once, as long as it remembers the key;
    /// later it is looked for first.
    async fn make(&self, invoice: &Invoice, payment: &Payment) -> Result<Option<Outcome>, StripeError> {
        let age = self.clock.now().since(payment.created_at);
        let Some(source) = &payment.source else { return Err(StripeError::Off) };
        let lost = |long: std::time::Duration| (age >= long).then(|| Outcome::failed(None, "lost"));
        // It isn't made for the first time when something else is owed by now.
        let owed = rules::owed(invoice).ok().and_then(|owed| chargeable(owed, invoice.currency));
        let is_right = owed.is_some_and(|(amount, _)| amount == payment.amount);
        if age >= KEY_LIFE || !is_right {
            return Ok(self.find(invoice, payment, source).await?.or_else(|| lost(LOST)));
        }
        let Some((_, units)) = chargeable(payment.amount, payment.currency) else {
            return Ok(Some(Outcome::failed(None, "amount")));
        };
        let description = invoice.number.clone().unwrap_or_else(|| invoice.id.to_string());
        let charge = Charge {
            units,
            currency: payment.currency.code(),
            customer: &source.customer,
            payment_method: &source.payment_method,
            kind: &source.kind,
            description: &description,
        };
        let key = format!("{}:{}", payment.invoice, payment.attempt);
        let outcome = match self.stripe.charge(charge, &tags(invoice, payment), &key).await {
            Ok(intent) => Outcome::of(&intent),
            Err(StripeError::Declined { intent: Some(intent), .. }) if intent.last_payment_error.is_some() => {
                Outcome::of(&intent)
            }
            Err(StripeError::Declined { reason, authenticate, intent }) => Outcome {
                state: match (authenticate, &intent) {
                    (true, Some(_)) => PaymentState::ActionRequired,
                    (true, None) | (false, _) => PaymentState::Failed,
                },
                ..Outcome::failed(intent.map(|intent| intent.id), &reason)
            },
            Err(StripeError::Refused { code, intent }) => Outcome::failed(intent.map(|intent| intent.id), &code),
            Err(StripeError::Missing) => Outcome::failed(None, "resource_missing"),
            // Whether it was made isn't known, and asking again says nothing else.
            Err(error @ (StripeError::Failed { replayed: true, .. } | StripeError::KeyMismatch)) => {
                unknown(&error);
                return Ok(self.find(invoice, payment, source).await?.or_else(|| lost(LOST)));
            }
            Err(error) => return Err(error),
        };
        // What is answered to a request that came before is what was then.
        match &outcome.reference {
            Some(reference) if age > BREATHER => Ok(Some(Outcome::of(&self.stripe.intent(reference).await?))),
            _ => Ok(Some(outcome)),
        }
    }

    /// Looks for an attempt by what was written on it.
    async fn find(
        &self,
        invoice: &Invoice,
        payment: &Payment,
        source: &Source,
    ) -> Result<Option<Outcome>, StripeError> {
        let tags = tags(invoice, payment);
        let is = |intent: &Intent| tags.iter().all(|(name, value)| intent.metadata.get(*name) == Some(value));
        Ok(self.stripe.find_intent(&source.customer, is).await?.map(|intent| Outcome::of(&intent)))
    }
}

/// What is written on a payment at Stripe.
pub(super) fn tags(invoice: &Invoice, payment: &Payment) -> [(&'static str, String); 3] {
    [
        ("tenant", invoice.tenant.to_string()),
        ("invoice", invoice.id.to_string()),
        ("attempt", payment.attempt.to_string()),
    ]
}
