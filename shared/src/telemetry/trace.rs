//! Which trace a request belongs to: W3C Trace Context in and out, and X-Ray's own header in.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::Exchange;

const TRACEPARENT: &str = "traceparent";
const AMAZON: &str = "x-amzn-trace-id";

/// A trace, and the caller's place in it.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The trace's id.
    pub id: TraceId,
    /// The caller's span; a new trace has none.
    parent: Option<SpanId>,
    sampled: bool,
}

impl Trace {
    /// The trace that a request says it belongs to: by `traceparent`, else by `X-Amzn-Trace-Id`, which API Gateway,
    /// function URLs and load balancers set. A request that says nothing, or nothing that can be understood, begins a
    /// new trace.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        w3c(headers).or_else(|| amazon(headers)).unwrap_or_else(Self::begin)
    }

    /// A new one.
    #[must_use]
    pub fn begin() -> Self {
        let id = TraceId::from(rand::random_range(1..=u128::MAX));
        Self { id, parent: None, sampled: true }
    }

    /// The caller's span, if there is one.
    pub(super) fn parent(&self) -> Option<SpanContext> {
        let context = |parent| SpanContext::new(self.id, parent, self.flags(), true, TraceState::NONE);
        self.parent.map(context)
    }

    fn flags(&self) -> TraceFlags {
        TraceFlags::NOT_SAMPLED.with_sampled(self.sampled)
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

/// W3C Trace Context, section 3.2. One that is invalid is as good as none. `tracestate` is not read: it is between the
/// caller and its tools, and no provider's business.
fn w3c(headers: &HeaderMap) -> Option<Trace> {
    let mut parts = only(headers, TRACEPARENT)?.split('-');
    let version = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
    let id = TraceId::from_hex(hex(parts.next()?, 32)?).ok()?;
    let parent = SpanId::from_hex(hex(parts.next()?, 16)?).ok()?;
    let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
    // Later versions may say more.
    let known = version != 0xff && (version > 0 || parts.next().is_none());
    let valid = known && id != TraceId::INVALID && parent != SpanId::INVALID;
    valid.then(|| Trace { id, parent: Some(parent), sampled: TraceFlags::new(flags).is_sampled() })
}

fn hex(text: &str, length: usize) -> Option<&str> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == length && text.bytes().all(is_hex)).then_some(text)
}

/// `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=<0 or 1>` (AWS X-Ray Developer Guide, "Tracing header"). Who says
/// nothing of sampling leaves it to us.
fn amazon(headers: &HeaderMap) -> Option<Trace> {
    let text = only(headers, AMAZON)?;
    let field = |name| text.split(';').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let (time, unique) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let id = TraceId::from_hex(&format!("{}{}", hex(time, 8)?, hex(unique, 24)?)).ok()?;
    let sampled = field("Sampled") != Some("0");
    let given = field("Parent").and_then(|parent| SpanId::from_hex(hex(parent, 16)?).ok());
    // Nobody sees the parent of what isn't sampled; without one it would be decided anew.
    let made_up = || (!sampled).then(|| SpanId::from(rand::random_range(1..=u64::MAX)));
    let parent = given.filter(|parent| *parent != SpanId::INVALID).or_else(made_up);
    (id != TraceId::INVALID).then_some(Trace { id, parent, sampled })
}

/// The header field that makes whoever is called now part of the trace; none outside of a request.
#[must_use]
pub fn outgoing() -> Option<(HeaderName, HeaderValue)> {
    let trace = Exchange::current()?.trace().clone();
    // Without a collector there is no span of our own; an id of its own the call has all the same.
    let current = tracing::Span::current().context().span().span_context().clone();
    let span = if current.is_valid() { current.span_id() } else { SpanId::from(rand::random_range(1..=u64::MAX)) };
    let parent = format!("00-{}-{span}-{:02x}", trace.id, trace.flags());
    Some((HeaderName::from_static(TRACEPARENT), HeaderValue::from_str(&parent).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        fields.iter().map(field).collect()
    }

    fn of(name: &'static str, value: &str) -> Trace {
        Trace::of(&headers(&[(name, value)]))
    }

    #[test]
    fn a_valid_parent_is_followed() {
        let trace = of(TRACEPARENT, &format!("00-{ID}-{PARENT}-01"));
        assert_eq!((trace.id.to_string().as_str(), trace.sampled), (ID, true));
        assert_eq!(trace.parent.unwrap().to_string(), PARENT);
        assert!(!of(TRACEPARENT, &format!("00-{ID}-{PARENT}-00")).sampled);
        assert_eq!(of(TRACEPARENT, &format!("cc-{ID}-{PARENT}-01-what-comes-later")).id.to_string(), ID);
    }

    #[test]
    fn an_invalid_parent_begins_a_new_trace() {
        let zero_id = "0".repeat(32);
        let zero_parent = "0".repeat(16);
        let invalid = [
            format!("00-{ID}-{PARENT}"),
            format!("00-{ID}-{PARENT}-01-more"),
            format!("ff-{ID}-{PARENT}-01"),
            format!("00-{zero_id}-{PARENT}-01"),
            format!("00-{ID}-{zero_parent}-01"),
            format!("00-{}-{PARENT}-01", ID.to_uppercase()),
            format!("00-{ID}-{PARENT}-1"),
            format!("0-{ID}-{PARENT}-01"),
            "nonsense".to_owned(),
        ];
        for text in invalid {
            let trace = of(TRACEPARENT, &text);
            assert!(trace.id.to_string() != ID && trace.parent.is_none() && trace.sampled, "{text}");
        }
    }

    #[test]
    fn two_parents_are_none() {
        let mut both = headers(&[(TRACEPARENT, &format!("00-{ID}-{PARENT}-01"))]);
        both.append(TRACEPARENT, HeaderValue::from_str(&format!("00-{ID}-{PARENT}-01")).unwrap());
        assert_ne!(Trace::of(&both).id.to_string(), ID);
    }

    #[test]
    fn amazons_header_is_understood() {
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let alone = of(AMAZON, root);
        assert_eq!(alone.id.to_string(), "5759e988bd862e3fe1be46a994272793");
        assert!(alone.parent.is_none() && alone.sampled);
        let whole = of(AMAZON, &format!("{root};Parent=53995c3f42cd8ad8;Sampled=1"));
        assert_eq!(whole.parent.unwrap().to_string(), "53995c3f42cd8ad8");
        let unsampled = of(AMAZON, &format!("Self=1-5759e988-bd862e3fe1be46a994272790;{root};Sampled=0"));
        assert!(unsampled.parent().is_some_and(|parent| !parent.is_sampled()));
        assert!(of(AMAZON, "Root=1-nonsense").parent.is_none());
    }

    #[test]
    fn w3c_comes_first() {
        let both = headers(&[
            (AMAZON, "Root=1-5759e988-bd862e3fe1be46a994272793"),
            (TRACEPARENT, &format!("00-{ID}-{PARENT}-01")),
        ]);
        assert_eq!(Trace::of(&both).id.to_string(), ID);
    }
}
