//! What is asked of Stripe. Every call that makes something has an idempotency key that was written down before.

use http::Method;

use super::{Customer, Form, Intent, Page, SavedMethod, SetupIntent, Stripe, StripeError, StripeRefund};

type Answer<T> = Result<T, StripeError>;

/// What is written on an object, so that it can be found again: names and values.
pub type Tags<'a> = &'a [(&'a str, String)];

/// What is to be charged without its buyer being there.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// How much, in Stripe's units.
    pub units: i64,
    /// The currency's code.
    pub currency: &'a str,
    /// Of whom.
    pub customer: &'a str,
    /// With what.
    pub payment_method: &'a str,
    /// What that is: naming it keeps ways out that would lead a buyer elsewhere.
    pub kind: &'a str,
    /// What the buyer may read of it.
    pub description: &'a str,
}

impl Stripe {
    /// Makes a customer.
    ///
    /// # Errors
    /// Any [`StripeError`]; so in all that follow.
    pub async fn create_customer(
        &self,
        name: &str,
        email: Option<&str>,
        tags: Tags<'_>,
        key: &str,
    ) -> Answer<Customer> {
        let form = Form::new().with("name", name).maybe("email", email).metadata(own(tags));
        self.call(Method::POST, "/v1/customers", &form, Some(key)).await
    }

    /// A customer.
    ///
    /// # Errors
    /// Any.
    pub async fn customer(&self, id: &str) -> Answer<Customer> {
        self.call(Method::GET, &format!("/v1/customers/{}", segment(id)), &Form::new(), None).await
    }

    /// Has a customer pay with this method unless something else is said, as far as Stripe's own pages go.
    ///
    /// # Errors
    /// Any.
    pub async fn set_default(&self, customer: &str, method: &str) -> Answer<Customer> {
        let form = Form::new().with("invoice_settings[default_payment_method]", method);
        self.call(Method::POST, &format!("/v1/customers/{}", segment(customer)), &form, None).await
    }

    /// Begins to set up a payment method that can be charged later without its buyer being there.
    ///
    /// # Errors
    /// Any.
    pub async fn create_setup(&self, customer: &str, tags: Tags<'_>, key: &str) -> Answer<SetupIntent> {
        let form = Form::new().with("customer", customer).with("usage", "off_session");
        let form = form.with("automatic_payment_methods[enabled]", true).metadata(own(tags));
        self.call(Method::POST, "/v1/setup_intents", &form, Some(key)).await
    }

    /// The setting up of a payment method, as it is now.
    ///
    /// # Errors
    /// Any.
    pub async fn setup(&self, id: &str) -> Answer<SetupIntent> {
        self.call(Method::GET, &format!("/v1/setup_intents/{}", segment(id)), &Form::new(), None).await
    }

    /// A payment method.
    ///
    /// # Errors
    /// Any.
    pub async fn method(&self, id: &str) -> Answer<SavedMethod> {
        self.call(Method::GET, &format!("/v1/payment_methods/{}", segment(id)), &Form::new(), None).await
    }

    /// Takes a payment method from its customer; it can't be charged any more.
    ///
    /// # Errors
    /// Any.
    pub async fn detach(&self, id: &str) -> Answer<SavedMethod> {
        self.call(Method::POST, &format!("/v1/payment_methods/{}/detach", segment(id)), &Form::new(), None).await
    }

    /// Charges a customer that isn't there.
    ///
    /// # Errors
    /// Any.
    pub async fn charge(&self, charge: Charge<'_>, tags: Tags<'_>, key: &str) -> Answer<Intent> {
        let form = Form::new()
            .with("amount", charge.units)
            .with("currency", charge.currency.to_ascii_lowercase())
            .with("customer", charge.customer)
            .with("payment_method", charge.payment_method)
            .with("payment_method_types[0]", charge.kind)
            .with("off_session", true)
            .with("confirm", true)
            .with("description", charge.description)
            .metadata(own(tags));
        self.call(Method::POST, "/v1/payment_intents", &form, Some(key)).await
    }

    /// Begins a payment that its buyer confirms in a browser.
    ///
    /// # Errors
    /// Any.
    pub async fn begin(
        &self,
        units: i64,
        currency: &str,
        customer: &str,
        description: &str,
        tags: Tags<'_>,
        key: &str,
    ) -> Answer<Intent> {
        let form = Form::new()
            .with("amount", units)
            .with("currency", currency.to_ascii_lowercase())
            .with("customer", customer)
            .with("automatic_payment_methods[enabled]", true)
            .with("description", description)
            .metadata(own(tags));
        self.call(Method::POST, "/v1/payment_intents", &form, Some(key)).await
    }

    /// A payment, as it is now.
    ///
    /// # Errors
    /// Any.
    pub async fn intent(&self, id: &str) -> Answer<Intent> {
        self.call(Method::GET, &format!("/v1/payment_intents/{}", segment(id)), &Form::new(), None).await
    }

    /// Ends a payment that isn't paid. One that can't be ended any more, because it is paid, on its way or ended, is
    /// refused.
    ///
    /// # Errors
    /// Any.
    pub async fn cancel(&self, id: &str) -> Answer<Intent> {
        self.call(Method::POST, &format!("/v1/payment_intents/{}/cancel", segment(id)), &Form::new(), None).await
    }

    /// The payment of a customer that `is` says it is; `None` if there is none. All of the customer's are looked at: the
    /// search by metadata is told of new ones late, the list isn't.
    ///
    /// # Errors
    /// Any.
    pub async fn find_intent(&self, customer: &str, is: impl Fn(&Intent) -> bool) -> Answer<Option<Intent>> {
        let mut after = None;
        loop {
            let form = Form::new().with("customer", customer).with("limit", 100).maybe("starting_after", after.take());
            let page: Page<Intent> = self.call(Method::GET, "/v1/payment_intents", &form, None).await?;
            after = page.data.last().map(|intent| intent.id.clone()).filter(|_| page.has_more);
            if let Some(found) = page.data.into_iter().find(&is) {
                return Ok(Some(found));
            }
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    /// Sends something of a payment back.
    ///
    /// # Errors
    /// Any.
    pub async fn refund(&self, intent: &str, units: i64, tags: Tags<'_>, key: &str) -> Answer<StripeRefund> {
        let form = Form::new().with("payment_intent", intent).with("amount", units).metadata(own(tags));
        self.call(Method::POST, "/v1/refunds", &form, Some(key)).await
    }

    /// All that was or is to be sent back of a payment.
    ///
    /// # Errors
    /// Any.
    pub async fn refunds(&self, intent: &str) -> Answer<Vec<StripeRefund>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let form =
                Form::new().with("payment_intent", intent).with("limit", 100).maybe("starting_after", after.take());
            let page: Page<StripeRefund> = self.call(Method::GET, "/v1/refunds", &form, None).await?;
            after = page.data.last().map(|refund| refund.id.clone()).filter(|_| page.has_more);
            all.extend(page.data);
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}

fn own(tags: Tags<'_>) -> impl Iterator<Item = (&str, String)> {
    tags.iter().map(|(name, value)| (*name, value.clone()))
}

/// An id as a part of a path. Ids come out of events and items; one with a slash would name another path.
fn segment(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}
