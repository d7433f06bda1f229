//! The `tenant` function on AWS Lambda.

use lmo_shared::{http, platform::Platform};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let platform = Platform::of_function().await?;
    let catalogues = platform.catalogues();
    let reports = platform.reports(catalogues.clone());
    let clock = platform.clock().clone();
    let (tenants, sessions) = (platform.tenants(), platform.sessions());
    let routes = lmo_tenant::router(platform.authenticator(), tenants, catalogues, reports, sessions, clock.clone());
    lambda_http::run(http::serve(routes, clock)).await
}
