//! The model catalogue: providers, models with their prices, and aliases. It is written as `models.toml` and kept in
//! the table in versions, each from the time that it takes effect, so that an old request is rated at its old price.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{OutputLimitField, WireFormat};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    money::{NanoUsd, PricePerMillion, Tokens},
};

mod file;
mod versions;

pub use versions::Catalogues;

/// The alias that names the model of a request that names none.
pub const DEFAULT_ALIAS: &str = "default";

/// The alias that names the model of a request for vectors that names none.
pub const EMBED_ALIAS: &str = "embed";

/// One version of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Its name in the ledger; empty until it is applied.
    #[serde(default)]
    pub version: String,
    /// From when it holds.
    pub effective: Timestamp,
    /// Providers by name.
    pub providers: BTreeMap<String, ProviderSpec>,
    /// Models by name.
    pub models: BTreeMap<String, Model>,
    /// Other names of models.
    pub aliases: BTreeMap<String, String>,
}

/// Which wire format a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// `OpenAI`'s chat completions: `OpenAI`, vLLM, Ollama, llama.cpp, Groq and many more.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// `OpenAI`'s Responses.
    Responses,
    /// Google's Gemini API.
    Gemini,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Repeats what it hears, and embeds by hashing; for trying things out.
    Echo,
}

impl ProviderKind {
    /// Its name in OpenTelemetry's conventions for generative AI (`gen_ai.provider.name`).
    #[must_use]
    pub fn well_known(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gcp.gemini",
            Self::Bedrock => "aws.bedrock",
            Self::Echo => "lmo",
        }
    }

    /// What it speaks; `None` for one that is in the process itself.
    #[must_use]
    pub fn format(self) -> Option<WireFormat> {
        match self {
            Self::OpenAi => Some(WireFormat::ChatCompletions),
            Self::Anthropic => Some(WireFormat::Messages),
            Self::Responses => Some(WireFormat::Responses),
            Self::Gemini => Some(WireFormat::Gemini),
            Self::Bedrock => Some(WireFormat::Converse),
            Self::Echo => None,
        }
    }
}

/// Where a provider's key is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyReference {
    /// In an environment variable.
    Env(String),
    /// In a secret of Secrets Manager.
    Secret(String),
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProviderSpec {
    /// Its wire format.
    pub kind: ProviderKind,
    /// Where it is reached; one at least, but for [`ProviderKind::Echo`].
    #[serde(default)]
    pub endpoints: Vec<EndpointSpec>,
    /// Where its endpoints are that say nothing of it themselves (`eu`, `us-east-1`); requests to Bedrock are signed for it.
    #[serde(default)]
    pub region: Option<String>,
    /// Whether a tenant that brings a key may bring an address for it.
    #[serde(default)]
    pub tenant_base_url: bool,
    /// When an endpoint that fails is left alone.
    #[serde(default)]
    pub breaker: BreakerSpec,
    /// What it calls the output limit.
    #[serde(default)]
    pub output_limit: OutputLimitField,
    /// Time to connect, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Time to the head of the answer, in milliseconds.
    pub first_byte_timeout_ms: u64,
    /// Longest silence within an answer, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Time to the head of an answer that isn't streamed, which comes when it is complete, in milliseconds.
    #[serde(default = "ten_minutes")]
    pub answer_timeout_ms: u64,
}

/// One of the addresses or keys of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EndpointSpec {
    /// Its base URL, with the version and without a slash at the end: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Where its key is found; none for one that needs none.
    #[serde(default)]
    pub api_key: Option<KeyReference>,
    /// Its share of the requests, compared with the other endpoints'.
    pub weight: u32,
    /// Where it is, if not where its provider is.
    #[serde(default)]
    pub region: Option<String>,
}

impl ProviderSpec {
    /// Where one of its endpoints is, if that is known.
    #[must_use]
    pub fn region_of<'a>(&'a self, endpoint: &'a EndpointSpec) -> Option<&'a str> {
        endpoint.region.as_deref().or(self.region.as_deref())
    }

    /// Whether an endpoint may be asked with a tenant's own key, which costs the tenant nothing. One that needs no key
    /// would not look at it, and answer at the operator's expense. Bedrock looks at all keys.
    #[must_use]
    pub fn takes_keys(&self, endpoint: &EndpointSpec) -> bool {
        endpoint.api_key.is_some() || self.kind == ProviderKind::Bedrock
    }

    /// Whether there is an endpoint in one of these regions. What answers in the process itself is where its provider's
    /// entry says.
    #[must_use]
    pub fn is_in(&self, regions: Regions<'_>) -> bool {
        match self.kind.format() {
            None => regions.have(self.region.as_deref()),
            Some(_) => self.endpoints.iter().any(|endpoint| regions.have(self.region_of(endpoint))),
        }
    }
}

/// The regions that may be asked; all of them without a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Regions<'a>(pub Option<&'a [String]>);

