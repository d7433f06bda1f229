//! Prompt templates: a tenant's own words with `{{variables}}`, by name and in versions, of which none ever changes. The
//! rules are here; the items are in `repo`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::text::{Piece, pieces};
use crate::{
    error::{Error, Result},
    llm::{Message, Prompt, Role},
};

mod repo;
mod text;

pub use repo::{Stored, Templates};

/// The longest name of a template.
const LONGEST_NAME: usize = 64;
/// The most messages of a template.
const MOST_MESSAGES: usize = 50;
/// The most bytes of all its messages.
const MOST_BYTES: usize = 100_000;
/// The most variables.
const MOST_VARIABLES: usize = 100;
/// The most bytes of a template that is filled in.
const MOST_FILLED: usize = 1_000_000;

/// A template's name: 1 to 64 letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "translate", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
pub struct TemplateName(String);

impl TemplateName {
    /// From its text; `None` unless it has the right length and characters. `.` and `..` are none, because no client
    /// would send them as the segment of a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let good = (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(allowed) && !matches!(text, "." | "..");
        good.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TemplateName> for String {
    fn from(name: TemplateName) -> Self {
        name.0
    }
}

impl TryFrom<String> for TemplateName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a template's name has 1 to 64 of the characters A-Z, a-z, 0-9, `.`, `_` and `-`")
    }
}

/// What a template says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its messages, 1 to 50, of 100,000 bytes together. `{{name}}` stands for a variable; its name has letters, digits
    /// and `_`.
    pub messages: Vec<TemplateMessage>,
    /// The model of requests that name none: a name or an alias of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Sampling temperature of requests that give none, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The most tokens of the answer of requests that don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// A message of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateMessage {
    /// Who says it.
    pub role: TemplateRole,
    /// What is said, with `{{variables}}`.
    #[schema(example = "Translate into {{language}}: {{text}}")]
    pub content: String,
}

/// Who says a message of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TemplateRole {
    /// Whoever made the template.
    System,
    /// Whoever asks.
    User,
    /// The model, as an example.
    Assistant,
}

impl From<TemplateRole> for Role {
    fn from(role: TemplateRole) -> Self {
        match role {
            TemplateRole::System => Self::System,
            TemplateRole::User => Self::User,
            TemplateRole::Assistant => Self::Assistant,
        }
    }
}

/// The template that a request is made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateUse {
    /// Its name.
    pub name: TemplateName,
    /// Which version of it; the latest if absent.
    #[schema(minimum = 1)]
    pub version: Option<u64>,
    /// A text for each of its variables. They are inserted as they are; `{{` in them means nothing.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

