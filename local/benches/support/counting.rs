//! A network that asks the embedded database what each call consumes, as `DynamoDB` bills it on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use serde::Serialize;

const WRITES: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];

/// Calls of one operation, and what they consumed.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Used {
    /// Calls.
    pub calls: u64,
    /// Capacity units of reads.
    pub read_units: f64,
    /// Capacity units of writes.
    pub write_units: f64,
}

/// Counts by operation.
#[derive(Debug, Clone)]
pub struct Counting {
    engine: SharedHttpClient,
    used: Arc<Mutex<BTreeMap<String, Used>>>,
}

impl Counting {
    /// In front of these engines.
    pub fn new(engine: SharedHttpClient) -> Self {
        Self { engine, used: Arc::default() }
    }

    /// What was counted since this was asked last.
    pub fn take(&self) -> BTreeMap<String, Used> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpClient for Counting {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let engine = self.engine.http_connector(settings, parts);
        SharedHttpConnector::new(Connector { engine, used: Arc::clone(&self.used) })
    }
}

#[derive(Debug)]
struct Connector {
    engine: SharedHttpConnector,
    used: Arc<Mutex<BTreeMap<String, Used>>>,
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let Some(operation) = target.strip_prefix("DynamoDB_20120810.").map(str::to_owned) else {
            return self.engine.call(request);
        };
        if let Some(body) = request.body().bytes().and_then(|body| body.strip_prefix(b"{")) {
            let body = [br#"{"ReturnConsumedCapacity":"TOTAL","#, body].concat();
            *request.body_mut() = SdkBody::from(body);
        }
        let (answer, used) = (self.engine.call(request), Arc::clone(&self.used));
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            let units = units(&String::from_utf8_lossy(answer.body().bytes().unwrap_or_default()));
            let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
            let sum = used.entry(operation.clone()).or_default();
            sum.calls += 1;
            if WRITES.contains(&operation.as_str()) {
                sum.write_units += units;
            } else {
                sum.read_units += units;
            }
            Ok(answer)
        })
    }
}

/// All that an answer says of what was consumed. A table is said once.
fn units(answer: &str) -> f64 {
    let said = answer.split("\"CapacityUnits\":").skip(1);
    said.filter_map(|rest| rest.split([',', '}']).next()?.trim().parse::<f64>().ok()).sum()
}
