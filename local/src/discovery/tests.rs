use lmo_shared::llm::catalogue::{EMBED_ALIAS, Model, Price};

use super::*;

/// The built-in catalogue as it is where only these variables are set.
fn with(environment: &[(&str, &str)]) -> Result<Catalogue, Problem> {
    let variable =
        |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    let mut catalogue = built_in(Timestamp(0))?;
    redirect(&mut catalogue, variable)?;
    leave_out_what_has_no_key(&mut catalogue, variable);
    choose_default(&mut catalogue);
    Ok(catalogue)
}

fn fitted(environment: &[(&str, &str)]) -> Catalogue {
    with(environment).unwrap_or_else(|problem| panic!("{problem}"))
}

fn names(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.providers.keys().map(String::as_str).collect()
}

fn default(catalogue: &Catalogue) -> Option<&str> {
    catalogue.aliases.get(DEFAULT_ALIAS).map(String::as_str)
}

fn base_url<'a>(catalogue: &'a Catalogue, provider: &str) -> &'a str {
    &catalogue.providers[provider].endpoints[0].base_url
}

/// A model of an Ollama.
fn add(catalogue: &mut Catalogue, name: &str, capabilities: &[Capability]) {
    let model = Model {
        provider: ollama::NAME.to_owned(),
        upstream: name.to_owned(),
        context_window: 100,
        max_output_tokens: 10,
        capabilities: capabilities.to_vec(),
        price: Price::default(),
        cost: None,
        overhead_tokens: 0,
        image_tokens: 0,
        document_tokens: 0,
        dimensions: None,
    };
    catalogue.models.insert(format!("ollama/{name}"), model);
}

#[test]
fn without_a_key_there_is_the_echo_alone() {
    let catalogue = fitted(&[]);
    assert_eq!((names(&catalogue), default(&catalogue)), (vec!["lmo"], Some(ECHO)));
    assert!(catalogue.models.values().all(|model| model.provider == "lmo"));
    assert_eq!(catalogue.aliases[EMBED_ALIAS], "lmo/hash-embed");
}

#[test]
fn a_key_brings_its_provider_with_its_models() {
    for (key, provider) in [
        ("OPENAI_API_KEY", "openai"),
        ("ANTHROPIC_API_KEY", "anthropic"),
        ("GEMINI_API_KEY", "gemini"),
        ("AWS_BEARER_TOKEN_BEDROCK", "bedrock"),
    ] {
        let catalogue = fitted(&[(key, "x")]);
        assert_eq!(names(&catalogue).iter().filter(|name| **name != "lmo").collect::<Vec<_>>(), [&provider]);
        let own = catalogue.models.values().filter(|model| model.provider == provider);
        assert!(own.filter(|model| model.can(Capability::Chat)).count() >= 2, "{provider}");
    }
}

#[test]
fn the_default_is_the_first_of_those_that_are_preferred() {
    let key = |name| (name, "x");
    let [openai, anthropic, gemini, bedrock] =
        ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"].map(key);
    for (keys, chosen) in [
        (vec![bedrock, gemini, anthropic, openai], "openai/gpt-5-mini"),
        (vec![bedrock, gemini, anthropic], "anthropic/claude-haiku-4-5"),
        (vec![bedrock, gemini], "gemini/gemini-2.5-flash"),
        (vec![bedrock], "bedrock/claude-sonnet-4-5"),
    ] {
        assert_eq!(default(&fitted(&keys)), Some(chosen));
    }
}

#[test]
fn an_ollama_comes_before_the_echo_and_after_what_was_given_a_key() {
    let mut catalogue = fitted(&[]);
    add(&mut catalogue, "llama", &[Capability::Chat]);
    choose_default(&mut catalogue);
    assert_eq!(default(&catalogue), Some("ollama/llama"));
    let mut catalogue = fitted(&[("GEMINI_API_KEY", "x")]);
    catalogue.aliases.remove(DEFAULT_ALIAS);
    add(&mut catalogue, "llama", &[Capability::Chat]);
    choose_default(&mut catalogue);
    assert_eq!(default(&catalogue), Some("gemini/gemini-2.5-flash"));
}

#[test]
fn what_can_not_chat_is_never_the_default() {
    let mut catalogue = fitted(&[]);
    add(&mut catalogue, "a-embed", &[Capability::Embed]);
    add(&mut catalogue, "b", &[Capability::Chat]);
    choose_default(&mut catalogue);
    assert_eq!(default(&catalogue), Some("ollama/b"));
    catalogue.aliases.clear();
    catalogue.models.retain(|_, model| model.can(Capability::Embed));
    choose_default(&mut catalogue);
    assert_eq!(default(&catalogue), None);
}

#[test]
fn a_default_that_the_file_names_stays() {
    let mut catalogue = fitted(&[("OPENAI_API_KEY", "x")]);
    catalogue.aliases.insert(DEFAULT_ALIAS.to_owned(), "openai/gpt-4.1".to_owned());
    choose_default(&mut catalogue);
    assert_eq!(default(&catalogue), Some("openai/gpt-4.1"));
}

#[test]
fn a_base_url_is_taken_with_and_without_its_version() {
    for (name, key, provider, url, expected) in [
        ("OPENAI_BASE_URL", "OPENAI_API_KEY", "openai", "http://a.example/x/", "http://a.example/x"),
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "anthropic", "https://a.example", "https://a.example/v1"),
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "anthropic", "https://a.example/v1/", "https://a.example/v1"),
        ("GEMINI_BASE_URL", "GEMINI_API_KEY", "gemini", "https://a.example/", "https://a.example/v1beta"),
        ("GEMINI_BASE_URL", "GEMINI_API_KEY", "gemini", "https://a.example/v1beta", "https://a.example/v1beta"),
    ] {
        assert_eq!(base_url(&fitted(&[(key, "x"), (name, url)]), provider), expected, "{name}={url}");
    }
}

#[test]
fn a_base_url_that_is_none_is_told_by_its_variable() {
    for name in BASE_URLS.map(|(_, name, _)| name) {
        let problem = with(&[(name, "a.example")]).unwrap_err().to_string();
        assert!(problem.starts_with(name) && problem.contains("`a.example`"), "{problem}");
    }
}

/// A price that is left out is that of an ordinary prompt token, which is never right for these.
#[test]
fn what_anthropics_models_write_to_a_cache_has_its_own_prices() {
    let catalogue = built_in(Timestamp(0)).unwrap_or_else(|problem| panic!("{problem}"));
    for (name, Model { price, .. }) in catalogue.models.iter().filter(|(name, _)| name.contains("claude")) {
        let per_million = [price.cached_input, price.input, price.cache_write, price.cache_write_1h, price.output];
        assert!(per_million.is_sorted() && price.cache_write != price.input, "{name}: {price:?}");
        assert_eq!(price.cache_write.0 * 8, price.cache_write_1h.0 * 5, "{name}");
    }
}
