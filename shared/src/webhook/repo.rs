//! The items of webhooks, and what tenants do with them.

use std::{collections::BTreeSet, time::Duration};

use super::{Delivery, Disabled, Event, EventType, MOST, SigningSecret, Told, Webhook, context, queue};
use crate::{
    audit::{Actor, Deed, Edit, IfMatch, Versioned, record},
    clock::Timestamp,
    error::{Error, Result},
    id::{MessageId, TenantId, WebhookId},
    outbound::Outbound,
    seal::Seal,
    store::{Change, Committed, Order, Table, keys, number},
};

/// Webhooks in the table.
#[derive(Clone)]
pub struct Webhooks {
    pub(super) table: Table,
    seal: Seal,
    outbound: Outbound,
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// The address.
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it is told; everything if absent.
    pub events: Option<BTreeSet<EventType>>,
}

impl Webhooks {
    /// The webhooks in `table`, whose secrets `seal` seals, and which are reached through `outbound`.
    #[must_use]
    pub fn new(table: Table, seal: Seal, outbound: Outbound) -> Self {
        Self { table, seal, outbound }
    }

    /// All webhooks of a tenant, the oldest first.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Webhook>> {
        self.table.tenant(tenant).main().begins_with(keys::WEBHOOK_PREFIX).collect().await
    }

    /// A webhook.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn get(&self, tenant: TenantId, id: WebhookId) -> Result<Webhook> {
        let found = self.table.tenant(tenant).main().find(&keys::webhook(id)).await?;
        found.ok_or_else(|| none(id))
    }

    /// Adds a new webhook to a change. Returns it with its secret, which nobody can read any more afterwards.
    ///
    /// # Errors
    /// `Invalid`, naming the field; `Conflict` if the tenant has as many as it may have; `Unavailable`.
    pub async fn create(
        &self,
        change: &mut Change,
        tenant: TenantId,
        new: NewWebhook,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(Webhook, SigningSecret)> {
        self.outbound.target("url", &new.url)?;
        if self.list(tenant).await?.len() >= MOST {
            return Err(Error::Conflict(format!("a tenant has at most {MOST} webhooks")));
        }
        let (id, secret) = (WebhookId::new(now), SigningSecret::generate());
        let webhook = Webhook {
            id,
            url: new.url,
            description: new.description,
            events: new.events,
            disabled: None,
            since: now,
            secret: self.seal.seal(&context(id), secret.as_bytes()).await?,
            previous: Vec::new(),
            created_at: now,
            version: 1,
        };
        webhook.check()?;
        change.put_new(&self.table.tenant(tenant).main(), &keys::webhook(id), &webhook)?;
        let deed = Deed { action: "webhook.create", target: id.to_string(), after: webhook.shown(), ..Deed::default() };
        record(change, tenant, actor, now, deed)?;
        Ok((webhook, secret))
    }

    /// Changes a webhook. What has a new address, or is enabled again, is judged anew.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn edit(
        &self,
        tenant: TenantId,
        id: WebhookId,
        version: IfMatch,
        actor: &Actor,
        now: Timestamp,
        mut change: impl FnMut(&mut Webhook),
    ) -> Result<Webhook> {
        let decide = |webhook: &mut Webhook| {
            let before = (webhook.url.clone(), webhook.disabled);
            change(webhook);
            webhook.check()?;
            self.outbound.target("url", &webhook.url)?;
            if before != (webhook.url.clone(), webhook.disabled) {
                webhook.since = now;
            }
            Ok(())
        };
        self.write(tenant, id, version, "webhook.change", actor, now, decide).await
    }

    /// Tells a webhook nothing more, unless it has been changed since it was this version.
    ///
    /// # Errors
    /// `PreconditionFailed`, `Unavailable`.
    pub(super) async fn disable(
        &self,
        tenant: TenantId,
        webhook: &Webhook,
        why: Disabled,
        now: Timestamp,
    ) -> Result<Webhook> {
        let decide = |webhook: &mut Webhook| {
            webhook.disabled = Some(why);
            Ok(())
        };
        let version = IfMatch::Version(webhook.version);
        self.write(tenant, webhook.id, version, "webhook.disable", &Actor::system(), now, decide).await
    }

    /// Gives a webhook a new secret. Those before sign beside it for as long as `overlap`. Returns the new one, which
    /// nobody can read any more afterwards.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn rotate(
        &self,
        tenant: TenantId,
        id: WebhookId,
        version: IfMatch,
        overlap: Duration,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(Webhook, SigningSecret)> {
        let secret = SigningSecret::generate();
        let sealed = self.seal.seal(&context(id), secret.as_bytes()).await?;
        let decide = |webhook: &mut Webhook| {
            webhook.rotate(sealed.clone(), now, overlap);
            Ok(())
        };
        Ok((self.write(tenant, id, version, "webhook.rotate", actor, now, decide).await?, secret))
    }

    #[expect(clippy::too_many_arguments, reason = "what an edit is made of")]
    async fn write(
        &self,
        tenant: TenantId,
        id: WebhookId,
        version: IfMatch,
        action: &'static str,
        actor: &Actor,
        at: Timestamp,
        mut decide: impl FnMut(&mut Webhook) -> Result<()>,
    ) -> Result<Webhook> {
        let (table, sort, name) = (self.table.tenant(tenant), keys::webhook(id), id.to_string());
        let edit = Edit { table: &table, sort: &sort, id: &name, version, action, actor, at };
        edit.apply(|webhook: &mut Webhook, _: &mut Change| decide(webhook)).await
    }

    /// Removes a webhook. What it was still to be told is forgotten.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `Unavailable`.
    pub async fn delete(
        &self,
        tenant: TenantId,
        id: WebhookId,
        version: IfMatch,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let webhook = self.get(tenant, id).await?;
        version.check(webhook.version)?;
        let mut change = Change::new(&self.table);
        let main = self.table.tenant(tenant).main();
        let (condition, values) = match version {
            IfMatch::Any => ("attribute_exists(pk)", vec![]),
            IfMatch::Version(version) => ("version = :version", vec![(":version", number(version))]),
        };
        change.delete_if(&main, &keys::webhook(id), condition, &values)?;
        let deed =
            Deed { action: "webhook.delete", target: id.to_string(), before: webhook.shown(), ..Deed::default() };
        record(&mut change, tenant, actor, now, deed)?;
        match (change.commit().await?, version) {
            (Committed::Yes, _) => Ok(()),
            (Committed::Refused(_), IfMatch::Any) => Err(none(id)),
            (Committed::Refused(_), IfMatch::Version(_)) => Err(Error::PreconditionFailed),
        }
    }

    /// Tells one webhook that it is tried, whatever else it wants to hear.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is disabled; `Unavailable`.
    pub async fn test(&self, tenant: TenantId, id: WebhookId, actor: &Actor, now: Timestamp) -> Result<Delivery> {
        if self.get(tenant, id).await?.disabled.is_some() {
            return Err(Error::Conflict("the webhook is disabled".to_owned()));
        }
        let message = MessageId::new(now);
        let mut change = Change::new(&self.table);
        let partition = self.table.tenant(tenant).webhooks();
        change.put_new(&partition, &keys::event(message), &Told::of(&Event::WebhookTest(id), now))?;
        let delivery = Delivery::begin(message, EventType::WebhookTest, now);
        begin(&mut change, tenant, id, &delivery, now)?;
        let deed = Deed { action: "webhook.test", target: id.to_string(), ..Deed::default() };
        record(&mut change, tenant, actor, now, deed)?;
        change.commit().await?.or(|| Error::Conflict("a message of that id exists".to_owned()))?;
        Ok(delivery)
    }

    /// A page of a webhook's deliveries, the latest first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn deliveries(
        &self,
        tenant: TenantId,
        id: WebhookId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<Delivery>, Option<String>)> {
        self.get(tenant, id).await?;
        let partition = self.table.tenant(tenant).webhooks();
        partition.page(&keys::deliveries(id), after, limit, Order::Descending).await
    }
}

/// Adds a new delivery to a change, to be attempted at once.
pub(super) fn begin(
    change: &mut Change,
    tenant: TenantId,
    webhook: WebhookId,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<()> {
    let partition = change.table().tenant(tenant).webhooks();
    change.put_new(&partition, &keys::delivery(webhook, delivery.message), delivery)?;
    queue::add(change, &queue::Due { at: now, tenant, message: delivery.message, webhook: Some(webhook) })
}

fn none(id: WebhookId) -> Error {
    Error::NotFound { kind: "webhook", id: id.to_string() }
}
