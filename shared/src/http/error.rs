//! Errors as responses.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RequestLabel, rate_limit};
use crate::{clock::Timestamp, error::Error, llm::ProviderError, quota::Refusal, telemetry};
pub(super) use anthropic::is_path as is_anthropics;
pub use anthropic::{AnthropicDetails, AnthropicError, AnthropicProblem, anthropic_body};

mod anthropic;

/// An error on its way to be rendered.
#[derive(Debug)]
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

/// Marks a response that pages of the asking origin may not read.
#[derive(Clone)]
pub(super) struct Refused;

/// A problem document, RFC 9457.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong with this request.
    pub detail: String,
    /// Stable, documented code.
    pub code: String,
    /// The parameter at fault, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// The request's `X-Request-Id`.
    pub request_id: String,
}

impl Problem {
    /// The document of an error.
    #[must_use]
    pub fn of(error: &Error, request_id: &str) -> Self {
        let status = status(error);
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: error.to_string(),
            code: error.code().to_owned(),
            param: param(error),
            request_id: request_id.to_owned(),
        }
    }
}

/// The status of an error.
#[must_use]
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::Unauthenticated(_) | Error::InvalidToken(_) | Error::SecondFactorRequired => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_)
        | Error::Restricted(_)
        | Error::OriginNotAllowed(_)
        | Error::AddressNotAllowed(_)
        | Error::ModelNotAllowed(_)
        | Error::RegionNotAllowed(_)
        | Error::ToolNotAllowed { .. }
        | Error::TenantSuspended => StatusCode::FORBIDDEN,
        Error::ModelNotFound(_) | Error::NotFound { .. } | Error::NoRoute(_) | Error::NotCached => {
            StatusCode::NOT_FOUND
        }
        Error::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
        Error::BadJson(_)
        | Error::Invalid { .. }
        | Error::NothingKept
        | Error::Blocked { .. }
        | Error::Refused(Refusal::NeverFits { .. })
        | Error::ContextTooLong { .. }
        | Error::Unsupported { .. } => StatusCode::BAD_REQUEST,
        Error::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Refused(Refusal::Quota { .. }) => StatusCode::PAYMENT_REQUIRED,
        Error::Refused(Refusal::Rate { .. }) | Error::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Error::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Provider(error) => provider_status(error),
        Error::DeadlineExceeded(_) => StatusCode::GATEWAY_TIMEOUT,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn provider_status(error: &ProviderError) -> StatusCode {
    match error {
        ProviderError::Rejected { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST),
        ProviderError::Unsupported { .. } => StatusCode::BAD_REQUEST,
        ProviderError::KeyRefused => StatusCode::FORBIDDEN,
        ProviderError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        ProviderError::Unavailable { .. } | ProviderError::CircuitOpen { .. } | ProviderError::Connect => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ProviderError::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ProviderError::Credentials
        | ProviderError::Cut
        | ProviderError::Malformed(_)
        | ProviderError::InStream { .. } => StatusCode::BAD_GATEWAY,
    }
}

/// Gives a failed response its body, in the shape of its path's family, and notes why it failed, for the request's log
/// line.
pub(super) fn render(response: Response, path: &str, label: &RequestLabel, now: Timestamp) -> Response {
    let Some(failure) = response.extensions().get::<std::sync::Arc<Failure>>().cloned() else { return response };
    let error = &failure.0;
    telemetry::failed(error);
    let mut rendered = match path {
        _ if is_anthropics(path) => anthropic::response(error, label),
        _ if path.starts_with("/v1/") => openai(error),
        _ => problem(error, label),
    };
    for (name, value) in response.headers() {
        if name == header::ALLOW {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    for (name, value) in headers(error, now) {
        rendered.headers_mut().insert(name, value);
    }
    if matches!(error, Error::OriginNotAllowed(_)) {
        rendered.extensions_mut().insert(Refused);
    }
    rendered
}

fn problem(error: &Error, label: &RequestLabel) -> Response {
    let kind = HeaderValue::from_static("application/problem+json");
    (status(error), [(header::CONTENT_TYPE, kind)], Json(Problem::of(error, label.as_str()))).into_response()
}

/// As the `OpenAI` API writes errors.
fn openai(error: &Error) -> Response {
    (status(error), Json(openai_body(error))).into_response()
}

/// The body of an error in `OpenAI`'s shape, in a response or in a stream.
#[must_use]
pub fn openai_body(error: &Error) -> OpenAiProblem {
    let kind = match status(error) {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::PAYMENT_REQUIRED => "insufficient_quota",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    };
    let (kind, code, param) = match error {
        // What the provider said of the caller's request, in its own words.
        Error::Provider(ProviderError::Rejected { kind: own, code, param, .. }) => {
            (own.as_deref().unwrap_or(kind), code.as_deref().unwrap_or(error.code()), param.clone())
        }
        _ => (kind, error.code(), param(error)),
    };
    let (kind, code) = (kind.to_owned(), code.to_owned());
    OpenAiProblem { error: OpenAiError { message: error.to_string(), kind, param, code } }
}

/// An error in `OpenAI`'s shape.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenAiError {
    /// What went wrong with this request.
    pub message: String,
    /// Its kind, in `OpenAI`'s words.
    #[serde(rename = "type")]
    pub kind: String,
    /// The parameter at fault, if it is one.
    pub param: Option<String>,
    /// Stable, documented code; a provider's own, if it refused the request.
    pub code: String,
}

/// The body of a response that is an error in `OpenAI`'s shape.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenAiProblem {
    /// The error.
    pub error: OpenAiError,
}

fn param(error: &Error) -> Option<String> {
    match error {
        Error::Invalid { param, .. }
        | Error::ToolNotAllowed { param, .. }
        | Error::Provider(ProviderError::Unsupported { param, .. }) => Some(param.clone()),
        Error::ModelNotFound(_) | Error::ModelNotAllowed(_) | Error::RegionNotAllowed(_) => Some("model".to_owned()),
        Error::NothingKept => Some("context.sessionId".to_owned()),
        Error::ContextTooLong { .. } => Some("messages".to_owned()),
        _ => None,
    }
}

fn headers(error: &Error, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    if let Error::Refused(refusal) = error {
        headers.extend(rate_limit::of_refusal(refusal, now));
    }
    headers.extend(retry_after(error, now).map(|after| (header::RETRY_AFTER, HeaderValue::from(after))));
    // RFC 6750 section 3.
    let challenge = match error {
        Error::Unauthenticated(_) => Some("Bearer"),
        Error::InvalidToken(_) => Some("Bearer error=\"invalid_token\""),
        _ => None,
    };
    headers.extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))));
    headers
}

/// After how many seconds to come again, for an error that may pass.
#[must_use]
pub fn retry_after(error: &Error, now: Timestamp) -> Option<u64> {
    let asked = match error {
        Error::Refused(refusal) => refusal.retry_after(now),
        Error::Provider(error) => error.retry_after(),
        Error::TooManyAttempts { retry_after } => Some(*retry_after),
        _ => None,
    };
    let seconds = |after: Duration| (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1);
    // Whoever is told to come again is told when.
    let told = matches!(status(error), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE).then_some(1);
    asked.map(seconds).or(told)
}
