//! Lines of the log.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Level, Metadata, Subscriber, field::Field};
use tracing_subscriber::{
    filter::{FilterExt, FilterFn, Targets, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::Filter,
    registry::LookupSpan,
};

use super::Exchange;
use crate::config::{BadVariable, Watch};

/// What is logged: what `chosen` says, but nothing of libraries below `info`.
pub(super) fn filter<S: Subscriber>(chosen: Option<&str>) -> Result<impl Filter<S> + use<S>, BadVariable> {
    let chosen = chosen.unwrap_or("warn,lmo=info").parse::<Targets>();
    let chosen = chosen.map_err(|error| BadVariable::new("RUST_LOG", error.to_string()))?;
    let capped: FilterFn<fn(&Metadata<'_>) -> bool> = filter_fn(is_safe);
    Ok(chosen.and(capped))
}

/// Libraries trace bodies and header fields. Spans are for the collector.
fn is_safe(what: &Metadata<'_>) -> bool {
    what.is_event() && (*what.level() <= Level::INFO || what.target().starts_with("lmo"))
}

/// A line as a JSON object: `timestamp`, `level`, `message`, the function, what is known of the request, and the
/// event's own fields, all on one level, so that CloudWatch Logs Insights finds them by their names.
pub(super) struct Json {
    function: Option<String>,
    version: Option<String>,
}

impl Json {
    pub fn of(watch: &Watch) -> Self {
        Self { function: watch.function.clone(), version: watch.version.clone() }
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Line(Map::new());
        line.put("timestamp", timestamp);
        line.put("level", event.metadata().level().as_str());
        // Its place; the event has the text.
        line.put("message", "");
        line.put_some("function", self.function.as_deref());
        line.put_some("version", self.version.as_deref());
        if let Some(exchange) = Exchange::current() {
            exchange.describe(|name, value| line.put(name, value));
        }
        event.record(&mut line);
        if !event.metadata().target().starts_with("lmo") {
            line.put("target", event.metadata().target());
        }
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

struct Line(Map<String, Value>);

impl Line {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{Layer, layer::SubscriberExt};

    use super::*;
    use crate::telemetry::trace::Trace;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes if `RUST_LOG` is `chosen`.
    fn lines(chosen: &str, log: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let to = written.clone();
        let json = Json { function: Some("lmo-query".to_owned()), version: Some("7".to_owned()) };
        let lines = tracing_subscriber::fmt::layer().event_format(json).with_writer(move || to.clone());
        let lines = lines.with_filter(filter(Some(chosen)).unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_flat_and_says_where_it_is_from() {
        let lines = lines("info", || tracing::warn!(target: "lmo_shared", held = 3_u64, "left"));
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((&line["level"], &line["message"], &line["held"]), (&"WARN".into(), &"left".into(), &3.into()));
        assert_eq!((&line["function"], &line["version"]), (&"lmo-query".into(), &"7".into()));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[tokio::test]
    async fn a_request_is_named_in_all_of_its_lines() {
        let exchange = Exchange::begin("req-1", "POST", "/api/mcp/query", Trace::begin());
        let trace = exchange.trace().id.to_string();
        let work = async {
            crate::telemetry::learn(|known| known.model = Some("lmo/echo".to_owned()));
            lines("info", || tracing::warn!(target: "lmo_shared", "inside"))
        };
        let lines = exchange.scope(work).await;
        let line = &lines[0];
        assert_eq!((&line["request"], &line["model"]), (&"req-1".into(), &"lmo/echo".into()));
        assert_eq!(line["trace_id"], trace);
    }

    #[test]
    fn libraries_say_nothing_below_info_whatever_is_chosen() {
        let lines = lines("trace,hyper=trace", || {
            tracing::trace!(target: "hyper::proto", "a body");
            tracing::debug!(target: "aws_smithy_runtime::client", "a header field");
            tracing::info!(target: "hyper::proto", "a fact");
            tracing::trace!(target: "lmo_shared::answer", "a step");
        });
        let said: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(said, ["a fact", "a step"]);
    }
}
