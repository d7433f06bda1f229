//! How a tenant pays: its customer at Stripe, and the payment method that was set up last.

use sha2::{Digest, Sha256};

use super::Payments;
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, record},
    billing::{
        PaymentMethod, Wallet,
        repo::Buyers,
        stripe::{SavedMethod, SetupIntent, StripeError},
    },
    error::{Error, Result},
    id::TenantId,
    store::{Change, keys},
    tenant::Tenant,
};

/// What a browser needs to set a payment method up, with Stripe.js.
#[derive(Clone, PartialEq, Eq)]
pub struct Setup {
    /// The secret of the setting up.
    pub client_secret: String,
    /// Stripe's key for browsers, if the deployment has one.
    pub publishable_key: Option<String>,
}

impl Payments {
    /// What a tenant pays with; nothing if it pays by transfer.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn method(&self, tenant: TenantId) -> Result<Option<PaymentMethod>> {
        Ok(self.wallet(tenant).await?.payment_method)
    }

    /// Begins to set a payment method up, and notes that in a change. It is the tenant's when Stripe says that it is done.
    ///
    /// # Errors
    /// `Conflict` if the deployment has no account at Stripe; `Unavailable`.
    pub async fn set_up(&self, change: &mut Change, tenant: &Tenant, actor: &Actor) -> Result<Setup> {
        let keys = self.stripe.keys().await?.ok_or(StripeError::Off)?;
        let customer = self.customer(tenant, actor).await?;
        let key = format!("setup:{:032x}", rand::random::<u128>());
        let setup = self.stripe.create_setup(&customer, &[("tenant", tenant.id.to_string())], &key).await?;
        let deed = Deed { action: "payment_method.set_up", target: setup.id.clone(), ..Deed::default() };
        record(change, tenant.id, actor, self.clock.now(), deed)?;
        let secret = setup.client_secret.ok_or_else(|| Error::internal("a setup without a secret"))?;
        Ok(Setup { client_secret: secret.0, publishable_key: keys.value.publishable_key.clone() })
    }

    /// Takes a tenant's payment method away; it pays by transfer then. Nothing is done if there is none.
    ///
    /// # Errors
    /// `Conflict`, `Unavailable`.
    pub async fn remove_method(&self, tenant: TenantId, actor: &Actor) -> Result<()> {
        let Some(method) = self.wallet(tenant).await?.payment_method else { return Ok(()) };
        match self.stripe.detach(&method.id).await {
            // It was before, or there is no account any more.
            Ok(_) | Err(StripeError::Refused { .. } | StripeError::Missing | StripeError::Off) => {}
            Err(error) => return Err(error.into()),
        }
        self.forget_method(tenant, &method.id, actor).await
    }

    /// Takes a payment method out of a tenant's wallet, if it is in there.
    pub(super) async fn forget_method(&self, tenant: TenantId, method: &str, actor: &Actor) -> Result<()> {
        let is_it = |wallet: &Wallet| wallet.payment_method.as_ref().is_some_and(|kept| kept.id == method);
        if !is_it(&self.wallet(tenant).await?) {
            return Ok(());
        }
        let decide = |wallet: &mut Wallet| {
            if is_it(wallet) {
                wallet.payment_method = None;
            }
        };
        self.edit_wallet(tenant, "payment_method.remove", actor, decide).await.map(drop)
    }

    /// The tenant's customer at Stripe, which is made if there is none. Two that are made at once are one, because both are
    /// made under the same key.
    pub(super) async fn customer(&self, tenant: &Tenant, actor: &Actor) -> Result<String> {
        if let Some(customer) = self.wallet(tenant.id).await?.customer {
            return Ok(customer);
        }
        let buyer = Buyers::new(self.table.clone()).get(tenant.id).await?.profile;
        let name = if buyer.name.is_empty() { &tenant.name } else { &buyer.name };
        let email = buyer.email.as_ref().map(|email| email.as_str().to_owned());
        // What is asked for under a key must always be the same.
        let asked = Sha256::digest(format!("{name}\n{}", email.as_deref().unwrap_or_default()));
        let asked = asked.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let key = format!("customer:{}:{asked:016x}", tenant.id);
        let tags = [("tenant", tenant.id.to_string())];
        let made = self.stripe.create_customer(name, email.as_deref(), &tags, &key).await?;
        let decide = |wallet: &mut Wallet| {
            wallet.customer.get_or_insert_with(|| made.id.clone());
        };
        let wallet = self.edit_wallet(tenant.id, "payment_method.customer", actor, decide).await?;
        Ok(wallet.customer.unwrap_or(made.id))
    }

    /// A payment method was set up: it is the tenant's from now on, unless one was that was begun later. The one before is
    /// given up.
    pub(super) async fn keep_method(&self, tenant: TenantId, setup: &SetupIntent) -> Result<bool> {
        let wallet = self.wallet(tenant).await?;
        let (Some(customer), Some(method)) = (&setup.customer, &setup.payment_method) else { return Ok(false) };
        if wallet.customer.as_ref() != Some(customer) || setup.status != "succeeded" {
            return Ok(false);
        }
        let is_newer = |wallet: &Wallet| {
            let is_it = wallet.payment_method.as_ref().is_some_and(|kept| kept.id == *method);
            setup.created >= wallet.set_up_at && !is_it
        };
        if !is_newer(&wallet) {
            return Ok(true);
        }
        let found: SavedMethod = match self.stripe.method(method).await {
            Ok(found) if found.customer.as_ref() == Some(customer) => found,
            // It was taken away again meanwhile.
            Ok(_) | Err(StripeError::Missing) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let mut before = None;
        let decide = |wallet: &mut Wallet| {
            if is_newer(wallet) {
                before = wallet.payment_method.replace(found.shown());
                wallet.set_up_at = setup.created;
            }
        };
        self.edit_wallet(tenant, "payment_method.set", &Actor::system(), decide).await?;
        // It works without, and is seen at Stripe alone.
        if let Err(error) = self.stripe.set_default(customer, method).await {
            tracing::warn!(%error, "a customer's default can't be set");
        }
        if let Some(before) = before
            && let Err(error) = self.stripe.detach(&before.id).await
        {
            tracing::warn!(%error, "a payment method that was replaced can't be detached");
        }
        Ok(true)
    }

    async fn edit_wallet(
        &self,
        tenant: TenantId,
        action: &'static str,
        actor: &Actor,
        mut decide: impl FnMut(&mut Wallet),
    ) -> Result<Wallet> {
        let (table, id, at) = (self.table.tenant(tenant), tenant.to_string(), self.clock.now());
        let edit = Edit { table: &table, sort: keys::WALLET, id: &id, version: IfMatch::Any, action, actor, at };
        let apply = |wallet: &mut Wallet, _: &mut Change| {
            decide(wallet);
            Ok(())
        };
        edit.apply_or_create(apply).await
    }
}
