//! What a tenant writes, and the limits that keep it from costing more than it should.

use regex_automata::{
    hybrid::dfa::DFA,
    nfa::thompson::{NFA, WhichCaptures},
    util::syntax,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{filter::MaskRule, pii::Pii, search::Automaton};
use crate::error::{Error, Result};

/// The most rules of a tenant, of all sorts together.
const MOST_RULES: usize = 100;
/// The longest pattern in bytes.
const LONGEST_PATTERN: usize = 1_000;
/// The longest name in bytes.
const LONGEST_NAME: usize = 64;
/// The most bytes that a pattern may take when it is compiled.
const LARGEST_PATTERN: usize = 256 << 10;
/// The most bytes that all patterns together may take.
const LARGEST: usize = 1 << 20;
/// The most bytes for the states of a quick test.
const CACHE: usize = 2 << 20;
/// How often a quick test may fill them before it gives up.
const REFILLS: usize = 3;

/// What a tenant forbids, hides and limits in its requests and in their answers. Patterns are those of the `regex` crate:
/// no look-around and no back-references. What matches more than 4,096 bytes may be masked in part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guardrails {
    /// What must not occur. A request that has it is refused with `guardrail_blocked`; an answer ends before it with
    /// `content_filter`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<DenyPattern>,
    /// If there are any: patterns of which the last message of the user must match at least one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// What is replaced by `[NAME]`: the kinds first, then the patterns in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<Masked>,
    /// Tools that must be neither offered nor called, by name; `delete_*` is all whose name begins with `delete_`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked_tools: Vec<String>,
    /// The most bytes of text in a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_input_bytes: Option<usize>,
    /// The most messages of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages: Option<usize>,
    /// The most bytes of text in each choice of an answer, which then ends with `length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_bytes: Option<usize>,
}

/// A pattern that must not occur.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyPattern {
    /// What a refusal calls it: letters, digits, `_` and `-`.
    pub name: String,
    /// A regular expression that doesn't match the empty text.
    pub pattern: String,
    /// Where it must not occur.
    #[serde(default)]
    pub on: On,
}

/// What is replaced: a `kind`, or a `pattern` with its `name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Masked {
    /// What stands in its place, in upper case: letters, digits, `_` and `-`. A kind has a name of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A kind of data that LMO knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Pii>,
    /// A regular expression that doesn't match the empty text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Where it is replaced.
    pub on: On,
}

/// To what a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Requests.
    Input,
    /// Answers.
    Output,
    /// Requests and answers.
    #[default]
    Both,
}

impl On {
    pub(super) fn input(self) -> bool {
        matches!(self, Self::Input | Self::Both)
    }

    pub(super) fn output(self) -> bool {
        matches!(self, Self::Output | Self::Both)
    }
}

impl Guardrails {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Everything but the patterns.
    pub(super) fn check(&self) -> Result<()> {
        let rules = self.deny.len() + self.allow.len() + self.mask.len() + self.blocked_tools.len();
        if rules > MOST_RULES {
            return Err(invalid("guardrails", "there must be at most 100 rules"));
        }
        for (index, rule) in self.deny.iter().enumerate() {
            check_name(&format!("guardrails.deny[{index}].name"), &rule.name)?;
        }
        for (index, tool) in self.blocked_tools.iter().enumerate() {
            if tool.is_empty() || tool.len() > LONGEST_NAME || tool.trim_end_matches('*').contains('*') {
                let detail = "this must be the name of a tool, or the beginning of one with a * behind it";
                return Err(invalid(format!("guardrails.blocked_tools[{index}]"), detail));
            }
        }
        let limits = [
            ("max_input_bytes", self.max_input_bytes),
            ("max_messages", self.max_messages),
            ("max_output_bytes", self.max_output_bytes),
        ];
        match limits.iter().find(|(_, limit)| *limit == Some(0)) {
            Some((name, _)) => Err(invalid(format!("guardrails.{name}"), "this must be at least 1")),
            None => Ok(()),
        }
    }
}

