//! `generationConfig`: how the answer is made (Gemini API reference, `GenerationConfig`).

use serde::Serialize;
use serde_json::{Number, Value};

use super::generation::is_third;
use crate::{
    llm::{
        Call, ProviderError,
        words::{self, AnswerForm, Parameters},
    },
    money::Tokens,
};

/// The largest budget that every model takes which has one; a larger one is as much as the model can.
const MAX_BUDGET: i64 = 24_576;

/// How the answer is made.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'a> {
    max_output_tokens: Tokens,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a Number>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    response_logprobs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

impl<'a> GenerationConfig<'a> {
    /// That of a call; takes what it has words for out of `parameters`.
    ///
    /// # Errors
    /// `Unsupported` if a value is not of the type or kind that it must be.
    pub(super) fn of(call: &Call<'a>, parameters: &mut Parameters<'a>) -> Result<Self, ProviderError> {
        let prompt = call.prompt;
        let (response_mime_type, response_json_schema) = match AnswerForm::of(prompt)? {
            AnswerForm::Text => (None, None),
            AnswerForm::Json => (Some("application/json"), None),
            AnswerForm::Schema { schema, .. } => (Some("application/json"), Some(schema)),
        };
        Ok(Self {
            // Thinking counts against it too, so the hold is a bound of both.
            max_output_tokens: call.max_output,
            temperature: words::temperature(prompt)?,
            top_p: parameters.number("top_p")?,
            top_k: parameters.integer("top_k")?,
            stop_sequences: &prompt.stop,
            candidate_count: (prompt.choices != 1).then_some(prompt.choices),
            seed: parameters.integer("seed")?,
            presence_penalty: parameters.number("presence_penalty")?,
            frequency_penalty: parameters.number("frequency_penalty")?,
            response_logprobs: parameters.flag("logprobs")?,
            logprobs: parameters.integer("top_logprobs")?,
            response_mime_type,
            response_json_schema,
            thinking_config: ThinkingConfig::of(call.model, parameters)?,
        })
    }
}

/// How much to think. A budget and a level together are refused, so there is one or the other.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    include_thoughts: bool,
}

impl ThinkingConfig {
    /// From Anthropic's `thinking` and `OpenAI`'s `reasoning_effort`: a budget in tokens outdoes an effort.
    fn of(model: &str, parameters: &mut Parameters<'_>) -> Result<Option<Self>, ProviderError> {
        let effort = parameters.text("reasoning_effort")?;
        let Some(thinking) = parameters.take("thinking") else {
            return effort.map(|effort| Self::effort(model, effort)).transpose();
        };
        let include_thoughts = thinking.get("display").is_none_or(|display| display != "omitted");
        match thinking.get("type").and_then(Value::as_str) {
            Some("disabled") => Ok(Some(Self::budget(0))),
            Some("enabled") => {
                let budget = thinking.get("budget_tokens").and_then(Value::as_i64).filter(|budget| *budget > 0);
                let missing = || ProviderError::unsupported("thinking.budget_tokens", "a number of tokens is missing");
                let config = Self::budget(budget.ok_or_else(missing)?.min(MAX_BUDGET));
                Ok(Some(Self { include_thoughts, ..config }))
            }
            Some("adaptive") => {
                let config = effort.map_or_else(|| Ok(Self::budget(-1)), |effort| Self::effort(model, effort))?;
                Ok(Some(Self { include_thoughts, ..config }))
            }
            Some(_) | None => Err(ProviderError::unsupported(
                "thinking.type",
                "the kind of thinking must be `enabled`, `adaptive` or `disabled`",
            )),
        }
    }

    /// The table of Gemini API, "OpenAI compatibility". It has nothing above `high`.
    fn effort(model: &str, effort: &str) -> Result<Self, ProviderError> {
        let (level, budget) = match effort {
            "none" => return Ok(Self::budget(0)),
            "minimal" => ("MINIMAL", 1_024),
            "low" => ("LOW", 1_024),
            "medium" => ("MEDIUM", 8_192),
            "high" | "xhigh" | "max" => ("HIGH", MAX_BUDGET),
            _ => {
                let message = format!("`{effort}` is not an effort that this model's provider knows");
                return Err(ProviderError::unsupported("reasoning_effort", message));
            }
        };
        let config = Self::budget(budget);
        if is_third(model) {
            return Ok(Self { thinking_budget: None, thinking_level: Some(level), ..config });
        }
        Ok(config)
    }

    /// Zero is none, minus one as much as the model thinks fit.
    fn budget(tokens: i64) -> Self {
        Self { thinking_budget: Some(tokens), thinking_level: None, include_thoughts: tokens != 0 }
    }
}
