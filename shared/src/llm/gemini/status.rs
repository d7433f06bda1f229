//! Google's errors (AIP-193, `google.rpc.Status` with its `google.rpc` details), over HTTP or inside a stream.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::llm::ProviderError;

/// What an error says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    code: u16,
    message: String,
    /// The code's name, as `RESOURCE_EXHAUSTED`.
    #[serde(rename = "status")]
    name: String,
    details: Vec<Value>,
}

impl Status {
    /// Reads the body of a refusal, which is an object or, from a streaming method, a list of one.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let mut whole = body.get_mut(0).map_or(Value::Null, Value::take);
        if whole.is_null() {
            whole = body;
        }
        let error = whole.get_mut("error").map(Value::take).unwrap_or_default();
        serde_json::from_value(error).unwrap_or_default()
    }

    /// The code's name, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether the operator must see to it: a key that isn't valid, or a project without billing or in a region that
    /// isn't served. Both come as 400 (Gemini API, "Troubleshooting guide").
    pub(super) fn is_the_operators(&self) -> bool {
        let reason = self.detail("ErrorInfo").and_then(|info| info.get("reason")?.as_str());
        self.name == "FAILED_PRECONDITION" || reason.is_some_and(|reason| reason.starts_with("API_KEY_"))
    }

    /// How long to wait: `RetryInfo.retryDelay`, a duration as `17s` or `0.5s`.
    pub(super) fn retry_delay(&self) -> Option<Duration> {
        let delay = self.detail("RetryInfo")?.get("retryDelay")?.as_str()?;
        Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
    }

    /// The field that the first violation of `BadRequest` names.
    pub(super) fn field(&self) -> Option<String> {
        let violations = self.detail("BadRequest")?.get("fieldViolations")?;
        violations.get(0)?.get("field")?.as_str().map(str::to_owned)
    }

    /// The error that it stands for in the middle of a stream.
    pub(super) fn in_stream(self) -> ProviderError {
        match self.code {
            429 => ProviderError::RateLimited { retry_after: self.retry_delay() },
            503 => ProviderError::Unavailable { status: 503, retry_after: self.retry_delay() },
            _ => ProviderError::InStream { message: format!("{} {}", self.name, self.message) },
        }
    }

    fn detail(&self, kind: &str) -> Option<&Value> {
        let is_it = |detail: &&Value| {
            let name = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
            name.rsplit('.').next() == Some(kind)
        };
        self.details.iter().find(is_it)
    }
}
