//! Payments: how invoices come to be paid.
//!
//! An invoice whose payment is to be seen to has an item in one list for all tenants, by when ([`watch`]). Whoever works off
//! the list does the next thing that there is to do, and writes with it when the one after that is. What moves money is
//! written before it is asked for, so whoever finds it later can find out what became of it.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    Dunning, Invoice, InvoiceStatus, Letter, Payment, PaymentStatus, Wallet,
    repo::BillingSettings,
    stripe::{Stripe, StripeError},
};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::{InvoiceId, TenantId},
    mail::Mailer,
    store::{Change, Committed, Table, keys, parse},
    tenant::{Members, Tenants},
};

mod attempt;
mod dunning;
mod hear;
mod manual;
mod purchase;
mod queue;
mod refund;
mod rules;
mod settle;
mod tell;
mod wallet;

pub use hear::Heard;
pub use manual::Noted;
pub use purchase::NewPurchase;
pub use queue::Ran;
pub use wallet::Setup;

/// How often something is tried again that others changed meanwhile.
const TRIES: usize = 10;
/// How many things are done about one invoice at once, at most: more than there can be.
const STEPS: usize = 20;
/// How long to wait until something is looked at again of which it isn't known what became of it.
const UNKNOWN: Duration = Duration::from_mins(10);
/// For how long Stripe remembers a key: a day, less what clocks may differ by.
const KEY_LIFE: Duration = Duration::from_hours(23);
/// From when on something that Stripe doesn't know is taken not to have been asked for.
const LOST: Duration = Duration::from_hours(1);

/// The longest reason or reference, in characters.
const LONGEST_TEXT: usize = 200;

/// Payments of all tenants.
#[derive(Clone)]
pub struct Payments {
    table: Table,
    clock: Clock,
    stripe: Stripe,
    mailer: Mailer,
    tenants: Tenants,
    members: Members,
    /// Where links in letters lead.
    site: Arc<str>,
}

/// What payments are made of.
pub struct Parts {
    /// The table.
    pub table: Table,
    /// The clock.
    pub clock: Clock,
    /// Stripe.
    pub stripe: Stripe,
    /// Who sends letters.
    pub mailer: Mailer,
    /// Where links in letters lead, without a slash at its end.
    pub site: String,
}

/// How far an invoice's payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// What became of it.
    pub payment: PaymentStatus,
    /// When it is looked at next, if it is.
    pub next: Option<Timestamp>,
}

/// What a buyer needs to have an invoice paid in a browser, with Stripe.js. Not to be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The payment's secret.
    pub client_secret: String,
    /// The payment method that was tried.
    pub payment_method: Option<String>,
    /// Stripe's key for browsers, if the deployment has one.
    pub publishable_key: Option<String>,
}

/// An invoice and all its payments, as they were read.
struct State {
    invoice: Invoice,
    payments: Vec<Payment>,
}

impl State {
    /// The attempt at Stripe whose end isn't there.
    fn under_way(&self) -> Option<&Payment> {
        self.payments.iter().rev().find(|payment| payment.is_under_way())
    }
}

/// Has an invoice's payment seen to at `at`; nothing more is done about it if that is absent. Who writes the invoice, in the
/// same change and on condition of its version, calls this whenever something else becomes due: when it is finalised, when it
/// is void, when a credit note takes something off. Once in a change, or at the same time: an item is in it once.
///
/// # Errors
/// `Internal` if it can't be written as an item.
pub fn watch(change: &mut Change, invoice: &mut Invoice, at: Option<Timestamp>) -> Result<()> {
    let before = invoice.collection.next;
    if before == at {
        return Ok(());
    }
    let partition = change.table().collect();
    if let Some(before) = before {
        change.delete(&partition, &keys::collect(before, invoice.tenant, invoice.id))?;
    }
    if let Some(at) = at {
        change.put(&partition, &keys::collect(at, invoice.tenant, invoice.id), &queue::Unclaimed {})?;
    }
    invoice.collection.next = at;
    Ok(())
}

/// Begins the payment of an invoice that is just being finalised: says that it is to be paid, and has the buyer told of it.
/// What is less than a coin counts as paid.
///
/// # Errors
/// `Internal` if it can't be written as an item.
pub fn begin(change: &mut Change, invoice: &mut Invoice, now: Timestamp) -> Result<()> {
    let paid = invoice.status == InvoiceStatus::Finalised && rules::is_settled(invoice)?;
    invoice.payment = if paid { PaymentStatus::Paid } else { PaymentStatus::Pending };
    // Nobody is written that there is nothing to pay and nothing was sold.
    if invoice.total > super::Amount::ZERO {
        invoice.collection.letters = vec![Letter::Ready];
    }
    let something = !paid || !invoice.collection.letters.is_empty();
    watch(change, invoice, something.then_some(now))
}

