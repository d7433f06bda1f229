//! The events in `events/`, and what a test changes in them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::host::Invoke;

/// The event in a file of `events/`, by the file's name.
///
/// # Panics
/// There is no such file, or it isn't JSON: what the project itself is tested with is broken.
#[must_use]
pub fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An HTTP request as API Gateway (payload format 2.0) and function URLs pass it on.
#[derive(Debug, Clone)]
pub struct HttpEvent(Value);

impl HttpEvent {
    /// From a file of `events/`.
    ///
    /// # Panics
    /// As [`event`].
    #[must_use]
    pub fn file(name: &str) -> Self {
        Self(event(name))
    }

    /// With this API key instead of the one that is nobody's.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        let name = if self.0["headers"]["x-api-key"].is_string() { "x-api-key" } else { "authorization" };
        let value = if name == "x-api-key" { key.to_owned() } else { format!("Bearer {key}") };
        self.header(name, &value)
    }

    /// With this header field; names are in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = value.into();
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: &Value) -> Self {
        let body = body.to_string();
        self.0["headers"]["content-length"] = body.len().to_string().into();
        self.0["body"] = body.into();
        self
    }

    /// Without a body.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        if let Some(event) = self.0.as_object_mut() {
            event.shift_remove("body");
        }
        if let Some(headers) = self.0["headers"].as_object_mut() {
            headers.shift_remove("content-length");
            headers.shift_remove("content-type");
        }
        self
    }

    /// With this method and path.
    #[must_use]
    pub fn at(mut self, method: &str, path: &str) -> Self {
        self.0["rawPath"] = path.into();
        self.0["requestContext"]["http"]["path"] = path.into();
        self.0["requestContext"]["http"]["method"] = method.into();
        self
    }
}

impl From<&HttpEvent> for Invoke {
    fn from(event: &HttpEvent) -> Self {
        Self::from(&event.0)
    }
}

impl From<HttpEvent> for Invoke {
    fn from(event: HttpEvent) -> Self {
        Self::from(&event.0)
    }
}
