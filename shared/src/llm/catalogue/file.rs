//! `models.toml`: what an operator writes, with its line in every complaint.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::Deserialize;
use toml::Spanned;

use super::{
    BreakerSpec, Broken, Capability, Catalogue, EndpointSpec, KeyReference, Model, OutputLimitField, Price,
    ProviderKind, ProviderSpec, ten_minutes, whole_window,
};
use crate::{clock::Timestamp, money::PricePerMillion};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    providers: BTreeMap<String, ProviderEntry>,
    #[serde(default)]
    models: BTreeMap<String, ModelEntry>,
    #[serde(default)]
    aliases: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderEntry {
    kind: ProviderKind,
    base_url: Option<Spanned<String>>,
    api_key: Option<KeyReference>,
    endpoints: Option<Spanned<Vec<EndpointEntry>>>,
    region: Option<String>,
    #[serde(default)]
    tenant_base_url: bool,
    #[serde(default)]
    breaker: BreakerSpec,
    #[serde(default)]
    output_limit: OutputLimitField,
    #[serde(default = "five_seconds")]
    connect_timeout_ms: u64,
    #[serde(default = "two_minutes")]
    first_byte_timeout_ms: u64,
    #[serde(default = "two_minutes")]
    idle_timeout_ms: u64,
    #[serde(default = "ten_minutes")]
    answer_timeout_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointEntry {
    base_url: Option<Spanned<String>>,
    api_key: Option<KeyReference>,
    weight: Option<Spanned<u32>>,
    region: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelEntry {
    provider: Spanned<String>,
    upstream: Option<String>,
    context_window: Spanned<u64>,
    max_output_tokens: Option<Spanned<u64>>,
    #[serde(default = "chat_and_stream")]
    capabilities: Vec<Capability>,
    price: PriceEntry,
    cost: Option<PriceEntry>,
    #[serde(default = "sixty_four")]
    overhead_tokens: u64,
    #[serde(default = "two_thousand")]
    image_tokens: u64,
    #[serde(default = "whole_window")]
    document_tokens: u64,
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceEntry {
    input: Spanned<f64>,
    cached_input: Option<Spanned<f64>>,
    cache_write: Option<Spanned<f64>>,
    cache_write_1h: Option<Spanned<f64>>,
    output: Option<Spanned<f64>>,
    cache_hit: Option<Spanned<f64>>,
}

fn five_seconds() -> u64 {
    5_000
}

fn two_minutes() -> u64 {
    120_000
}

fn sixty_four() -> u64 {
    64
}

fn two_thousand() -> u64 {
    2_000
}

fn chat_and_stream() -> Vec<Capability> {
    vec![Capability::Chat, Capability::Stream]
}

pub(super) fn parse(text: &str, effective: Timestamp) -> Result<Catalogue, Broken> {
    let file: File = toml::from_str(text).map_err(|error| Broken::toml(text, &error))?;
    let source = Source { text };
    let providers = file.providers.into_iter().map(|(name, entry)| source.provider(name, entry));
    let providers = providers.collect::<Result<BTreeMap<_, _>, _>>()?;
    let models = file.models.into_iter().map(|(name, entry)| source.model(name, entry, &providers));
    let models = models.collect::<Result<BTreeMap<_, _>, _>>()?;
    let alias = |(name, target): (String, Spanned<String>)| {
        if models.contains_key(target.get_ref()) {
            return Ok((name, target.into_inner()));
        }
        let problem = format!("there is no model `{}`", target.get_ref());
        Err(source.broken(&target, format!("aliases.{name}"), problem))
    };
    let aliases = file.aliases.into_iter().map(alias).collect::<Result<_, _>>()?;
    Ok(Catalogue { version: String::new(), effective, providers, models, aliases })
}

struct Source<'a> {
    text: &'a str,
}

impl Broken {
    /// What the parser of TOML says of a text.
    pub(crate) fn toml(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        Self { line: line_of(text, at), key: key_at(text, at), problem: one_line(error.message()) }
    }
}

impl Source<'_> {
    fn broken<T>(&self, at: &Spanned<T>, key: String, problem: String) -> Broken {
        Broken { line: line_of(self.text, at.span().start), key: Some(key), problem }
    }

    fn provider(&self, name: String, entry: ProviderEntry) -> Result<(String, ProviderSpec), Broken> {
        let endpoints = self.endpoints(&name, &entry)?;
        if entry.kind == ProviderKind::Bedrock
            && entry.region.is_none()
            && endpoints.iter().any(|e| e.api_key.is_none() && e.region.is_none())
        {
            return Err(self.missing(&name, "region"));
        }
        let spec = ProviderSpec {
            kind: entry.kind,
            endpoints,
            region: entry.region,
            tenant_base_url: entry.tenant_base_url,
            breaker: BreakerSpec { failures: entry.breaker.failures.max(1), ..entry.breaker },
            output_limit: entry.output_limit,
            connect_timeout_ms: entry.connect_timeout_ms,
            first_byte_timeout_ms: entry.first_byte_timeout_ms,
            idle_timeout_ms: entry.idle_timeout_ms,
            answer_timeout_ms: entry.answer_timeout_ms,
        };
        Ok((name, spec))
    }

    /// Those that are listed; what one lacks it takes from the provider. Without a list the provider is one itself.
    fn endpoints(&self, name: &str, entry: &ProviderEntry) -> Result<Vec<EndpointSpec>, Broken> {
        if entry.kind == ProviderKind::Echo {
            return Ok(Vec::new());
        }
        let Some(list) = &entry.endpoints else {
            let base_url = self.base_url(name, entry.base_url.as_ref())?;
            return Ok(vec![EndpointSpec { base_url, api_key: entry.api_key.clone(), weight: 1, region: None }]);
        };
        if list.get_ref().is_empty() {
            return Err(self.broken(list, format!("providers.{name}.endpoints"), "must not be empty".to_owned()));
        }
        let endpoint = |one: &EndpointEntry| {
            let weight = one.weight.as_ref().map_or(1, |weight| *weight.get_ref());
            if let Some(at) = one.weight.as_ref().filter(|_| !(1..=1_000_000).contains(&weight)) {
                let problem = "must be from 1 to 1,000,000".to_owned();
                return Err(self.broken(at, format!("providers.{name}.endpoints.weight"), problem));
            }
            let base_url = self.base_url(name, one.base_url.as_ref().or(entry.base_url.as_ref()))?;
            let api_key = one.api_key.clone().or_else(|| entry.api_key.clone());
            Ok(EndpointSpec { base_url, api_key, weight, region: one.region.clone() })
        };
        list.get_ref().iter().map(endpoint).collect()
    }

    fn base_url(&self, name: &str, url: Option<&Spanned<String>>) -> Result<String, Broken> {
        let url = url.ok_or_else(|| self.missing(name, "base_url"))?;
        let text = url.get_ref();
        let problem = match Url::parse(text) {
            _ if !text.starts_with("http://") && !text.starts_with("https://") => {
                "must begin with http:// or https://".to_owned()
            }
            Ok(_) => return Ok(text.trim_end_matches('/').to_owned()),
            Err(error) => format!("is no address: {error}"),
        };
        Err(self.broken(url, format!("providers.{name}.base_url"), problem))
    }

    fn missing(&self, provider: &str, key: &str) -> Broken {
        let line = self.text.lines().position(|line| line.contains(provider)).map_or(1, |line| line + 1);
        Broken { line, key: Some(format!("providers.{provider}.{key}")), problem: "is missing".to_owned() }
    }

    fn model(
        &self,
        name: String,
        entry: ModelEntry,
        providers: &BTreeMap<String, ProviderSpec>,
    ) -> Result<(String, Model), Broken> {
        if !providers.contains_key(entry.provider.get_ref()) {
            let problem = format!("there is no provider `{}`", entry.provider.get_ref());
            return Err(self.broken(&entry.provider, format!("models.{name}.provider"), problem));
        }
        let window = *entry.context_window.get_ref();
        if !(16..=1_000_000_000).contains(&window) {
            let problem = "must be from 16 to 1,000,000,000 tokens".to_owned();
            return Err(self.broken(&entry.context_window, format!("models.{name}.context_window"), problem));
        }
        let most = entry.max_output_tokens.as_ref().map_or(window.min(4096), |most| *most.get_ref());
        if let Some(at) = entry.max_output_tokens.as_ref().filter(|_| most == 0 || most > window) {
            let problem = "must be from 1 to the context window".to_owned();
            return Err(self.broken(at, format!("models.{name}.max_output_tokens"), problem));
        }
        let answers = entry.capabilities.contains(&Capability::Chat);
        let price = self.prices(&format!("models.{name}.price"), &entry.price, answers)?;
        let cost =
            entry.cost.as_ref().map(|cost| self.cost(&format!("models.{name}.cost"), cost, answers)).transpose()?;
        let model = Model {
            provider: entry.provider.into_inner(),
            upstream: entry.upstream.unwrap_or_else(|| name.clone()),
            context_window: window,
            max_output_tokens: most,
            capabilities: entry.capabilities,
            price,
            cost,
            overhead_tokens: entry.overhead_tokens,
            image_tokens: entry.image_tokens,
            document_tokens: entry.document_tokens,
            dimensions: entry.dimensions,
        };
        Ok((name, model))
    }

    /// What a provider takes: it has no part in answers from LMO's own cache.
    fn cost(&self, key: &str, written: &PriceEntry, answers: bool) -> Result<Price, Broken> {
        match &written.cache_hit {
            Some(at) => Err(self.broken(at, format!("{key}.cache_hit"), "costs nothing".to_owned())),
            None => self.prices(key, written, answers),
        }
    }

    fn prices(&self, key: &str, written: &PriceEntry, answers: bool) -> Result<Price, Broken> {
        let or = |kind, price: &Option<Spanned<f64>>, default| {
            price.as_ref().map_or(Ok(default), |price| self.price(key, kind, price))
        };
        let input = self.price(key, "input", &written.input)?;
        let cache_write = or("cache_write", &written.cache_write, input)?;
        let output = match (&written.output, answers) {
            (Some(price), _) => self.price(key, "output", price)?,
            // What embeds has no answer that could cost something.
            (None, false) => PricePerMillion::default(),
            (None, true) => {
                let problem = "is missing".to_owned();
                return Err(self.broken(&written.input, format!("{key}.output"), problem));
            }
        };
        Ok(Price {
            input,
            cached_input: or("cached_input", &written.cached_input, input)?,
            cache_write,
            cache_write_1h: or("cache_write_1h", &written.cache_write_1h, cache_write)?,
            output,
            cache_hit: or("cache_hit", &written.cache_hit, PricePerMillion::default())?,
        })
    }

    fn price(&self, key: &str, kind: &str, price: &Spanned<f64>) -> Result<PricePerMillion, Broken> {
        PricePerMillion::from_usd(*price.get_ref()).ok_or_else(|| {
            let problem = "must be from 0 to 1,000,000 USD per million tokens".to_owned();
            self.broken(price, format!("{key}.{kind}"), problem)
        })
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The key that the line at `at` sets, with the table that it stands in.
fn key_at(text: &str, at: usize) -> Option<String> {
    let line = line_of(text, at);
    let table =
        |text: &str| Some(text.trim().strip_prefix('[')?.trim_start_matches('[').split(']').next()?.trim().to_owned());
    let lines: Vec<_> = text.lines().take(line).collect();
    let last = lines.last()?;
    if let Some(table) = table(last) {
        return Some(table);
    }
    let key = last.split('=').next().map(str::trim).filter(|key| !key.is_empty())?;
    let within = lines.iter().rev().find_map(|line| table(line));
    Some(within.map_or_else(|| key.to_owned(), |within| format!("{within}.{key}")))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
