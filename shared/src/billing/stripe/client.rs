//! The one client of Stripe: signs in, encodes, waits, tries again where that is safe, and says what an answer is.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, Url, redirect};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout_at},
};

use super::{Form, Intent, StripeError, object::AUTHENTICATE};
use crate::{
    error::{Error, Result},
    outbound::retry_after,
    secret::{Secret, Seen},
};

/// The version of the API that all requests ask for; webhooks are to be registered with the same.
pub const VERSION: &str = "2026-09-30.endive";
const STRIPE: &str = "https://api.stripe.com";
/// How long one attempt may take, and all of them together: whoever waits behind API Gateway waits 29 s.
const PATIENCE: Duration = Duration::from_secs(12);
const ALTOGETHER: Duration = Duration::from_secs(25);
/// Waits before the attempts, each up to as much longer as chance has it.
const PAUSES: [u64; 3] = [0, 250, 1_000];
/// The most bytes of an answer.
const MOST: usize = 4 * 1024 * 1024;

/// What a deployment knows of its account, as Secrets Manager has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeKeys {
    /// The secret key, or a restricted one (`sk_...`, `rk_...`).
    pub secret_key: String,
    /// What the webhook's events are signed with (`whsec_...`).
    pub webhook_secret: String,
    /// What browsers need (`pk_...`); it is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishable_key: Option<String>,
    /// Where the API is, if not at Stripe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base: Option<String>,
}

impl StripeKeys {
    /// Fails unless they can be Stripe's.
    ///
    /// # Errors
    /// `Invalid`, which quotes none of them.
    pub fn check(&self) -> Result<()> {
        let plain = |text: &str| (8..=500).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let bad = |name: &str, detail: &str| Err(Error::invalid(name, format!("{name} {detail}")));
        if !plain(&self.secret_key) || !["sk_", "rk_"].iter().any(|prefix| self.secret_key.starts_with(prefix)) {
            return bad("secret_key", "must begin with sk_ or rk_, and have 8 to 500 characters");
        }
        if !plain(&self.webhook_secret) || !self.webhook_secret.starts_with("whsec_") {
            return bad("webhook_secret", "must begin with whsec_, and have 8 to 500 characters");
        }
        if self.publishable_key.as_ref().is_some_and(|key| !plain(key) || !key.starts_with("pk_")) {
            return bad("publishable_key", "must begin with pk_, and have 8 to 500 characters");
        }
        self.base().map(drop)
    }

    /// Where the API is: the secret key goes there, so in the clear to this machine alone.
    fn base(&self) -> Result<Url> {
        let text = self.api_base.as_deref().unwrap_or(STRIPE);
        let url = Url::parse(text).ok().filter(|url| match url.scheme() {
            "https" => true,
            "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost")),
            _ => false,
        });
        url.ok_or_else(|| Error::invalid("api_base", "api_base must be an https URL"))
    }
}

/// Stripe, by the keys that a secret has.
#[derive(Clone)]
pub struct Stripe {
    keys: Secret<StripeKeys>,
    /// Made at the first call: it loads the machine's certificates, which most starts need not wait for.
    client: Arc<OnceCell<Client>>,
}

impl Stripe {
    /// By the keys in `secret`.
    #[must_use]
    pub fn new(keys: Secret<StripeKeys>) -> Self {
        Self { keys, client: Arc::default() }
    }

    /// The keys; `None` if there are none, and invoices are paid by transfer.
    ///
    /// # Errors
    /// `Unavailable` if they can't be read.
    pub async fn keys(&self) -> Result<Option<Arc<Seen<StripeKeys>>>> {
        self.keys.get().await
    }

    /// The secret that has the keys, to be changed, or read again by whoever finds them wanting.
    #[must_use]
    pub fn secret(&self) -> &Secret<StripeKeys> {
        &self.keys
    }

