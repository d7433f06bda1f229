//! The `tenant` function on AWS Lambda.

use std::process::ExitCode;

use lmo_shared::{config, function, http, platform::Platform};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve()).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    let catalogues = platform.catalogues();
    function::ready(platform.connect_table()).await;
    let mailer = platform.ses(config::mail_from()?)?;
    let routes = lmo_tenant::router(&platform, platform.authenticator(), catalogues, mailer);
    let service = http::serve(routes, platform.clock().clone(), platform.config().origin_token.clone());
    function::serve(service, platform.tasks()).await
}
