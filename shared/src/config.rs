//! Configuration from the environment. This file alone reads it; everything else is passed what it needs.

use std::{env, fmt, time::Duration};

use reqwest::Url;
use subtle::ConstantTimeEq;

use crate::mail::EmailAddress;

/// Where a function gets its events from.
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// What the functions are configured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `LMO_TABLE`: the DynamoDB table; on a laptop `lmo` if unset.
    pub table: String,
    /// `LMO_STREAM`: the Kinesis stream of usage events; on a laptop `lmo-usage` if unset.
    pub stream: String,
    /// `LMO_REQUEST_DEADLINE_SECONDS`: the most time that a request may take, 1 to 900; 300 if unset.
    pub request_deadline: Duration,
    /// `LMO_ISSUER`: the https URL that the deployment is reached at, without a slash at its end: who issues tokens, whom
    /// they are for, and where links in mails lead. On a laptop the port of this machine if unset.
    pub issuer: String,
    /// `LMO_SECRETS`: what the names of the deployment's own secrets begin with; `lmo` if unset.
    pub secrets: String,
    /// `LMO_ORIGIN_TOKEN`: what requests must bring, one of several if it has commas, so that nobody comes past what
    /// stands in front; nothing if unset.
    pub origin_token: Option<OriginToken>,
    /// Whether an answer waits until everything about it is settled, as it must where the process is frozen behind it.
    pub flush: Flush,
    /// How far calls go to addresses that tenants choose.
    pub reach: Reach,
    /// The Lambda function that this is, if it is one.
    pub function: Option<OwnFunction>,
}

/// The Lambda function that a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFunction {
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets.
    pub name: String,
    /// `AWS_LAMBDA_FUNCTION_VERSION`, which Lambda sets.
    pub version: String,
}

/// How far calls go to addresses that tenants choose, see [`outbound`](crate::outbound).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses, over https.
    Public,
    /// To the machine itself too, and over http: on a laptop.
    Laptop,
}

/// When the last byte of an answer may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// After the meter is settled and the event published: on Lambda, which freezes behind the last byte.
    BeforeReturning,
    /// After the ledger has the request: where the process lives on and finishes the rest at once.
    Behind,
}

/// The secrets of which whatever stands in front of the functions adds one to each request: while one is replaced by
/// another, both are good. Their texts are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct OriginToken(Vec<String>);

impl OriginToken {
    /// Whether these bytes are one of the tokens, in a time that tells nothing of them.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.iter().fold(false, |found, token| found | bool::from(token.as_bytes().ct_eq(given)))
    }
}

impl fmt::Debug for OriginToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginToken(***)")
    }
}

