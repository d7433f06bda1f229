//! The `auth` function on AWS Lambda.

use std::process::ExitCode;

use lmo_shared::{function, http, platform::Platform};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve()).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    function::ready(platform.connect_table()).await;
    let routes = lmo_auth::router(&platform, platform.authenticator());
    let service = http::serve(routes, platform.clock().clone(), platform.config().origin_token.clone());
    lambda_http::run_concurrent(http::whole(service)).await
}
