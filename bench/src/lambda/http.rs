//! An HTTP response as functions give it: the payload of API Gateway's format 2.0, or a prelude before a stream.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// What stands between the prelude and the body ("Set up a Lambda proxy integration with payload response streaming").
const DELIMITER: [u8; 8] = [0; 8];

/// What the caller of an HTTP API or a function URL gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The header fields, without cookies.
    pub headers: HeaderMap,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// From a response in payload format 2.0.
    pub(super) fn from_payload(payload: &Value) -> Option<Self> {
        let body = payload["body"].as_str().unwrap_or_default();
        let body = match payload["isBase64Encoded"].as_bool() {
            Some(true) => STANDARD.decode(body).ok()?,
            Some(false) | None => body.as_bytes().to_vec(),
        };
        Self::new(payload, body)
    }

    /// From a streamed response: JSON, eight zeros, and the body.
    pub(super) fn from_stream(response: &[u8]) -> Option<Self> {
        let end = response.windows(DELIMITER.len()).position(|window| window == DELIMITER)?;
        let prelude = serde_json::from_slice(&response[..end]).ok()?;
        Self::new(&prelude, response[end + DELIMITER.len()..].to_vec())
    }

    fn new(head: &Value, body: Vec<u8>) -> Option<Self> {
        let status = u16::try_from(head["statusCode"].as_u64()?).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in head["headers"].as_object().into_iter().flatten() {
            // Of several values lambda_runtime makes a list, of one a text.
            let values = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
            for value in values {
                headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.as_str()?).ok()?);
            }
        }
        let cookies = head["cookies"].as_array().into_iter().flatten();
        let cookies = cookies.filter_map(|cookie| Some(cookie.as_str()?.to_owned())).collect();
        Some(Self { status, headers, cookies, body })
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field's text, empty if it isn't there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
