//! What Converse leaves to each model: how to think, and `top_k`. It goes into `additionalModelRequestFields`, whose
//! words are those of the model's maker, so they depend on whose model it is:
//!
//! | parameter | Claude, and whatever an ARN hides | Nova | `OpenAI`'s models |
//! |---|---|---|---|
//! | `thinking` | `thinking`, as it is | | |
//! | `reasoning_effort` | `outputConfig.effort`; `none` is `thinking: {"type": "disabled"}` | `reasoningConfig` | `reasoning_effort` |
//! | `top_k` | `top_k` | `inferenceConfig.topK` | `top_k` |
//!
//! (Amazon Bedrock User Guide, "Inference request parameters", "Extended thinking"; Amazon Nova 2 User Guide, "Extended
//! thinking".)

use serde_json::{Value, json};

use crate::llm::{Fields, ProviderError, words::Parameters};

/// The fields of a model's own.
#[derive(Debug, Default)]
pub(super) struct ModelFields {
    /// `additionalModelRequestFields`.
    pub(super) fields: Fields,
    /// `outputConfig.effort`.
    pub(super) effort: Option<&'static str>,
}

/// Whose model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Amazon,
    OpenAi,
    AnthropicOrUnknown,
}

impl Maker {
    /// From a model's id or ARN. An application's inference profile doesn't say.
    fn of(model: &str) -> Self {
        if model.contains("amazon.nova") {
            Self::Amazon
        } else if model.contains("openai.") {
            Self::OpenAi
        } else {
            Self::AnthropicOrUnknown
        }
    }
}

impl ModelFields {
    /// Those of a model; takes what it has words for out of `parameters`.
    ///
    /// # Errors
    /// `Unsupported` if a value is not of the type or kind that it must be.
    pub(super) fn of(model: &str, parameters: &mut Parameters<'_>) -> Result<Self, ProviderError> {
        let maker = Maker::of(model);
        let mut all = Self::default();
        if let Some(top_k) = parameters.integer("top_k")? {
            let (name, value) = match maker {
                Maker::Amazon => ("inferenceConfig", json!({"topK": top_k})),
                Maker::OpenAi | Maker::AnthropicOrUnknown => ("top_k", top_k.into()),
            };
            all.fields.insert(name.to_owned(), value);
        }
        if let Some(effort) = parameters.text("reasoning_effort")? {
            all.set_effort(maker, effort)?;
        }
        if let Some(thinking) = parameters.take("thinking") {
            all.set_thinking(maker, thinking)?;
        }
        Ok(all)
    }

    fn set_effort(&mut self, maker: Maker, effort: &str) -> Result<(), ProviderError> {
        let effort = match effort {
            "none" => None,
            "minimal" | "low" => Some("low"),
            "medium" => Some("medium"),
            "high" => Some("high"),
            "xhigh" => Some("xhigh"),
            "max" => Some("max"),
            _ => {
                let message = format!("`{effort}` is not an effort that this model's provider knows");
                return Err(ProviderError::unsupported("reasoning_effort", message));
            }
        };
        let mut set = |name: &str, value| drop(self.fields.insert(name.to_owned(), value));
        match (maker, effort) {
            (Maker::AnthropicOrUnknown, Some(effort)) => self.effort = Some(effort),
            (Maker::AnthropicOrUnknown, None) => set("thinking", json!({"type": "disabled"})),
            (Maker::Amazon, Some(effort)) => {
                // It has nothing above `high`.
                let effort = if matches!(effort, "xhigh" | "max") { "high" } else { effort };
                set("reasoningConfig", json!({"type": "enabled", "maxReasoningEffort": effort}));
            }
            (Maker::Amazon, None) => set("reasoningConfig", json!({"type": "disabled"})),
            (Maker::OpenAi, effort) => set("reasoning_effort", effort.unwrap_or("none").into()),
        }
        Ok(())
    }

    fn set_thinking(&mut self, maker: Maker, thinking: &Value) -> Result<(), ProviderError> {
        if maker != Maker::AnthropicOrUnknown {
            return Err(ProviderError::unsupported("thinking", "this model takes `reasoning_effort` instead"));
        }
        let kind = thinking.get("type").and_then(Value::as_str);
        if !matches!(kind, Some("enabled" | "adaptive" | "disabled")) {
            let message = "the kind of thinking must be `enabled`, `adaptive` or `disabled`";
            return Err(ProviderError::unsupported("thinking.type", message));
        }
        self.fields.insert("thinking".to_owned(), thinking.clone());
        Ok(())
    }
}
