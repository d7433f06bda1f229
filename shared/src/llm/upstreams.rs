//! From a provider's entry in the catalogue to endpoints that can be called: their keys looked up, their clients and
//! circuit breakers kept.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager::{Client, error::DisplayErrorContext};
use http::HeaderMap;
use moka::future::Cache;
use tokio::time::Instant;

use super::{
    Call, Endpoint, Events, Provider, ProviderError, WireFormat,
    breaker::Breaker,
    catalogue::{EndpointSpec, KeyReference, ProviderKind, ProviderSpec, Regions},
    embed::{EmbedCall, Embedded},
    server::Server,
};
use crate::{
    aws::{CachedCredentials, Signer},
    clock::Clock,
    config,
    error::{Error, Result},
    outbound::Outbound,
    seal::Seal,
};

/// The name of Bedrock in a signature, which is not the one in its endpoint (`bedrock-runtime`).
const BEDROCK: &str = "bedrock";
/// How long a key is used before it is looked up again: how late a rotated one is noticed.
const FRESH: Duration = Duration::from_mins(5);
/// How many keys that aren't the operator's are kept open.
const OWN_AT_HAND: u64 = 1_000;

/// The providers of the catalogue, ready to be called.
#[derive(Clone)]
pub struct Upstreams {
    secrets: Client,
    /// What signs requests to Bedrock.
    credentials: Option<CachedCredentials>,
    keys: Cache<String, String>,
    /// Connections and breakers are kept per provider, whatever its keys.
    kept: Arc<Mutex<HashMap<ProviderSpec, Kept>>>,
    /// Keys that aren't the operator's, and breakers of their own, so that what one of them does stops nobody else.
    /// Bounded, as there may be any number of them.
    own: Cache<(OwnKey, ProviderSpec), Own>,
    seal: Seal,
    /// What reaches addresses that aren't the operator's.
    outbound: Outbound,
}

/// A provider's key that isn't the operator's, sealed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OwnKey {
    /// What it is sealed for.
    pub context: String,
    /// The sealed text.
    pub sealed: String,
    /// Whom it is for, if not the provider's endpoints.
    pub base_url: Option<String>,
}

/// Shows nothing of the key.
impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnKey").field("context", &self.context).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Own {
    api_key: Arc<str>,
    kept: Kept,
}

#[derive(Clone)]
struct Kept {
    client: reqwest::Client,
    /// One for each endpoint.
    breakers: Vec<Arc<Breaker>>,
}

/// A provider with its endpoints.
#[derive(Debug, Clone)]
pub struct Upstream {
    targets: Vec<Target>,
}

/// One endpoint of a provider.
#[derive(Debug, Clone)]
pub struct Target {
    /// What is called.
    pub provider: Provider,
    breaker: Option<Arc<Breaker>>,
    weight: u32,
    /// Whether its key isn't the operator's.
    own: bool,
}

impl Target {
    /// Makes one attempt, as [`Provider::call`].
    ///
    /// # Errors
    /// As there; `KeyRefused` instead of `Credentials` if the key isn't the operator's.
    pub async fn call(&self, call: Call<'_>) -> Result<Events, ProviderError> {
        self.provider.call(call).await.map_err(|error| self.whose(error))
    }

    /// Makes one attempt to turn texts into vectors, as [`Provider::embed`].
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn embed(&self, call: EmbedCall<'_>) -> Result<Embedded, ProviderError> {
        self.provider.embed(call).await.map_err(|error| self.whose(error))
    }

    fn whose(&self, error: ProviderError) -> ProviderError {
        if self.own && error == ProviderError::Credentials { ProviderError::KeyRefused } else { error }
    }

    /// Makes a call of it, and lets its circuit breaker know how that went.
    ///
    /// # Errors
    /// That of the call; `CircuitOpen`, without the call, if the endpoint is left alone.
    pub async fn guarded<T>(&self, call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        let Some(breaker) = &self.breaker else { return call.await };
        let pass = breaker.pass(Instant::now()).map_err(|retry_after| ProviderError::CircuitOpen { retry_after })?;
        let outcome = call.await;
        match &outcome {
            Ok(_) => pass.succeeded(),
            Err(error) => pass.failed(error, Instant::now()),
        }
        outcome
    }
}

