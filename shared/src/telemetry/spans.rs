//! Spans of requests and of what happens inside them, sent to an OpenTelemetry collector over OTLP/HTTP if
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names one. Without it none of them is ever made.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions for HTTP and generative AI, without their content.

use std::{
    cell::Cell,
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanId, TraceContextExt, TraceId, TracerProvider},
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        IdGenerator, RandomIdGenerator, Sampler, SdkTracerProvider, Span as SdkSpan, SpanData, SpanExporter as _,
        SpanProcessor,
    },
};
use reqwest::Url;
use tokio::time::{Instant, timeout};
use tracing::{Span, Subscriber, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::trace::Trace;
use crate::{config::Watch, id::TenantId, llm::Usage};

/// Spans have this target, so that logs and traces can tell what is theirs.
const TARGET: &str = "lmo::span";
/// The longest that sending spans may take: where the process is frozen behind an answer, the answer waits for it.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a collector that doesn't answer is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// The most spans that wait to be sent; further ones are dropped.
const MOST_WAITING: usize = 4096;
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
    let waiting = Arc::clone(&outbox.waiting);
    let _ = OUTBOX.set(outbox);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_id_generator(Ids::default())
        .with_span_processor(Gather(waiting))
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

type Waiting = Arc<Mutex<Vec<SpanData>>>;

/// Takes spans that have ended. Nothing of it blocks or needs a thread.
#[derive(Debug)]
struct Gather(Waiting);

impl SpanProcessor for Gather {
    fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if span.span_context.is_sampled() && waiting.len() < MOST_WAITING {
            waiting.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Outbox {
    collector: Url,
    resource: Resource,
    waiting: Waiting,
    way: tokio::sync::Mutex<Way>,
}

/// The way to the collector.
#[derive(Default)]
struct Way {
    /// Made when it is needed first, so that no start waits for it.
    exporter: Option<SpanExporter>,
    closed_until: Option<Instant>,
}

impl Outbox {
    fn new(collector: Url, resource: Resource) -> Self {
        Self { collector, resource, waiting: Waiting::default(), way: tokio::sync::Mutex::default() }
    }

    async fn send(&self) {
        let sent = timeout(PATIENCE, async {
            // Whoever comes second finds the first one's spans gone.
            let mut way = self.way.lock().await;
            let spans = mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if spans.is_empty() || way.closed_until.is_some_and(|until| Instant::now() < until) {
                return;
            }
            // It stays so if this is dropped for taking too long.
            way.closed_until = Some(Instant::now() + PAUSE);
            match self.export(&mut way, spans).await {
                Ok(()) => way.closed_until = None,
                Err(problem) => tracing::warn!(problem, "the collector takes no spans and is left alone for a while"),
            }
        });
        if sent.await.is_err() {
            tracing::warn!("the collector does not answer and is left alone for a while");
        }
    }

    async fn export(&self, way: &mut Way, spans: Vec<SpanData>) -> Result<(), String> {
        let exporter = match &mut way.exporter {
            Some(exporter) => exporter,
            none => none.insert(self.exporter().map_err(|error| error.to_string())?),
        };
        exporter.export(spans).await.map_err(|error| error.to_string())
    }

    fn exporter(&self) -> Result<SpanExporter, ExporterBuildError> {
        let mut client = reqwest::Client::builder().tcp_nodelay(true).redirect(reqwest::redirect::Policy::none());
        if self.collector.scheme() == "http" {
            // No certificates are read for a collector that shows none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", self.collector.as_str().trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()?;
        exporter.set_resource(&self.resource);
        Ok(exporter)
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
