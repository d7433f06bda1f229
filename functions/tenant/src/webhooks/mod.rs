//! `/api/tenant/webhooks`.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    audit::IfMatch,
    auth::Caller,
    clock::Clock,
    error::Error,
    http::{Body, Create, Created, Errors, Handled, MaybeBody, Segment, Versioned},
    id::WebhookId,
    store::Change,
    tenant::Tenants,
    webhook::{Disabled, EventType, LONGEST_OVERLAP, NewWebhook, OVERLAP, Webhook, Webhooks},
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

mod deliveries;

/// The routes of webhooks.
pub(super) fn router() -> OpenApiRouter<super::State> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change, delete))
        .routes(routes!(rotate))
        .routes(routes!(deliveries::test))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::replay))
        .routes(routes!(deliveries::replay_dead))
}

/// A webhook as it is shown: never with its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its identifier.
    pub id: WebhookId,
    /// The address that is told.
    pub url: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is told; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<BTreeSet<EventType>>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Why it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_because: Option<Disabled>,
    /// Until when a secret that was replaced signs too, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_until: Option<String>,
    /// When it was created, RFC 3339.
    pub created_at: String,
}

impl WebhookView {
    fn of(webhook: &Webhook, clock: &Clock) -> Self {
        let until = webhook.previous_at(clock.now()).map(|previous| previous.until).max();
        Self {
            id: webhook.id,
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            events: webhook.events.clone(),
            enabled: webhook.disabled.is_none(),
            disabled_because: webhook.disabled,
            previous_secret_until: until.map(|until| until.to_string()),
            created_at: webhook.created_at.to_string(),
        }
    }
}

/// All webhooks of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    /// The webhooks, the oldest first; at most 20.
    pub webhooks: Vec<WebhookView>,
}

/// A webhook to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// The address: https, public, port 443 or one from 1024 on.
    pub url: String,
    /// What people call it, at most 200 characters.
    pub description: Option<String>,
    /// What it is told; everything if absent.
    pub events: Option<BTreeSet<EventType>>,
}

/// What is to be changed of a webhook. What is absent stays; `null` takes away.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent, null and given are three things")]
pub struct WebhookPatch {
    /// The address.
    pub url: Option<String>,
    /// What people call it.
    #[serde(default, deserialize_with = "given")]
    pub description: Option<Option<String>>,
    /// What it is told; everything if `null`.
    #[serde(default, deserialize_with = "given")]
    pub events: Option<Option<BTreeSet<EventType>>>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// `null` is something that is given.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(source: D) -> Result<Option<T>, D::Error> {
    T::deserialize(source).map(Some)
}

/// How a secret is to be replaced.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWebhook {
    /// For how many seconds the secret before signs too, 0 to 604,800 (7 days); a day if absent.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_seconds: Option<u64>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookWithSecret {
    /// The secret that signs, `whsec_…`.
    pub secret: String,
    /// What is known of it later.
    #[serde(flatten)]
    pub webhook: WebhookView,
}

/// The tenant's webhooks.
#[utoipa::path(
    get,
    path = "/api/tenant/webhooks",
    operation_id = "listWebhooks",
    tag = "webhooks",
    responses((status = 200, description = "The webhooks", body = WebhookList), Errors)
)]
async fn list(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(clock): State<Clock>,
) -> Handled<Json<WebhookList>> {
    let webhooks = webhooks.list(caller.tenant().id).await?;
    Ok(Json(WebhookList { webhooks: webhooks.iter().map(|webhook| WebhookView::of(webhook, &clock)).collect() }))
}

/// Makes a webhook. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/tenant/webhooks",
    operation_id = "createWebhook",
    tag = "webhooks",
    request_body = WebhookRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes one webhook, however often it is sent")),
    responses((status = 201, description = "The webhook", body = WebhookWithSecret), Errors)
)]
async fn create(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Create { body: WebhookRequest { url, description, events }, once }: Create<WebhookRequest>,
) -> Handled<Response> {
    let (tenant, now) = (caller.tenant().id, clock.now());
    let work = async |change: &mut Change| {
        let new = NewWebhook { url, description, events };
        let (webhook, secret) = webhooks.create(change, tenant, new, &caller.actor(), now).await?;
        let body = WebhookWithSecret { secret: secret.text(), webhook: WebhookView::of(&webhook, &clock) };
        let refused = Error::Conflict("a webhook of that id exists".to_owned());
        Ok(Created { status: StatusCode::CREATED, body, refused })
    };
    once.run(&tenants.of(tenant).main(), &caller.metered_as().to_string(), now, work).await
}