    /// A call whose answer is a `T`. With a key it does at most once whatever it does, however often it is made.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        form: &Form,
        key: Option<&str>,
    ) -> Result<T, StripeError> {
        let deadline = Instant::now() + ALTOGETHER;
        let no_keys = |error: Error| {
            tracing::error!(?error, "the keys of Stripe can't be read");
            StripeError::NoKeys
        };
        let mut keys = self.keys.get().await.map_err(no_keys)?.ok_or(StripeError::Off)?;
        let mut renewed = false;
        let mut last = StripeError::Unanswered("timeout");
        for pause in PAUSES {
            let wait = Duration::from_millis(pause).mul_f64(1.0 + rand::random::<f64>());
            let wait = match last {
                StripeError::Busy(Some(asked)) => wait.max(asked),
                _ => wait,
            };
            if Instant::now() + wait >= deadline {
                break;
            }
            if pause > 0 {
                sleep(wait).await;
            }
            last = match self.attempt(&keys.value, &method, path, form, key, deadline).await {
                Ok(found) => return Ok(found),
                // They may have been replaced since they were read.
                Err(StripeError::Credentials) if !renewed => {
                    renewed = true;
                    keys = self.keys.newer().await.map_err(no_keys)?.ok_or(StripeError::Off)?;
                    StripeError::Credentials
                }
                Err(error) if error.passes() => error,
                Err(error) => return Err(error),
            };
        }
        Err(last)
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        keys: &StripeKeys,
        method: &Method,
        path: &str,
        form: &Form,
        key: Option<&str>,
        deadline: Instant,
    ) -> Result<T, StripeError> {
        let client = self.client.get_or_try_init(async || build()).await;
        let client = client.map_err(|_| StripeError::Unanswered("no client"))?;
        let mut url = keys.base().and_then(|base| base.join(path).map_err(Error::internal));
        if let (Ok(url), &Method::GET) = (&mut url, method)
            && !form.is_empty()
        {
            url.set_query(Some(&form.encoded()));
        }
        let mut request = client.request(method.clone(), url.map_err(|_| StripeError::NoKeys)?);
        request = request.bearer_auth(&keys.secret_key).header("stripe-version", VERSION);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if *method != Method::GET {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded());
        }
        let until = deadline.min(Instant::now() + PATIENCE);
        let sent = timeout_at(until, request.send()).await.map_err(|_| StripeError::Unanswered("timeout"))?;
        let mut response = sent.map_err(|error| unanswered(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        loop {
            let piece = timeout_at(until, response.chunk()).await.map_err(|_| StripeError::Unanswered("timeout"))?;
            let Some(piece) = piece.map_err(|error| unanswered(&error))? else { break };
            if piece.len() > MOST - body.len() {
                return Err(StripeError::Unanswered("too long"));
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| StripeError::Unanswered("malformed"));
        }
        Err(failed(status, &headers, &body))
    }
}

fn build() -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .redirect(redirect::Policy::none())
        .user_agent(concat!("lmo/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn unanswered(error: &reqwest::Error) -> StripeError {
    StripeError::Unanswered(match () {
        () if error.is_timeout() => "timeout",
        () if error.is_connect() => "no connection",
        () => "cut",
    })
}

/// What an answer says that is none of success (API reference, "Errors").
fn failed(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> StripeError {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(default)]
        error: Details,
    }
    #[derive(Default, Deserialize)]
    struct Details {
        #[serde(default, rename = "type")]
        kind: Option<String>,
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        decline_code: Option<String>,
        #[serde(default)]
        payment_intent: Option<Box<Intent>>,
    }
    let Details { kind, code, decline_code, payment_intent: intent } =
        serde_json::from_slice::<Body>(body).unwrap_or_default().error;
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default();
    let is_authentication = [&code, &decline_code].into_iter().any(|code| code.as_deref() == Some(AUTHENTICATE));
    match status.as_u16() {
        401 | 403 => StripeError::Credentials,
        409 | 429 => StripeError::Busy(retry_after(headers)),
        500.. => {
            let replayed =
                header("idempotent-replayed") == Some("true") || header("stripe-should-retry") == Some("false");
            StripeError::Failed { status: status.as_u16(), replayed }
        }
        _ if kind == "idempotency_error" => StripeError::KeyMismatch,
        of if of == 402 || kind == "card_error" => {
            let reason = name(decline_code.or(code).unwrap_or(kind));
            StripeError::Declined { reason, authenticate: is_authentication, intent }
        }
        404 => StripeError::Missing,
        _ => StripeError::Refused { code: name(code.unwrap_or(kind)), intent },
    }
}

