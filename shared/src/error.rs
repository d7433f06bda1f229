//! The one error of the library. It knows no HTTP: `http::problem` renders it for `/api`, `http::openai` for `/v1`,
//! and streams as an `error` event.

use std::{fmt, net::IpAddr, time::Duration};

use crate::{auth::Restriction, llm::ProviderError, quota::Refusal};

/// What every fallible function of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, in the words that a caller may see. `Display` is safe to show to a tenant, `Debug` to
/// put into a log: sources are for the log, and what callers and providers said is not.
#[derive(thiserror::Error)]
pub enum Error {
    /// No credential, or one that is malformed, unknown, revoked or expired.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The password is right, and the account has a second factor.
    #[error("a code of the second factor is needed as well, as `code` or `recovery_code`")]
    SecondFactorRequired,
    /// An access token that is malformed, expired, or not ours, or whose holder is gone (RFC 6750 section 3.1).
    #[error("{0}")]
    InvalidToken(&'static str),
    /// The access token opens nothing but its person's own account.
    #[error("{}", restricted(*.0))]
    Restricted(Restriction),
    /// The credential is good, but not for this.
    #[error("{0}")]
    Forbidden(String),
    /// The browser's origin is not in the tenant's list.
    #[error("origin `{0}` is not allowed by this tenant")]
    OriginNotAllowed(String),
    /// The key's list doesn't have the client's address.
    #[error("this API key may not be used from {}", .0.map_or("an unknown address".to_owned(), |at| at.to_string()))]
    AddressNotAllowed(Option<IpAddr>),
    /// The tenant's configuration, or its key, doesn't allow the model.
    #[error("model `{0}` is not allowed for this tenant or key")]
    ModelNotAllowed(String),
    /// Nobody offers the model in the regions that the tenant allows.
    #[error("model `{0}` is not offered in the regions that this tenant allows")]
    RegionNotAllowed(String),
    /// The key doesn't allow a tool that the request brings.
    #[error("tool `{tool}` is not allowed for this key")]
    ToolNotAllowed {
        /// Where it is in the request (`tools[0]`).
        param: String,
        /// Its name.
        tool: String,
    },
    /// The tenant has nothing kept of its requests, so there are no conversations to continue.
    #[error("this tenant has nothing kept (`retention_days` is 0), so there are no sessions")]
    NothingKept,
    /// No model or alias of that name in the catalogue.
    #[error("model `{0}` does not exist")]
    ModelNotFound(String),
    /// No such thing, or somebody else's: the caller can't tell which.
    #[error("{kind} `{id}` does not exist")]
    NotFound {
        /// What was looked for, in the singular.
        kind: &'static str,
        /// As the caller named it.
        id: String,
    },
    /// No such path.
    #[error("no route for {0}")]
    NoRoute(String),
    /// The path exists, not with this method.
    #[error("method {0} is not allowed here")]
    MethodNotAllowed(String),
    /// A body that is not JSON, or stops in the middle.
    #[error("the body is not valid JSON: {0}")]
    BadJson(String),
    /// A value of a wrong type or out of range.
    #[error("{detail}")]
    Invalid {
        /// The parameter, as a path into the body or query (`messages[0].role`).
        param: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The tenant's guardrails refuse the request.
    #[error("the request was refused by guardrail `{rule}`")]
    Blocked {
        /// The rule's name; `allow` if none of the allowed patterns matches; `too_complex` if the rules would take too
        /// long for this text.
        rule: String,
    },
    /// The prompt and the asked output can't fit into the model's window.
    #[error("the prompt takes up to {needed} tokens, but model `{model}` has a context window of {window}")]
    ContextTooLong {
        /// Upper bound of the prompt and the least output.
        needed: u64,
        /// The model's window.
        window: u64,
        /// The model's name in the catalogue.
        model: String,
    },
    /// The model lacks a capability that the request needs.
    #[error("model `{model}` does not support {feature}")]
    Unsupported {
        /// The model's name in the catalogue.
        model: String,
        /// What was asked of it.
        feature: &'static str,
    },
    /// The request wanted nothing but a kept answer, and there is none.
    #[error("there is no answer to this request in the cache")]
    NotCached,
    /// A body larger than the limit.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A content type other than JSON.
    #[error("the body must be application/json, not `{0}`")]
    UnsupportedMediaType(String),
    /// A cap or a rate limit refused the request.
    #[error("{0}")]
    Refused(Refusal),
    /// A concurrent change won, or a precondition doesn't hold.
    #[error("{0}")]
    Conflict(String),
    /// `If-Match` names another version than the one that is there.
    #[error("it has changed meanwhile; read it again")]
    PreconditionFailed,
    /// The `Idempotency-Key` came before with another body.
    #[error("the Idempotency-Key was used with another request")]
    IdempotencyMismatch,
    /// Too many failed attempts to prove who one is.
    #[error("too many attempts; try again later")]
    TooManyAttempts {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// The operator suspended the tenant, or it is being deleted.
    #[error("this tenant is suspended, or is being deleted")]
    TenantSuspended,
    /// The model's provider failed.
    #[error("{0}")]
    Provider(#[from] ProviderError),
    /// The overall deadline passed before there was an answer.
    #[error("no answer within {} seconds", .0.as_secs())]
    DeadlineExceeded(Duration),
    /// State can't be reached or is throttled; trying again is safe.
    #[error("the service is busy, try again")]
    Unavailable(#[source] Source),
    /// A defect or a broken item. The source is for the log only.
    #[error("internal error")]
    Internal(#[source] Source),
}

/// The code, a provider's status, and the causes of what is not the caller's doing. Nothing that a caller or a provider
/// wrote: it may be a prompt, an answer or a key.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        match self {
            Self::Provider(ProviderError::Rejected { status, .. } | ProviderError::Unavailable { status, .. }) => {
                write!(f, ": status {status}")
            }
            Self::Unavailable(source) | Self::Internal(source) => causes(source.as_ref(), f),
            _ => Ok(()),
        }
    }
}

fn causes(source: &(dyn std::error::Error + 'static), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut next = Some(source);
    while let Some(cause) = next {
        // It quotes the value that is wrong, which may be content.
        if cause.is::<serde_json::Error>() || cause.is::<serde_dynamo::Error>() {
            return f.write_str(": an item can't be read or written");
        }
        write!(f, ": {cause}")?;
        next = cause.source();
    }
    Ok(())
}

fn restricted(why: Restriction) -> &'static str {
    match why {
        Restriction::EmailUnverified => "confirm your e-mail address first, by the link in the mail that you got",
        Restriction::SecondFactorMissing => "this tenant wants a second factor: set one up, and sign in with it",
    }
}

/// A cause that is logged and never shown.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// An internal error from anything that can be one.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// A bad value of a parameter.
    pub fn invalid(param: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), detail: detail.into() }
    }