impl Upstream {
    /// All endpoints, each with a chance by its weight to be the first; the others are there if it fails.
    #[must_use]
    pub fn in_turn(&self) -> Vec<Target> {
        let mut left = self.targets.clone();
        let mut turn = Vec::with_capacity(left.len());
        while left.len() > 1 {
            let total: u64 = left.iter().map(|target| u64::from(target.weight)).sum();
            let mut at = rand::random_range(0..total.max(1));
            let chosen = left.iter().position(|target| {
                let weight = u64::from(target.weight);
                let found = at < weight;
                at = at.saturating_sub(weight);
                found
            });
            turn.push(left.remove(chosen.unwrap_or_default()));
        }
        turn.extend(left);
        turn
    }
}

impl Upstreams {
    /// Providers whose keys are in the environment or in Secrets Manager, or sealed by `seal`; addresses that aren't the
    /// operator's are reached by `outbound`.
    #[must_use]
    pub fn new(
        secrets: Client,
        credentials: Option<SharedCredentialsProvider>,
        seal: Seal,
        outbound: Outbound,
    ) -> Self {
        let keys = Cache::builder().max_capacity(1_000).time_to_live(FRESH).build();
        let own = Cache::builder().max_capacity(OWN_AT_HAND).time_to_idle(FRESH).build();
        let credentials = credentials.map(|source| CachedCredentials::new(source, Clock::System));
        Self { secrets, credentials, keys, kept: Arc::default(), own, seal, outbound }
    }

    /// A provider that can be called, with its endpoints in these regions; with another key than the operator's, at each
    /// of its addresses that take one once, or at the one that is brought with the key, wherever that is.
    ///
    /// # Errors
    /// `Unavailable` if none of its keys can be had, `Internal` if its entry is not usable.
    pub async fn upstream(
        &self,
        spec: &ProviderSpec,
        regions: Regions<'_>,
        brought: Option<&OwnKey>,
    ) -> Result<Upstream> {
        let Some(format) = spec.kind.format() else {
            let target = Target { provider: Provider::Echo, breaker: None, weight: 1, own: false };
            return Ok(Upstream { targets: vec![target] });
        };
        let (kept, own) = match brought {
            None => (self.kept(spec)?, None),
            Some(key) => self.own(spec, key).await.map(|Own { api_key, kept }| (kept, Some(api_key)))?,
        };
        if let (Some(OwnKey { base_url: Some(base_url), .. }), Some(api_key)) = (brought, &own) {
            let one = EndpointSpec { base_url: base_url.clone(), api_key: None, weight: 1, region: None };
            let endpoint = self.endpoint(spec, format, &one, Some(api_key.to_string()))?;
            let provider = Provider::Server(Server::new(kept.client.clone(), endpoint));
            let target = Target { provider, breaker: kept.breakers.first().cloned(), weight: 1, own: true };
            return Ok(Upstream { targets: vec![target] });
        }
        let here = |(one, _): &(&EndpointSpec, _)| regions.have(spec.region_of(one));
        let (mut targets, mut seen, mut missing) = (Vec::with_capacity(spec.endpoints.len()), HashSet::new(), None);
        for (one, breaker) in spec.endpoints.iter().zip(&kept.breakers).filter(here) {
            let api_key = match &own {
                Some(_) if !spec.takes_keys(one) => continue,
                // An address that the operator has several keys for.
                Some(_) if !seen.insert(&one.base_url) => continue,
                Some(key) => Some(key.to_string()),
                None => match self.key(one.api_key.as_ref()).await {
                    Ok(key) => key,
                    // The others may do.
                    Err(error) => {
                        missing = Some(error);
                        continue;
                    }
                },
            };
            let endpoint = self.endpoint(spec, format, one, api_key)?;
            let provider = Provider::Server(Server::new(kept.client.clone(), endpoint));
            let breaker = Some(Arc::clone(breaker));
            targets.push(Target { provider, breaker, weight: one.weight, own: own.is_some() });
        }
        match missing {
            Some(error) if targets.is_empty() => Err(error),
            Some(_) | None => Ok(Upstream { targets }),
        }
    }

