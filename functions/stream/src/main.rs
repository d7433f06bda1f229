//! The `stream` function on AWS Lambda, behind a function URL that streams its responses.

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
    let routes = lmo_stream::router(platform.authenticator(), answers, clock.clone());
    let service = http::serve(routes, clock, platform.config().origin_token.clone());
    function::stream(service, platform.tasks()).await
}
