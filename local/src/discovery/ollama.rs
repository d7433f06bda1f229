//! The models of an Ollama on this machine, or wherever `OLLAMA_HOST` says.

use std::time::Duration;

use lmo_shared::llm::{
    OutputLimitField,
    catalogue::{BreakerSpec, Capability, Catalogue, EndpointSpec, Model, Price, ProviderKind, ProviderSpec},
};
use serde::Deserialize;

/// The provider's name in the catalogue.
pub(super) const NAME: &str = "ollama";

/// Adds the models of an Ollama that answers at `host`, or at its usual port. They cost nothing.
pub(super) async fn add(catalogue: &mut Catalogue, host: &str) {
    let base_url = address(host);
    let Some(names) = models_at(&base_url).await else { return };
    let provider = ProviderSpec {
        kind: ProviderKind::OpenAi,
        endpoints: vec![EndpointSpec { base_url, api_key: None, weight: 1, region: None }],
        region: None,
        tenant_base_url: false,
        breaker: BreakerSpec::default(),
        output_limit: OutputLimitField::MaxTokens,
        connect_timeout_ms: 2_000,
        // A model that has to be loaded first takes its time.
        first_byte_timeout_ms: 300_000,
        idle_timeout_ms: 120_000,
        answer_timeout_ms: 600_000,
    };
    catalogue.providers.insert(NAME.to_owned(), provider);
    catalogue.models.extend(names.into_iter().map(|name| (format!("{NAME}/{name}"), model(name))));
}

fn model(name: String) -> Model {
    Model {
        provider: NAME.to_owned(),
        context_window: 32_768,
        max_output_tokens: 8_192,
        capabilities: capabilities(&name),
        upstream: name,
        price: Price::default(),
        cost: None,
        overhead_tokens: 64,
        image_tokens: 4_096,
        document_tokens: u64::MAX,
        dimensions: None,
    }
}

/// Ollama lists names alone. Nearly all models that embed say so in theirs.
fn capabilities(name: &str) -> Vec<Capability> {
    if name.to_ascii_lowercase().contains("embed") {
        return vec![Capability::Embed];
    }
    vec![Capability::Chat, Capability::Stream, Capability::Tools, Capability::Json, Capability::Images]
}

/// The address that Ollama's own tools make of `OLLAMA_HOST`: without a scheme its port is 11434 unless it names one.
fn address(host: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_at_its_usual_port_unless_another_is_named() {
        for (host, url) in [
            ("", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("gpu.example:8000", "http://gpu.example:8000/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
            ("https://gpu.example/", "https://gpu.example/v1"),
        ] {
            assert_eq!(address(host), url);
        }
    }

    #[test]
    fn a_model_embeds_if_its_name_says_so_and_chats_if_not() {
        for name in ["nomic-embed-text:latest", "Qwen3-Embedding:8b", "embeddinggemma"] {
            assert_eq!(model(name.to_owned()).capabilities, [Capability::Embed], "{name}");
        }
        let chats = model("llama3.2:3b".to_owned());
        assert!(chats.can(Capability::Chat) && !chats.can(Capability::Embed));
    }
}
