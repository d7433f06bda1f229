//! The `stream` function on AWS Lambda, behind a function URL that streams its responses.

use lmo_shared::{http, platform::Platform};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let platform = Platform::of_function().await?;
    let answers = platform.answers(platform.catalogues());
    let routes = lmo_stream::router(platform.authenticator(), answers, platform.clock().clone());
    lambda_http::run_with_streaming_response(http::serve(routes, platform.clock().clone())).await
}
