//! How a provider's call can fail. The pipeline branches on it: some failures are tried again, some move on to another
//! provider, some are the caller's own. `Display` is what a tenant may read; fields beyond it are for the log.

use std::time::Duration;

use crate::aws::NoCredentials;

/// A failed call, in one shape for all providers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The provider refused the request itself (400, 404, 413, 422): the caller's fault, told in the provider's words.
    #[error("{message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The provider's explanation.
        message: String,
        /// Its code, if it has one (`context_length_exceeded`).
        code: Option<String>,
        /// Its type of error (`invalid_request_error`).
        kind: Option<String>,
        /// The parameter that it names.
        param: Option<String>,
    },
    /// The request has something that the provider's wire format can't say. It was not sent.
    #[error("{message}")]
    Unsupported {
        /// The parameter that can't be said.
        param: String,
        /// What is wrong with it, for the caller.
        message: String,
    },
    /// The provider refused the operator: a bad key, no permission, an unpaid bill. Nothing of it is shown.
    #[error("the model's provider is not set up correctly; its operator has to see to it")]
    Credentials,
    /// The provider refused a key that is the tenant's own.
    #[error("the model's provider refuses the key that this tenant has brought for it")]
    KeyRefused,
    /// The operator's own limit at the provider (429).
    #[error("the model's provider is over its capacity for now")]
    RateLimited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider is down or overloaded (408, 5xx).
    #[error("the model's provider is not available")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider failed so often that it is left alone for a while. Nothing was sent.
    #[error("the model's provider keeps failing and is left alone for a while")]
    CircuitOpen {
        /// How long it is left alone.
        retry_after: Duration,
    },
    /// No connection, or one that closed before there was an answer.
    #[error("the model's provider could not be reached")]
    Connect,
    /// No answer, or no next piece of it, in time.
    #[error("the model's provider did not answer in time")]
    Timeout,
    /// The stream ended before the answer did.
    #[error("the model's provider broke off its answer")]
    Cut,
    /// Something else than the provider's wire format; the text is for the log.
    #[error("the model's provider gave an answer that could not be read")]
    Malformed(String),
    /// The provider reported an error in the middle of its answer.
    #[error("the model's provider failed while it was answering")]
    InStream {
        /// Its explanation, for the log: it speaks of the provider's inside.
        message: String,
    },
}

impl From<NoCredentials> for ProviderError {
    fn from(NoCredentials: NoCredentials) -> Self {
        Self::Credentials
    }
}

impl ProviderError {
    /// A parameter that a wire format can't say.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unsupported { param: param.into(), message: message.into() }
    }

    /// The stable, documented code of the error: part of the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "provider_rejected",
            Self::Unsupported { .. } => "unsupported",
            Self::Credentials => "provider_credentials",
            Self::KeyRefused => "provider_key_refused",
            Self::RateLimited { .. } => "provider_rate_limited",
            Self::Unavailable { .. } => "provider_unavailable",
            Self::CircuitOpen { .. } => "provider_circuit_open",
            Self::Connect => "provider_unreachable",
            Self::Timeout => "provider_timeout",
            Self::Cut => "provider_cut",
            Self::Malformed(_) => "provider_malformed",
            Self::InStream { .. } => "provider_failed",
        }
    }

    /// Whether the same call to the same provider may succeed soon, and nothing of an answer was seen yet.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::CircuitOpen { .. }
            | Self::Connect
            | Self::Timeout => true,
            Self::Rejected { .. }
            | Self::Unsupported { .. }
            | Self::Credentials
            | Self::KeyRefused
            | Self::Cut
            | Self::Malformed(_)
            | Self::InStream { .. } => false,
        }
    }

    /// Whether the request itself is at fault, so that another provider would hardly do better. A model that the provider
    /// doesn't know (404) is the operator's mistake.
    #[must_use]
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Rejected { status, .. } => *status != 404,
            Self::Unsupported { .. } => true,
            Self::Credentials
            | Self::KeyRefused
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::CircuitOpen { .. }
            | Self::Connect
            | Self::Timeout
            | Self::Cut
            | Self::Malformed(_)
            | Self::InStream { .. } => false,
        }
    }

    /// Whether the provider may have worked on the request, and so may want to be paid for it.
    #[must_use]
    pub fn may_have_cost(&self) -> bool {
        match self {
            Self::Timeout | Self::Cut | Self::Malformed(_) | Self::InStream { .. } => true,
            Self::Rejected { .. }
            | Self::Unsupported { .. }
            | Self::Credentials
            | Self::KeyRefused
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::CircuitOpen { .. }
            | Self::Connect => false,
        }
    }

    /// How long the provider asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::CircuitOpen { retry_after } => Some(*retry_after),
            Self::Rejected { .. }
            | Self::Unsupported { .. }
            | Self::Credentials
            | Self::KeyRefused
            | Self::Connect
            | Self::Timeout
            | Self::Cut
            | Self::Malformed(_)
            | Self::InStream { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_says_of_itself_is_not_shown() {
        let inside = "host gpu-17 is out of memory".to_owned();
        for error in [ProviderError::Malformed(inside.clone()), ProviderError::InStream { message: inside.clone() }] {
            assert!(!error.to_string().contains(&inside));
        }
    }
}
