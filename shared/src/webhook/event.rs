//! What webhooks are told. The set is closed: whoever adds an event says here what it is called and what is in it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    billing::{CreditNote, Invoice},
    clock::{Period, Timestamp},
    id::WebhookId,
    tenant::{ApiKey, Member},
};

macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $kind:ident = $name:literal,)*) => {
        /// What kind of event it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum EventType {
            $($(#[doc = $about])+ #[serde(rename = $name)] $kind,)*
        }

        impl EventType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// As it is written in payloads.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// An API key was made.
    KeyCreated = "key.created",
    /// An API key's secret was replaced.
    KeyRotated = "key.rotated",
    /// An API key was revoked.
    KeyRevoked = "key.revoked",
    /// Somebody became a member.
    MemberAdded = "member.added",
    /// A member's role was changed.
    MemberChanged = "member.changed",
    /// Somebody is no longer a member.
    MemberRemoved = "member.removed",
    /// 50, 80 or 100 % of a monthly cap are spent.
    QuotaReached = "quota.reached",
    /// An invoice got its number.
    InvoiceFinalised = "invoice.finalised",
    /// An invoice is paid.
    InvoicePaid = "invoice.paid",
    /// An attempt to have an invoice paid failed.
    InvoicePaymentFailed = "invoice.payment_failed",
    /// The payment of an invoice has to be confirmed by its buyer.
    InvoiceActionRequired = "invoice.payment_action_required",
    /// An invoice was given up.
    InvoiceUncollectible = "invoice.uncollectible",
    /// An invoice was declared void.
    InvoiceVoided = "invoice.voided",
    /// A credit note was made.
    CreditNoteCreated = "credit_note.created",
    /// Somebody wants to see whether a webhook works. It is told to that one alone.
    WebhookTest = "webhook.test",
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// An API key was made.
    KeyCreated(&'a ApiKey),
    /// An API key's secret was replaced.
    KeyRotated(&'a ApiKey),
    /// An API key was revoked.
    KeyRevoked(&'a ApiKey),
    /// Somebody became a member.
    MemberAdded(&'a Member),
    /// A member's role was changed.
    MemberChanged(&'a Member),
    /// Somebody is no longer a member.
    MemberRemoved(&'a Member),
    /// A part of a monthly cap is spent.
    QuotaReached(Reached),
    /// An invoice got its number.
    InvoiceFinalised(&'a Invoice),
    /// An invoice is paid.
    InvoicePaid(&'a Invoice),
    /// An attempt to have an invoice paid failed.
    InvoicePaymentFailed(&'a Invoice),
    /// The payment of an invoice has to be confirmed.
    InvoiceActionRequired(&'a Invoice),
    /// An invoice was given up.
    InvoiceUncollectible(&'a Invoice),
    /// An invoice was declared void.
    InvoiceVoided(&'a Invoice),
    /// A credit note was made.
    CreditNoteCreated(&'a CreditNote),
    /// A webhook is tried.
    WebhookTest(WebhookId),
}

/// A part of a monthly cap that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Of which month.
    pub month: Period,
    /// What is capped.
    pub measure: Measure,
    /// How much of it: 50, 80 or 100.
    pub percent: u8,
    /// What is spent, in tokens or nano-USD.
    pub spent: u64,
    /// The cap, in tokens or nano-USD.
    pub limit: u64,
}

/// What a monthly cap limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Tokens.
    Tokens,
    /// Nano-USD.
    Money,
}

impl Event<'_> {
    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> EventType {
        match self {
            Self::KeyCreated(_) => EventType::KeyCreated,
            Self::KeyRotated(_) => EventType::KeyRotated,
            Self::KeyRevoked(_) => EventType::KeyRevoked,
            Self::MemberAdded(_) => EventType::MemberAdded,
            Self::MemberChanged(_) => EventType::MemberChanged,
            Self::MemberRemoved(_) => EventType::MemberRemoved,
            Self::QuotaReached(_) => EventType::QuotaReached,
            Self::InvoiceFinalised(_) => EventType::InvoiceFinalised,
            Self::InvoiceVoided(_) => EventType::InvoiceVoided,
            Self::CreditNoteCreated(_) => EventType::CreditNoteCreated,
            Self::InvoicePaid(_) => EventType::InvoicePaid,
            Self::InvoicePaymentFailed(_) => EventType::InvoicePaymentFailed,
            Self::InvoiceActionRequired(_) => EventType::InvoiceActionRequired,
            Self::InvoiceUncollectible(_) => EventType::InvoiceUncollectible,
            Self::WebhookTest(_) => EventType::WebhookTest,
        }
    }

    /// The body of a request that tells it: `{type, timestamp, data}` (Standard Webhooks, "Payload structure"), without
    /// any secret.
    #[must_use]
    pub fn payload(&self, at: Timestamp) -> String {
        json!({"type": self.kind(), "timestamp": at.to_string(), "data": self.data()}).to_string()
    }

    fn data(&self) -> Value {
        match self {
            Self::KeyCreated(key) | Self::KeyRotated(key) | Self::KeyRevoked(key) => json!({
                "id": key.id,
                "name": key.name,
                "scopes": key.scopes,
                "created_at": key.created_at.to_string(),
                "expires_at": key.expires_at.map(|at| at.to_string()),
                "revoked_at": key.revoked_at.map(|at| at.to_string()),
            }),
            Self::MemberAdded(member) | Self::MemberChanged(member) | Self::MemberRemoved(member) => json!({
                "id": member.user,
                "email": member.email,
                "role": member.role,
            }),
            Self::QuotaReached(reached) => json!({
                "period": reached.month.to_string(),
                "measure": reached.measure.name(),
                "percent": reached.percent,
                "spent": reached.spent,
                "limit": reached.limit,
            }),
            Self::CreditNoteCreated(note) => json!({
                "id": note.id,
                "number": note.number,
                "invoice": note.invoice,
                "invoice_number": note.invoice_number,
                "currency": note.currency,
                "total": note.total,
            }),
            Self::InvoiceFinalised(invoice)
            | Self::InvoiceVoided(invoice)
            | Self::InvoicePaid(invoice)
            | Self::InvoicePaymentFailed(invoice)
            | Self::InvoiceActionRequired(invoice)
            | Self::InvoiceUncollectible(invoice) => json!({
                "id": invoice.id,
                "number": invoice.number,
                "period": invoice.period,
                "currency": invoice.currency,
                "total": invoice.total,
                "due": invoice.due,
                "paid": invoice.paid,
                "payment": invoice.payment,
                "due_at": invoice.due_at.map(|at| at.to_string()),
            }),
            Self::WebhookTest(id) => json!({"webhook": id}),
        }
    }
}

impl Measure {
    /// As it is written in payloads: the limit's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "monthly_tokens",
            Self::Money => "monthly_nano_usd",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Tokens, Self::Money].into_iter().find(|measure| measure.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::NewKey, id::TenantId, tenant::KeyScope};

    #[test]
    fn a_payload_says_what_happened_and_no_secret() {
        let at = Timestamp::parse("2026-11-25T10:00:00Z").unwrap();
        let new = NewKey::make(TenantId::new(at), at);
        let key = ApiKey::of(&new, "robot", KeyScope::all(), at);
        let payload = Event::KeyCreated(&key).payload(at);
        let read: Value = serde_json::from_str(&payload).unwrap();
        assert_eq!((&read["type"], &read["timestamp"]), (&json!("key.created"), &json!("2026-11-25T10:00:00Z")));
        assert_eq!((&read["data"]["id"], &read["data"]["name"]), (&json!(key.id), &json!("robot")));
        assert!(!payload.contains(&key.secret_hash) && !payload.contains(&new.text));
    }

    #[test]
    fn a_kind_reads_back_by_its_name() {
        for kind in EventType::ALL {
            assert_eq!(serde_json::from_value::<EventType>(json!(kind.name())).unwrap(), *kind);
        }
    }
}
