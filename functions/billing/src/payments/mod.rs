//! How tenants pay: their payment method, an invoice that is paid now, prepaid credit; and what Stripe tells of all that.

use axum::extract::FromRef;
use lmo_shared::{
    auth::{Authenticator, Operators, Throttle},
    billing::{payments::Payments, repo::Subscriptions},
    clock::Clock,
    error::Error,
    id::{InvoiceId, TenantId},
    mail::Mailer,
    platform::Platform,
    tenant::Tenants,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod admin;
mod credit;
mod method;
mod pay;
mod stripe;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    operators: Operators,
    payments: Payments,
    tenants: Tenants,
    subscriptions: Subscriptions,
    clock: Clock,
    throttle: Throttle,
}

/// The routes of payments.
pub(crate) fn router(platform: &Platform, authenticator: &Authenticator, mailer: &Mailer) -> OpenApiRouter {
    let state = State {
        operators: platform.operators(authenticator),
        authenticator: authenticator.clone(),
        payments: platform.payments(mailer.clone()),
        tenants: platform.tenants(),
        subscriptions: platform.subscriptions(),
        clock: platform.clock().clone(),
        throttle: platform.throttle(),
    };
    OpenApiRouter::new()
        .routes(routes!(method::get, method::set_up, method::remove))
        .routes(routes!(pay::pay))
        .routes(routes!(credit::buy))
        .routes(routes!(stripe::hear))
        .routes(routes!(admin::note))
        .routes(routes!(admin::refund))
        .routes(routes!(admin::give_up))
        .with_state(state)
}

/// The invoice that a path names. What can be no invoice's id is the id of none.
fn invoice(id: String) -> Result<InvoiceId, Error> {
    InvoiceId::parse(&id).ok_or(Error::NotFound { kind: "invoice", id })
}

fn tenant(id: String) -> Result<TenantId, Error> {
    TenantId::parse(&id).ok_or(Error::NotFound { kind: "tenant", id })
}

/// What follows from something that was written is in the list of what is to be collected; it need not wait for that.
async fn follow(payments: &Payments, tenant: TenantId, invoice: InvoiceId) {
    if let Err(error) = payments.collect(tenant, invoice).await {
        tracing::warn!(?error, %tenant, %invoice, "what follows from a payment is done later");
    }
}