impl Template {
    /// Whether everything is in range; the model is checked against the catalogue elsewhere.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn check(&self) -> Result<()> {
        if !(1..=MOST_MESSAGES).contains(&self.messages.len()) {
            return Err(Error::invalid("messages", format!("messages must have 1 to {MOST_MESSAGES} entries")));
        }
        let mut bytes = 0_usize;
        for (index, message) in self.messages.iter().enumerate() {
            let wrong = |detail: &str| Err(Error::invalid(format!("messages[{index}].content"), detail));
            bytes = bytes.saturating_add(message.content.len());
            if message.content.is_empty() {
                return wrong("a message must not be empty");
            }
            if bytes > MOST_BYTES {
                return wrong("all messages together must have at most 100,000 bytes");
            }
            if let Err(at) = pieces(&message.content) {
                return wrong(&format!("at byte {at}, {{{{ is followed by no name of a variable and }}}}"));
            }
        }
        if self.variables().len() > MOST_VARIABLES {
            return Err(Error::invalid("messages", format!("there must be at most {MOST_VARIABLES} variables")));
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err(Error::invalid("temperature", "temperature must be from 0 to 2"));
        }
        if self.max_tokens == Some(0) {
            return Err(Error::invalid("max_tokens", "max_tokens must be at least 1"));
        }
        Ok(())
    }

    /// The names of its variables.
    #[must_use]
    pub fn variables(&self) -> BTreeSet<&str> {
        let pieces = self.messages.iter().filter_map(|message| pieces(&message.content).ok()).flatten();
        let variable = |piece| match piece {
            Piece::Variable(name) => Some(name),
            Piece::Text(_) => None,
        };
        pieces.filter_map(variable).collect()
    }

    /// Its messages with the variables filled in.
    ///
    /// # Errors
    /// `Invalid`, naming the variable that is missing or unknown; or if it would be too long.
    pub fn fill(&self, values: &BTreeMap<String, String>) -> Result<Vec<Message>> {
        let (wanted, param) = (self.variables(), |name: &str| format!("template.variables.{name}"));
        if let Some(name) = values.keys().find(|name| !wanted.contains(name.as_str())) {
            return Err(Error::invalid(param(name), format!("the template has no variable `{name}`")));
        }
        if let Some(name) = wanted.iter().find(|name| !values.contains_key(**name)) {
            return Err(Error::invalid(param(name), format!("the template's variable `{name}` is missing")));
        }
        let mut bytes = 0_usize;
        let mut fill = |message: &TemplateMessage| {
            let mut filled = String::with_capacity(message.content.len());
            for piece in pieces(&message.content).map_err(|_| Error::internal("a template that can't be read"))? {
                let text = match piece {
                    Piece::Text(text) => text,
                    Piece::Variable(name) => values.get(name).map_or("", String::as_str),
                };
                bytes = bytes.saturating_add(text.len());
                if bytes > MOST_FILLED {
                    let detail = "the template, filled in, must have at most 1,000,000 bytes";
                    return Err(Error::invalid("template.variables", detail));
                }
                filled.push_str(text);
            }
            Ok(Message::text(message.role.into(), filled))
        };
        self.messages.iter().map(&mut fill).collect()
    }

    /// Puts the template, filled in, into a prompt: its system messages before everything, the others behind the first
    /// `earlier` messages, and its parameters where the prompt has none.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn apply(&self, values: &BTreeMap<String, String>, earlier: usize, prompt: &mut Prompt) -> Result<()> {
        let filled = self.fill(values)?;
        let (system, others): (Vec<_>, Vec<_>) = filled.into_iter().partition(|message| message.role == Role::System);
        let at = earlier.min(prompt.messages.len());
        prompt.messages.splice(at..at, others);
        prompt.messages.splice(0..0, system);
        prompt.temperature = prompt.temperature.or(self.temperature);
        prompt.max_output = prompt.max_output.or(self.max_tokens);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(messages: &[(TemplateRole, &str)]) -> Template {
        let message =
            |(role, content): &(TemplateRole, &str)| TemplateMessage { role: *role, content: (*content).to_owned() };
        Template { messages: messages.iter().map(message).collect(), ..Template::default() }
    }

    fn values(values: &[(&str, &str)]) -> BTreeMap<String, String> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn user(content: &str) -> Template {
        template(&[(TemplateRole::User, content)])
    }

    fn texts(messages: &[Message]) -> Vec<String> {
        messages.iter().map(|message| message.content.as_ref().unwrap().text()).collect()
    }

    #[test]
    fn values_are_inserted_as_they_are() {
        let filled = user("{{a}}, {{ b }} and {{a}}").fill(&values(&[("a", "{{b}}"), ("b", "$1 {{{ \\")])).unwrap();
        assert_eq!(texts(&filled), ["{{b}}, $1 {{{ \\ and {{b}}"]);
    }

    #[test]
    fn a_variable_that_is_missing_or_unknown_is_named() {
        let param = |given: &[(&str, &str)]| match user("{{a}} {{b}}").fill(&values(given)) {
            Err(Error::Invalid { param, .. }) => param,
            other => panic!("{other:?}"),
        };
        assert_eq!(param(&[("a", "1")]), "template.variables.b");
        assert_eq!(param(&[("a", "1"), ("b", "2"), ("c", "3")]), "template.variables.c");
    }

    #[test]
    fn what_is_filled_in_is_bounded() {
        let long = "x".repeat(MOST_FILLED / 2);
        assert!(user("{{a}}{{a}}").fill(&values(&[("a", &long)])).is_ok());
        assert!(user("{{a}}{{a}}.").fill(&values(&[("a", &long)])).is_err());
    }

    #[test]
    fn a_template_that_can_not_be_read_is_refused() {
        let named = |template: &Template| match template.check() {
            Ok(()) => String::new(),
            Err(Error::Invalid { param, .. }) => param,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(named(&user("{{a}} {b} }} {\"c\": {}}")), "");
        assert_eq!(named(&template(&[(TemplateRole::System, "a"), (TemplateRole::User, "{{")])), "messages[1].content");
        assert_eq!(named(&user("")), "messages[0].content");
        assert_eq!(named(&user(&"x".repeat(MOST_BYTES + 1))), "messages[0].content");
        assert_eq!(named(&template(&[])), "messages");
        assert_eq!(named(&Template { temperature: Some(2.1), ..user("a") }), "temperature");
        let many: Vec<_> = (0..=MOST_VARIABLES).map(|number| format!("{{{{v{number}}}}}")).collect();
        assert_eq!(named(&user(&many.concat())), "messages");
    }

    #[test]
    fn system_messages_come_first_and_the_others_behind_what_was_said_before() {
        let template = template(&[(TemplateRole::System, "s"), (TemplateRole::User, "t")]);
        let mut prompt = Prompt::new(["before", "question"].map(|text| Message::text(Role::User, text)).into());
        template.apply(&values(&[]), 1, &mut prompt).unwrap();
        assert_eq!(texts(&prompt.messages), ["s", "before", "t", "question"]);
    }

    #[test]
    fn a_name_can_be_no_other_key() {
        for text in ["", ".", "..", "a/b", "a#b", "a b", "ä", "a:b"] {
            assert_eq!(TemplateName::parse(text), None, "{text:?}");
        }
        assert!(TemplateName::parse(&"x".repeat(64)).is_some() && TemplateName::parse(&"x".repeat(65)).is_none());
    }
}
