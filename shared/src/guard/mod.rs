//! Guardrails: what a tenant forbids, hides and limits in its requests and in their answers.
//!
//! A streamed answer stays a stream: text goes out as soon as it can't be part of a match, and the result is the same
//! however the provider cut it. For that a search must know what could still become a match, and none of the libraries
//! for personal data do: `redact-core` (29,000 lines, with encryption and an unreleased PBKDF2), `cloakrs-core`,
//! `sanitize-pii` and `mask-pii` all want whole texts, and all are young. So the engine is `regex-automata`'s NFA, and
//! the kinds of data are patterns and checksums of our own, in `pii`.
//!
//! What is inspected is text as it was written: JSON text with its escapes, and never an image, a document or anything
//! else in base64. Rules on answers turn off the pass-through of a provider's own words, which would say what they
//! hide.

use std::sync::Arc;

use regex::RegexSet;
use regex_automata::nfa::thompson::NFA;

pub use config::{DenyPattern, Guardrails, Masked, On};
pub use pii::Pii;
pub use prompt::Inspected;
pub use stream::{StreamGuard, Verdict};

use crate::{
    error::{Error, Result},
    llm::Prompt,
};
use filter::{Filter, MaskRule, Then};

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
    allow: Option<RegexSet>,
    config: Guardrails,
}

/// The rules for one direction.
#[derive(Debug)]
struct Rules {
    deny: NFA,
    /// The names of what is denied, in the order of its patterns.
    denied: Vec<String>,
    masks: Vec<Arc<MaskRule>>,
    /// All patterns, denied ones first.
    any: RegexSet,
}

impl Guard {
    /// Compiles what a tenant has set.
    ///
    /// # Errors
    /// `Invalid`, naming the field (`guardrails.deny[2].pattern`).
    pub fn compile(config: &Guardrails) -> Result<Self> {
        config.check()?;
        let mut patterns = config::Patterns::default();
        for (index, rule) in config.deny.iter().enumerate() {
            patterns.deny(index, rule)?;
        }
        for (index, pattern) in config.allow.iter().enumerate() {
            patterns.allow(index, pattern)?;
        }
        let compiled = config.mask.iter().enumerate();
        let compiled: Result<Vec<_>> = compiled.map(|(index, rule)| patterns.mask(index, rule).map(Arc::new)).collect();
        let mut masks: Vec<_> = compiled?.into_iter().zip(&config.mask).collect();
        masks.sort_by_key(|(_, rule)| (rule.kind.is_none(), rule.kind));
        let allow: Vec<_> = config.allow.iter().map(String::as_str).collect();
        Ok(Self(Arc::new(Compiled {
            input: Rules::new(config, &masks, On::input)?,
            output: Rules::new(config, &masks, On::output)?,
            allow: (!allow.is_empty()).then(|| config::set(&allow)).transpose()?,
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

    /// A guard for one answer.
    #[must_use]
    pub fn stream(&self) -> StreamGuard {
        StreamGuard::new(Arc::clone(&self.0))
    }
}

impl Compiled {
    /// Whether answers are left alone.
    fn passes_output(&self) -> bool {
        self.output.is_empty() && self.config.blocked_tools.is_empty() && self.config.max_output_bytes.is_none()
    }

    fn blocks_tool(&self, name: &str) -> bool {
        self.config.blocked_tools.iter().any(|blocked| match blocked.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == blocked,
        })
    }
}

impl Rules {
    fn new(config: &Guardrails, masks: &[(Arc<MaskRule>, &Masked)], applies: fn(On) -> bool) -> Result<Self> {
        let deny: Vec<_> = config.deny.iter().filter(|rule| applies(rule.on)).collect();
        let masks: Vec<_> = masks.iter().filter(|(_, rule)| applies(rule.on)).collect();
        let denied: Vec<_> = deny.iter().map(|rule| rule.pattern.as_str()).collect();
        let own = |rule: &Masked| rule.kind.map(Pii::pattern);
        let masked = masks.iter().filter_map(|(_, rule)| own(rule).or(rule.pattern.as_deref()));
        let all: Vec<_> = denied.iter().copied().chain(masked).collect();
        Ok(Self {
            deny: config::union(&denied)?,
            denied: deny.iter().map(|rule| rule.name.clone()).collect(),
            masks: masks.iter().map(|(rule, _)| Arc::clone(rule)).collect(),
            any: config::set(&all)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.any.is_empty()
    }

    /// A filter for a text that comes in pieces.
    fn filter(&self, json: bool) -> Filter {
        Filter::new((!self.denied.is_empty()).then_some(&self.deny), &self.masks, json)
    }

    /// Masks a whole text; says whether it was changed.
    fn inspect(&self, text: &mut String, json: bool) -> Result<bool> {
        if self.is_empty() || !self.any.is_match(text) {
            return Ok(false);
        }
        let found = self.any.matches(text);
        if let Some(rule) = self.denied.get(found.iter().next().unwrap_or(usize::MAX)) {
            return Err(Error::Blocked { rule: rule.clone() });
        }
        let passed = Filter::new(None, &self.masks, json).pass(text, Then::Nothing);
        let changed = passed.text != *text;
        *text = passed.text;
        Ok(changed)
    }
}
