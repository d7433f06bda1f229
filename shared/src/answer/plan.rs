//! From what is asked to what is sent: model, defaults of the tenant, limits of the model, and the worst that it can
//! cost. Pure.

use std::{sync::Arc, time::Duration};

use super::Ask;
use crate::{
    auth::Access,
    cache::{Asked, Policy},
    error::{Error, Result},
    llm::{
        Message, OwnKey, Prompt, Role,
        catalogue::{Capability, Catalogue, DEFAULT_ALIAS, Model, ProviderSpec},
    },
    money::{NanoUsd, Tokens},
    quota::Need,
    tenant::{MOST_FALLBACKS, TenantConfig},
};

/// The most alternatives that one request may ask for.
const MOST_CHOICES: u32 = 16;

/// A text of more bytes per token than this doesn't exist in practice; what is longer can't fit.
pub(super) const MOST_BYTES_PER_TOKEN: u64 = 8;

/// Which part of what a minute's limit leaves beside its prompt a request takes that names no most. If it took all, another
/// at the same time, or before this one is settled, would be refused.
const UNASKED_PART: u64 = 4;

/// An answer for which that is fewer tokens may end in the midst of it: whoever wants that says so.
const FEWEST_UNASKED: u64 = 1_024;

/// What is sent, to which models, and what it may cost.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub catalogue: Arc<Catalogue>,
    pub prompt: Prompt,
    /// The model that was asked for, then its fallbacks; never empty.
    pub candidates: Vec<Candidate>,
    /// The worst that any of them can cost.
    pub need: Need,
    /// Whether the caller wants a stream.
    pub stream: bool,
    pub hedge_after: Option<Duration>,
    pub cache: Option<Policy>,
    /// Where it may be sent; absent: everywhere.
    pub regions: Option<Vec<String>>,
}

/// A model that may answer.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// As the catalogue calls it.
    pub name: String,
    pub model: Model,
    /// The most tokens of each choice.
    pub max_output: Tokens,
    /// The worst that it can cost.
    pub need: Need,
    /// The key that it is asked with, if that is one of the tenant's own; then its tokens cost nothing.
    pub own: Option<OwnKey>,
}

impl Candidate {
    /// Has each choice take no more than this.
    fn shorten(&mut self, most: Tokens, choices: u32) -> Result<()> {
        self.max_output = self.max_output.min(most);
        self.need = need(&self.model, self.need.input, self.max_output, choices, self.own.is_some())?;
        Ok(())
    }
}

/// The worst that a model can cost.
fn need(model: &Model, input: Tokens, max_output: Tokens, choices: u32, free: bool) -> Result<Need> {
    let output = Tokens(max_output.0.saturating_mul(u64::from(choices)));
    let cost = if free { NanoUsd::ZERO } else { model.worst_cost(input, output)? };
    Ok(Need { input, output, cost })
}

impl Plan {
    /// The model that was asked for.
    pub fn asked(&self) -> Result<&Candidate> {
        self.candidates.first().ok_or_else(|| Error::internal("a plan without a model"))
    }

    /// Whether whoever answers does so with a key of the tenant's own. What is held then costs nothing also if it is lost.
    pub fn is_free(&self) -> bool {
        self.candidates.iter().all(|candidate| candidate.own.is_some())
    }

    pub fn provider(&self, candidate: &Candidate) -> Result<&ProviderSpec> {
        self.catalogue.provider_of(&candidate.model)
    }
}

/// The model that is asked, by its own name, with its entry in the catalogue.
pub(super) fn model<'a>(
    config: &TenantConfig,
    access: Access<'_>,
    catalogue: &'a Catalogue,
    asked: Option<&str>,
) -> Result<(&'a str, &'a Model)> {
    let asked = asked.or(config.default_model.as_deref()).unwrap_or(DEFAULT_ALIAS);
    access.model(catalogue, asked)
}

