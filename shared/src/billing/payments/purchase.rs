//! Prepaid credit that a tenant buys. The purchase is written before its buyer gets what it takes to pay it, so no money
//! comes that nobody knows of; the credit is given in the change that says that it is paid, so it is given once.

use serde_json::json;

use super::{Payments, TRIES, contended, rules::Outcome, settle::note_event};
use crate::{
    audit::{Actor, Deed, record},
    billing::{
        Amount, Currency, Grant, PaymentState, Purchase,
        repo::{Grants, grants::grant},
        stripe::{Event as Told, IntentStatus, StripeError, chargeable},
    },
    error::{Error, Result},
    id::{GrantId, TenantId},
    store::{Change, Committed, keys},
    tenant::Tenant,
};

/// A purchase that was begun, and what a browser needs to pay it.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPurchase {
    /// The purchase.
    pub purchase: Purchase,
    /// The payment's secret.
    pub client_secret: String,
    /// Stripe's key for browsers, if the deployment has one.
    pub publishable_key: Option<String>,
}

impl Payments {
    /// Begins a purchase of prepaid credit and adds it to a change.
    ///
    /// # Errors
    /// `Invalid` if Stripe can't charge the amount; `Conflict` if the deployment has no account at Stripe; `Unavailable`.
    pub async fn buy(
        &self,
        change: &mut Change,
        tenant: &Tenant,
        amount: Amount,
        currency: Currency,
        actor: &Actor,
    ) -> Result<NewPurchase> {
        let (_, units) = chargeable(amount, currency).filter(|(charged, _)| *charged == amount).ok_or_else(|| {
            Error::invalid("amount", "amount must be more than 0 and one that can be charged in this currency")
        })?;
        let keys = self.stripe.keys().await?.ok_or(StripeError::Off)?;
        let customer = self.customer(tenant, actor).await?;
        let now = self.clock.now();
        let id = GrantId::new(now);
        let tags = [("tenant", tenant.id.to_string()), ("grant", id.to_string())];
        let intent =
            self.stripe.begin(units, currency.code(), &customer, "Prepaid credit", &tags, &id.to_string()).await?;
        let secret = intent.client_secret.ok_or_else(|| Error::internal("a payment without a secret"))?;
        let purchase = Purchase {
            id,
            tenant: tenant.id,
            amount,
            currency,
            status: PaymentState::ActionRequired,
            reference: intent.id,
            created_at: now,
            version: 1,
        };
        change.put_new(&self.table.tenant(tenant.id).invoices(), &keys::purchase(id), &purchase)?;
        let after = json!({"amount": amount, "currency": currency, "reference": purchase.reference});
        let deed = Deed { action: "credit.buy", target: id.to_string(), after, ..Deed::default() };
        record(change, tenant.id, actor, now, deed)?;
        let publishable_key = keys.value.publishable_key.clone();
        Ok(NewPurchase { purchase, client_secret: secret.0, publishable_key })
    }

    /// Finds out what became of a purchase; gives the credit if it is paid, once. `false` if there is no such purchase.
    pub(super) async fn settle_purchase(&self, tenant: TenantId, id: GrantId, told: &Told) -> Result<bool> {
        let (table, sort) = (self.table.tenant(tenant), keys::purchase(id));
        for _ in 0..TRIES {
            let Some(mut purchase) = table.invoices().find::<Purchase>(&sort).await? else { return Ok(false) };
            if purchase.status == PaymentState::Succeeded {
                return Ok(true);
            }
            let intent = match self.stripe.intent(&purchase.reference).await {
                Ok(intent) => intent,
                Err(StripeError::Missing) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let state = match Outcome::of(&intent).state {
                // Its buyer may try again with the same one, until it is over.
                PaymentState::Failed if intent.status != IntentStatus::Canceled => PaymentState::ActionRequired,
                state => state,
            };
            if state == purchase.status {
                return Ok(true);
            }
            let (now, of) = (self.clock.now(), purchase.version);
            (purchase.status, purchase.version) = (state, of + 1);
            let mut change = Change::new(&self.table);
            change.replace(&table.invoices(), &sort, &purchase, of)?;
            if state == PaymentState::Succeeded {
                let grant = Grant { id, ..grant(purchase.amount, purchase.currency, "purchase".to_owned(), None, now) };
                Grants::give(&mut change, tenant, &grant, &Actor::system())?;
                // A plan that is prepaid caps what may be used at what is there.
                change.put(&self.table.billing(), &keys::term(now, tenant), &json!({"tenant": tenant}))?;
            }
            note_event(&mut change, told, now)?;
            if change.commit().await? == Committed::Yes {
                return Ok(true);
            }
        }
        Err(contended())
    }
}
