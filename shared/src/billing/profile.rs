//! Who buys, and how it pays.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{audit::Versioned, mail::EmailAddress};

/// Who buys: what stands on its invoices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, 1 to 200 characters of any script.
    pub name: String,
    /// Its address, at most six lines, without the country.
    #[serde(default)]
    pub address: Vec<String>,
    /// Its country: two letters (ISO 3166-1); decides the tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Its VAT id or tax number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// Where invoices and reminders go; without one to the owners and those who are `billing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub email: Option<EmailAddress>,
    /// What the buyer wants to read on its invoices: a purchase order, a cost centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// How a tenant pays. The item of its own, because payments change it and people change the profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wallet {
    /// Its customer at Stripe (`cus_...`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Its payment method there (`pm_...`); absent: it pays by transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<PaymentMethod>,
    /// When setting it up was begun, in seconds since the epoch: one that was begun before doesn't take its place.
    #[serde(default)]
    pub set_up_at: u64,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

impl Versioned for Wallet {
    const KIND: &'static str = "payment method";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        json!({"customer": self.customer, "payment_method": self.payment_method})
    }
}

/// What a tenant pays with, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentMethod {
    /// What Stripe calls it.
    pub id: String,
    /// What it is: `card`, `sepa_debit`, ...
    pub kind: String,
    /// A card's brand, or the bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Its last four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
    /// When it expires, as `2027-03`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