impl Payments {
    /// Of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { table, clock, stripe, mailer, site } = parts;
        let (tenants, members) = (Tenants::new(table.clone()), Members::new(table.clone()));
        Self { table, clock, stripe, mailer, tenants, members, site: site.into() }
    }

    /// Stripe.
    #[must_use]
    pub fn stripe(&self) -> &Stripe {
        &self.stripe
    }

    /// Does whatever is to be done about an invoice's payment now. Doing it again, or twice at once, does nothing twice.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if table, Stripe or mail can't be reached; it is looked at again by itself.
    pub async fn collect(&self, tenant: TenantId, invoice: InvoiceId) -> Result<Collected> {
        self.see_to(tenant, invoice, false).await
    }

    /// An invoice's payments, in order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn of(&self, tenant: TenantId, invoice: InvoiceId) -> Result<Vec<Payment>> {
        self.table.tenant(tenant).invoices().begins_with(&keys::payments(invoice)).collect().await
    }

    async fn read(&self, tenant: TenantId, id: InvoiceId) -> Result<State> {
        let invoices = self.table.tenant(tenant).invoices();
        let sort = keys::invoice(id);
        let (invoice, payments) = tokio::try_join!(invoices.find::<Invoice>(&sort), self.of(tenant, id))?;
        let invoice = invoice.ok_or_else(|| Error::NotFound { kind: "invoice", id: id.to_string() })?;
        Ok(State { invoice, payments })
    }

    /// One of its payments, and the invoice.
    async fn read_one(&self, tenant: TenantId, id: InvoiceId, attempt: u32) -> Result<Option<(Invoice, Payment)>> {
        let (invoice, payment) = (keys::invoice(id), keys::payment(id, attempt));
        let mut found = self.table.tenant(tenant).invoices().find_all(&[&invoice, &payment]).await?;
        Ok(match (found.remove(&invoice), found.remove(&payment)) {
            (Some(invoice), Some(payment)) => Some((parse(invoice)?, parse(payment)?)),
            (_, None) | (None, _) => None,
        })
    }

    async fn dunning(&self) -> Result<Dunning> {
        let settings = BillingSettings::new(self.table.clone()).find().await?;
        Ok(settings.map(|settings| settings.dunning).unwrap_or_default())
    }

    async fn wallet(&self, tenant: TenantId) -> Result<Wallet> {
        Ok(self.table.tenant(tenant).main().find(keys::WALLET).await?.unwrap_or_default())
    }

    /// Adds a payment in its next version to a change.
    fn put_payment(&self, change: &mut Change, tenant: TenantId, payment: &mut Payment) -> Result<()> {
        let of = payment.version;
        payment.version += 1;
        let sort = keys::payment(payment.invoice, payment.attempt);
        let invoices = self.table.tenant(tenant).invoices();
        match of {
            0 => change.put_new(&invoices, &sort, payment).map(drop),
            _ => change.replace(&invoices, &sort, payment, of).map(drop),
        }
    }

    /// Adds an invoice in its next version to a change.
    fn put_invoice(&self, change: &mut Change, invoice: &mut Invoice) -> Result<()> {
        let of = invoice.version;
        invoice.version += 1;
        let invoices = self.table.tenant(invoice.tenant).invoices();
        change.replace(&invoices, &keys::invoice(invoice.id), invoice, of).map(drop)
    }

    /// Writes an invoice with what belongs to it; `false` if somebody was quicker.
    async fn write(&self, mut change: Change, mut invoice: Invoice) -> Result<bool> {
        self.put_invoice(&mut change, &mut invoice)?;
        Ok(change.commit().await? == Committed::Yes)
    }
}

fn contended() -> Error {
    Error::Conflict("others are changing the invoice's payment at the same time; try again".to_owned())
}

/// Says why nothing is known of what was asked of Stripe. A secret key that is refused is somebody's to look at.
fn unknown(error: &StripeError) {
    metrics::counter!("PaymentsUnknown").increment(1);
    match error {
        StripeError::Off => tracing::debug!("Stripe is off"),
        StripeError::Credentials | StripeError::KeyMismatch | StripeError::NoKeys => {
            tracing::error!(%error, "a payment is not known; it will be looked at again");
        }
        _ => tracing::warn!(%error, "a payment is not known; it will be looked at again"),
    }
}
