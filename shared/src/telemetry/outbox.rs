//! Spans that have ended, until the collector has them: sent by whoever ends an invocation, without a thread or a timer.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span as SdkSpan, SpanData, SpanExporter as _, SpanProcessor},
};
use reqwest::Url;
use tokio::time::{Instant, timeout};

/// The longest that sending spans may take: where the process is frozen behind an answer, the answer waits for it.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a collector that doesn't answer is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// The most spans that wait to be sent; further ones are dropped.
const MOST_WAITING: usize = 4096;

type Waiting = Arc<Mutex<Vec<SpanData>>>;

/// Takes spans that have ended. Nothing of it blocks or needs a thread.
#[derive(Debug)]
pub(super) struct Gather(Waiting);

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

/// Spans on their way to the collector.
pub(super) struct Outbox {
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
    pub fn new(collector: Url, resource: Resource) -> Self {
        Self { collector, resource, waiting: Waiting::default(), way: tokio::sync::Mutex::default() }
    }

    /// What fills it.
    pub fn gather(&self) -> Gather {
        Gather(Arc::clone(&self.waiting))
    }

    /// Sends what waits; what can't be sent is lost.
    pub async fn send(&self) {
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    fn outbox(listener: &TcpListener) -> Outbox {
        let collector = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        Outbox::new(collector, Resource::builder_empty().build())
    }

    fn end_a_span(outbox: &Outbox) {
        let provider = SdkTracerProvider::builder().with_span_processor(outbox.gather()).build();
        provider.tracer("lmo").start("admit").end();
        assert_eq!(outbox.waiting.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_silent_collector_is_waited_for_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let outbox = outbox(&listener);
        for _ in 0..2 {
            end_a_span(&outbox);
            outbox.send().await;
            assert!(outbox.waiting.lock().unwrap().is_empty(), "what can't be sent is lost");
        }
        assert!(listener.accept().is_ok());
        assert!(listener.accept().is_err(), "it is left alone");
    }

    #[tokio::test]
    async fn a_collector_that_is_down_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outbox = outbox(&listener);
        drop(listener);
        end_a_span(&outbox);
        outbox.send().await;
        assert!(outbox.way.lock().await.closed_until.is_some());
    }

    #[tokio::test]
    async fn without_spans_nobody_is_called() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        outbox(&listener).send().await;
        assert!(listener.accept().is_err());
    }
}
