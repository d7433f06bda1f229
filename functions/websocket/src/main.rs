//! The `websocket` function on AWS Lambda, behind an API Gateway WebSocket API.

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use lmo_shared::{config, function, platform::Platform};
use lmo_websocket::{Function, Posts, SILENCE};

#[tokio::main]
async fn main() -> ExitCode {
    // In a box, because it is large.
    function::run(Box::pin(serve())).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    let endpoint = config::websocket_endpoint()?;
    let signer = platform.signer("execute-api").ok_or("no region, or no credentials to post with")?;
    let answers = platform.answers(platform.catalogues());
    function::ready(async {
        tokio::join!(answers.get_ready(), platform.connect_stream());
    })
    .await;
    let websocket = Function::new(&platform, answers, Posts::new(endpoint, signer, SILENCE)?);
    let handle = move |event: LambdaEvent<_>| {
        let websocket = websocket.clone();
        // In a box: unboxed, the runtime's layers around it are too deep for the compiler.
        Box::pin(async move { websocket.handle(event.payload).await })
    };
    lambda_runtime::run_concurrent(service_fn(handle)).await
}
