//! The `tenant` function on AWS Lambda.

use std::process::ExitCode;

use lmo_shared::{config, function, http, platform::Platform};
use lmo_tenant::Task;

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
    let (deliveries, clock) = (platform.deliveries(), platform.clock().clone());
    let perform = move |task: Task, _| {
        let (deliveries, clock) = (deliveries.clone(), clock.clone());
        async move { task.perform(&deliveries, &clock).await }
    };
    function::serve_with_tasks(service, platform.tasks(), perform).await
}
