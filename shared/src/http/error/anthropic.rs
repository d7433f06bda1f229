//! Errors as Anthropic's API writes them (API reference, "Errors").

use axum::{
    Json,
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RequestLabel, param, status};
use crate::error::Error;

/// Where Anthropic's clients look for the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Whether a path is one of Anthropic's API.
pub(in crate::http) fn is_path(path: &str) -> bool {
    path.starts_with("/v1/messages")
}

/// An error as a response.
pub(super) fn response(error: &Error, label: &RequestLabel) -> Response {
    let mut response = (status(error), Json(anthropic_body(error, label))).into_response();
    response.headers_mut().insert(REQUEST_ID, label.value());
    response
}

/// The body of an error in Anthropic's shape, in a response or in a stream.
#[must_use]
pub fn anthropic_body(error: &Error, label: &RequestLabel) -> AnthropicProblem {
    let kind = match status(error) {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::PAYMENT_REQUIRED => "billing_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    };
    let text = error.to_string();
    // This shape has no field for the parameter at fault.
    let message = match param(error) {
        Some(param) if !text.contains(&param) => format!("{param}: {text}"),
        Some(_) | None => text,
    };
    AnthropicProblem {
        kind: "error".to_owned(),
        error: AnthropicError {
            kind: kind.to_owned(),
            message,
            code: error.code().to_owned(),
            details: details(error),
        },
        request_id: label.as_str().to_owned(),
    }
}

/// A conversation that Anthropic would keep (`thread`) is sent whole by its clients once they are told so by this code;
/// the loops that call tools begin with one unasked.
fn details(error: &Error) -> Option<AnthropicDetails> {
    let threaded = matches!(error, Error::Invalid { param, .. } if param == "thread");
    threaded.then(|| AnthropicDetails { error_code: "thread_unsupported_request".to_owned() })
}

/// An error in Anthropic's shape.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AnthropicError {
    /// Its kind, in Anthropic's words.
    #[serde(rename = "type")]
    pub kind: String,
    /// What went wrong with this request.
    pub message: String,
    /// Stable, documented code; LMO's own addition.
    pub code: String,
    /// What Anthropic's clients go by, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<AnthropicDetails>,
}

/// What Anthropic's clients go by.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AnthropicDetails {
    /// Anthropic's code of the error.
    pub error_code: String,
}

/// The body of a response that is an error in Anthropic's shape.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AnthropicProblem {
    /// `error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The error.
    pub error: AnthropicError,
    /// The request's `X-Request-Id`.
    pub request_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::ProviderError;

    #[test]
    fn the_parameter_at_fault_is_in_the_message_once() {
        let message = |error: Error| anthropic_body(&error, &RequestLabel::unknown()).error.message;
        assert_eq!(message(Error::invalid("top_k", "top_k: it must be a number")), "top_k: it must be a number");
        let unsupported = ProviderError::unsupported("seed", "not here");
        assert_eq!(message(unsupported.into()), "seed: not here");
    }

    #[test]
    fn a_client_that_asks_for_a_thread_is_told_to_send_its_conversation_whole() {
        let details = |error: Error| serde_json::to_value(anthropic_body(&error, &RequestLabel::unknown())).unwrap();
        let refused = details(Error::invalid("thread", "thread: it is not supported"));
        assert_eq!(refused["error"]["details"]["error_code"], "thread_unsupported_request");
        let other = details(Error::invalid("messages[0].thread", "messages[0].thread: it is not supported"));
        assert!(other["error"].get("details").is_none());
    }

    #[test]
    fn a_provider_that_is_down_is_overloaded_in_anthropics_words() {
        let error = Error::from(ProviderError::Unavailable { status: 529, retry_after: None });
        assert_eq!(anthropic_body(&error, &RequestLabel::unknown()).error.kind, "overloaded_error");
    }
}
