//! The SDK's transport of a process: each call waits for its turn, then goes to the engine or to the stream's model,
//! or fails as the scheduler says.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::{base64, body::SdkBody};
use serde_json::{Value, json};

use super::{
    stream::Stream,
    turns::{Turns, Verdict},
    watch::Watch,
    wrong::Wrong,
};

/// What all processes of a run share.
pub struct Cables {
    pub engine: SharedHttpClient,
    pub turns: Turns,
    pub stream: Mutex<Stream>,
    pub watch: Mutex<Watch>,
    pub wrong: Option<Wrong>,
    /// Whether each call is printed.
    pub trace: bool,
}

/// The transport of one process; with none, of the scheduler itself, which is never disturbed.
#[derive(Clone)]
pub struct Wire {
    pub cables: Arc<Cables>,
    pub process: Option<usize>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({:?})", self.process)
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let engine = self.cables.engine.http_connector(settings, parts);
        SharedHttpConnector::new(Connector { wire: self.clone(), engine })
    }
}

#[derive(Debug, Clone)]
struct Connector {
    wire: Wire,
    engine: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Connector { wire, engine } = self.clone();
        let Some(process) = wire.process else { return engine.call(request) };
        HttpConnectorFuture::new(async move {
            let turns = &wire.cables.turns;
            let Some(verdict) = turns.turn(process).await else { return std::future::pending().await };
            if wire.cables.trace {
                trace(process, verdict, &request);
            }
            let answer = match verdict {
                Verdict::Refused => Ok(failed()),
                Verdict::Answered | Verdict::Unheard | Verdict::Last => wire.cables.answer(&engine, request).await,
            };
            turns.over();
            match verdict {
                Verdict::Answered | Verdict::Refused => answer,
                Verdict::Unheard => Err(ConnectorError::timeout("the answer was lost".into())),
                Verdict::Last => std::future::pending().await,
            }
        })
    }
}

impl Cables {
    async fn answer(
        &self,
        engine: &SharedHttpConnector,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        if target.ends_with(".PutRecords") {
            return Ok(self.put_records(&read(&body)));
        }
        let put = target.ends_with(".PutItem").then(|| read(&body));
        if let (Some(wrong), Some(put)) = (self.wrong, &put)
            && let Some(body) = wrong.rewrite(put)
        {
            *request.body_mut() = SdkBody::from(body);
        }
        let response = engine.call(request).await?;
        if let Some(put) = put.filter(|_| response.status().is_success()) {
            self.watch.lock().unwrap_or_else(PoisonError::into_inner).put(&put);
        }
        Ok(response)
    }

    /// Kinesis' `PutRecords`. One record in ten is said not to be taken, is there all the same, and is sent again.
    fn put_records(&self, request: &Value) -> HttpResponse {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut put = |record: &Value| {
            let data = base64::decode(record["Data"].as_str().unwrap_or_default()).unwrap_or_default();
            let (shard, sequence) = stream.append(record["PartitionKey"].as_str().unwrap_or_default(), data, false);
            if sequence.ends_with('7') {
                return json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down" });
            }
            json!({ "SequenceNumber": sequence, "ShardId": format!("shardId-{shard:012}") })
        };
        let records: Vec<_> = request["Records"].as_array().into_iter().flatten().map(&mut put).collect();
        let failed = records.iter().filter(|record| record["ErrorCode"].is_string()).count();
        response(200, &json!({ "FailedRecordCount": failed, "Records": records }))
    }
}

fn trace(process: usize, verdict: Verdict, request: &HttpRequest) {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let body = read(request.body().bytes().unwrap_or_default());
    let key = [&body["Item"], &body["Key"]].into_iter().find(|key| key.is_object());
    let what = match key {
        Some(key) => {
            format!("{} {} n={} closed={}", key["pk"]["S"], key["sk"]["S"], key["n"]["N"], key["closed"]["BOOL"])
        }
        None => body["ExpressionAttributeValues"].to_string(),
    };
    eprintln!("process {process} {verdict:?} {} {what}", target.split('.').next_back().unwrap_or_default());
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn failed() -> HttpResponse {
    response(500, &json!({ "__type": "InternalServerError", "message": "on purpose" }))
}

fn response(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a status");
    HttpResponse::new(status, SdkBody::from(body.to_string()))
}
