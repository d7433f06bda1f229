//! `POST /api/billing/invoices/{id}/pay`.

use axum::{Json, extract::State};
use lmo_shared::{
    auth::{Caller, Throttle},
    billing::{PaymentStatus, payments::Payments},
    http::{Errors, Handled, Segment},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far the payment of an invoice is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PayView {
    /// What became of it.
    pub payment: PaymentStatus,
    /// What Stripe.js needs, if the payment has to be confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<ConfirmView>,
}

/// What Stripe.js needs to confirm a payment.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ConfirmView {
    /// For `stripe.confirmCardPayment` or `stripe.confirmPayment`. Only whoever pays may see it.
    pub client_secret: String,
    /// The payment method that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// The deployment's key for Stripe.js, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable_key: Option<String>,
}

/// Has an invoice paid now, with the tenant's payment method. If its bank wants the buyer to confirm that, the answer has
/// what Stripe.js needs. Sending it again charges nothing twice.
#[utoipa::path(
    post,
    path = "/api/billing/invoices/{id}/pay",
    operation_id = "payInvoice",
    tag = "billing",
    params(("id" = String, Path, description = "The invoice's id")),
    responses((status = 200, description = "How far it is", body = PayView), Errors)
)]
pub(super) async fn pay(
    caller: Caller,
    State(payments): State<Payments>,
    State(throttle): State<Throttle>,
    Segment(id): Segment,
) -> Handled<Json<PayView>> {
    let id = super::invoice(id)?;
    throttle.payment(caller.tenant().id).await?;
    let (collected, confirmation) = payments.pay(caller.tenant().id, id).await?;
    let confirm = confirmation.map(|confirmation| ConfirmView {
        client_secret: confirmation.client_secret,
        payment_method: confirmation.payment_method,
        publishable_key: confirmation.publishable_key,
    });
    Ok(Json(PayView { payment: collected.payment, confirm }))
}
