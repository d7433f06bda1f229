//! An OpenTelemetry collector that keeps what it is sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;

use super::eventually;

/// A running collector.
pub struct Collector {
    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    pub url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// On a free port.
    pub async fn start() -> Self {
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::clone(&spans);
        let take = async move |body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            got.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        };
        let app = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, spans }
    }

    /// Whether it has spans of a trace.
    pub fn knows(&self, id: &str) -> bool {
        self.spans.lock().unwrap().iter().any(|span| hex(&span.trace_id) == id)
    }

    /// The spans of a trace by their names, as soon as the request's own, which ends last, is there.
    pub async fn trace(&self, id: &str) -> BTreeMap<String, Span> {
        let of_trace = || {
            let spans = self.spans.lock().unwrap();
            let spans = spans.iter().filter(|span| hex(&span.trace_id) == id).cloned();
            spans.map(|span| (span.name.clone(), span)).collect::<BTreeMap<_, _>>()
        };
        eventually(Duration::from_secs(30), "the trace", || {
            of_trace().values().any(|span| attribute(span, "http.route").is_some())
        })
        .await;
        of_trace()
    }
}

/// An attribute of a span, as text.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let of = |attribute: &KeyValue| match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    };
    span.attributes.iter().find(|attribute| attribute.key == name).and_then(of)
}

/// Bytes as they are written in `traceparent`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