/// A code, and nothing that is none.
fn name(code: String) -> String {
    let good = (1..=100).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { code } else { "unnamed".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: u16, headers: &[(&'static str, &str)], error: &serde_json::Value) -> StripeError {
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let body = json!({"error": error}).to_string();
        failed(StatusCode::from_u16(status).unwrap(), &headers.collect(), body.as_bytes())
    }

    #[test]
    fn an_error_is_what_somebody_does_about_it() {
        let declined = of(
            402,
            &[],
            &json!({"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
                   "message": "said", "payment_intent": {"id": "pi_1", "status": "requires_payment_method", "amount": 5}}),
        );
        let StripeError::Declined { reason, authenticate: false, intent: Some(intent) } = &declined else {
            panic!("{declined:?}")
        };
        assert_eq!((reason.as_str(), intent.id.as_str()), ("insufficient_funds", "pi_1"));
        assert!(!format!("{declined:?} {declined}").contains("said"));
        let wanted = json!({"type": "card_error", "code": "authentication_required"});
        assert!(matches!(of(402, &[], &wanted), StripeError::Declined { authenticate: true, intent: None, .. }));
        let mismatch = of(400, &[], &json!({"type": "idempotency_error"}));
        assert_eq!(mismatch, StripeError::KeyMismatch);
        let missing = of(400, &[], &json!({"type": "invalid_request_error", "code": "resource_missing"}));
        assert!(matches!(missing, StripeError::Refused { code, .. } if code == "resource_missing"));
        assert_eq!(of(404, &[], &json!({})), StripeError::Missing);
        assert_eq!(of(429, &[("retry-after", "7")], &json!({})), StripeError::Busy(Some(Duration::from_secs(7))));
        assert_eq!(of(401, &[], &json!({})), StripeError::Credentials);
    }

    #[test]
    fn what_was_said_before_is_not_asked_again() {
        let first = of(500, &[], &json!({"type": "api_error"}));
        assert!(first.passes() && first == StripeError::Failed { status: 500, replayed: false });
        assert!(!of(500, &[("idempotent-replayed", "true")], &json!({})).passes());
        assert!(!of(503, &[("stripe-should-retry", "false")], &json!({})).passes());
    }

    #[test]
    fn keys_that_cannot_be_stripes_are_refused_and_not_quoted() {
        let keys = StripeKeys {
            secret_key: "sk_test_12345".to_owned(),
            webhook_secret: "whsec_12345".to_owned(),
            publishable_key: None,
            api_base: None,
        };
        assert!(keys.check().is_ok());
        for bad in [
            StripeKeys { secret_key: "pk_test_12345".to_owned(), ..keys.clone() },
            StripeKeys { secret_key: "sk_test 12345".to_owned(), ..keys.clone() },
            StripeKeys { webhook_secret: "12345678".to_owned(), ..keys.clone() },
            StripeKeys { publishable_key: Some("sk_test_12345".to_owned()), ..keys.clone() },
            StripeKeys { api_base: Some("http://example.com".to_owned()), ..keys.clone() },
        ] {
            let error = bad.check().unwrap_err();
            assert!(!error.to_string().contains("12345"), "{error}");
        }
        assert!(StripeKeys { api_base: Some("http://127.0.0.1:12111".to_owned()), ..keys }.check().is_ok());
    }
}
