//! `models.toml`: what an operator writes, with its line in every complaint.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Broken, Capability, Catalogue, KeyReference, Model, OutputLimitField, Price, ProviderKind, ProviderSpec};
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
    #[serde(default)]
    output_limit: OutputLimitField,
    #[serde(default = "five_seconds")]
    connect_timeout_ms: u64,
    #[serde(default = "two_minutes")]
    first_byte_timeout_ms: u64,
    #[serde(default = "two_minutes")]
    idle_timeout_ms: u64,
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
    #[serde(default = "sixty_four")]
    overhead_tokens: u64,
    #[serde(default = "two_thousand")]
    image_tokens: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceEntry {
    input: Spanned<f64>,
    cached_input: Option<Spanned<f64>>,
    output: Spanned<f64>,
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
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Broken { line: line_of(text, at), key: key_at(text, at), problem: one_line(error.message()) }
    })?;
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

impl Source<'_> {
    fn broken<T>(&self, at: &Spanned<T>, key: String, problem: String) -> Broken {
        Broken { line: line_of(self.text, at.span().start), key: Some(key), problem }
    }

    fn provider(&self, name: String, entry: ProviderEntry) -> Result<(String, ProviderSpec), Broken> {
        let key = format!("providers.{name}.base_url");
        let base_url = match (&entry.base_url, entry.kind) {
            (Some(url), _) if url.get_ref().starts_with("http://") || url.get_ref().starts_with("https://") => {
                url.get_ref().trim_end_matches('/').to_owned()
            }
            (Some(url), _) => return Err(self.broken(url, key, "must begin with http:// or https://".to_owned())),
            (None, ProviderKind::Echo) => String::new(),
            (None, ProviderKind::OpenAi) => {
                let line = self.text.lines().position(|line| line.contains(&name)).map_or(1, |line| line + 1);
                return Err(Broken { line, key: Some(key), problem: "is missing".to_owned() });
            }
        };
        let spec = ProviderSpec {
            kind: entry.kind,
            base_url,
            api_key: entry.api_key,
            output_limit: entry.output_limit,
            connect_timeout_ms: entry.connect_timeout_ms,
            first_byte_timeout_ms: entry.first_byte_timeout_ms,
            idle_timeout_ms: entry.idle_timeout_ms,
        };
        Ok((name, spec))
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
        let input = self.price(&name, "input", &entry.price.input)?;
        let cached_input = entry.price.cached_input.as_ref();
        let price = Price {
            input,
            cached_input: cached_input.map_or(Ok(input), |price| self.price(&name, "cached_input", price))?,
            output: self.price(&name, "output", &entry.price.output)?,
        };
        let model = Model {
            provider: entry.provider.into_inner(),
            upstream: entry.upstream.unwrap_or_else(|| name.clone()),
            context_window: window,
            max_output_tokens: most,
            capabilities: entry.capabilities,
            price,
            overhead_tokens: entry.overhead_tokens,
            image_tokens: entry.image_tokens,
        };
        Ok((name, model))
    }

    fn price(&self, model: &str, kind: &str, price: &Spanned<f64>) -> Result<PricePerMillion, Broken> {
        PricePerMillion::from_usd(*price.get_ref()).ok_or_else(|| {
            let problem = "must be from 0 to 1,000,000 USD per million tokens".to_owned();
            self.broken(price, format!("models.{model}.price.{kind}"), problem)
        })
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The key that the line at `at` sets, with the table that it stands in.
fn key_at(text: &str, at: usize) -> Option<String> {
    let line = line_of(text, at);
    let table = |text: &str| Some(text.trim().strip_prefix('[')?.split(']').next()?.trim().to_owned());
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
