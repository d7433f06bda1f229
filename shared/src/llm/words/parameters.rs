//! The further parameters of a prompt, for a format that has words for some of them: those are taken one by one, and at
//! the end whatever is left is refused by its name. So nothing that changes the answer is dropped in silence.

use serde_json::{Number, Value};

use crate::llm::{Prompt, ProviderError};

/// What is not yet taken.
#[derive(Debug)]
pub(in crate::llm) struct Parameters<'a> {
    left: Vec<(&'a str, &'a Value)>,
}

impl<'a> Parameters<'a> {
    /// All of a prompt's but those that are only hints.
    ///
    /// # Errors
    /// `Unsupported` if the caller's format has some that the normal form can't say.
    pub(in crate::llm) fn of(prompt: &'a Prompt) -> Result<Self, ProviderError> {
        if let Some(name) = prompt.untranslated.first() {
            return Err(unknown(name));
        }
        let all = prompt.extra.iter().map(|(name, value)| (name.as_str(), value));
        Ok(Self { left: all.filter(|(name, value)| !is_hint(name, value)).collect() })
    }

    /// The parameter of this name, if there is one.
    pub(in crate::llm) fn take(&mut self, name: &str) -> Option<&'a Value> {
        let at = self.left.iter().position(|(left, _)| *left == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// A parameter that is a number.
    pub(in crate::llm) fn number(&mut self, name: &str) -> Result<Option<&'a Number>, ProviderError> {
        self.typed(name, "a number", |value| match value {
            Value::Number(number) => Some(number),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// A parameter that is a whole number.
    pub(in crate::llm) fn integer(&mut self, name: &str) -> Result<Option<i64>, ProviderError> {
        self.typed(name, "a whole number", Value::as_i64)
    }

    /// A parameter that is text.
    pub(in crate::llm) fn text(&mut self, name: &str) -> Result<Option<&'a str>, ProviderError> {
        self.typed(name, "text", Value::as_str)
    }

    /// A parameter that is true or false.
    pub(in crate::llm) fn flag(&mut self, name: &str) -> Result<bool, ProviderError> {
        Ok(self.typed(name, "true or false", Value::as_bool)?.unwrap_or(false))
    }

    /// Says that nothing else can be said.
    ///
    /// # Errors
    /// `Unsupported` with the first name that is left.
    pub(in crate::llm) fn end(self) -> Result<(), ProviderError> {
        self.left.first().map_or(Ok(()), |(name, _)| Err(unknown(name)))
    }

    fn typed<T>(
        &mut self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ProviderError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let wrong = || ProviderError::unsupported(name, format!("`{name}` must be {kind}"));
        read(value).map(Some).ok_or_else(wrong)
    }
}

fn unknown(name: &str) -> ProviderError {
    ProviderError::unsupported(name, format!("this model's provider has no parameter `{name}`"))
}

/// Whether a parameter asks for nothing that the answer would show: it is about the caller's own books, or says what
/// holds anyway.
fn is_hint(name: &str, value: &Value) -> bool {
    let says_nothing = match name {
        "user" | "metadata" | "store" | "safety_identifier" | "prompt_cache_key" | "stream_options" => true,
        "parallel_tool_calls" => value == true,
        "logprobs" => value == false,
        "n" => value == 1,
        "frequency_penalty" | "presence_penalty" | "top_logprobs" => value.as_f64() == Some(0.0),
        "logit_bias" => value.as_object().is_some_and(serde_json::Map::is_empty),
        "modalities" => value.as_array().is_some_and(|list| list.iter().all(|modality| modality == "text")),
        "service_tier" => value == "auto" || value == "default",
        "verbosity" => value == "medium",
        _ => false,
    };
    says_nothing || value.is_null()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prompt(extra: &Value) -> Prompt {
        serde_json::from_value(json!({"extra": extra})).unwrap()
    }

    #[test]
    fn what_nobody_took_is_refused_by_its_name() {
        let prompt = prompt(&json!({"top_p": 0.5, "mirostat": 2}));
        let mut parameters = Parameters::of(&prompt).unwrap();
        assert_eq!(parameters.number("top_p").unwrap().and_then(Number::as_f64), Some(0.5));
        assert!(matches!(parameters.end(), Err(ProviderError::Unsupported { param, .. }) if param == "mirostat"));
    }

    #[test]
    fn a_hint_is_dropped_only_with_the_value_that_makes_it_one() {
        let hints = json!({"user": "u", "n": 1, "parallel_tool_calls": true, "seed": null, "presence_penalty": 0.0,
            "logit_bias": {}, "service_tier": "auto", "modalities": ["text"], "logprobs": false});
        assert_eq!(Parameters::of(&prompt(&hints)).unwrap().end(), Ok(()));
        for wish in [json!({"n": 2}), json!({"parallel_tool_calls": false}), json!({"service_tier": "priority"})] {
            assert!(Parameters::of(&prompt(&wish)).unwrap().end().is_err(), "{wish}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        let prompt = prompt(&json!({"top_p": "high", "top_k": 1.5, "logprobs": 1}));
        let mut parameters = Parameters::of(&prompt).unwrap();
        assert!(parameters.number("top_p").is_err());
        assert!(parameters.integer("top_k").is_err());
        assert!(parameters.flag("logprobs").is_err());
    }

    #[test]
    fn what_only_the_callers_format_can_say_is_refused() {
        let prompt = Prompt { untranslated: vec!["container".to_owned()], ..Prompt::default() };
        assert!(
            matches!(Parameters::of(&prompt), Err(ProviderError::Unsupported { param, .. }) if param == "container")
        );
    }
}
