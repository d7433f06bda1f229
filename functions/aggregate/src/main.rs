//! The `aggregate` function on AWS Lambda.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use lmo_aggregate::Trigger;
use lmo_shared::platform::Platform;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let platform = Platform::of_function().await?;
    let (aggregator, sweeper) = (platform.aggregator(), platform.sweeper());
    let handle = |event: LambdaEvent<Trigger>| lmo_aggregate::handle(&aggregator, &sweeper, event.payload);
    lambda_runtime::run(service_fn(handle)).await
}
