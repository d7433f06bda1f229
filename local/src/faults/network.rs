//! The way to the embedded engines, which notes what passes and fails as told.

use std::{
    io,
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
use aws_smithy_types::body::SdkBody;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Passes,
    /// It is done, and its answer gets lost.
    Unanswered,
    /// It is not done, and refused with this error of the service.
    Refused(&'static str),
}

/// Decides by the name of an operation and by how many calls of it there were before.
type Decide = Box<dyn Fn(&str, usize) -> Fate + Send + Sync>;

/// A network.
#[derive(Clone)]
pub(super) struct Network {
    engines: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

struct State {
    decide: Decide,
    calls: Vec<String>,
}

impl Network {
    pub fn new(engines: SharedHttpClient) -> Self {
        let state = State { decide: Box::new(|_, _| Fate::Passes), calls: Vec::new() };
        Self { engines, state: Arc::new(Mutex::new(state)) }
    }

    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// From now on calls fare as told, and are counted anew.
    pub fn fares(&self, decide: impl Fn(&str, usize) -> Fate + Send + Sync + 'static) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.decide = Box::new(decide);
        state.calls.clear();
    }

    /// The operations since then, in their order.
    pub fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).calls.clone()
    }

    fn fate(&self, operation: &str) -> Fate {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.calls.iter().filter(|call| *call == operation).count();
        state.calls.push(operation.to_owned());
        (state.decide)(operation, before)
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl HttpClient for Network {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let engines = self.engines.http_connector(settings, parts);
        SharedHttpConnector::new(Wire { engines, network: self.clone() })
    }
}

#[derive(Debug)]
struct Wire {
    engines: SharedHttpConnector,
    network: Network,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.split_once('.').map_or(target, |(_, operation)| operation).to_owned();
        match self.network.fate(&operation) {
            Fate::Passes => self.engines.call(request),
            Fate::Refused(code) => HttpConnectorFuture::ready(Ok(refusal(code))),
            Fate::Unanswered => {
                let answer = self.engines.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into()))
                })
            }
        }
    }
}

fn refusal(code: &str) -> HttpResponse {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"on purpose"}}"#);
    let status = StatusCode::try_from(400).expect("a status");
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