    /// The stable, documented code of the error: part of the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) | Self::InvalidToken(_) => "unauthenticated",
            Self::SecondFactorRequired => "second_factor_required",
            Self::Restricted(Restriction::EmailUnverified) => "email_unverified",
            Self::Restricted(Restriction::SecondFactorMissing) => "second_factor_missing",
            Self::Forbidden(_) => "forbidden",
            Self::OriginNotAllowed(_) => "origin_not_allowed",
            Self::AddressNotAllowed(_) => "address_not_allowed",
            Self::ModelNotAllowed(_) => "model_not_allowed",
            Self::RegionNotAllowed(_) => "region_not_allowed",
            Self::ToolNotAllowed { .. } => "tool_not_allowed",
            Self::NothingKept => "nothing_kept",
            Self::ModelNotFound(_) => "model_not_found",
            Self::NotFound { .. } => "not_found",
            Self::NoRoute(_) => "no_route",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::BadJson(_) => "bad_json",
            Self::Invalid { .. } => "invalid_request",
            Self::Blocked { .. } => "guardrail_blocked",
            Self::ContextTooLong { .. } => "context_length_exceeded",
            Self::Unsupported { .. } => "unsupported",
            Self::NotCached => "not_cached",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::Refused(refusal) => refusal.code(),
            Self::Conflict(_) => "conflict",
            Self::PreconditionFailed => "precondition_failed",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::TenantSuspended => "tenant_suspended",
            Self::Provider(error) => error.code(),
            Self::DeadlineExceeded(_) => "deadline_exceeded",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether it is the platform's or its provider's fault and not the caller's: somebody should look at it.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Internal(_) | Self::Unavailable(_) | Self::DeadlineExceeded(_) => true,
            Self::Provider(
                ProviderError::Rejected { .. } | ProviderError::Unsupported { .. } | ProviderError::KeyRefused,
            ) => false,
            Self::Provider(error) => !matches!(error, ProviderError::RateLimited { .. }),
            _ => false,
        }
    }

    /// Whether the same request may succeed if it is sent again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_rate(),
            Self::Provider(error) => error.is_retryable(),
            Self::Conflict(_) | Self::DeadlineExceeded(_) | Self::TooManyAttempts { .. } | Self::Unavailable(_) => true,
            Self::Unauthenticated(_)
            | Self::SecondFactorRequired
            | Self::InvalidToken(_)
            | Self::Restricted(_)
            | Self::Forbidden(_)
            | Self::OriginNotAllowed(_)
            | Self::AddressNotAllowed(_)
            | Self::ModelNotAllowed(_)
            | Self::RegionNotAllowed(_)
            | Self::ToolNotAllowed { .. }
            | Self::NothingKept
            | Self::ModelNotFound(_)
            | Self::NotFound { .. }
            | Self::NoRoute(_)
            | Self::MethodNotAllowed(_)
            | Self::BadJson(_)
            | Self::Invalid { .. }
            | Self::Blocked { .. }
            | Self::ContextTooLong { .. }
            | Self::Unsupported { .. }
            | Self::NotCached
            | Self::BodyTooLarge { .. }
            | Self::UnsupportedMediaType(_)
            | Self::PreconditionFailed
            | Self::IdempotencyMismatch
            | Self::TenantSuspended
            | Self::Internal(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_and_providers_say_is_not_logged() {
        const SAID: &str = "my secret prompt";
        let rejected = ProviderError::Rejected {
            status: 400,
            message: SAID.to_owned(),
            code: Some(SAID.to_owned()),
            kind: Some(SAID.to_owned()),
            param: Some(SAID.to_owned()),
        };
        let quoting = serde_json::from_str::<u64>(&format!("\"{SAID}\"")).unwrap_err();
        assert!(quoting.to_string().contains(SAID));
        let errors = [
            Error::BadJson(SAID.to_owned()),
            Error::invalid(SAID, SAID),
            Error::NoRoute(SAID.to_owned()),
            Error::ModelNotFound(SAID.to_owned()),
            Error::from(rejected),
            Error::from(ProviderError::Malformed(SAID.to_owned())),
            Error::from(ProviderError::InStream { message: SAID.to_owned() }),
            Error::internal(quoting),
        ];
        for error in errors {
            assert!(!format!("{error:?}").contains(SAID), "{}", error.code());
        }
    }

    #[test]
    fn causes_are_logged() {
        let source = std::io::Error::other("connection reset");
        assert_eq!(format!("{:?}", Error::Unavailable(source.into())), "unavailable: connection reset");
    }
}
