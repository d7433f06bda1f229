//! Guardrails: what a tenant forbids, hides and limits in its requests and in their answers.
//!
//! A streamed answer stays a stream: text goes out as soon as it can't be part of a match, and the result is the same
//! however the provider cut it. For that a search must know what could still become a match, and none of the libraries
//! for personal data do: `redact-core` (29,000 lines, with encryption on a pre-release), `cloakrs-core`,
//! `sanitize-pii` and `mask-pii` all want whole texts, and all are young. So the engine is `regex-automata`'s NFA, and
//! the kinds of data are patterns and checksums of our own, in `pii`.
//!
//! What is inspected is text as it was written: JSON text with its escapes, and never an image, a document or anything
//! else in base64. Rules on answers turn off the pass-through of a provider's own words, which would say what they
//! hide.

use std::sync::Arc;

use regex_automata::{
    Input,
    hybrid::dfa::{Cache, DFA},
};

pub use config::{DenyPattern, Guardrails, Masked, On};
pub use pii::Pii;
pub use prompt::{Inspected, check_allowed_tools};
pub use stream::{StreamGuard, Verdict};

use crate::{
    error::{Error, Result},
    llm::{Message, Prompt},
};
use filter::{Denied, Filter, MaskRule, Then};
use search::Automaton;

mod choice;
mod config;
mod filter;
mod pii;
mod prompt;
mod search;
mod stream;
#[cfg(test)]
mod tests;

/// Guardrails as they are applied. A clone is the same guard.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    input: Rules,
    output: Rules,
    /// Rules that find what is allowed.
    allow: Option<Rules>,
    config: Guardrails,
}

/// The rules for one direction.
#[derive(Debug)]
struct Rules {
    deny: Automaton,
    /// The names of what is denied, in the order of its patterns.
    denied: Vec<String>,
    masks: Vec<Arc<MaskRule>>,
    /// All patterns.
    any: DFA,
}

/// A mask, compiled, and as it was written.
type MaskOf<'a> = (Arc<MaskRule>, &'a Masked);

impl Guard {
    /// Compiles what a tenant has set.
    ///
    /// # Errors
    /// `Invalid`, naming the field (`guardrails.deny[2].pattern`).
    pub fn compile(config: &Guardrails) -> Result<Self> {
        config.check()?;
        let mut compiler = config::Compiler::default();
        for (index, rule) in config.deny.iter().enumerate() {
            compiler.deny(index, rule)?;
        }
        for (index, pattern) in config.allow.iter().enumerate() {
            compiler.allow(index, pattern)?;
        }
        let masks = config.mask.iter().enumerate();
        let masks: Result<Vec<_>> = masks.map(|(index, rule)| compiler.mask(index, rule).map(Arc::new)).collect();
        let mut masks: Vec<_> = masks?.into_iter().zip(&config.mask).collect();
        masks.sort_by_key(|(_, rule)| (rule.kind.is_none(), rule.kind));
        let allow = config.allow.iter().map(|pattern| ("allow", pattern.as_str()));
        Ok(Self(Arc::new(Compiled {
            input: Rules::of(config, &masks, On::input)?,
            output: Rules::of(config, &masks, On::output)?,
            allow: (!config.allow.is_empty()).then(|| Rules::new(allow, [].iter())).transpose()?,
            config: config.clone(),
        })))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.config.is_default()
    }

    /// Refuses a request, or masks its texts. If any was changed, the caller's own words are dropped from it
    /// ([`Prompt::native`]).
    ///
    /// # Errors
    /// `Blocked` if it has what is denied, or lacks what is allowed; `Invalid` if it is too large, offers a tool that is
    /// blocked or can't be inspected, or would need a mask where there is no place for one.
    pub fn check_prompt(&self, prompt: &mut Prompt) -> Result<Inspected> {
        if self.is_empty() { Ok(Inspected::Unchanged) } else { prompt::check(&self.0, prompt) }
    }

