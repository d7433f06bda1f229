//! The `auth` function on AWS Lambda.

use std::process::ExitCode;

use lmo_auth::Task;
use lmo_shared::{config, function, http, platform::Platform};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve()).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    let authenticator = platform.authenticator();
    let ring = authenticator.tokens().ring().clone();
    function::ready(async {
        // What there is to say against it is said to whoever wants a token.
        let _ = tokio::join!(platform.connect_table(), ring.public());
    })
    .await;
    let mailer = platform.ses(config::mail_from()?)?;
    let routes = lmo_auth::router(&platform, authenticator, mailer);
    let service = http::serve(routes, platform.clock().clone(), platform.config().origin_token.clone());
    let perform = move |task: Task, _| {
        let ring = ring.clone();
        async move { task.perform(&ring).await }
    };
    function::serve_with_tasks(service, platform.tasks(), perform).await
}
