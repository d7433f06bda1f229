//! `/api/billing/payment-method`.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::{Caller, Throttle},
    billing::{PaymentMethod, payments::Payments},
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Handled},
    store::Change,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a tenant pays.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PaymentMethodView {
    /// What its invoices are charged to; absent if it pays by transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<PaymentMethod>,
}

/// Nothing needs to be said.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUpRequest {}

/// What Stripe.js needs to set a payment method up.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SetUpView {
    /// For `stripe.confirmSetup`. Only whoever enters the method may see it.
    pub client_secret: String,
    /// The deployment's key for Stripe.js, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable_key: Option<String>,
}

/// What the tenant's invoices are charged to.
#[utoipa::path(
    get,
    path = "/api/billing/payment-method",
    operation_id = "getPaymentMethod",
    tag = "billing",
    responses((status = 200, description = "The payment method", body = PaymentMethodView), Errors)
)]
pub(super) async fn get(caller: Caller, State(payments): State<Payments>) -> Handled<Json<PaymentMethodView>> {
    Ok(Json(PaymentMethodView { payment_method: payments.method(caller.tenant().id).await? }))
}

/// Begins to set a payment method up, which takes the place of the one before when Stripe.js has confirmed it.
#[utoipa::path(
    post,
    path = "/api/billing/payment-method",
    operation_id = "setUpPaymentMethod",
    tag = "billing",
    request_body = SetUpRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Begins once, however often it is sent")),
    responses((status = 201, description = "What it takes to go on", body = SetUpView), Errors)
)]
pub(super) async fn set_up(
    caller: Caller,
    State(payments): State<Payments>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    State(throttle): State<Throttle>,
    Create { body: SetUpRequest {}, once }: Create<SetUpRequest>,
) -> Handled<Response> {
    let work = async |change: &mut Change| {
        throttle.payment(caller.tenant().id).await?;
        let setup = payments.set_up(change, caller.tenant(), &caller.actor()).await?;
        let body = SetUpView { client_secret: setup.client_secret, publishable_key: setup.publishable_key };
        Ok(Created { status: StatusCode::CREATED, body, refused: Error::Conflict("try again".to_owned()) })
    };
    let main = tenants.of(caller.tenant().id).main();
    once.run(&main, &caller.metered_as().to_string(), clock.now(), work).await
}

/// Takes the payment method away: invoices are paid by transfer then.
#[utoipa::path(
    delete,
    path = "/api/billing/payment-method",
    operation_id = "removePaymentMethod",
    tag = "billing",
    responses((status = 204, description = "There is none any more"), Errors)
)]
pub(super) async fn remove(caller: Caller, State(payments): State<Payments>) -> Handled<StatusCode> {
    payments.remove_method(caller.tenant().id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