    /// Does the same to what a session says of the turns before: its summary and their messages. They were kept under
    /// the rules of their time. Sizes aren't looked at, because a session is trimmed to what fits.
    ///
    /// # Errors
    /// `Blocked` if something in it is denied by now.
    pub fn check_recalled<'a>(
        &self,
        summary: Option<&mut String>,
        messages: impl Iterator<Item = &'a mut Message>,
    ) -> Result<()> {
        prompt::check_recalled(&self.0, summary, messages)
    }

    /// Does the same to texts that are no conversation. `param` is what the request calls them. They needn't be like
    /// what is allowed, which is said of messages.
    ///
    /// # Errors
    /// `Blocked` if one has what is denied; `Invalid` if they are too large together.
    pub fn check_texts<'a>(&self, param: &str, texts: impl Iterator<Item = &'a mut String>) -> Result<()> {
        if self.reads_input() { prompt::check_texts(&self.0, param, texts) } else { Ok(()) }
    }

    /// Whether what is asked has to be text that can be looked at.
    #[must_use]
    pub fn reads_input(&self) -> bool {
        !self.0.input.is_empty() || self.0.config.max_input_bytes.is_some()
    }

    /// A guard for one answer.
    #[must_use]
    pub fn stream(&self) -> StreamGuard {
        StreamGuard::new(Arc::clone(&self.0))
    }
}

/// Whether a tool is in a list of names, and of beginnings of names with a `*` behind them.
#[must_use]
pub fn lists_tool(listed: &[String], name: &str) -> bool {
    listed.iter().any(|listed| match listed.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == listed,
    })
}

impl Compiled {
    /// Whether answers are left alone.
    fn passes_output(&self) -> bool {
        self.output.is_empty() && self.config.blocked_tools.is_empty() && self.config.max_output_bytes.is_none()
    }

    fn blocks_tool(&self, name: &str) -> bool {
        lists_tool(&self.config.blocked_tools, name)
    }
}

impl Rules {
    fn of(config: &Guardrails, masks: &[MaskOf<'_>], applies: fn(On) -> bool) -> Result<Self> {
        let deny = config.deny.iter().filter(|rule| applies(rule.on));
        let deny = deny.map(|rule| (rule.name.as_str(), rule.pattern.as_str()));
        Self::new(deny, masks.iter().filter(|(_, rule)| applies(rule.on)))
    }

    /// Rules that deny named patterns, and mask others.
    fn new<'a>(
        deny: impl Iterator<Item = (&'a str, &'a str)>,
        masks: impl Iterator<Item = &'a MaskOf<'a>>,
    ) -> Result<Self> {
        let (names, denied): (Vec<_>, Vec<_>) = deny.unzip();
        let (masks, masked): (Vec<_>, Vec<_>) = masks.map(|(mask, rule)| (Arc::clone(mask), *rule)).unzip();
        let masked = masked.iter().filter_map(|rule| rule.kind.map(Pii::pattern).or(rule.pattern.as_deref()));
        let all: Vec<_> = denied.iter().copied().chain(masked).collect();
        Ok(Self {
            deny: Automaton::new(config::union(&denied)?),
            denied: names.into_iter().map(str::to_owned).collect(),
            masks,
            any: config::quick_test(config::union(&all)?)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.denied.is_empty() && self.masks.is_empty()
    }

    /// A filter for a text that comes in pieces.
    fn filter(&self, json: bool) -> Filter {
        Filter::new((!self.denied.is_empty()).then_some(&self.deny), &self.masks, json)
    }

    /// What refuses a text, as callers and operators are told.
    fn name(&self, denied: Denied) -> String {
        let name = match denied {
            Denied::Pattern(index) => self.denied.get(index),
            Denied::TooComplex => None,
        };
        name.map_or("too_complex", String::as_str).to_owned()
    }

    /// Masks a whole text; says whether it was changed.
    fn inspect(&self, text: &mut String, json: bool, cache: &mut Cache) -> Result<bool> {
        let input = Input::new(text.as_str()).earliest(true);
        if matches!(self.any.try_search_fwd(cache, &input), Ok(None)) {
            return Ok(false);
        }
        let passed = self.filter(json).pass(text, Then::Nothing);
        if let Some(denied) = passed.denied {
            return Err(Error::Blocked { rule: self.name(denied) });
        }
        let changed = passed.text != *text;
        *text = passed.text;
        Ok(changed)
    }
}
