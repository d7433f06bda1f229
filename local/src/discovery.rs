//! Which models a laptop has: those of the catalogue whose keys are set, and those of a running Ollama.

use std::{path::Path, time::Duration};

use lmo_shared::{
    clock::Timestamp,
    config::variable,
    llm::{
        OutputLimitField,
        catalogue::{
            BreakerSpec, Capability, Catalogue, DEFAULT_ALIAS, EndpointSpec, KeyReference, Model, Price, ProviderKind,
            ProviderSpec,
        },
    },
};
use serde::Deserialize;

use crate::problem::Problem;

const BUILT_IN: &str = include_str!("../../models.toml");
const ECHO: &str = "lmo/echo";
const OPENAI: &str = "openai/gpt-5-mini";

/// The catalogue to serve. A file that was asked for is taken as it is; the default one is fitted to what is there.
pub async fn catalogue(asked: Option<&Path>, now: Timestamp) -> Result<Catalogue, Problem> {
    if let Some(path) = asked {
        return read(path, now);
    }
    let here = Path::new("models.toml");
    let mut catalogue = if here.exists() {
        read(here, now)?
    } else {
        Catalogue::from_toml(BUILT_IN, now).map_err(|error| Problem(format!("built-in models: {error}")))?
    };
    if let (Some(url), Some(openai)) = (variable("OPENAI_BASE_URL"), catalogue.providers.get_mut("openai")) {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Problem(format!("OPENAI_BASE_URL: must begin with http:// or https://, not `{url}`")));
        }
        for endpoint in &mut openai.endpoints {
            url.trim_end_matches('/').clone_into(&mut endpoint.base_url);
        }
    }
    leave_out_what_has_no_key(&mut catalogue);
    add_ollama(&mut catalogue).await;
    choose_default(&mut catalogue);
    Ok(catalogue)
}

/// A catalogue from a file.
pub fn read(path: &Path, effective: Timestamp) -> Result<Catalogue, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem(format!("{}: {error}", path.display())))?;
    Catalogue::from_toml(&text, effective).map_err(|error| Problem(format!("{}: {error}", path.display())))
}

fn leave_out_what_has_no_key(catalogue: &mut Catalogue) {
    let has_key = |endpoint: &EndpointSpec| match &endpoint.api_key {
        Some(KeyReference::Env(name)) => variable(name).is_some(),
        Some(KeyReference::Secret(_)) | None => true,
    };
    catalogue.providers.values_mut().for_each(|provider| provider.endpoints.retain(has_key));
    catalogue.providers.retain(|_, provider| provider.kind == ProviderKind::Echo || !provider.endpoints.is_empty());
    let Catalogue { providers, models, aliases, .. } = catalogue;
    models.retain(|_, model| providers.contains_key(&model.provider));
    aliases.retain(|_, name| models.contains_key(name));
}

/// Adds the models of an Ollama that answers at `OLLAMA_HOST`, or at its usual port. They cost nothing.
async fn add_ollama(catalogue: &mut Catalogue) {
    let base_url = ollama_at(&variable("OLLAMA_HOST").unwrap_or_default());
    let Some(names) = models_at(&base_url).await else { return };
    let provider = ProviderSpec {
        kind: ProviderKind::OpenAi,
        endpoints: vec![EndpointSpec { base_url, api_key: None, weight: 1 }],
        region: None,
        breaker: BreakerSpec::default(),
        output_limit: OutputLimitField::MaxTokens,
        connect_timeout_ms: 2_000,
        // A model that has to be loaded first takes its time.
        first_byte_timeout_ms: 300_000,
        idle_timeout_ms: 120_000,
        answer_timeout_ms: 600_000,
    };
    catalogue.providers.insert("ollama".to_owned(), provider);
    for name in names {
        let model = Model {
            provider: "ollama".to_owned(),
            upstream: name.clone(),
            context_window: 32_768,
            max_output_tokens: 8_192,
            capabilities: vec![
                Capability::Chat,
                Capability::Stream,
                Capability::Tools,
                Capability::Json,
                Capability::Images,
            ],
            price: Price::default(),
            overhead_tokens: 64,
            image_tokens: 4_096,
            document_tokens: u64::MAX,
            dimensions: None,
        };
        catalogue.models.insert(format!("ollama/{name}"), model);
    }
}

/// The address that Ollama's own tools make of `OLLAMA_HOST`: without a scheme its port is 11434 unless it names one.
fn ollama_at(host: &str) -> String {
    let host = host.trim_end_matches('/').replace("0.0.0.0", "127.0.0.1");
    if host.contains("://") {
        return format!("{host}/v1");
    }
    let host = if host.is_empty() { "127.0.0.1" } else { host.as_str() };
    // The colons of an IPv6 address stand before its bracket.
    let named = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    format!("http://{host}{}/v1", if named { "" } else { ":11434" })
}

async fn models_at(base_url: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: String,
    }
    let client = reqwest::Client::builder().timeout(Duration::from_millis(250)).build().ok()?;
    let body = client.get(format!("{base_url}/models")).send().await.ok()?.bytes().await.ok()?;
    let list: List = serde_json::from_slice(&body).ok()?;
    Some(list.data.into_iter().map(|entry| entry.id).collect())
}

/// A real model where there is one, unless the file names one as default.
fn choose_default(catalogue: &mut Catalogue) {
    if catalogue.aliases.get(DEFAULT_ALIAS).is_some_and(|name| name != ECHO) {
        return;
    }
    let ollama = || catalogue.models.keys().find(|name| name.starts_with("ollama/")).cloned();
    let openai = catalogue.models.contains_key(OPENAI).then(|| OPENAI.to_owned());
    let chosen = openai.or_else(ollama).or_else(|| catalogue.models.contains_key(ECHO).then(|| ECHO.to_owned()));
    if let Some(name) = chosen.or_else(|| catalogue.models.keys().next().cloned()) {
        catalogue.aliases.insert(DEFAULT_ALIAS.to_owned(), name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ollama_is_at_its_usual_port_unless_another_is_named() {
        for (host, url) in [
            ("", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("gpu.example:8000", "http://gpu.example:8000/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
            ("https://gpu.example/", "https://gpu.example/v1"),
        ] {
            assert_eq!(ollama_at(host), url);
        }
    }
}
