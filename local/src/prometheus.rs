//! Metrics for Prometheus, at `/metrics`. Nobody has to say who they are: it is served on 127.0.0.1 alone, and tells of
//! no tenant.

use axum::{Router, http::header, routing::get};
use lmo_shared::telemetry::metrics::describe;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::time::Duration;

use crate::problem::Problem;

/// Milliseconds: from an answer out of the cache to a long one of a slow model.
const BUCKETS: [f64; 16] = [
    1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0,
    300_000.0,
];
/// How often samples are put into their buckets if nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// Counts from now on, and returns the route that tells.
pub fn install() -> Result<Router, Problem> {
    let problem = |error: &dyn std::fmt::Display| Problem(format!("metrics: {error}"));
    let builder = PrometheusBuilder::new().with_recommended_naming(true);
    let builder = builder.set_buckets_for_metric(Matcher::Prefix("lmo_".to_owned()), &BUCKETS);
    let recorder = builder.map_err(|error| problem(&error))?.build_recorder();
    let counted = recorder.handle();
    metrics::set_global_recorder(Renamed(recorder)).map_err(|error| problem(&error))?;
    describe();
    tokio::spawn(keep_up(counted.clone()));
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok(Router::new().route("/metrics", get(async move || (text, counted.render()))))
}

async fn keep_up(counted: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        counted.run_upkeep();
    }
}

/// Writes names as Prometheus has them: `TimeToFirstToken` is `lmo_time_to_first_token`, and a label `Model` `model`.
struct Renamed(PrometheusRecorder);

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn name(of: &str) -> String {
    format!("lmo_{}", snake(of))
}

fn key(of: &Key) -> Key {
    let label = |label: &Label| Label::new(snake(label.key()), label.value().to_owned());
    Key::from_parts(name(of.name()), of.labels().map(label).collect::<Vec<_>>())
}

impl Recorder for Renamed {
    fn describe_counter(&self, of: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.0.describe_counter(name(of.as_str()).into(), unit.filter(|unit| *unit != Unit::Count), meaning);
    }

    fn describe_gauge(&self, of: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.0.describe_gauge(name(of.as_str()).into(), unit, meaning);
    }

    fn describe_histogram(&self, of: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.0.describe_histogram(name(of.as_str()).into(), unit, meaning);
    }

    fn register_counter(&self, of: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(&key(of), metadata)
    }

    fn register_gauge(&self, of: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.register_gauge(&key(of), metadata)
    }

    fn register_histogram(&self, of: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.register_histogram(&key(of), metadata)
    }
}
