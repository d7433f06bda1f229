//! From a provider's entry in the catalogue to a provider that can be called: its key looked up, its client kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager::{Client, error::DisplayErrorContext};
use http::HeaderMap;
use moka::future::Cache;

use super::{
    Endpoint, Provider,
    catalogue::{KeyReference, ProviderKind, ProviderSpec},
    converse::{credentials::CachedCredentials, sign::Signer},
    server::Server,
};
use crate::{
    clock::Clock,
    config,
    error::{Error, Result},
};

/// How long a key is used before it is looked up again: how late a rotated one is noticed.
const FRESH: Duration = Duration::from_mins(5);

/// The providers of the catalogue, ready to be called.
#[derive(Clone)]
pub struct Upstreams {
    secrets: Client,
    /// What signs requests to Bedrock.
    credentials: Option<CachedCredentials>,
    keys: Cache<String, String>,
    /// Connections are kept per provider, whatever its key.
    clients: Arc<Mutex<HashMap<ProviderSpec, reqwest::Client>>>,
}

impl Upstreams {
    /// Providers whose keys are in the environment or in Secrets Manager.
    #[must_use]
    pub fn new(secrets: Client, credentials: Option<SharedCredentialsProvider>) -> Self {
        let keys = Cache::builder().max_capacity(1_000).time_to_live(FRESH).build();
        let credentials = credentials.map(|source| CachedCredentials::new(source, Clock::System));
        Self { secrets, credentials, keys, clients: Arc::default() }
    }

    /// A provider that can be called.
    ///
    /// # Errors
    /// `Unavailable` if its key can't be had, `Internal` if its entry is not usable.
    pub async fn provider(&self, spec: &ProviderSpec) -> Result<Provider> {
        match spec.kind {
            ProviderKind::Echo => Ok(Provider::Echo),
            ProviderKind::OpenAi
            | ProviderKind::Anthropic
            | ProviderKind::Responses
            | ProviderKind::Gemini
            | ProviderKind::Bedrock => {
                let one = spec.endpoints.first().ok_or_else(|| Error::internal("a provider without an endpoint"))?;
                let signer = |region: &String| {
                    let credentials = self.credentials.clone()?;
                    Some(Signer { credentials, region: region.clone(), clock: Clock::System })
                };
                let endpoint = Endpoint {
                    format: spec.kind.format().ok_or_else(|| Error::internal("a provider without a format"))?,
                    signer: spec.region.as_ref().and_then(signer),
                    base_url: one.base_url.parse().map_err(|_| Error::internal("a provider's base URL is not one"))?,
                    api_key: self.key(one.api_key.as_ref()).await?,
                    connect_timeout: Duration::from_millis(spec.connect_timeout_ms),
                    first_byte_timeout: Duration::from_millis(spec.first_byte_timeout_ms),
                    idle_timeout: Duration::from_millis(spec.idle_timeout_ms),
                    output_limit_field: spec.output_limit,
                    headers: HeaderMap::new(),
                };
                let client = self.client(spec, &endpoint)?;
                Ok(Provider::Server(Server::new(client, endpoint)))
            }
        }
    }

    fn client(&self, spec: &ProviderSpec, endpoint: &Endpoint) -> Result<reqwest::Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(spec) {
            return Ok(client.clone());
        }
        let client = endpoint.client().map_err(Error::internal)?;
        clients.insert(spec.clone(), client.clone());
        Ok(client)
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