impl Regions<'_> {
    /// Whether a region is among them: `eu` has `eu` and `eu-central-1`. An unknown one is in no list.
    #[must_use]
    pub fn have(self, region: Option<&str>) -> bool {
        let within = |wider: &String| {
            let rest = region.and_then(|region| region.strip_prefix(wider.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.0.is_none_or(|listed| listed.iter().any(within))
    }
}

/// When a circuit breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSpec {
    /// After how many failures in a row, at least 1.
    pub failures: u32,
    /// How long nothing is sent then, in milliseconds. After it one request probes whether it works again.
    pub open_ms: u64,
}

impl Default for BreakerSpec {
    fn default() -> Self {
        Self { failures: 10, open_ms: 10_000 }
    }
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Answer a conversation.
    Chat,
    /// Answer piece by piece.
    Stream,
    /// Call tools.
    Tools,
    /// Answer in JSON of a given schema.
    Json,
    /// Look at images.
    Images,
    /// Read documents.
    Documents,
    /// Turn texts into vectors.
    Embed,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The provider's name in the catalogue.
    pub provider: String,
    /// The model's name at the provider.
    pub upstream: String,
    /// The most tokens of prompt and answer together.
    pub context_window: u64,
    /// The most tokens of an answer.
    pub max_output_tokens: u64,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// What it costs.
    pub price: Price,
    /// What the provider takes for it from the operator, whose business that is alone; absent if that isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Price>,
    /// Tokens that the provider may add to any prompt (chat template, default system prompt).
    pub overhead_tokens: u64,
    /// The most tokens of an image.
    pub image_tokens: u64,
    /// The most tokens of a document; never more than the window.
    #[serde(default = "whole_window")]
    pub document_tokens: u64,
    /// How long the vectors of a model that embeds are.
    #[serde(default)]
    pub dimensions: Option<u32>,
}

fn ten_minutes() -> u64 {
    600_000
}

fn whole_window() -> u64 {
    u64::MAX
}

/// Prices of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "WrittenPrice")]
pub struct Price {
    /// Of prompt tokens.
    pub input: PricePerMillion,
    /// Of prompt tokens that the provider read from its cache.
    pub cached_input: PricePerMillion,
    /// Of prompt tokens that the provider wrote into its cache.
    pub cache_write: PricePerMillion,
    /// Of those that it keeps for an hour.
    pub cache_write_1h: PricePerMillion,
    /// Of answer tokens.
    pub output: PricePerMillion,
    /// Of all tokens of an answer that came from LMO's own cache.
    pub cache_hit: PricePerMillion,
}

/// A price as it is stored. Versions of the catalogue from before there were prices for writing lack them.
#[derive(Deserialize)]
struct WrittenPrice {
    input: PricePerMillion,
    cached_input: PricePerMillion,
    cache_write: Option<PricePerMillion>,
    cache_write_1h: Option<PricePerMillion>,
    output: PricePerMillion,
    #[serde(default)]
    cache_hit: PricePerMillion,
}

impl From<WrittenPrice> for Price {
    fn from(written: WrittenPrice) -> Self {
        let cache_write = written.cache_write.unwrap_or(written.input);
        Self {
            input: written.input,
            cached_input: written.cached_input,
            cache_write,
            cache_write_1h: written.cache_write_1h.unwrap_or(cache_write),
            output: written.output,
            cache_hit: written.cache_hit,
        }
    }
}

impl Catalogue {
    /// From the text of a `models.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and key.
    pub fn from_toml(text: &str, effective: Timestamp) -> std::result::Result<Self, Broken> {
        file::parse(text, effective)
    }

    /// The model of a name or alias, with its own name.
    ///
    /// # Errors
    /// `ModelNotFound`.
    pub fn model(&self, name: &str) -> Result<(&str, &Model)> {
        let own = self.aliases.get(name).map_or(name, String::as_str);
        let found = self.models.get_key_value(own).map(|(name, model)| (name.as_str(), model));
        found.ok_or_else(|| Error::ModelNotFound(name.to_owned()))
    }

    /// Whether the model that the catalogue calls `own` is in a list of names and aliases.
    #[must_use]
    pub fn lists(&self, listed: &[String], own: &str) -> bool {
        listed.iter().any(|listed| self.aliases.get(listed).unwrap_or(listed) == own)
    }

    /// The provider of a model.
    ///
    /// # Errors
    /// `Internal` if there is none.
    pub fn provider_of(&self, model: &Model) -> Result<&ProviderSpec> {
        self.providers.get(&model.provider).ok_or_else(|| Error::internal("a model without its provider"))
    }

    /// Whether both say the same, whatever their versions.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        (&self.providers, &self.models, &self.aliases) == (&other.providers, &other.models, &other.aliases)
    }
}

impl Model {
    /// Whether it can do that.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The most that `input` and `output` tokens can cost, whatever is cached.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn worst_cost(&self, input: Tokens, output: Tokens) -> Result<NanoUsd> {
        let price = &self.price;
        let inputs = [price.input, price.cached_input, price.cache_write, price.cache_write_1h, price.cache_hit];
        let dearest = inputs.into_iter().max().unwrap_or_default();
        dearest.times(input).plus(price.output.max(price.cache_hit).times(output))?.rounded_up()
    }

    /// A model for tests.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            provider: "standin".to_owned(),
            upstream: "small".to_owned(),
            context_window: 128_000,
            max_output_tokens: 4096,
            capabilities: vec![Capability::Chat, Capability::Stream, Capability::Tools],
            price: Price {
                input: PricePerMillion(150_000_000),
                cached_input: PricePerMillion(75_000_000),
                cache_write: PricePerMillion(187_500_000),
                cache_write_1h: PricePerMillion(300_000_000),
                cache_hit: PricePerMillion(0),
                output: PricePerMillion(600_000_000),
            },
            cost: None,
            overhead_tokens: 8,
            image_tokens: 1000,
            document_tokens: u64::MAX,
            dimensions: None,
        }
    }
}

/// What is wrong with a `models.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// The key at fault, as far as it is known.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(key) = &self.key {
            write!(f, ", key `{key}`")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_what_lies_within_it() {
        let listed = ["eu".to_owned(), "us-east-1".to_owned()];
        let regions = Regions(Some(&listed));
        for (region, allowed) in [("eu", true), ("eu-central-1", true), ("europe", false), ("us-east-1", true)] {
            assert_eq!(regions.have(Some(region)), allowed, "{region}");
        }
        assert!(!regions.have(Some("us")) && !regions.have(None));
        assert!(Regions(None).have(None) && !Regions(Some(&[])).have(Some("eu")));
    }
}
