//! Which models a laptop has: those of the catalogue whose keys are set, and those of a running Ollama.

use std::path::Path;

use lmo_shared::{
    clock::Timestamp,
    config::variable,
    llm::catalogue::{Capability, Catalogue, DEFAULT_ALIAS, EndpointSpec, KeyReference, ProviderKind},
};

use crate::problem::Problem;

mod ollama;

const BUILT_IN: &str = include_str!("../../models.toml");
const ECHO: &str = "lmo/echo";

/// Variables that send a provider's requests elsewhere: the provider, the variable, and the version in the path that its
/// other users leave out.
const BASE_URLS: [(&str, &str, &str); 3] = [
    ("openai", "OPENAI_BASE_URL", ""),
    ("anthropic", "ANTHROPIC_BASE_URL", "/v1"),
    ("gemini", "GEMINI_BASE_URL", "/v1beta"),
];

/// What answers requests that name no model, the first that is there: quick and cheap.
const PREFERRED: [&str; 4] =
    ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"];

/// The catalogue to serve. A file that was asked for is taken as it is; the default one is fitted to what is there.
pub async fn catalogue(asked: Option<&Path>, now: Timestamp) -> Result<Catalogue, Problem> {
    if let Some(path) = asked {
        return read(path, now);
    }
    let here = Path::new("models.toml");
    let mut catalogue = if here.exists() { read(here, now)? } else { built_in(now)? };
    redirect(&mut catalogue, variable)?;
    leave_out_what_has_no_key(&mut catalogue, variable);
    ollama::add(&mut catalogue, &variable("OLLAMA_HOST").unwrap_or_default()).await;
    choose_default(&mut catalogue);
    Ok(catalogue)
}

/// A catalogue from a file.
pub fn read(path: &Path, effective: Timestamp) -> Result<Catalogue, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem(format!("{}: {error}", path.display())))?;
    Catalogue::from_toml(&text, effective).map_err(|error| Problem(format!("{}: {error}", path.display())))
}

fn built_in(now: Timestamp) -> Result<Catalogue, Problem> {
    Catalogue::from_toml(BUILT_IN, now).map_err(|error| Problem(format!("built-in models: {error}")))
}

/// Takes the addresses of providers from the environment.
fn redirect(catalogue: &mut Catalogue, variable: impl Fn(&str) -> Option<String>) -> Result<(), Problem> {
    for (name, base_url, version) in BASE_URLS {
        let (Some(url), Some(provider)) = (variable(base_url), catalogue.providers.get_mut(name)) else { continue };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Problem(format!("{base_url}: must begin with http:// or https://, not `{url}`")));
        }
        let url = url.trim_end_matches('/');
        let version = if url.ends_with(version) { "" } else { version };
        for endpoint in &mut provider.endpoints {
            endpoint.base_url = format!("{url}{version}");
        }
    }
    Ok(())
}

fn leave_out_what_has_no_key(catalogue: &mut Catalogue, variable: impl Fn(&str) -> Option<String>) {
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

/// A real model that chats where there is one, unless the file names one as default.
fn choose_default(catalogue: &mut Catalogue) {
    if catalogue.aliases.get(DEFAULT_ALIAS).is_some_and(|name| name != ECHO) {
        return;
    }
    let chats = || catalogue.models.iter().filter(|(_, model)| model.can(Capability::Chat));
    let preferred = PREFERRED.iter().find_map(|name| chats().find(|(known, _)| known == name));
    let chosen = preferred
        .or_else(|| chats().find(|(_, model)| model.provider == ollama::NAME))
        .or_else(|| chats().find(|(name, _)| *name != ECHO))
        .or_else(|| chats().next())
        .map(|(name, _)| name.clone());
    if let Some(name) = chosen {
        catalogue.aliases.insert(DEFAULT_ALIAS.to_owned(), name);
    }
}

#[cfg(test)]
mod tests;