/// A webhook.
#[utoipa::path(
    get,
    path = "/api/tenant/webhooks/{id}",
    operation_id = "getWebhook",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook; `ETag` is its version", body = WebhookView), Errors)
)]
async fn get(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(clock): State<Clock>,
    Segment(id): Segment,
) -> Handled<Versioned<WebhookView>> {
    let webhook = webhooks.get(caller.tenant().id, known(id)?).await?;
    Ok(Versioned(webhook.version, WebhookView::of(&webhook, &clock)))
}

/// Changes a webhook. One that was disabled is enabled again by `enabled`; what it missed can be replayed.
#[utoipa::path(
    patch,
    path = "/api/tenant/webhooks/{id}",
    operation_id = "changeWebhook",
    tag = "webhooks",
    request_body = WebhookPatch,
    params(
        ("id" = String, Path, description = "The webhook's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses((status = 200, description = "The webhook as it is now", body = WebhookView), Errors)
)]
async fn change(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    Body(patch): Body<WebhookPatch>,
) -> Handled<Versioned<WebhookView>> {
    let apply = |webhook: &mut Webhook| {
        let WebhookPatch { url, description, events, enabled } = patch.clone();
        webhook.url = url.unwrap_or_else(|| webhook.url.clone());
        webhook.description = description.unwrap_or_else(|| webhook.description.clone());
        webhook.events = events.unwrap_or_else(|| webhook.events.clone());
        webhook.disabled = match enabled {
            Some(true) => None,
            Some(false) => webhook.disabled.or(Some(Disabled::ByTenant)),
            None => webhook.disabled,
        };
    };
    let (id, tenant) = (known(id)?, caller.tenant().id);
    let webhook = webhooks.edit(tenant, id, version, &caller.actor(), clock.now(), apply).await?;
    Ok(Versioned(webhook.version, WebhookView::of(&webhook, &clock)))
}

/// Removes a webhook. What it was still to be told is forgotten.
#[utoipa::path(
    delete,
    path = "/api/tenant/webhooks/{id}",
    operation_id = "deleteWebhook",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses((status = 204, description = "It is removed"), Errors)
)]
async fn delete(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
) -> Handled<StatusCode> {
    webhooks.delete(caller.tenant().id, known(id)?, version, &caller.actor(), clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces a webhook's secret. The one before signs beside it for a while; the new one is in this answer and nowhere
/// else.
#[utoipa::path(
    post,
    path = "/api/tenant/webhooks/{id}/rotate",
    operation_id = "rotateWebhook",
    tag = "webhooks",
    request_body = Option<RotateWebhook>,
    params(
        ("id" = String, Path, description = "The webhook's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is meant"),
    ),
    responses((status = 200, description = "The webhook with its new secret", body = WebhookWithSecret), Errors)
)]
async fn rotate(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    MaybeBody(request): MaybeBody<RotateWebhook>,
) -> Handled<Response> {
    let overlap = request.overlap_seconds.map_or(OVERLAP, Duration::from_secs);
    if overlap > LONGEST_OVERLAP {
        return Err(Error::invalid("overlap_seconds", "overlap_seconds must be from 0 to 604,800 (7 days)").into());
    }
    let (id, tenant) = (known(id)?, caller.tenant().id);
    let rotated = webhooks.rotate(tenant, id, version, overlap, &caller.actor(), clock.now()).await?;
    let (webhook, secret) = rotated;
    let body = WebhookWithSecret { secret: secret.text(), webhook: WebhookView::of(&webhook, &clock) };
    Ok(Versioned(webhook.version, body).into_response())
}

fn known(id: String) -> Result<WebhookId, Error> {
    WebhookId::parse(&id).ok_or(Error::NotFound { kind: "webhook", id })
}