/// What is logged, and who is told what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// `RUST_LOG`: what is logged.
    pub filter: Option<String>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector that spans are sent to, over OTLP/HTTP; none if unset.
    pub collector: Option<Url>,
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets: the function's name.
    pub function: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_VERSION`, which Lambda sets: its version.
    pub version: Option<String>,
}

impl Watch {
    /// From the process's environment.
    ///
    /// # Errors
    /// A collector that is no http or https URL.
    pub fn from_env() -> Result<Self, BadVariable> {
        Self::from(&variable)
    }

    fn from(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadVariable> {
        const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let url = |text: String| {
            let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            url.ok_or_else(|| BadVariable::new(COLLECTOR, format!("must be an http or https URL, not `{text}`")))
        };
        Ok(Self {
            filter: lookup("RUST_LOG"),
            collector: lookup(COLLECTOR).map(url).transpose()?,
            function: lookup(FUNCTION_NAME),
            version: lookup(FUNCTION_VERSION),
        })
    }
}

/// A variable that is missing or bad.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct BadVariable {
    variable: &'static str,
    problem: String,
}

impl Config {
    /// A laptop's that serves on `port`, from the process's environment. Everything has a default.
    ///
    /// # Errors
    /// The first variable that is bad, by name.
    pub fn of_laptop(port: u16) -> Result<Self, BadVariable> {
        let default = format!("http://127.0.0.1:{port}");
        let lookup = |name: &str| variable(name).or_else(|| (name == ISSUER).then(|| default.clone()));
        Self::from(&lookup, Flush::Behind)
    }

    /// A function's, from the process's environment. What a deployment chooses has no default.
    ///
    /// # Errors
    /// The first variable that is missing or bad, by name.
    pub fn of_function() -> Result<Self, BadVariable> {
        if variable(RUNTIME_API).is_none() {
            let problem =
                "must be set, as Lambda and `cargo lambda watch` do; `cargo run` serves all functions".to_owned();
            return Err(BadVariable { variable: RUNTIME_API, problem });
        }
        Self::from(&variable, Flush::BeforeReturning)
    }

    fn from(lookup: &dyn Fn(&str) -> Option<String>, flush: Flush) -> Result<Self, BadVariable> {
        let name = |variable, default: &str| match flush {
            Flush::BeforeReturning => lookup(variable).ok_or_else(|| BadVariable::missing(variable)),
            Flush::Behind => Ok(lookup(variable).unwrap_or_else(|| default.to_owned())),
        };
        Ok(Self {
            table: name("LMO_TABLE", "lmo")?,
            stream: name("LMO_STREAM", "lmo-usage")?,
            issuer: issuer(&lookup(ISSUER).ok_or_else(|| BadVariable::missing(ISSUER))?)?,
            secrets: secrets(lookup)?,
            request_deadline: seconds(lookup, "LMO_REQUEST_DEADLINE_SECONDS", 1..=900, 300)?,
            origin_token: origin_token(lookup, "LMO_ORIGIN_TOKEN")?,
            flush,
            reach: match flush {
                Flush::BeforeReturning => Reach::Public,
                Flush::Behind => Reach::Laptop,
            },
            function: own_function(lookup),
        })
    }
}

fn own_function(lookup: &dyn Fn(&str) -> Option<String>) -> Option<OwnFunction> {
    Some(OwnFunction { name: lookup(FUNCTION_NAME)?, version: lookup(FUNCTION_VERSION)? })
}

const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
const FUNCTION_VERSION: &str = "AWS_LAMBDA_FUNCTION_VERSION";
const ISSUER: &str = "LMO_ISSUER";

fn issuer(text: &str) -> Result<String, BadVariable> {
    let url = Url::parse(text).ok().filter(is_private).filter(|url| url.query().is_none() && url.fragment().is_none());
    if url.is_some_and(|url| url.username().is_empty() && url.password().is_none()) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(BadVariable::new(ISSUER, format!("must be an https URL, not `{text}`")))
}

fn secrets(lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, BadVariable> {
    const NAME: &str = "LMO_SECRETS";
    let prefix = lookup(NAME).unwrap_or_else(|| "lmo".to_owned());
    // What the names of secrets may consist of.
    let good = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte));
    if good { Ok(prefix) } else { Err(BadVariable::new(NAME, format!("can't begin a secret's name: `{prefix}`"))) }
}

/// What goes there is a customer's: in the clear it goes to this machine alone.
fn is_private(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost")),
        _ => false,
    }
}

/// `LMO_WEBSOCKET_ENDPOINT`: where the `websocket` function posts frames, the URL of its API's stage.
///
/// # Errors
/// It is missing or bad.
pub fn websocket_endpoint() -> Result<Url, BadVariable> {
    const NAME: &str = "LMO_WEBSOCKET_ENDPOINT";
    websocket_endpoint_of(NAME, &required(NAME)?)
}

/// `LMO_MAIL_FROM`: the address that mails are from, an identity that Amazon SES has verified.
///
/// # Errors
/// It is missing or no address.
pub fn mail_from() -> Result<EmailAddress, BadVariable> {
    const NAME: &str = "LMO_MAIL_FROM";
    EmailAddress::parse(&required(NAME)?).map_err(|_| BadVariable::new(NAME, "must be an e-mail address"))
}

/// `LMO_EXPORT_BUCKET`: the bucket that the usage export goes to; `None` if it goes nowhere.
///
/// # Errors
/// It is none. With a dot in its name its address would have no certificate.
pub fn export_bucket() -> Result<Option<String>, BadVariable> {
    const NAME: &str = "LMO_EXPORT_BUCKET";
    let Some(bucket) = variable(NAME) else { return Ok(None) };
    let letters = bucket.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if letters && (3..=63).contains(&bucket.len()) {
        return Ok(Some(bucket));
    }
    Err(BadVariable::new(NAME, "must be the name of a bucket without dots"))
}

fn websocket_endpoint_of(variable: &'static str, text: &str) -> Result<Url, BadVariable> {
    let bad = || BadVariable { variable, problem: format!("must be an https URL, not `{text}`") };
    text.parse().ok().filter(is_private).ok_or_else(bad)
}

/// A variable that has no default.
///
/// # Errors
/// It is missing or empty.
pub fn required(name: &'static str) -> Result<String, BadVariable> {
    variable(name).ok_or_else(|| BadVariable::missing(name))
}

impl BadVariable {
    pub(crate) fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }

    fn missing(variable: &'static str) -> Self {
        Self { variable, problem: "must be set".to_owned() }
    }
}

fn origin_token(
    lookup: &dyn Fn(&str) -> Option<String>,
    variable: &'static str,
) -> Result<Option<OriginToken>, BadVariable> {
    let Some(text) = lookup(variable) else { return Ok(None) };
    let tokens: Vec<String> = text.split(',').map(str::to_owned).collect();
    let good = |token: &String| token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic());
    if tokens.iter().all(good) {
        return Ok(Some(OriginToken(tokens)));
    }
    let problem = "must be at least 16 printable ASCII characters, or several such separated by commas";
    Err(BadVariable::new(variable, problem))
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
        let lookup = |name: &str| match name {
            "LMO_REQUEST_DEADLINE_SECONDS" => Some("soon".to_owned()),
            _ => (name == ISSUER).then(|| "https://lmo.example".to_owned()),
        };
        let error = Config::from(&lookup, Flush::Behind).unwrap_err().to_string();
        assert!(error.starts_with("LMO_REQUEST_DEADLINE_SECONDS: must be a number"), "{error}");
    }

    #[test]
    fn a_collector_is_a_url() {
        let of = |text: &'static str| Watch::from(&move |name| name.starts_with("OTEL").then(|| text.to_owned()));
        assert!(of("http://127.0.0.1:4318").is_ok());
        let error = of("localhost:4318").unwrap_err().to_string();
        assert!(error.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: must be an http"), "{error}");
    }

    #[test]
    fn everything_has_a_default_on_a_laptop() {
        let config = Config::of_laptop(8080).unwrap();
        assert_eq!((config.table.as_str(), config.request_deadline.as_secs()), ("lmo", 300));
        assert_eq!((config.issuer.as_str(), config.secrets.as_str()), ("http://127.0.0.1:8080", "lmo"));
    }

    #[test]
    fn a_function_says_which_name_it_misses() {
        let lookup = |name: &str| (name == "LMO_TABLE").then(|| "lmo".to_owned());
        let error = Config::from(&lookup, Flush::BeforeReturning).unwrap_err().to_string();
        assert_eq!(error, "LMO_STREAM: must be set");
    }

    #[test]
    fn an_issuer_is_an_https_url() {
        assert_eq!(issuer("https://lmo.example/").unwrap(), "https://lmo.example");
        for bad in ["http://lmo.example", "lmo.example", "https://lmo.example/?a", "https://a:b@lmo.example", ""] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn frames_are_posted_over_https() {
        let endpoint = |text| websocket_endpoint_of("LMO_WEBSOCKET_ENDPOINT", text);
        assert!(endpoint("https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/live").is_ok());
        assert!(endpoint("http://127.0.0.1:4566/live").is_ok());
        for bad in ["http://example.com/live", "wss://example.com/live", "example.com"] {
            let error = endpoint(bad).unwrap_err().to_string();
            assert_eq!(error, format!("LMO_WEBSOCKET_ENDPOINT: must be an https URL, not `{bad}`"));
        }
    }

    #[test]
    fn a_short_origin_token_is_refused_and_a_long_one_not_shown() {
        let token = |token: &'static str| {
            move |name: &str| match name {
                "LMO_ORIGIN_TOKEN" => Some(token.to_owned()),
                _ => (name == ISSUER).then(|| "https://lmo.example".to_owned()),
            }
        };
        let error = Config::from(&token("secret"), Flush::Behind).unwrap_err().to_string();
        assert!(error.starts_with("LMO_ORIGIN_TOKEN: must be at least 16 printable ASCII characters"), "{error}");
        let config = Config::from(&token("0123456789abcdef"), Flush::Behind).unwrap();
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
        let token = config.origin_token.unwrap();
        assert!(token.is(b"0123456789abcdef") && !token.is(b"0123456789abcdeF") && !token.is(b""));
    }

    #[test]
    fn two_origin_tokens_are_good_while_one_replaces_the_other() {
        let both = |name: &str| (name == "LMO_ORIGIN_TOKEN").then(|| "0123456789abcdef,fedcba9876543210".to_owned());
        let tokens = origin_token(&both, "LMO_ORIGIN_TOKEN").unwrap().unwrap();
        assert!(tokens.is(b"0123456789abcdef") && tokens.is(b"fedcba9876543210"));
        assert!(!tokens.is(b"0123456789abcdef,fedcba9876543210") && !tokens.is(b""));
        let short = |name: &str| (name == "LMO_ORIGIN_TOKEN").then(|| "0123456789abcdef,".to_owned());
        assert!(origin_token(&short, "LMO_ORIGIN_TOKEN").is_err());
    }
}
