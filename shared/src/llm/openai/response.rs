//! A whole answer, or a refusal, to events or an error.

use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use super::envelope::Envelope;
use crate::{
    llm::{Event, ProviderError},
    outbound,
};

/// The most characters of a provider's message that are passed on.
const MAX_MESSAGE: usize = 1_000;

/// Reads an answer that isn't streamed: one chunk, then what the provider counted, if it did.
///
/// # Errors
/// `InStream` if it is an error in spite of its status, `Malformed` if it is not an answer.
pub fn events(body: &[u8]) -> Result<Vec<Event>, ProviderError> {
    let mut envelope = Envelope::read(body)?;
    let reported = envelope.reported();
    if envelope.chunk.choices.is_empty() {
        return Err(ProviderError::Malformed("an answer without choices".to_owned()));
    }
    let mut events = vec![Event::Chunk(envelope.chunk)];
    events.extend(reported.map(Event::Usage));
    Ok(events)
}

/// The error that an answer with a status other than 2xx stands for.
#[must_use]
pub fn failure(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    let error = Explanation::read(body);
    match status {
        // 402: DeepSeek's and OpenRouter's answer to an empty account.
        401..=403 | 407 => ProviderError::Credentials,
        // OpenAI's empty account: waiting doesn't fill it.
        429 if error.says("insufficient_quota") => ProviderError::Credentials,
        429 => ProviderError::RateLimited { retry_after: retry_after(headers) },
        // 409, 425: a lock or an early request; trying again is what they ask for.
        408 | 409 | 425 | 500..=599 => ProviderError::Unavailable { status, retry_after: retry_after(headers) },
        400..=499 => ProviderError::Rejected {
            status,
            message: error.message.unwrap_or_else(|| format!("the model's provider refused the request ({status})")),
            code: error.code,
            kind: error.kind,
            param: error.param,
        },
        _ => ProviderError::Malformed(format!("status {status}")),
    }
}

/// How long to wait: `Retry-After`, or `OpenAI`'s finer `retry-after-ms`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get("retry-after-ms").and_then(|millis| millis.to_str().ok()?.trim().parse::<f64>().ok());
    match millis {
        Some(millis) => Duration::try_from_secs_f64(millis / 1000.0).ok(),
        None => outbound::retry_after(headers),
    }
}

/// What a refusal says, in any of the shapes that servers of this format have.
#[derive(Default)]
struct Explanation {
    message: Option<String>,
    code: Option<String>,
    kind: Option<String>,
    param: Option<String>,
}

impl Explanation {
    fn read(body: &[u8]) -> Self {
        let Ok(mut whole) = serde_json::from_slice::<Value>(body) else {
            // A line of text is an explanation, a proxy's HTML page is not.
            let text = str::from_utf8(body).map(str::trim).unwrap_or_default();
            return Self { message: short(text).filter(|text| !text.starts_with('<')), ..Self::default() };
        };
        // Gemini wraps it into a list.
        if let Some(first) = whole.get_mut(0) {
            whole = first.take();
        }
        let error = whole.get("error").filter(|error| !error.is_null()).unwrap_or(&whole);
        // `detail` is FastAPI's, and Mistral's inside of `message`.
        let message = error.as_str().map(Value::from).or_else(|| {
            let message = error.get("message").or_else(|| error.get("detail"))?;
            Some(message.get("detail").unwrap_or(message).clone())
        });
        let field = |name| error.get(name).and_then(word);
        Self {
            message: message.as_ref().and_then(word).as_deref().and_then(short),
            code: field("code"),
            kind: field("type"),
            param: field("param"),
        }
    }

    fn says(&self, word: &str) -> bool {
        [&self.code, &self.kind].into_iter().flatten().any(|said| said == word)
    }
}

/// A value as text; `None` for `null`.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn short(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.chars().take(MAX_MESSAGE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wait(fields: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers =
            fields.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        failure(503, &headers.collect(), b"").retry_after()
    }

    #[test]
    fn retry_after_is_read_in_seconds_milliseconds_and_as_a_date() {
        assert_eq!(wait(&[("retry-after", "20")]), Some(Duration::from_secs(20)));
        assert_eq!(wait(&[("retry-after", "1"), ("retry-after-ms", "640")]), Some(Duration::from_millis(640)));
        let date = ("date", "Fri, 31 Dec 1999 23:59:29 GMT");
        assert_eq!(wait(&[date, ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]), Some(Duration::from_secs(30)));
        assert_eq!(wait(&[date, ("retry-after", "Fri, 31 Dec 1999 23:59:19 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after", "-1")]), None);
    }

    #[test]
    fn a_proxys_page_is_not_shown() {
        let error = failure(413, &HeaderMap::new(), b"<html>nginx/1.27 at 10.0.0.7</html>");
        assert_eq!(error.to_string(), "the model's provider refused the request (413)");
    }

    #[test]
    fn a_redirect_is_not_an_answer() {
        assert!(matches!(failure(302, &HeaderMap::new(), b""), ProviderError::Malformed(_)));
    }
}
