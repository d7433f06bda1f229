//! The code flow, OpenID Connect Core 1.0 section 3.1: where a browser is sent to, and what is made of the code that it
//! brings back.

use std::{collections::BTreeMap, fmt};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BOUNDS, Identity, Provider, form, get, id_token::PersonClaims, refused};
use crate::{
    error::{Error, Result},
    outbound::Call,
};

/// What LMO is to a provider.
#[derive(Clone)]
pub struct Client {
    /// What the provider calls it.
    pub id: String,
    /// What it proves that with; `None` for a public client, which PKCE alone protects.
    pub secret: Option<String>,
    /// Where browsers are sent back to.
    pub redirect_uri: String,
}

/// What belongs to one sign-in: unknown to anybody but who began it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Request {
    /// What the ID token has to repeat.
    nonce: String,
    /// What the code can be exchanged with (RFC 7636 section 4.1).
    verifier: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Problem {
    error: String,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    person: PersonClaims,
}

impl Request {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        let text = || BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        Self { nonce: text(), verifier: text() }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(***)")
    }
}

impl Provider {
    /// Where a browser is sent to, to come back with this state.
    #[must_use]
    pub fn address(&self, client: &Client, request: &Request, state: &str) -> Url {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&request.verifier));
        let mut url = self.authorize.clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &client.redirect_uri),
            ("scope", "openid email profile"),
            ("state", state),
            ("nonce", &request.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        url
    }

    /// Who somebody is who came back with a code.
    ///
    /// # Errors
    /// `Forbidden` if the provider refuses the code or what it says is not to be relied on, with what is wrong;
    /// `Unavailable` if it can't be reached.
    pub async fn identity(&self, client: &Client, request: &Request, code: &str) -> Result<Identity> {
        let tokens = self.exchange(client, request, code).await?;
        let claims = self.open(&tokens.id_token, &client.id, &request.nonce).await?;
        let (subject, mut person) = (claims.sub, claims.person);
        // Some tell the address only if they are asked for it.
        if let (None, Some(target), Some(access)) = (&person.email, &self.user_info, &tokens.access_token) {
            let bearer = HeaderValue::from_str(&format!("Bearer {access}"));
            let bearer = bearer.map_err(|_| refused("the access token is none"))?;
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
            let told: UserInfo = get(&self.outbound, target.clone(), headers).await.map_err(unreachable)?;
            if told.sub != subject {
                return Err(refused("the provider tells of somebody else"));
            }
            person = told.person;
        }
        person.identity(subject)
    }

    async fn exchange(&self, client: &Client, request: &Request, code: &str) -> Result<Tokens> {
        let mut fields = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &client.redirect_uri),
            ("code_verifier", &request.verifier),
        ]);
        let mut headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        match &client.secret {
            Some(secret) if self.basic => {
                headers.insert(header::AUTHORIZATION, basic(&client.id, secret)?);
            }
            Some(secret) => fields.extend([("client_id", client.id.as_str()), ("client_secret", secret.as_str())]),
            None => fields.extend([("client_id", client.id.as_str())]),
        }
        let body = Bytes::from(form(&fields));
        let call = Call { method: Method::POST, target: self.token.clone(), headers, body };
        let reply = self.outbound.send(call, BOUNDS).await.map_err(unreachable)?;
        if reply.status.is_server_error() || reply.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Error::Unavailable(format!("an identity provider answered {}", reply.status).into()));
        }
        if !reply.status.is_success() {
            let problem: Option<Problem> = serde_json::from_slice(&reply.body).ok();
            let word = problem.map(|problem| error_word(&problem.error));
            return Err(refused(&format!("it refused the code ({})", word.as_deref().unwrap_or("without a reason"))));
        }
        reply.json().map_err(|_| refused("its answer has no ID token"))
    }
}

/// An error's code as a provider or a browser wrote it: nothing but a word.
#[must_use]
pub fn error_word(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}

fn unreachable(failure: crate::outbound::Failure) -> Error {
    Error::Unavailable(format!("an identity provider: {failure}").into())
}

/// RFC 6749 section 2.3.1: both are encoded as in a form first.
fn basic(id: &str, secret: &str) -> Result<HeaderValue> {
    let encoded = |text| form(&BTreeMap::from([("x", text)])).split_off(2);
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    let mut value = HeaderValue::from_str(&format!("Basic {credentials}")).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}
