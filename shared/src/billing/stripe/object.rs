//! Stripe's objects, as far as they are looked at. What is not known in them is ignored.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Text that lets whoever has it act for a buyer. It is never logged.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// `cus_...`
    pub id: String,
    /// Whether it is gone.
    #[serde(default)]
    pub deleted: bool,
    /// What LMO wrote on it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A payment: `PaymentIntent`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Intent {
    /// `pi_...`
    pub id: String,
    /// How far it is.
    pub status: IntentStatus,
    /// How much it is for, in Stripe's units.
    pub amount: i64,
    /// How much came.
    #[serde(default)]
    pub amount_received: i64,
    /// What the buyer's browser confirms it with.
    #[serde(default)]
    pub client_secret: Option<SecretText>,
    /// What it is paid with.
    #[serde(default, deserialize_with = "reference")]
    pub payment_method: Option<String>,
    /// Why it failed last.
    #[serde(default)]
    pub last_payment_error: Option<LastError>,
    /// What LMO wrote on it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// How far a payment is (docs.stripe.com/payments/paymentintents/lifecycle).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// Nothing was tried yet, or it failed.
    RequiresPaymentMethod,
    /// It waits to be confirmed.
    RequiresConfirmation,
    /// The buyer has to do something.
    RequiresAction,
    /// It is under way.
    Processing,
    /// It waits to be captured, which LMO never asks for.
    RequiresCapture,
    /// It is over, without money.
    Canceled,
    /// The money is there.
    Succeeded,
    /// One that this version doesn't have.
    #[serde(other)]
    Unknown,
}

/// Why a payment failed last.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LastError {
    /// `card_declined`, `authentication_required`, ...
    #[serde(default)]
    pub code: Option<String>,
    /// Why the issuer declined: `insufficient_funds`, ...
    #[serde(default)]
    pub decline_code: Option<String>,
}

/// The code of a payment that its buyer has to authenticate.
pub(super) const AUTHENTICATE: &str = "authentication_required";

impl LastError {
    /// The most that it says.
    #[must_use]
    pub fn reason(&self) -> &str {
        // The decline code of one that has to be authenticated says no more.
        self.decline_code.as_deref().or(self.code.as_deref()).unwrap_or("declined")
    }

    /// Whether the buyer can authenticate and have it paid.
    #[must_use]
    pub fn wants_authentication(&self) -> bool {
        self.code.as_deref() == Some(AUTHENTICATE) || self.decline_code.as_deref() == Some(AUTHENTICATE)
    }
}

/// The setting up of a payment method: `SetupIntent`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SetupIntent {
    /// `seti_...`
    pub id: String,
    /// `succeeded` if it is done.
    pub status: String,
    /// When it was made, in seconds since the epoch.
    #[serde(default)]
    pub created: u64,
    /// What the buyer's browser confirms it with.
    #[serde(default)]
    pub client_secret: Option<SecretText>,
    /// Whose it is.
    #[serde(default, deserialize_with = "reference")]
    pub customer: Option<String>,
    /// What was set up.
    #[serde(default, deserialize_with = "reference")]
    pub payment_method: Option<String>,
    /// What LMO wrote on it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A payment method. What is special to its kind is in a field that is called as the kind is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SavedMethod {
    /// `pm_...`
    pub id: String,
    /// `card`, `sepa_debit`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose it is; nobody's if it was detached.
    #[serde(default, deserialize_with = "reference")]
    pub customer: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

impl SavedMethod {
    /// What of it may be shown.
    #[must_use]
    pub fn shown(&self) -> crate::billing::PaymentMethod {
        let details = self.rest.get(&self.kind).unwrap_or(&Value::Null);
        let text = |name: &str| details.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| details.get(name).and_then(Value::as_u64);
        let expires = number("exp_year").zip(number("exp_month")).map(|(year, month)| format!("{year:04}-{month:02}"));
        crate::billing::PaymentMethod {
            id: self.id.clone(),
            kind: self.kind.clone(),
            brand: text("brand").or_else(|| text("bank_name")).or_else(|| text("bank_code")),
            last4: text("last4"),
            expires,
        }
    }
}

/// Money that goes back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StripeRefund {
    /// `re_...`
    pub id: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    #[serde(default)]
    pub status: Option<String>,
    /// How much, in Stripe's units.
    pub amount: i64,
    /// Of which payment.
    #[serde(default, deserialize_with = "reference")]
    pub payment_intent: Option<String>,
    /// What LMO wrote on it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A buyer who disputes a payment at its bank.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Dispute {
    /// `du_...`
    pub id: String,
    /// How much, in Stripe's units.
    #[serde(default)]
    pub amount: i64,
    /// Why: `fraudulent`, ...
    #[serde(default)]
    pub reason: Option<String>,
    /// Which payment.
    #[serde(default, deserialize_with = "reference")]
    pub payment_intent: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Page<T> {
    /// What is on it, the newest first.
    pub data: Vec<T>,
    /// Whether there is more.
    #[serde(default)]
    pub has_more: bool,
}

/// What Stripe tells.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// `evt_...`
    pub id: String,
    /// What happened: `payment_intent.succeeded`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// The connected account that it happened in; absent if it is the deployment's own.
    #[serde(default)]
    pub account: Option<String>,
    /// What it happened to, as it was then.
    pub data: EventData,
}

/// What an event happened to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EventData {
    /// The object.
    pub object: Value,
    /// What of it was different before.
    #[serde(default)]
    pub previous_attributes: Value,
}

impl EventData {
    /// A text of the object: of what is expanded, its id.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.object.get(name)?;
        value.as_str().or_else(|| value.get("id")?.as_str())
    }
}

/// An id, or an object that has one: what is expanded depends on the account.
fn reference<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    let value = Option::<Value>::deserialize(source)?;
    Ok(value.and_then(|value| match value {
        Value::String(id) => Some(id),
        Value::Object(object) => object.get("id").and_then(Value::as_str).map(str::to_owned),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reference_may_be_expanded_and_a_status_new() {
        let intent = json!({
            "id": "pi_1", "object": "payment_intent", "status": "requires_dancing", "amount": 5,
            "payment_method": {"id": "pm_1", "object": "payment_method"}, "client_secret": "pi_1_secret_x",
        });
        let intent: Intent = serde_json::from_value(intent).unwrap();
        assert_eq!((intent.status, intent.payment_method.as_deref()), (IntentStatus::Unknown, Some("pm_1")));
        assert!(!format!("{intent:?}").contains("secret_x"));
    }

    #[test]
    fn a_method_shows_brand_end_and_expiry_and_no_more() {
        let card = json!({
            "id": "pm_1", "type": "card", "customer": "cus_1", "billing_details": {"email": "a@example.com"},
            "card": {"brand": "visa", "last4": "4242", "exp_month": 3, "exp_year": 2027, "fingerprint": "x"},
        });
        let shown = serde_json::from_value::<SavedMethod>(card).unwrap().shown();
        let wanted = json!({"id": "pm_1", "kind": "card", "brand": "visa", "last4": "4242", "expires": "2027-03"});
        assert_eq!(serde_json::to_value(shown).unwrap(), wanted);
        let debit =
            json!({"id": "pm_2", "type": "sepa_debit", "sepa_debit": {"bank_code": "37040044", "last4": "3000"}});
        let shown = serde_json::from_value::<SavedMethod>(debit).unwrap().shown();
        assert_eq!((shown.brand.as_deref(), shown.expires), (Some("37040044"), None));
    }
}
