//! What the operator says once: who sells, how invoices are numbered, taxed and collected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Percent;

/// The operator's settings for billing, as `lmo billing settings apply billing.toml` and `PUT /api/admin/billing/settings`
/// write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who sells.
    pub seller: Seller,
    /// The plan that tenants are on which never chose one; absent: such tenants get no invoices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_plan: Option<String>,
    /// What numbers of invoices begin with; `{year}` and a number of six digits follow: `LMO-2026-000001`.
    #[serde(default = "invoice_prefix")]
    pub invoice_prefix: String,
    /// The same of credit notes.
    #[serde(default = "credit_note_prefix")]
    pub credit_note_prefix: String,
    /// How many hours after the end of a period late events are waited for, 1 to 240.
    #[serde(default = "grace_hours")]
    pub grace_hours: u32,
    /// Within how many days an invoice is to be paid, 0 to 120.
    #[serde(default = "payment_days")]
    pub payment_days: u32,
    /// How payments that fail are followed up.
    #[serde(default)]
    pub dunning: Dunning,
    /// Tax by the buyer's country, two letters.
    #[serde(default)]
    pub tax: BTreeMap<String, CountryTax>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

/// Who sells: what the law wants to see on an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// Its name.
    pub name: String,
    /// Its address, line by line, without the country.
    pub address: Vec<String>,
    /// Its country: two letters (ISO 3166-1).
    pub country: String,
    /// Its VAT id or tax number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// Where buyers may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where transfers go, line by line, as invoices have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bank: Vec<String>,
    /// What stands at the foot of each page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
}

/// What is taxed how for buyers of one country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountryTax {
    /// What the tax is called.
    #[serde(default = "vat")]
    pub name: String,
    /// How much.
    pub rate: Percent,
    /// Whether a buyer with a VAT id, in another country than the seller, owes the tax itself.
    #[serde(default)]
    pub reverse_charge: bool,
}

/// How payments that fail are followed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dunning {
    /// How many days after the first failure, or after the day by which it was to be paid, payment is tried again or a
    /// reminder is sent; in order.
    pub days: Vec<u32>,
    /// How many days after that day the tenant is suspended; absent: never.
    pub suspend_after_days: Option<u32>,
    /// How many days after that day an invoice is given up; absent: never.
    pub give_up_after_days: Option<u32>,
}

impl Default for Dunning {
    fn default() -> Self {
        Self { days: vec![3, 7, 14], suspend_after_days: Some(21), give_up_after_days: Some(90) }
    }
}

fn invoice_prefix() -> String {
    "LMO-".to_owned()
}

fn credit_note_prefix() -> String {
    "LMO-CN-".to_owned()
}

fn grace_hours() -> u32 {
    24
}

fn payment_days() -> u32 {
    14
}

fn vat() -> String {
    "VAT".to_owned()
}
