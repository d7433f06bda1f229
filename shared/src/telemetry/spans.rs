//! Spans of requests and of what happens inside them, sent to an OpenTelemetry collector over OTLP/HTTP if
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names one. Without it none of them is ever made.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions for HTTP and generative AI, without their content.

use std::{cell::Cell, sync::OnceLock, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanId, TraceContextExt, TraceId, TracerProvider},
};
use opentelemetry_sdk::{
    Resource,
    trace::{IdGenerator, RandomIdGenerator, Sampler, SdkTracerProvider},
};
use reqwest::Url;
use tracing::{Span, Subscriber, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::{outbox::Outbox, trace::Trace};
use crate::{config::Watch, id::TenantId, llm::Usage};

/// Spans have this target, so that logs and traces can tell what is theirs.
const TARGET: &str = "lmo::span";
/// How often spans are sent where nothing freezes.
const EVERY: Duration = Duration::from_secs(2);

static OUTBOX: OnceLock<Outbox> = OnceLock::new();

/// The span of a request, in its caller's trace.
pub(super) fn of_request(request: &str, method: &str, route: &str, trace: &Trace) -> Span {
    let span = info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.r#type = Empty,
        lmo.request = request,
        lmo.tenant = Empty,
    );
    if !span.is_disabled() {
        match trace.parent() {
            Some(parent) => drop(span.set_parent(Context::new().with_remote_span_context(parent))),
            None => Ids::given(trace.id, || drop(span.context())),
        }
    }
    span
}

pub(super) fn end_request(span: &Span, status: Option<u16>, tenant: Option<TenantId>, code: Option<&'static str>) {
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    if let Some(tenant) = tenant {
        span.record("lmo.tenant", tracing::field::display(tenant));
    }
    if let Some(code) = code {
        failed(span, code);
    }
}

/// The span of a step of a request: `admit`, `cache`, `record` or `settle`.
macro_rules! step {
    ($name:literal) => {
        tracing::info_span!(target: "lmo::span", $name)
    };
}
pub(crate) use step;

/// The span of a call of a provider, from its request to the end of its answer. `operation` is `chat` or `embeddings`,
/// `provider` its name among the conventions' well-known ones, `model` the catalogue's name and `upstream` the
/// provider's own.
pub(crate) fn of_call(operation: &'static str, provider: &'static str, model: &str, upstream: &str) -> Span {
    info_span!(
        target: TARGET,
        "model",
        otel.name = format!("{operation} {upstream}"),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = provider,
        gen_ai.request.model = upstream,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        error.r#type = Empty,
        lmo.model = model,
    )
}

/// What the provider counted.
pub(crate) fn counted(span: &Span, usage: &Usage) {
    span.record("gen_ai.usage.input_tokens", usage.input_tokens.0);
    span.record("gen_ai.usage.output_tokens", usage.output_tokens.0);
}

/// What a span is about has failed.
pub(crate) fn failed(span: &Span, code: &'static str) {
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
}

/// Makes spans of what has [`TARGET`], and gathers them for the collector.
pub(super) fn layer<S>(collector: &Url, watch: &Watch) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let mut resource = Resource::builder_empty()
        .with_service_name(watch.function.clone().unwrap_or_else(|| "lmo".to_owned()))
        .with_attribute(KeyValue::new("service.namespace", "lmo"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if let Some(version) = &watch.version {
        resource = resource.with_attribute(KeyValue::new("faas.version", version.clone()));
    }
    let resource = resource.build();
    let outbox = Outbox::new(collector.clone(), resource.clone());
    let gather = outbox.gather();
    let _ = OUTBOX.set(outbox);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_id_generator(Ids::default())
        .with_span_processor(gather)
        .build();
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("lmo"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|what| what.is_span() && what.target() == TARGET))
}

/// Sends what was gathered, if there is a collector. It never fails: spans that can't be sent are lost.
pub(super) async fn export() {
    if let Some(outbox) = OUTBOX.get() {
        outbox.send().await;
    }
}

/// Sends now and then, until the process ends.
pub(super) fn export_in_background() {
    if OUTBOX.get().is_some() {
        tokio::spawn(async {
            loop {
                tokio::time::sleep(EVERY).await;
                export().await;
            }
        });
    }
}

thread_local! {
    /// The id of the trace that begins on this thread right now.
    static GIVEN: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Ids of spans and traces. A trace whose id is given, by X-Ray or to be logged, begins with that one.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl Ids {
    fn given(id: TraceId, begin: impl FnOnce()) {
        GIVEN.set(Some(id));
        begin();
        GIVEN.set(None);
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        GIVEN.get().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}
