//! The `aggregate` function on AWS Lambda.

use std::{process::ExitCode, time::Duration};

use lambda_runtime::{LambdaEvent, service_fn};
use lmo_aggregate::Trigger;
use lmo_shared::{clock::Timestamp, function, platform::Platform};

/// How long before Lambda ends the invocation what is long comes to an end.
const MARGIN: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve()).await
}

async fn serve() -> Result<(), function::Error> {
    let platform = Platform::of_function().await?;
    function::ready(platform.connect_table()).await;
    let handle = move |event: LambdaEvent<Trigger>| {
        let (aggregator, sweeper, books) = (platform.aggregator(), platform.sweeper(), platform.books());
        let purge = platform.purge();
        let deadline = Timestamp(event.context.deadline).before(MARGIN);
        // In a box: unboxed, the runtime's layers around it are too deep for the compiler.
        Box::pin(
            async move { lmo_aggregate::handle(&aggregator, &sweeper, &books, &purge, event.payload, deadline).await },
        )
    };
    lambda_runtime::run_concurrent(service_fn(handle)).await
}