pub(super) fn plan(config: &TenantConfig, access: Access<'_>, catalogue: Arc<Catalogue>, ask: Ask) -> Result<Plan> {
    let (name, spec) = model(config, access, &catalogue, ask.model.as_deref())?;
    let Ask { prompt, stream, options, .. } = ask;
    if prompt.messages.is_empty() {
        return Err(Error::invalid("messages", "there must be at least one message"));
    }
    if !(1..=MOST_CHOICES).contains(&prompt.choices) {
        return Err(Error::invalid("n", format!("n must be from 1 to {MOST_CHOICES}")));
    }
    if prompt.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return Err(Error::invalid("temperature", "temperature must be from 0 to 2"));
    }
    access.check_tools(&prompt)?;
    let first = candidate(config, name, spec, &prompt, access.own_key(spec))?;
    let mut candidates = vec![first];
    if access.falls_back(spec) {
        candidates.push(candidate(config, name, spec, &prompt, None)?);
    }
    candidates.extend(fallbacks(config, access, &catalogue, name, &prompt, options.fallbacks.as_deref())?);
    if let Some(minute) = access.tokens_per_minute.filter(|_| prompt.max_output.is_none()) {
        // Which of them answers isn't known, so the longest prompt counts for all.
        let left = minute.saturating_sub(worst(&candidates).input.0) / UNASKED_PART / u64::from(prompt.choices);
        let most = Tokens(left.max(FEWEST_UNASKED));
        candidates.iter_mut().try_for_each(|candidate| candidate.shorten(most, prompt.choices))?;
    }
    let need = worst(&candidates);
    let asked =
        Asked { prompt: &prompt, max_output: candidates.first().map_or(Tokens::ZERO, |first| first.max_output) };
    let cache = Policy::of(options.cache, &config.cache, config.retention(), name, spec, &asked);
    let hedge_after = options.hedge_after;
    let regions = access.regions.0.map(<[String]>::to_vec);
    Ok(Plan { catalogue, prompt, candidates, need, stream, hedge_after, cache, regions })
}

/// The worst that any of them can cost.
fn worst(candidates: &[Candidate]) -> Need {
    candidates.iter().fold(Need::default(), |worst, candidate| worst.max(candidate.need))
}

/// What the tenant has set and the request has not. The caller's own words don't say it, so they don't hold any more.
pub(super) fn apply_defaults(config: &TenantConfig, prompt: &mut Prompt) {
    if prompt.temperature.is_none() && config.temperature.is_some() {
        prompt.temperature = config.temperature;
        prompt.native = None;
    }
    if let Some(system) = config.system_prompt.as_ref().filter(|_| !has_system(prompt)) {
        prompt.messages.insert(0, Message::text(Role::System, system));
        prompt.native = None;
    }
}

/// The models to try behind the one named `first`, each once. A request's own must exist and be allowed; of the tenant's,
/// and of models that can't answer this request, the others are taken.
fn fallbacks(
    config: &TenantConfig,
    access: Access<'_>,
    catalogue: &Catalogue,
    first: &str,
    prompt: &Prompt,
    own: Option<&[String]>,
) -> Result<Vec<Candidate>> {
    let named = own.unwrap_or(&config.fallbacks);
    if named.len() > MOST_FALLBACKS {
        return Err(Error::invalid("fallbacks", format!("fallbacks must name at most {MOST_FALLBACKS} models")));
    }
    let mut candidates: Vec<Candidate> = Vec::with_capacity(named.len());
    for asked in named {
        let (name, spec) = match access.model(catalogue, asked) {
            Ok(found) => found,
            Err(error) if own.is_some() => return Err(error),
            Err(_) => continue,
        };
        let again = name == first || candidates.iter().any(|candidate| candidate.name == name);
        if again {
            continue;
        }
        let also = access.falls_back(spec).then_some(None);
        for own in [access.own_key(spec)].into_iter().chain(also) {
            candidates.extend(candidate(config, name, spec, prompt, own));
        }
    }
    Ok(candidates)
}

/// A model with what this request can cost there.
fn candidate(
    config: &TenantConfig,
    name: &str,
    spec: &Model,
    prompt: &Prompt,
    own: Option<OwnKey>,
) -> Result<Candidate> {
    check_capabilities(name, spec, prompt)?;
    let bound = prompt.upper_bound(
        Tokens(spec.overhead_tokens),
        Tokens(spec.image_tokens),
        Tokens(spec.document_tokens.min(spec.context_window)),
    );
    let window = spec.context_window;
    if bound.0 / MOST_BYTES_PER_TOKEN >= window {
        return Err(Error::ContextTooLong { needed: bound.0, window, model: name.to_owned() });
    }
    let max_output = max_output(config, spec, prompt, bound)?;
    // No provider reads more than its window.
    let input = bound.min(Tokens(window));
    let need = need(spec, input, max_output, prompt.choices, own.is_some())?;
    Ok(Candidate { name: name.to_owned(), model: spec.clone(), max_output, need, own })
}

fn has_system(prompt: &Prompt) -> bool {
    prompt.messages.iter().any(|message| matches!(message.role, Role::System | Role::Developer))
}

