//! stub
mod engine;

use std::{path::Path, time::Duration};

use aws_lambda_events::event::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use engine::{EngineError, Engines, Pump};

#[tokio::main]
async fn main() -> Result<(), EngineError> {
    let engines = Engines::open(Path::new(".lmo")).await?;
    let config = aws_sdk_kinesis::Config::builder().http_client(engines.http_client()).build();
    let client = aws_sdk_kinesis::Client::from_conf(config);
    let handler = |_: KinesisEvent| async { Ok::<_, String>(KinesisEventResponse::default()) };
    Pump::new(client, "usage", ".lmo/failed-events.jsonl")
        .acknowledging(engines.kinesis())
        .retrying(5, Duration::from_millis(100))
        .run(handler, tokio_util::sync::CancellationToken::new())
        .await;
    let writes = engines.writes();
    tracing::info!(writes.operations, writes.commits);
    engines.shutdown().await;
    Ok(())
}
