//! `POST /webhooks/stripe`: what Stripe tells. Whoever can sign is Stripe.

use axum::{Json, extract::State, http::HeaderMap};
use lmo_shared::{
    billing::{
        payments::{Heard, Payments},
        stripe::{self, Event},
    },
    clock::Clock,
    error::Error,
    http::{Errors, Handled, Raw, parse},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of an event.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct HeardView {
    /// Whether it is of any matter here.
    pub known: bool,
}

/// Hears an event of Stripe. It is signed in `Stripe-Signature`; telling it again changes nothing.
#[utoipa::path(
    post,
    path = "/webhooks/stripe",
    operation_id = "hearStripe",
    tag = "billing",
    request_body(content = Object, description = "An event, as Stripe sends it"),
    params(("Stripe-Signature" = String, Header, description = "Time and signatures of the body")),
    responses((status = 200, description = "It was heard", body = HeardView), Errors),
    security(())
)]
pub(super) async fn hear(
    State(payments): State<Payments>,
    State(clock): State<Clock>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Handled<Json<HeardView>> {
    let none = || Error::NoRoute("POST /webhooks/stripe: there is no account at Stripe".to_owned());
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_good = |secret: &str| stripe::verify(secret, signature, &body, clock.now());
    let keys = payments.stripe().keys().await?.ok_or_else(none)?;
    if !is_good(&keys.value.webhook_secret) {
        // The secret may have been replaced since it was read.
        let newer = payments.stripe().secret().newer().await?.ok_or_else(none)?;
        if !is_good(&newer.value.webhook_secret) {
            return Err(Error::invalid("Stripe-Signature", "the signature is missing, too old or not good").into());
        }
    }
    let event: Event = parse(&body)?;
    let heard = payments.hear(&event).await?;
    Ok(Json(HeardView { known: heard == Heard::Known }))
}
