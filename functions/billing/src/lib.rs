//! The `billing` function: plans, invoices, payments, and the runs that make them. Each area has a router of its own.

use lmo_shared::{auth::Authenticator, mail::Mailer, platform::Platform};
use utoipa_axum::router::OpenApiRouter;

mod invoices;
mod payments;
mod plans;
mod quota;
mod reports;
mod runs;
mod task;

pub use reports::{RevenueReport, to_csv as revenue_csv};
pub use task::Task;

/// The function's routes.
#[must_use]
pub fn router(platform: &Platform, authenticator: &Authenticator, mailer: &Mailer) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(plans::router(platform, authenticator))
        .merge(quota::router(platform, authenticator))
        .merge(reports::router(platform, authenticator))
        .merge(runs::router(platform, authenticator))
        .merge(invoices::router(platform, authenticator, mailer))
        .merge(payments::router(platform, authenticator, mailer))
}
