//! OpenID Connect, as somebody who relies on a provider: the code flow of OpenID Connect Core 1.0 with Discovery 1.0,
//! PKCE (RFC 7636), and the issuer in the response (RFC 9207). It knows no tenants and no accounts.
//!
//! What providers say is never shown; what is wrong with it is, in words of our own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use moka::future::Cache;
use reqwest::Url;
use serde::Deserialize;

use crate::{
    clock::Clock,
    error::{Error, Result},
    outbound::{self, Bounds, Call, Outbound, Target},
};

mod code;
mod id_token;
mod keys;

pub use code::{Client, Request, error_word};
pub use id_token::Identity;

use keys::Keys;

/// How long what a provider says of itself is used.
const FRESH: Duration = Duration::from_hours(1);
/// How long one that failed isn't asked again: anybody may begin a sign-in.
const FAILED: Duration = Duration::from_secs(30);
/// How many providers are kept at hand.
const AT_HAND: u64 = 1_000;
/// How much one call may take.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 256 * 1024 };

/// Providers, as they describe themselves. Clones share what they know.
#[derive(Clone)]
pub struct Providers {
    outbound: Outbound,
    clock: Clock,
    known: Cache<String, Arc<Provider>>,
    /// What was wrong with those that can't be relied on.
    failed: Cache<String, Arc<String>>,
}

/// A provider.
pub struct Provider {
    outbound: Outbound,
    clock: Clock,
    issuer: String,
    authorize: Url,
    token: Target,
    user_info: Option<Target>,
    /// Whether it takes the client's secret in a header field.
    basic: bool,
    /// Whether it names itself in each response.
    names_itself: bool,
    keys: Keys,
}

/// What LMO uses of OpenID Connect Discovery 1.0 section 3.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Providers {
    /// Providers that are reached by `outbound`.
    #[must_use]
    pub fn new(outbound: Outbound, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(AT_HAND).time_to_live(FRESH).build();
        let failed = Cache::builder().max_capacity(AT_HAND).time_to_live(FAILED).build();
        Self { outbound, clock, known, failed }
    }

    /// The provider with an issuer's identifier, as it described itself within the last hour, or failed to within the last
    /// 30 seconds.
    ///
    /// # Errors
    /// `Invalid` for `issuer`, with what is wrong, if it can't be reached or isn't one that can be relied on.
    pub async fn get(&self, issuer: &str) -> Result<Arc<Provider>> {
        let read = if let Some(detail) = self.failed.get(issuer).await {
            Err(detail)
        } else {
            let read = async { self.discover(issuer).await.map(Arc::new) };
            let read: Result<_, Arc<String>> = self.known.try_get_with(issuer.to_owned(), read).await;
            if let Err(detail) = &read {
                self.failed.insert(issuer.to_owned(), detail.clone()).await;
            }
            read
        };
        read.map_err(|detail| Error::invalid("issuer", detail.as_str()))
    }

    async fn discover(&self, issuer: &str) -> Result<Provider, String> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found: Metadata = self.read(&address).await.map_err(|why| format!("the issuer's description: {why}"))?;
        if found.issuer != issuer {
            return Err("the issuer's description names another issuer; write it exactly as the provider does".into());
        }
        if found.code_challenge_methods_supported.is_some_and(|methods| !methods.iter().any(|method| method == "S256"))
        {
            return Err("the provider doesn't support PKCE with S256".into());
        }
        let target = |name, text: &str| self.outbound.target(name, text).map_err(|error| error.to_string());
        let methods = found.token_endpoint_auth_methods_supported;
        let keys = Keys::new(target("jwks_uri", &found.jwks_uri)?);
        let provider = Provider {
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            authorize: target("authorization_endpoint", &found.authorization_endpoint)?.url().clone(),
            token: target("token_endpoint", &found.token_endpoint)?,
            user_info: found.userinfo_endpoint.map(|text| target("userinfo_endpoint", &text)).transpose()?,
            // What a provider that says nothing of it takes.
            basic: methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")),
            names_itself: found.authorization_response_iss_parameter_supported,
            issuer: found.issuer,
            keys,
        };
        provider
            .keys
            .read(&provider.outbound, self.clock.now())
            .await
            .map_err(|why| format!("the issuer's keys: {why}"))?;
        Ok(provider)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, address: &str) -> Result<T, String> {
        let target = self.outbound.target("issuer", address).map_err(|error| error.to_string())?;
        get(&self.outbound, target, http::HeaderMap::new()).await.map_err(|failure| failure.to_string())
    }
}

impl Provider {
    /// Its identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Fails unless a response comes from this provider, as far as it says (RFC 9207 section 2.4): a code that another
    /// one made is not to be sent to this one.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn check_sender(&self, named: Option<&str>) -> Result<()> {
        match named {
            Some(named) if named == self.issuer => Ok(()),
            None if !self.names_itself => Ok(()),
            Some(_) | None => Err(refused("the response is not of the tenant's provider")),
        }
    }
}

async fn get<T: serde::de::DeserializeOwned>(
    outbound: &Outbound,
    target: Target,
    mut headers: http::HeaderMap,
) -> Result<T, outbound::Failure> {
    headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    let call = Call { method: http::Method::GET, target, headers, body: bytes::Bytes::new() };
    outbound.send(call, BOUNDS).await?.json()
}

/// Nobody signs in, for a reason that the tenant can do something about.
fn refused(why: &str) -> Error {
    Error::Forbidden(format!("signing in by the identity provider failed: {why}"))
}

/// A form's body.
fn form(fields: &BTreeMap<&str, &str>) -> String {
    let mut url = Url::parse("https://form.invalid/").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut().extend_pairs(fields);
    }
    url.as_ref().and_then(Url::query).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
