//! What Stripe answers instead of an object (API reference, "Errors").

use serde_json::{Map, Value, json};

/// An error: its status, and what stands in its body.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: u16,
    /// Whether the endpoint had begun: only then is the answer kept for the idempotency key.
    pub(super) began: bool,
    fields: Map<String, Value>,
}

impl Problem {
    fn new(status: u16, kind: &str, code: Option<&str>, message: impl Into<String>, param: Option<&str>) -> Self {
        let mut fields = Map::new();
        if let Some(code) = code {
            let url = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
            fields.extend([("code".to_owned(), json!(code)), ("doc_url".to_owned(), json!(url))]);
        }
        fields.insert("message".to_owned(), Value::String(message.into()));
        if let Some(param) = param {
            fields.insert("param".to_owned(), json!(param));
        }
        fields.insert("type".to_owned(), json!(kind));
        Self { status, began: false, fields }
    }

    fn invalid(code: Option<&str>, message: impl Into<String>, param: Option<&str>) -> Self {
        Self::new(400, "invalid_request_error", code, message, param)
    }

    /// A request that is wrong in itself.
    pub(super) fn request(message: &str) -> Self {
        Self::invalid(None, message, None)
    }

    /// A parameter's value that can't be.
    pub(super) fn parameter(code: &str, message: impl Into<String>, param: &str) -> Self {
        Self::invalid(Some(code), message, Some(param))
    }

    /// A parameter that goes with no other.
    pub(super) fn combination(message: &str, param: &str) -> Self {
        Self::invalid(None, message, Some(param))
    }

    pub(super) fn unknown_parameter(param: &str) -> Self {
        Self::parameter("parameter_unknown", format!("Received unknown parameter: {param}"), param)
    }

    pub(super) fn missing_parameter(param: &str) -> Self {
        Self::parameter("parameter_missing", format!("Missing required param: {param}."), param)
    }

    /// What a URL names and isn't there.
    pub(super) fn no_such(kind: &str, id: &str, param: &str) -> Self {
        Self { status: 404, ..Self::reference(kind, id, param) }
    }

    /// What a parameter names and isn't there.
    pub(super) fn reference(kind: &str, id: &str, param: &str) -> Self {
        Self::parameter("resource_missing", format!("No such {kind}: '{id}'"), param).begun()
    }

    /// What an object's state doesn't allow.
    pub(super) fn state(code: &str, message: impl Into<String>) -> Self {
        Self::invalid(Some(code), message, None).begun()
    }

    pub(super) fn no_route(method: &str, path: &str) -> Self {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
             https://support.stripe.com/."
        );
        Self::new(404, "invalid_request_error", None, message, None)
    }

    pub(super) fn no_key() -> Self {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, \
                       using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        Self::new(401, "invalid_request_error", None, message, None)
    }

    pub(super) fn bad_key(key: &str) -> Self {
        let end = key.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        let message = format!("Invalid API Key provided: {}{end}", "*".repeat(key.len().saturating_sub(4)));
        Self::new(401, "invalid_request_error", None, message, None)
    }

    pub(super) fn publishable_key() -> Self {
        let message = "This API call cannot be made with a publishable API key. Please use a secret API key.";
        Self::new(403, "invalid_request_error", Some("secret_key_required"), message, None)
    }

    pub(super) fn key_too_long() -> Self {
        Self::invalid(None, "Idempotency-Key is too long: it can be up to 255 characters.", None)
    }

    /// An idempotency key that was used for something else.
    pub(super) fn key_mismatch(key: &str, other_path: Option<&str>) -> Self {
        let message = match other_path {
            None => "Keys for idempotent requests can only be used with the same parameters they were first used with."
                .to_owned(),
            Some(path) => format!(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}')."
            ),
        };
        let message =
            format!("{message} Try using a key other than '{key}' if you meant to execute a different request.");
        Self::new(400, "idempotency_error", None, message, None)
    }

    /// An idempotency key whose request isn't answered yet.
    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you submitted \
             twice, and the other request is still going through): {key}. Please try again later."
        );
        Self::new(409, "idempotency_error", Some("idempotency_key_in_use"), message, None)
    }

    pub(super) fn rate_limit() -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits here: \
                       https://stripe.com/docs/rate-limits.";
        Self::new(429, "invalid_request_error", Some("rate_limit"), message, None)
    }

    /// Somebody else has the object (docs.stripe.com/rate-limits, "Object lock timeouts").
    pub(super) fn lock_timeout() -> Self {
        let message = "This object cannot be accessed right now because another API request or Stripe process is \
                       currently accessing it. If you see this error intermittently, retry the request.";
        Self::new(429, "invalid_request_error", Some("lock_timeout"), message, None)
    }

    /// Stripe's own failure, which is an answer like any other to an idempotency key.
    pub(super) fn failure(status: u16) -> Self {
        let message = "An unknown error occurred. Please try again, and contact support if it goes on.";
        Self::new(status, "api_error", None, message, None).begun()
    }

    /// A card's issuer, or a bank, that refuses.
    pub(super) fn card(code: &str, decline_code: Option<&str>, message: &str) -> Self {
        let mut problem = Self::new(402, "card_error", Some(code), message, None).begun();
        if let Some(decline_code) = decline_code {
            problem.fields.insert("decline_code".to_owned(), json!(decline_code));
        }
        problem
    }

    /// The object that it is about.
    pub(super) fn about(mut self, name: &str, object: Value) -> Self {
        self.fields.insert(name.to_owned(), object);
        self
    }

    pub(super) fn begun(self) -> Self {
        Self { began: true, ..self }
    }

    /// What stands in `last_payment_error` and its like.
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub(super) fn body(&self) -> Value {
        let mut fields: Vec<_> = self.fields.clone().into_iter().collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        json!({"error": fields.into_iter().collect::<Map<_, _>>()})
    }
}