fn check_capabilities(name: &str, spec: &Model, prompt: &Prompt) -> Result<()> {
    let lacks = |feature| Err(Error::Unsupported { model: name.to_owned(), feature });
    if !spec.can(Capability::Chat) {
        return lacks("chat");
    }
    if let Some(kind) = prompt.unbounded_part() {
        return Err(Error::invalid("messages", format!("content of type `{kind}` is not supported")));
    }
    if prompt.needs_tools() && !spec.can(Capability::Tools) {
        return lacks("tools");
    }
    if prompt.needs_images() && !spec.can(Capability::Images) {
        return lacks("images");
    }
    if prompt.needs_documents() && !spec.can(Capability::Documents) {
        return lacks("documents");
    }
    let plain =
        prompt.response_format.as_ref().is_none_or(|format| format.get("type").is_some_and(|kind| kind == "text"));
    if !plain && !spec.can(Capability::Json) {
        return lacks("a JSON response_format");
    }
    Ok(())
}

/// What the request asks for, within what tenant and model allow. A request that asks for nothing gets what the model
/// allows, but leaves room for its prompt: some servers refuse what can't fit into the window together.
fn max_output(config: &TenantConfig, spec: &Model, prompt: &Prompt, bound: Tokens) -> Result<Tokens> {
    let allowed = config.max_tokens.unwrap_or(u64::MAX).min(spec.max_output_tokens);
    match prompt.max_output {
        Some(0) => Err(Error::invalid("max_tokens", "max_tokens must be at least 1")),
        Some(asked) => Ok(Tokens(asked.min(allowed))),
        None => {
            let room = spec.context_window - bound.0.min(spec.context_window / 4 * 3);
            Ok(Tokens(allowed.min(room).max(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        answer::Options,
        clock::Timestamp,
        id::TenantId,
        llm::catalogue::{BreakerSpec, ProviderKind},
        tenant::{OwnProvider, OwnProviders},
    };

    fn catalogue() -> Arc<Catalogue> {
        let provider = ProviderSpec {
            kind: ProviderKind::Echo,
            output_limit: crate::llm::OutputLimitField::default(),
            connect_timeout_ms: 1,
            first_byte_timeout_ms: 1,
            idle_timeout_ms: 1,
            answer_timeout_ms: 1,
            region: None,
            tenant_base_url: false,
            endpoints: Vec::new(),
            breaker: BreakerSpec::default(),
        };
        Arc::new(Catalogue {
            version: "V#1".to_owned(),
            effective: Timestamp(1),
            providers: [("standin".to_owned(), provider)].into(),
            models: [("small".to_owned(), Model::example()), ("large".to_owned(), Model::example())].into(),
            aliases: [("default".to_owned(), "small".to_owned()), ("big".to_owned(), "large".to_owned())].into(),
        })
    }

    fn plan(config: &TenantConfig, catalogue: Arc<Catalogue>, ask: Ask) -> Result<Plan> {
        let access = Access { tenant_models: config.allowed_models.as_deref(), ..Access::default() };
        super::plan(config, access, catalogue, ask)
    }

    fn ask(text: &str) -> Ask {
        Ask {
            model: None,
            prompt: Prompt::new(vec![Message::text(Role::User, text)]),
            stream: false,
            options: Options::default(),
        }
    }

    #[test]
    fn an_alias_is_as_good_as_its_model() {
        let config = TenantConfig { allowed_models: Some(vec!["big".to_owned()]), ..TenantConfig::default() };
        let large = Ask { model: Some("large".to_owned()), ..ask("hi") };
        assert_eq!(plan(&config, catalogue(), large).unwrap().asked().unwrap().name, "large");
        assert!(matches!(plan(&config, catalogue(), ask("hi")), Err(Error::ModelNotAllowed(_))));
    }

    #[test]
    fn the_hold_covers_the_dearest_fallback() {
        let mut catalogue = Arc::unwrap_or_clone(catalogue());
        catalogue.models.get_mut("large").unwrap().price.output = crate::money::PricePerMillion(u64::MAX >> 20);
        let config = TenantConfig { fallbacks: vec!["large".to_owned(), "gone".to_owned()], ..TenantConfig::default() };
        let plan = plan(&config, Arc::new(catalogue), ask("hi")).unwrap();
        let names: Vec<_> = plan.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        assert_eq!(names, ["small", "large"]);
        assert_eq!(plan.need.cost, plan.candidates[1].need.cost);
        assert!(plan.candidates[0].need.cost < plan.need.cost);
    }

    #[test]
    fn a_fallback_that_a_request_names_must_exist() {
        let mut ask = ask("hi");
        ask.options.fallbacks = Some(vec!["gone".to_owned()]);
        assert!(matches!(plan(&TenantConfig::default(), catalogue(), ask), Err(Error::ModelNotFound(_))));
    }

    #[test]
    fn the_output_is_limited_by_request_tenant_and_model() {
        let asking = |asked| {
            let mut ask = ask("hi");
            ask.prompt.max_output = asked;
            ask
        };
        let config = TenantConfig { max_tokens: Some(100), ..TenantConfig::default() };
        let most = |config: &TenantConfig, asked| {
            plan(config, catalogue(), asking(asked)).map(|plan| plan.asked().unwrap().max_output.0)
        };
        assert_eq!(most(&config, Some(7)).unwrap(), 7);
        assert_eq!(most(&config, Some(700)).unwrap(), 100);
        assert_eq!(most(&TenantConfig::default(), Some(1_000_000)).unwrap(), 4096);
        assert!(most(&config, Some(0)).is_err());
    }

    #[test]
    fn a_request_that_asks_for_no_most_takes_a_quarter_of_what_a_minute_allows() {
        let most = |minute, choices, asked| {
            let access = Access { tokens_per_minute: Some(minute), ..Access::default() };
            let mut ask = ask("hi");
            (ask.prompt.choices, ask.prompt.max_output) = (choices, asked);
            let plan = super::plan(&TenantConfig::default(), access, catalogue(), ask).unwrap();
            (plan.asked().unwrap().max_output.0, plan.need.tokens() <= minute)
        };
        let (one, fits) = most(16_000, 1, None);
        assert!((3_900..4_000).contains(&one) && fits, "{one}");
        let (of_two, fit) = most(16_000, 2, None);
        assert!((1_900..2_000).contains(&of_two) && fit, "{of_two}");
        assert_eq!(most(1_000_000, 1, None), (4_096, true));
        // Nor do its fallbacks, whatever their prompts come to.
        let mut catalogue = Arc::unwrap_or_clone(catalogue());
        catalogue.models.get_mut("large").unwrap().overhead_tokens += 500;
        let config = TenantConfig { fallbacks: vec!["large".to_owned()], ..TenantConfig::default() };
        let access = Access { tokens_per_minute: Some(6_000), ..Access::default() };
        let plan = super::plan(&config, access, Arc::new(catalogue), ask("hi")).unwrap();
        let left = 6_000 - plan.need.input.0;
        assert!((5_000..5_500).contains(&left), "{:?}", plan.need);
        assert_eq!(plan.need.output.0, left / UNASKED_PART);
        assert_eq!(plan.candidates[0].max_output, plan.candidates[1].max_output);
        // It isn't cut short unasked, nor given less than it asks for: the limit refuses it.
        assert_eq!(most(1_000, 1, None), (FEWEST_UNASKED, false));
        assert_eq!(most(4_000, 1, Some(4_096)), (4_096, false));
    }

    #[test]
    fn the_tenants_system_prompt_gives_way_to_the_requests_own() {
        let config = TenantConfig { system_prompt: Some("Be brief.".to_owned()), ..TenantConfig::default() };
        let mut none = ask("hi").prompt;
        let mut own = none.clone();
        own.messages.insert(0, Message::text(Role::System, "Be long."));
        for prompt in [&mut none, &mut own] {
            apply_defaults(&config, prompt);
            assert_eq!(prompt.messages.len(), 2);
        }
    }

    #[test]
    fn what_can_not_fit_is_refused_and_what_may_fit_is_not() {
        let long = plan(&TenantConfig::default(), catalogue(), ask(&"x".repeat(128_000 * 8)));
        assert!(matches!(long, Err(Error::ContextTooLong { window: 128_000, .. })));
        let plan = plan(&TenantConfig::default(), catalogue(), ask(&"x".repeat(400_000))).unwrap();
        assert_eq!(plan.need.input, Tokens(128_000));
    }

    #[test]
    fn the_tenants_own_key_costs_nothing_and_the_operators_comes_behind_it_only_if_it_may() {
        let plan = |operator_fallback| {
            let (sealed, hint, at) = ("sealed".to_owned(), String::new(), Timestamp(1));
            let (base_url, region) = (None, None);
            let one = OwnProvider {
                sealed,
                base_url,
                region,
                hint,
                operator_fallback,
                created_at: at,
                updated_at: at,
                version: 1,
            };
            let own = OwnProviders { providers: [("standin".to_owned(), one)].into(), version: 1 };
            let access = Access { own: Some((TenantId::new(at), &own)), ..Access::default() };
            super::plan(&TenantConfig::default(), access, catalogue(), ask("hi")).unwrap()
        };
        let costs = |plan: &Plan| {
            let cost = |candidate: &Candidate| (candidate.own.is_some(), candidate.need.cost > NanoUsd::ZERO);
            plan.candidates.iter().map(cost).collect::<Vec<_>>()
        };
        let (alone, either) = (plan(false), plan(true));
        assert_eq!((alone.is_free(), either.is_free()), (true, false));
        assert_eq!((costs(&alone), alone.need.cost), (vec![(true, false)], NanoUsd::ZERO));
        assert!(alone.need.input > Tokens::ZERO);
        assert_eq!(
            (costs(&either), either.need.cost),
            (vec![(true, false), (false, true)], either.candidates[1].need.cost)
        );
    }
}
