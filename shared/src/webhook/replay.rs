//! Deliveries that are to be attempted again because somebody wants it.

use ulid::Ulid;

use super::{Delivery, DeliveryStatus, Webhooks, queue};
use crate::{
    audit::{Actor, Deed, record},
    clock::Timestamp,
    error::{Error, Result},
    id::{MessageId, TenantId, WebhookId},
    store::{Change, Committed, keys},
};

/// What a replay of all that is dead did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many deliveries are due again.
    pub deliveries: u64,
    /// If there may be more: since when.
    pub more_since: Option<Timestamp>,
}

/// The most deliveries that one call replays, and the most pages that it reads: it must not take too long.
const MOST: u64 = 500;
const MOST_PAGES: usize = 20;
const PAGE: i32 = 250;

impl Webhooks {
    /// Attempts a delivery again at once, whatever became of it, with the whole schedule before it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the webhook is disabled, or the delivery is being attempted right now; `Unavailable`.
    pub async fn replay(
        &self,
        tenant: TenantId,
        id: WebhookId,
        message: MessageId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Delivery> {
        self.enabled(tenant, id).await?;
        let partition = self.table.tenant(tenant).webhooks();
        let found = partition.find(&keys::delivery(id, message)).await?;
        let delivery: Delivery = found.ok_or_else(|| Error::NotFound { kind: "delivery", id: message.to_string() })?;
        let after = serde_json::json!({"message": message});
        let deed = Deed { action: "webhook.replay", target: id.to_string(), after, ..Deed::default() };
        let mut change = Change::new(&self.table);
        record(&mut change, tenant, actor, now, deed)?;
        let (delivery, committed) = self.begin_again(change, tenant, id, delivery, now).await?;
        committed.or(|| Error::Conflict("the delivery is being attempted right now".to_owned()))?;
        Ok(delivery)
    }

    /// Attempts again what is dead of a webhook's deliveries, and began at `since` or later; not all of it if there is
    /// much of it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the webhook is disabled; `Unavailable`, after which some are replayed and some are not.
    pub async fn replay_dead(
        &self,
        tenant: TenantId,
        id: WebhookId,
        since: Timestamp,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Replayed> {
        self.enabled(tenant, id).await?;
        let mut change = Change::new(&self.table);
        let after = serde_json::json!({"since": since.to_string()});
        let deed = Deed { action: "webhook.replay", target: id.to_string(), after, ..Deed::default() };
        record(&mut change, tenant, actor, now, deed)?;
        change.commit().await?.or(|| Error::Conflict("an entry of that id exists".to_owned()))?;

        let first = MessageId::from_ulid(Ulid::from_parts(since.0, 0));
        let last = MessageId::from_ulid(Ulid::from_parts(u64::MAX >> 16, u128::MAX >> 48));
        let partition = self.table.tenant(tenant).webhooks();
        let mut rows = partition.between::<Delivery>(&keys::delivery(id, first), &keys::delivery(id, last));
        rows = rows.in_pages_of(PAGE);
        let mut replayed = Replayed::default();
        let mut latest = since;
        for _ in 0..MOST_PAGES {
            let Some(page) = rows.page().await? else { return Ok(replayed) };
            for delivery in page {
                latest = delivery.message.made_at();
                if replayed.deliveries == MOST {
                    return Ok(Replayed { more_since: Some(latest), ..replayed });
                }
                if delivery.status == DeliveryStatus::Dead {
                    let change = Change::new(&self.table);
                    match self.begin_again(change, tenant, id, delivery, now).await?.1 {
                        Committed::Yes => replayed.deliveries += 1,
                        // Somebody else replays it.
                        Committed::Refused(_) => {}
                    }
                }
            }
        }
        Ok(Replayed { more_since: Some(latest), ..replayed })
    }

    async fn begin_again(
        &self,
        mut change: Change,
        tenant: TenantId,
        id: WebhookId,
        mut delivery: Delivery,
        now: Timestamp,
    ) -> Result<(Delivery, Committed)> {
        let due = |at| queue::Due { at, tenant, message: delivery.message, webhook: Some(id) };
        if let Some(at) = delivery.due {
            if at == now {
                // It is due at once anyway.
                return Ok((delivery, Committed::Yes));
            }
            queue::take(&mut change, &due(at), now)?;
        }
        queue::add(&mut change, &due(now))?;
        let of = delivery.version;
        delivery.begin_again(now);
        delivery.version += 1;
        let partition = self.table.tenant(tenant).webhooks();
        change.replace(&partition, &keys::delivery(id, delivery.message), &delivery, of)?;
        Ok((delivery, change.commit().await?))
    }

    async fn enabled(&self, tenant: TenantId, id: WebhookId) -> Result<()> {
        match self.get(tenant, id).await?.disabled {
            None => Ok(()),
            Some(_) => Err(Error::Conflict("the webhook is disabled".to_owned())),
        }
    }
}
