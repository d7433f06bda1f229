//! From what is asked to what is sent, and the worst that it can cost. Pure.

use std::sync::Arc;

use super::EmbedAsk;
use crate::{
    answer::plan::MOST_BYTES_PER_TOKEN,
    auth::Access,
    error::{Error, Result},
    llm::{
        OwnKey, ProviderError, Usage,
        catalogue::{Capability, Catalogue, Model, ProviderKind, ProviderSpec},
        embed::{EmbedInput, EmbedKind, Embedded},
    },
    money::{NanoUsd, Tokens},
    quota::Need,
};

/// What is sent, and at which prices.
#[derive(Debug)]
pub(super) struct Plan {
    pub catalogue: Arc<Catalogue>,
    /// As the catalogue calls it.
    pub model: String,
    pub inputs: Vec<EmbedInput>,
    /// What the provider is told; it may be what it makes anyway.
    pub dimensions: Option<u32>,
    /// What the vectors must have.
    pub asked_dimensions: Option<u32>,
    pub kind: Option<EmbedKind>,
    pub user: Option<String>,
    pub need: Need,
    /// The key that it is asked with, if that is one of the tenant's own; then its tokens cost nothing.
    pub own: Option<OwnKey>,
}

pub(super) fn plan(access: Access<'_>, catalogue: Arc<Catalogue>, ask: EmbedAsk) -> Result<Plan> {
    let (name, spec) = catalogue.model(ask.model(&catalogue)?)?;
    access.in_region(&catalogue, name, spec)?;
    if !spec.can(Capability::Embed) {
        return Err(Error::Unsupported { model: name.to_owned(), feature: "embeddings" });
    }
    if ask.dimensions == Some(0) {
        return Err(Error::invalid("dimensions", "dimensions must be at least 1"));
    }
    let inputs = ask.inputs.0;
    let mut input = Tokens::ZERO;
    for (at, one) in inputs.iter().enumerate() {
        check_window(name, spec, at, one)?;
        input = input.plus(bound(one, spec))?;
    }
    let own = access.own_key(spec);
    let cost = if own.is_some() { NanoUsd::ZERO } else { spec.worst_cost(input, Tokens::ZERO)? };
    let need = Need { input, output: Tokens::ZERO, cost };
    let dimensions = match catalogue.provider_of(spec)?.kind {
        // The model in the process is as long as the catalogue says.
        ProviderKind::Echo => ask.dimensions.or(spec.dimensions),
        // A model whose vectors have one length only doesn't know the parameter.
        ProviderKind::OpenAi
        | ProviderKind::Anthropic
        | ProviderKind::Responses
        | ProviderKind::Gemini
        | ProviderKind::Bedrock => ask.dimensions.filter(|asked| spec.dimensions != Some(*asked)),
    };
    let model = name.to_owned();
    let EmbedAsk { dimensions: asked_dimensions, kind, user, .. } = ask;
    Ok(Plan { catalogue, model, inputs, dimensions, asked_dimensions, kind, user, need, own })
}

/// The most tokens of an input. No provider reads more than its window.
fn bound(input: &EmbedInput, spec: &Model) -> Tokens {
    Tokens(input.upper_bound().0.saturating_add(spec.overhead_tokens).min(spec.context_window))
}

/// Refuses what can't fit into the window.
fn check_window(name: &str, spec: &Model, at: usize, input: &EmbedInput) -> Result<()> {
    let (most, window) = (input.upper_bound().0, spec.context_window);
    let least = match input {
        EmbedInput::Text(_) => most / MOST_BYTES_PER_TOKEN,
        EmbedInput::Tokens(_) => most,
    };
    if least <= window {
        return Ok(());
    }
    let detail =
        format!("input {at} takes up to {most} tokens, but model `{name}` has a context window of {window} for each");
    Err(Error::invalid("input", detail))
}

impl Plan {
    pub fn spec(&self) -> Result<&Model> {
        self.catalogue.model(&self.model).map(|(_, model)| model)
    }

    pub fn provider(&self) -> Result<&ProviderSpec> {
        self.catalogue.provider_of(self.spec()?)
    }

    /// What the provider counted; without a count, ours, and `true`.
    pub fn usage(&self, embedded: &Embedded) -> Result<(Usage, bool)> {
        let counted = |input_tokens| Usage { input_tokens, ..Usage::default() };
        if let Some(tokens) = embedded.input_tokens {
            return Ok((counted(tokens), false));
        }
        let window = Tokens(self.spec()?.context_window);
        let estimate = |sum: Tokens, input: &EmbedInput| sum.plus(input.estimated_tokens().min(window));
        Ok((counted(self.inputs.iter().try_fold(Tokens::ZERO, estimate)?), true))
    }

    /// The vectors, if they are as long as was asked: some servers don't know the parameter and say nothing.
    pub fn checked(&self, vectors: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        let wrong = self.asked_dimensions.and_then(|asked| {
            let found = vectors.iter().map(Vec::len).find(|found| u32::try_from(*found) != Ok(asked))?;
            Some(format!("the vectors of model `{}` have {found} dimensions, not {asked}", self.model))
        });
        match wrong {
            Some(message) => Err(ProviderError::unsupported("dimensions", message).into()),
            None => Ok(vectors),
        }
    }
}

#[cfg(test)]
mod tests;
