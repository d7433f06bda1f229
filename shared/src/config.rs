//! Configuration from the environment. This file alone reads it; everything else is passed what it needs.

use std::{env, time::Duration};

/// What the functions are configured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `LMO_TABLE`: the DynamoDB table; `lmo` if unset.
    pub table: String,
    /// `LMO_STREAM`: the Kinesis stream of usage events; `lmo-usage` if unset.
    pub stream: String,
    /// `LMO_REQUEST_DEADLINE_SECONDS`: the most time that a request may take, 1 to 900; 300 if unset.
    pub request_deadline: Duration,
    /// Whether an answer waits until everything about it is settled, as it must where the process is frozen behind it.
    pub flush: Flush,
}

/// When the last byte of an answer may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// After the meter is settled and the event published: on Lambda, which freezes behind the last byte.
    BeforeReturning,
    /// After the ledger has the request: where the process lives on and finishes the rest at once.
    Behind,
}

/// A variable that is missing or bad.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct BadVariable {
    variable: &'static str,
    problem: String,
}

impl Config {
    /// From the process's environment.
    ///
    /// # Errors
    /// The first variable that is bad, by name.
    pub fn from_env(flush: Flush) -> Result<Self, BadVariable> {
        Self::from(&variable, flush)
    }

    fn from(lookup: &dyn Fn(&str) -> Option<String>, flush: Flush) -> Result<Self, BadVariable> {
        let name = |variable: &'static str, default: &str| match lookup(variable) {
            Some(value) if value.is_empty() => Err(BadVariable { variable, problem: "must not be empty".to_owned() }),
            value => Ok(value.unwrap_or_else(|| default.to_owned())),
        };
        Ok(Self {
            table: name("LMO_TABLE", "lmo")?,
            stream: name("LMO_STREAM", "lmo-usage")?,
            request_deadline: seconds(lookup, "LMO_REQUEST_DEADLINE_SECONDS", 1..=900, 300)?,
            flush,
        })
    }
}

fn seconds(
    lookup: &dyn Fn(&str) -> Option<String>,
    variable: &'static str,
    range: std::ops::RangeInclusive<u64>,
    default: u64,
) -> Result<Duration, BadVariable> {
    let Some(text) = lookup(variable) else { return Ok(Duration::from_secs(default)) };
    let parsed = text.trim().parse().ok().filter(|seconds| range.contains(seconds));
    parsed.map(Duration::from_secs).ok_or_else(|| BadVariable {
        variable,
        problem: format!("must be a number of seconds from {} to {}, not `{text}`", range.start(), range.end()),
    })
}

/// An environment variable by its name, for what the catalogue refers to (`api_key = { env = "OPENAI_API_KEY" }`).
/// Empty is as good as unset.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_variable_is_named() {
        let lookup = |name: &str| (name == "LMO_REQUEST_DEADLINE_SECONDS").then(|| "soon".to_owned());
        let error = Config::from(&lookup, Flush::Behind).unwrap_err().to_string();
        assert!(error.starts_with("LMO_REQUEST_DEADLINE_SECONDS: must be a number"), "{error}");
    }

    #[test]
    fn everything_has_a_default() {
        let config = Config::from(&|_| None, Flush::Behind).unwrap();
        assert_eq!((config.table.as_str(), config.request_deadline.as_secs()), ("lmo", 300));
    }
}
