//! Payments of invoices, what is given back of them, and how those that are missing are followed up.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Amount, Currency};
use crate::{
    clock::Timestamp,
    id::{GrantId, InvoiceId, PaymentId, TenantId},
};

/// An attempt to have an invoice paid, or a payment that arrived otherwise. It is written before the money moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its identifier.
    pub id: PaymentId,
    /// What it pays.
    pub invoice: InvoiceId,
    /// The how manieth for that invoice, from 1.
    pub attempt: u32,
    /// The way that the money goes.
    pub method: Method,
    /// How much, in the invoice's currency.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
    /// How far it is.
    pub status: PaymentState,
    /// Whether its buyer asked for it right then, and so sees what becomes of it.
    #[serde(default)]
    pub wanted: bool,
    /// What Stripe is told to charge: a repeated request must be the same to the letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What the payment provider calls it (`pi_...`), or the operator (the reference of a bank transfer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the provider said last against it: a code such as `card_declined`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What was given back of it, without what could not be.
    #[serde(default)]
    pub refunded: Amount,
    /// Each time that something of it was to be given back, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its state was changed last.
    pub changed_at: Timestamp,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

impl Payment {
    /// Whether something may still come of it.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        match self.status {
            PaymentState::Begun | PaymentState::Processing | PaymentState::ActionRequired => true,
            PaymentState::Failed | PaymentState::Succeeded => false,
        }
    }
}

/// What is charged at Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The customer (`cus_...`).
    pub customer: String,
    /// Its payment method (`pm_...`).
    pub payment_method: String,
    /// What that is: `card`, `sepa_debit`, ...
    pub kind: String,
}

/// The way that money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By Stripe, with the tenant's payment method.
    Stripe,
    /// By bank transfer, or otherwise past LMO; the operator notes it.
    Manual,
}

/// How far a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// It is noted; whether the provider knows of it is not known.
    Begun,
    /// The provider works on it.
    Processing,
    /// The buyer has to do something.
    ActionRequired,
    /// It came to nothing.
    Failed,
    /// The money is there.
    Succeeded,
}

/// Money of a payment that goes back the way that it came. It is written before the money moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The how manieth of that payment, from 1.
    pub number: u32,
    /// How much.
    pub amount: Amount,
    /// How far it is.
    pub status: RefundState,
    /// Why.
    pub reason: String,
    /// What the payment provider calls it (`re_...`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// How far money is that goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// It is noted; whether the provider knows of it is not known.
    Begun,
    /// The provider works on it.
    Pending,
    /// It couldn't go back; the payment is as if it had never been tried.
    Failed,
    /// It went back.
    Succeeded,
}

/// How the payment of an invoice is followed up. Who writes the invoice writes this with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Collection {
    /// When it is looked at next: there is an item in the list of what is to be collected, at exactly that time. Nothing
    /// is left to do if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Since when it is followed up: the first attempt that failed, or the day by which it was to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many of the days are behind it on which payment is tried again or a reminder is sent.
    #[serde(default)]
    pub step: u32,
    /// Whether the tenant was suspended for it, and not resumed since.
    #[serde(default)]
    pub suspended: bool,
    /// What the buyer is still to be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<Letter>,
}

/// What a buyer is written about an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// There is one.
    Ready,
    /// An attempt to have it paid failed.
    Failed,
    /// Its payment has to be confirmed.
    ActionRequired,
    /// It is still unpaid.
    Reminder,
    /// The tenant is suspended because it is unpaid.
    Suspended,
    /// It was given up.
    Uncollectible,
}

/// Prepaid credit that a tenant buys by Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// The credit that it becomes.
    pub id: GrantId,
    /// Whose it is.
    pub tenant: TenantId,
    /// How much.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
    /// How far its payment is.
    pub status: PaymentState,
    /// What Stripe calls its payment.
    pub reference: String,
    /// What went back of it, for which credit was taken away again as far as it was there.
    #[serde(default)]
    pub refunded: Amount,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}
