//! The `billing` function on AWS Lambda.

use std::process::ExitCode;

use lmo_billing::Task;
use lmo_shared::{clock::Timestamp, config, function, http, platform::Platform};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve()).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    function::ready(platform.connect_table()).await;
    let mailer = platform.ses(config::mail_from()?)?;
    let routes = lmo_billing::router(&platform, &platform.authenticator(), &mailer);
    let service = http::serve(routes, platform.clock().clone(), platform.config().origin_token.clone());
    let tasks = platform.tasks();
    let perform = {
        let (platform, mailer) = (platform.clone(), mailer.clone());
        move |task: Task, deadline: Timestamp| {
            let (platform, mailer) = (platform.clone(), mailer.clone());
            async move { task.perform(&platform, &mailer, deadline).await }
        }
    };
    function::serve_with_tasks(service, tasks, perform).await
}
