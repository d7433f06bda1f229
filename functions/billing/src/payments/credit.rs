//! `POST /api/billing/credits`: buy prepaid credit.

use axum::{extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::{Caller, Throttle},
    billing::{Amount, Currency, payments::Payments, repo::Subscriptions},
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Handled},
    id::GrantId,
    store::Change,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Credit that is to be bought.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuyCreditRequest {
    /// How much.
    pub amount: Amount,
    /// The currency: that of the tenant's plan, if it has one.
    pub currency: Currency,
}

/// A purchase of credit that was begun.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PurchaseView {
    /// What the credit will be called.
    pub id: GrantId,
    /// How much.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
    /// For `stripe.confirmPayment`. Only whoever pays may see it.
    pub client_secret: String,
    /// The deployment's key for Stripe.js, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable_key: Option<String>,
}

/// Begins to buy prepaid credit. It is there as soon as Stripe.js has confirmed the payment and the money has come.
#[utoipa::path(
    post,
    path = "/api/billing/credits",
    operation_id = "buyCredit",
    tag = "billing",
    request_body = BuyCreditRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Buys once, however often it is sent")),
    responses((status = 201, description = "What it takes to pay", body = PurchaseView), Errors)
)]
pub(super) async fn buy(
    caller: Caller,
    State(payments): State<Payments>,
    State(tenants): State<Tenants>,
    State(subscriptions): State<Subscriptions>,
    State(clock): State<Clock>,
    State(throttle): State<Throttle>,
    Create { body: BuyCreditRequest { amount, currency }, once }: Create<BuyCreditRequest>,
) -> Handled<Response> {
    let work = async |change: &mut Change| {
        let subscribed = subscriptions.find(caller.tenant()).await?;
        if let Some(plan) = subscribed.as_ref().and_then(|subscribed| subscribed.plan_at(clock.now()))
            && plan.currency != currency
        {
            let detail =
                format!("currency must be that of the plan, {}: only such credit pays its invoices", plan.currency);
            return Err(Error::invalid("currency", detail));
        }
        throttle.payment(caller.tenant().id).await?;
        let new = payments.buy(change, caller.tenant(), amount, currency, &caller.actor()).await?;
        let body = PurchaseView {
            id: new.purchase.id,
            amount,
            currency,
            client_secret: new.client_secret,
            publishable_key: new.publishable_key,
        };
        Ok(Created { status: StatusCode::CREATED, body, refused: Error::Conflict("try again".to_owned()) })
    };
    let main = tenants.of(caller.tenant().id).main();
    once.run(&main, &caller.metered_as().to_string(), clock.now(), work).await
}
