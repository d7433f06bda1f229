//! The `query` function on AWS Lambda.

use std::process::ExitCode;

use lmo_shared::{function, http, platform::Platform};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve()).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    let answers = platform.answers(platform.catalogues());
    function::ready(async {
        tokio::join!(answers.get_ready(), platform.connect_stream());
    })
    .await;
    let clock = platform.clock().clone();
    let routes = lmo_query::router(platform.authenticator(), answers, clock.clone());
    let service = http::serve(routes, clock, platform.config().origin_token.clone());
    function::serve(service, platform.tasks()).await
}
