//! Webhooks: addresses of a tenant that are told what happens, as Standard Webhooks 1.0.0 says.
//!
//! What happened is written with the change that makes it happen ([`announce`]), so neither is ever there alone. A worker
//! ([`Deliveries`]) finds out whom to tell, and tells them until they have heard it.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    audit::Versioned,
    clock::Timestamp,
    error::{Error, Result},
    id::{MessageId, TenantId, WebhookId},
    seal::Seal,
    store::{Change, keys},
};

mod delivery;
mod event;
mod queue;
mod replay;
mod repo;
mod signature;
mod worker;

pub use delivery::{Attempt, Delivery, DeliveryStatus};
pub use event::{Event, EventType, Measure, Reached};
pub use replay::Replayed;
pub use repo::{NewWebhook, Webhooks};
pub use signature::SigningSecret;
pub use worker::{Deliveries, Ran};

/// The most webhooks of a tenant; a few more if they are made at the same moment.
pub const MOST: usize = 20;
/// For how long a secret goes on signing after it was replaced, unless its tenant says otherwise.
pub const OVERLAP: Duration = Duration::from_hours(24);
/// The longest that a tenant may say.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(7 * 24);

/// An address that is told what happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// The address.
    pub url: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is told; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<BTreeSet<EventType>>,
    /// Why it is told nothing at the moment; absent if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Since when it is as it is: failures before that say nothing of it.
    pub since: Timestamp,
    /// The secret that signs, sealed.
    pub secret: String,
    /// Those before, the newest first.
    #[serde(default, rename = "previous_secrets", skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The number of its version.
    pub version: u64,
}

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// The secret, sealed.
    pub secret: String,
    /// Until when it signs too.
    pub until: Timestamp,
}

/// Why a webhook is told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disabled {
    /// Its tenant wants it so.
    ByTenant,
    /// It has answered that it is no more (410).
    Gone,
    /// It has failed for five days.
    Failing,
}

impl Webhook {
    /// Whether it is told events of a kind. A test is told to whom it is meant for.
    #[must_use]
    pub fn hears(&self, kind: EventType) -> bool {
        self.disabled.is_none() && self.events.as_ref().is_none_or(|events| events.contains(&kind))
    }

    /// Has `secret` sign, and those before for as long as `overlap`, or as they were to anyway. Without an overlap nothing
    /// else signs from now on.
    pub fn rotate(&mut self, secret: String, now: Timestamp, overlap: Duration) {
        /// Somebody who didn't get the answer rotates again, and receivers still know an older one.
        const MOST: usize = 4;
        let secret = std::mem::replace(&mut self.secret, secret);
        self.previous.retain(|previous| now < previous.until);
        self.previous.insert(0, Previous { secret, until: now.after(overlap) });
        self.previous.truncate(if overlap.is_zero() { 0 } else { MOST });
    }

    /// Those before that still sign, the newest first.
    pub fn previous_at(&self, now: Timestamp) -> impl Iterator<Item = &Previous> {
        self.previous.iter().filter(move |previous| now < previous.until)
    }

    /// Fails unless what people wrote is in range.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn check(&self) -> Result<()> {
        const LONGEST_DESCRIPTION: usize = 200;
        if self.description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            return Err(Error::invalid("description", "description must have at most 200 characters"));
        }
        if self.events.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(Error::invalid("events", "events must name at least one; absent means all"));
        }
        Ok(())
    }

    /// The secrets that sign now, the newest first.
    async fn secrets(&self, seal: &Seal, now: Timestamp) -> Result<Vec<SigningSecret>> {
        let sealed = std::iter::once(&self.secret).chain(self.previous_at(now).map(|previous| &previous.secret));
        let mut secrets = Vec::new();
        for sealed in sealed {
            let bytes = seal.open(&context(self.id), sealed).await?;
            secrets
                .push(SigningSecret::from_bytes(&bytes).ok_or_else(|| Error::internal("a secret has not 32 bytes"))?);
        }
        Ok(secrets)
    }
}

impl Versioned for Webhook {
    const KIND: &'static str = "webhook";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        json!({
            "url": self.url,
            "description": self.description,
            "events": self.events,
            "disabled": self.disabled,
        })
    }
}

/// What the secrets of a webhook are sealed for.
fn context(id: WebhookId) -> String {
    format!("webhook {id}")
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// Its kind.
    kind: EventType,
    /// The body of each request that tells it.
    body: String,
    /// When it may be deleted, in seconds since the epoch.
    expires_at: u64,
}

impl Told {
    fn of(event: &Event<'_>, at: Timestamp) -> Self {
        Self { kind: event.kind(), body: event.payload(at), expires_at: at.after(delivery::KEPT).seconds() }
    }
}

/// Adds to a change that a tenant's webhooks are to be told of it. Costs two items, whether or not there are webhooks.
///
/// # Errors
/// `Internal` if it can't be written as an item.
pub fn announce(change: &mut Change, tenant: TenantId, at: Timestamp, event: &Event<'_>) -> Result<MessageId> {
    let message = MessageId::new(at);
    let table = change.table().clone();
    change.put_new(&table.tenant(tenant).webhooks(), &keys::event(message), &Told::of(event, at))?;
    queue::add(change, &queue::Due { at, tenant, message, webhook: None })?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Webhook {
        Webhook {
            id: WebhookId::new(Timestamp(1)),
            url: "https://example.com".to_owned(),
            description: None,
            events: None,
            disabled: None,
            since: Timestamp(1),
            secret: "first".to_owned(),
            previous: Vec::new(),
            created_at: Timestamp(1),
            version: 1,
        }
    }

    #[test]
    fn a_replaced_secret_signs_until_its_overlap_is_over() {
        let mut webhook = webhook();
        let overlap = Duration::from_millis(5);
        let previous = |webhook: &Webhook, at| -> Vec<String> {
            webhook.previous_at(Timestamp(at)).map(|kept| kept.secret.clone()).collect()
        };
        webhook.rotate("second".to_owned(), Timestamp(10), overlap);
        assert_eq!(webhook.secret, "second");
        assert_eq!((previous(&webhook, 14), previous(&webhook, 15)), (vec!["first".to_owned()], vec![]));
        webhook.rotate("third".to_owned(), Timestamp(12), overlap);
        assert_eq!(previous(&webhook, 14), ["second", "first"]);
        assert_eq!(previous(&webhook, 15), ["second"]);
        for number in 0..9 {
            webhook.rotate(number.to_string(), Timestamp(13), overlap);
        }
        assert_eq!(previous(&webhook, 13), ["7", "6", "5", "4"]);
        webhook.rotate("last".to_owned(), Timestamp(13), Duration::ZERO);
        assert_eq!((webhook.secret.as_str(), previous(&webhook, 13)), ("last", vec![]));
    }

    #[test]
    fn one_hears_what_it_asked_for_while_it_is_enabled() {
        let mut webhook = webhook();
        assert!(webhook.hears(EventType::KeyCreated));
        webhook.events = Some(BTreeSet::from([EventType::QuotaReached]));
        assert!(webhook.hears(EventType::QuotaReached) && !webhook.hears(EventType::KeyCreated));
        webhook.disabled = Some(Disabled::Gone);
        assert!(!webhook.hears(EventType::QuotaReached));
    }

    #[test]
    fn the_audit_log_shows_no_secret() {
        assert!(!webhook().shown().to_string().contains("first"));
    }
}