/// Compiles patterns, and adds up what they take.
#[derive(Default)]
pub(super) struct Compiler {
    taken: usize,
}

impl Compiler {
    /// Compiles what is denied.
    pub fn deny(&mut self, index: usize, rule: &DenyPattern) -> Result<NFA> {
        self.compile(&format!("guardrails.deny[{index}].pattern"), &rule.pattern)
    }

    /// Compiles what is allowed.
    pub fn allow(&mut self, index: usize, pattern: &str) -> Result<NFA> {
        self.compile(&format!("guardrails.allow[{index}]"), pattern)
    }

    /// Compiles a mask.
    pub fn mask(&mut self, index: usize, rule: &Masked) -> Result<MaskRule> {
        let param = format!("guardrails.mask[{index}]");
        if let Some(name) = &rule.name {
            check_name(&format!("{param}.name"), name)?;
        }
        let (pattern, label) = match (&rule.pattern, rule.kind, &rule.name) {
            (None, Some(kind), name) => (kind.pattern(), name.as_deref().unwrap_or(kind.label())),
            (Some(pattern), None, Some(name)) => (pattern.as_str(), name.as_str()),
            (Some(_), None, None) => return Err(invalid(format!("{param}.name"), "a pattern needs a name")),
            (None, None, _) | (Some(_), Some(_), _) => {
                return Err(invalid(param, "there must be either a kind or a pattern"));
            }
        };
        let nfa = self.compile(&format!("{param}.pattern"), pattern)?;
        Ok(MaskRule { automaton: Automaton::new(nfa), label: label.to_ascii_uppercase(), kind: rule.kind })
    }

    fn compile(&mut self, param: &str, pattern: &str) -> Result<NFA> {
        if pattern.len() > LONGEST_PATTERN {
            return Err(invalid(param, "a pattern must be at most 1,000 bytes"));
        }
        let parsed = syntax::parse(pattern).map_err(|error| invalid(param, reason(&error.to_string())))?;
        if parsed.properties().minimum_len().is_none_or(|least| least == 0) {
            return Err(invalid(param, "a pattern must match some text, and must not match the empty text"));
        }
        let nfa = NFA::compiler()
            .configure(NFA::config().which_captures(WhichCaptures::None).nfa_size_limit(Some(LARGEST_PATTERN)))
            .build_from_hir(&parsed)
            .map_err(|error| invalid(param, format!("the pattern is too complex: {error}")))?;
        self.taken += nfa.memory_usage();
        if self.taken > LARGEST {
            return Err(invalid(param, "up to this pattern, all together are too complex"));
        }
        Ok(nfa)
    }
}

/// One for all of the patterns, which were compiled one by one before.
pub(super) fn union(patterns: &[&str]) -> Result<NFA> {
    let config = NFA::config().which_captures(WhichCaptures::None);
    NFA::compiler().configure(config).build_many(patterns).map_err(Error::internal)
}

/// A quick test of whether a text has any match. It gives up where it would be slow.
pub(super) fn quick_test(nfa: NFA) -> Result<DFA> {
    let config = DFA::config()
        .unicode_word_boundary(true)
        .cache_capacity(CACHE)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(Some(REFILLS));
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(Error::internal)
}

fn check_name(param: &str, name: &str) -> Result<()> {
    let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if good && (1..=LONGEST_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(invalid(param, "a name is 1 to 64 letters, digits, `_` and `-`"))
}

/// The last line of what the parser says; the others draw where it is.
fn reason(error: &str) -> String {
    let last = error.lines().next_back().unwrap_or_default();
    format!("not a regular expression: {}", last.trim_start_matches("error: "))
}

fn invalid(param: impl Into<String>, detail: impl Into<String>) -> Error {
    Error::invalid(param, detail)
}
