//! Prepaid credit that a tenant buys. The purchase is written before its buyer gets what it takes to pay it, so no money
//! comes that nobody knows of; the credit is given in the change that says that it is paid, so it is given once.

use std::time::Duration;

use serde_json::json;

use super::{Payments, TRIES, contended, queue::Unclaimed, rules::Outcome, settle::note_event};
use crate::{
    audit::{Actor, Deed, record},
    billing::{
        Amount, Currency, Grant, PaymentState, Purchase,
        repo::{Grants, grants::grant},
        stripe::{Event as Told, IntentStatus, StripeError, chargeable, from_units},
        sum,
    },
    error::{Error, Result},
    id::{GrantId, TenantId},
    store::{Change, Committed, keys},
    tenant::Tenant,
};

/// When a purchase is looked at first that Stripe has told nothing of, and when again.
const FIRST_LOOK: Duration = Duration::from_hours(1);
const NEXT_LOOK: Duration = Duration::from_hours(24);
/// How long its buyer has to pay it.
const GIVEN_UP: Duration = Duration::from_hours(7 * 24);

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
            refunded: Amount::ZERO,
            created_at: now,
            version: 1,
        };
        change.put_new(&self.table.tenant(tenant.id).invoices(), &keys::purchase(id), &purchase)?;
        change.put(&self.table.collect(), &keys::collect(now.after(FIRST_LOOK), tenant.id, id), &Unclaimed {})?;
        let after = json!({"amount": amount, "currency": currency, "reference": purchase.reference});
        let deed = Deed { action: "credit.buy", target: id.to_string(), after, ..Deed::default() };
        record(change, tenant.id, actor, now, deed)?;
        let publishable_key = keys.value.publishable_key.clone();
        Ok(NewPurchase { purchase, client_secret: secret.0, publishable_key })
    }

    /// Finds out what became of a purchase; gives the credit if it is paid, once. `None` if there is no such purchase.
    pub(super) async fn settle_purchase(
        &self,
        tenant: TenantId,
        id: GrantId,
        told: Option<&Told>,
    ) -> Result<Option<Purchase>> {
        let (table, sort) = (self.table.tenant(tenant), keys::purchase(id));
        for _ in 0..TRIES {
            let Some(mut purchase) = table.invoices().find::<Purchase>(&sort).await? else { return Ok(None) };
            if purchase.status == PaymentState::Succeeded {
                return Ok(Some(purchase));
            }
            let intent = match self.stripe.intent(&purchase.reference).await {
                Ok(intent) => intent,
                Err(StripeError::Missing) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let state = match Outcome::of(&intent).state {
                // Its buyer may try again with the same one, until it is over.
                PaymentState::Failed if intent.status != IntentStatus::Canceled => PaymentState::ActionRequired,
                state => state,
            };
            if state == purchase.status {
                return Ok(Some(purchase));
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
            if let Some(told) = told {
                note_event(&mut change, told, now)?;
            }
            if change.commit().await? == Committed::Yes {
                return Ok(Some(purchase));
            }
        }
        Err(contended())
    }

    /// Looks at a purchase that Stripe may have told nothing of. One that nobody pays is given up in the end.
    pub(super) async fn look_at_purchase(&self, tenant: TenantId, id: GrantId) -> Result<()> {
        let Some(mut purchase) = self.settle_purchase(tenant, id, None).await? else { return Ok(()) };
        let now = self.clock.now();
        if purchase.status == PaymentState::ActionRequired && now.since(purchase.created_at) >= GIVEN_UP {
            self.end(&purchase.reference).await?;
            let Some(ended) = self.settle_purchase(tenant, id, None).await? else { return Ok(()) };
            purchase = ended;
        }
        match purchase.status {
            // Who tells nothing of a payment may tell nothing of its refund either.
            PaymentState::Succeeded => self.purchase_refunded(tenant, id).await,
            PaymentState::Failed => Ok(()),
            PaymentState::Begun | PaymentState::Processing | PaymentState::ActionRequired => {
                let next = keys::collect(now.after(NEXT_LOOK), tenant, id);
                self.table.collect().put(&next, &Unclaimed {}).await
            }
        }
    }

    /// Takes away the credit of a purchase for what Stripe sent back of it.
    pub(super) async fn purchase_refunded(&self, tenant: TenantId, id: GrantId) -> Result<()> {
        let sort = keys::purchase(id);
        let Some(purchase) = self.table.tenant(tenant).invoices().find::<Purchase>(&sort).await? else { return Ok(()) };
        let found = self.stripe.refunds(&purchase.reference).await?;
        let back = found.iter().filter(|refund| !matches!(refund.status.as_deref(), Some("failed" | "canceled")));
        let back = sum(back.map(|refund| from_units(refund.amount, purchase.currency)))?;
        self.take_back(tenant, id, Some(back)).await
    }

    /// Takes away the credit of a purchase, as far as it is there, until `back` of it was taken away; all of it if that is
    /// absent. That it was paid may not have been heard of yet: the credit is given first, so that it isn't given afterwards.
    pub(super) async fn take_back(&self, tenant: TenantId, id: GrantId, back: Option<Amount>) -> Result<()> {
        self.settle_purchase(tenant, id, None).await?;
        let (table, sort) = (self.table.tenant(tenant), keys::purchase(id));
        for _ in 0..TRIES {
            let Some(mut purchase) = table.invoices().find::<Purchase>(&sort).await? else { return Ok(()) };
            let more = back.unwrap_or(purchase.amount).minus(purchase.refunded)?;
            let Some(mut grant) = table.main().find::<Grant>(&keys::grant(id)).await? else { return Ok(()) };
            if more <= Amount::ZERO {
                return Ok(());
            }
            let (now, of, of_grant) = (self.clock.now(), purchase.version, grant.version);
            let before = json!({"left": grant.left});
            let taken = more.min(grant.left);
            (purchase.refunded, purchase.version) = (purchase.refunded.plus(more)?, of + 1);
            (grant.left, grant.version) = (grant.left.minus(taken)?, of_grant + 1);
            if taken < more {
                tracing::error!(%tenant, grant = %id, "bought credit went back that was spent already");
            }
            let mut change = Change::new(&self.table);
            change.replace(&table.invoices(), &sort, &purchase, of)?;
            change.replace(&table.main(), &keys::grant(id), &grant, of_grant)?;
            change.put(&self.table.billing(), &keys::term(now, tenant), &json!({"tenant": tenant}))?;
            let after = json!({"left": grant.left, "spent": more.minus(taken)?});
            let deed = Deed { action: "credit.take_back", target: id.to_string(), before, after };
            record(&mut change, tenant, &Actor::system(), now, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(());
            }
        }
        Err(contended())
    }
}
