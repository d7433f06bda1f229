//! Lines of the log.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Level, Metadata, Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter,
    filter::{FilterExt, FilterFn, filter_fn},
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
    let chosen = EnvFilter::try_new(chosen.unwrap_or("warn,lmo=info"));
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
