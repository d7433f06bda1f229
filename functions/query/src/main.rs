//! The `query` function on AWS Lambda.

use lmo_shared::{http, platform::Platform};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let platform = Platform::of_function().await?;
    let answers = platform.answers(platform.catalogues());
    let routes = lmo_query::router(platform.authenticator(), answers, platform.clock().clone());
    lambda_http::run(http::serve(routes, platform.clock().clone())).await
}
