//! What became of what webhooks were to be told, and how they are told again.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    auth::{Caller, Throttle},
    clock::{Clock, Timestamp},
    error::Error,
    http::{Body, Errors, Handled, Page, PageParams, Params, Segment, Segments},
    id::{MessageId, WebhookId},
    store::keys,
    webhook::{Attempt, Delivery, DeliveryStatus, EventType, Webhooks},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::known;

/// An attempt to tell a webhook something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// When it began, RFC 3339.
    pub at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The status of the webhook's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The beginning of the answer's body, at most 256 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response: String,
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// The event's identifier, which the webhook gets as `webhook-id`.
    pub id: MessageId,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// What became of it.
    pub status: DeliveryStatus,
    /// When it happened, RFC 3339.
    pub created_at: String,
    /// When the webhook is told next, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// The latest attempts, the oldest first; at most 20.
    pub attempts: Vec<AttemptView>,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let Attempt { at, ms, status, error, body } = attempt;
        Self { at: at.to_string(), duration_ms: ms, status_code: status, error, response: body }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.message,
            kind: delivery.kind,
            status: delivery.status,
            created_at: delivery.message.made_at().to_string(),
            next_attempt_at: delivery.due.map(|at| at.to_string()),
            attempts: delivery.attempts.into_iter().map(AttemptView::from).collect(),
        }
    }
}

/// A page of a webhook's deliveries.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryPage {
    /// The deliveries, the latest event first.
    pub deliveries: Vec<DeliveryView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Since when.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Replays what is dead of the events since then, RFC 3339.
    pub since: String,
}

/// What a replay did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// How many deliveries are attempted again, at most 500.
    pub replayed: u64,
    /// If there may be more: what to give as `since` to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_since: Option<String>,
}

/// Tells a webhook `webhook.test`, within a minute; what became of it is among its deliveries.
#[utoipa::path(
    post,
    path = "/api/tenant/webhooks/{id}/test",
    operation_id = "testWebhook",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 202, description = "The delivery", body = DeliveryView), Errors)
)]
pub(super) async fn test(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(throttle): State<Throttle>,
    State(clock): State<Clock>,
    Segment(id): Segment,
) -> Handled<(StatusCode, Json<DeliveryView>)> {
    throttle.trial(caller.tenant().id).await?;
    let delivery = webhooks.test(caller.tenant().id, known(id)?, &caller.actor(), clock.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// What a webhook was told in the last 30 days, and what it is still to be told.
#[utoipa::path(
    get,
    path = "/api/tenant/webhooks/{id}/deliveries",
    operation_id = "listDeliveries",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id"), PageParams),
    responses((status = 200, description = "A page of deliveries", body = DeliveryPage), Errors)
)]
pub(super) async fn list(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    Segment(id): Segment,
    Params(wanted): Params<PageParams>,
) -> Handled<Json<DeliveryPage>> {
    let id: WebhookId = known(id)?;
    let page = wanted.page(&keys::deliveries(id))?;
    let found = webhooks.deliveries(caller.tenant().id, id, page.after.as_deref(), page.limit).await?;
    let (deliveries, next) = found;
    let deliveries = deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(Json(DeliveryPage { deliveries, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// Attempts a delivery again at once, whatever became of it, and from then on like a new one.
#[utoipa::path(
    post,
    path = "/api/tenant/webhooks/{id}/deliveries/{message}/replay",
    operation_id = "replayDelivery",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook's id"),
        ("message" = String, Path, description = "The event's id"),
    ),
    responses((status = 202, description = "The delivery", body = DeliveryView), Errors)
)]
pub(super) async fn replay(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(throttle): State<Throttle>,
    State(clock): State<Clock>,
    Segments(id, message): Segments,
) -> Handled<(StatusCode, Json<DeliveryView>)> {
    let id = known(id)?;
    let message = MessageId::parse(&message).ok_or(Error::NotFound { kind: "delivery", id: message })?;
    throttle.trial(caller.tenant().id).await?;
    let delivery = webhooks.replay(caller.tenant().id, id, message, &caller.actor(), clock.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// Attempts again what is dead of the events since a time.
#[utoipa::path(
    post,
    path = "/api/tenant/webhooks/{id}/replay",
    operation_id = "replayDeadDeliveries",
    tag = "webhooks",
    request_body = ReplayRequest,
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 202, description = "How many there are", body = Replayed), Errors)
)]
pub(super) async fn replay_dead(
    caller: Caller,
    State(webhooks): State<Webhooks>,
    State(throttle): State<Throttle>,
    State(clock): State<Clock>,
    Segment(id): Segment,
    Body(request): Body<ReplayRequest>,
) -> Handled<(StatusCode, Json<Replayed>)> {
    let id = known(id)?;
    let bad = || Error::invalid("since", "since must be a time in RFC 3339");
    let since = Timestamp::parse(&request.since).ok_or_else(bad)?;
    throttle.trial(caller.tenant().id).await?;
    let done = webhooks.replay_dead(caller.tenant().id, id, since, &caller.actor(), clock.now()).await?;
    let more_since = done.more_since.map(|since| since.to_string());
    Ok((StatusCode::ACCEPTED, Json(Replayed { replayed: done.deliveries, more_since })))
}