    fn endpoint(
        &self,
        spec: &ProviderSpec,
        format: WireFormat,
        one: &EndpointSpec,
        api_key: Option<String>,
    ) -> Result<Endpoint> {
        let signer = |region: &str| {
            let credentials = self.credentials.clone()?;
            Some(Signer { service: BEDROCK, credentials, region: region.to_owned(), clock: Clock::System })
        };
        Ok(Endpoint {
            format,
            base_url: one.base_url.parse().map_err(|_| Error::internal("a provider's base URL is not one"))?,
            api_key,
            signer: spec.region_of(one).filter(|_| spec.kind == ProviderKind::Bedrock).and_then(signer),
            first_byte_timeout: Duration::from_millis(spec.first_byte_timeout_ms),
            answer_timeout: Duration::from_millis(spec.answer_timeout_ms),
            idle_timeout: Duration::from_millis(spec.idle_timeout_ms),
            output_limit_field: spec.output_limit,
            headers: HeaderMap::new(),
        })
    }

    fn kept(&self, spec: &ProviderSpec) -> Result<Kept> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = all.get(spec) {
            return Ok(kept.clone());
        }
        let timeout = Duration::from_millis(spec.connect_timeout_ms);
        let client = super::provider::client(timeout).map_err(Error::internal)?;
        let breakers = spec.endpoints.iter().map(|_| Breaker::new(spec.breaker)).collect();
        let kept = Kept { client, breakers };
        all.insert(spec.clone(), kept.clone());
        Ok(kept)
    }

    /// A key that isn't the operator's, opened, with connections that are shared and breakers that are not.
    async fn own(&self, spec: &ProviderSpec, key: &OwnKey) -> Result<Own> {
        let open = async {
            let opened = self.seal.open(&key.context, &key.sealed).await?;
            let api_key = String::from_utf8(opened).map_err(|_| Error::internal("a sealed key is no text"))?;
            let breakers = spec.endpoints.iter().map(|_| Breaker::new(spec.breaker)).collect();
            let client = if key.base_url.is_some() {
                let connect = Duration::from_millis(spec.connect_timeout_ms);
                self.outbound.streaming(connect).map_err(Error::internal)?
            } else {
                self.kept(spec)?.client
            };
            Ok::<_, Error>(Own { api_key: api_key.into(), kept: Kept { client, breakers } })
        };
        let opened = self.own.try_get_with((key.clone(), spec.clone()), open).await;
        opened.map_err(|error: Arc<Error>| Error::Unavailable(format!("{error:?}").into()))
    }

    async fn key(&self, reference: Option<&KeyReference>) -> Result<Option<String>> {
        match reference {
            None => Ok(None),
            Some(KeyReference::Env(name)) => {
                let key = config::variable(name);
                key.map(Some).ok_or_else(|| Error::Unavailable(format!("{name} is not set").into()))
            }
            Some(KeyReference::Secret(id)) => {
                let read = self.keys.try_get_with_by_ref(id, self.read(id)).await;
                read.map(Some).map_err(|error: Arc<String>| Error::Unavailable(error.as_str().into()))
            }
        }
    }

    async fn read(&self, id: &str) -> std::result::Result<String, String> {
        let secret = self.secrets.get_secret_value().secret_id(id).send().await;
        let secret = secret.map_err(|error| format!("secret {id}: {}", DisplayErrorContext(error)))?;
        secret.secret_string.ok_or_else(|| format!("secret {id} has no text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_come_first_in_proportion_to_their_weights() {
        let target = |weight| Target { provider: Provider::Echo, breaker: None, weight, own: false };
        let upstream = Upstream { targets: vec![target(9), target(1)] };
        let first = (0..10_000).filter(|_| upstream.in_turn()[0].weight == 9).count();
        assert!((8_700..9_300).contains(&first), "{first} of 10,000");
    }
}
