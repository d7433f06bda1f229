//! The request: fields that decide what it costs are read, all others are passed on.

use lmo_shared::{
    answer::{Ask, Options},
    error::{Error, Result},
    http::StopSequences,
    llm::{Fields, Message, Prompt},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A chat completion request.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChatRequest {
    /// A model or alias of the catalogue; the tenant's default if absent.
    model: Option<String>,
    /// The conversation, oldest first.
    messages: Vec<Message>,
    /// Whether to answer piece by piece.
    #[serde(default)]
    stream: Option<bool>,
    /// Options of a stream.
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    /// The most tokens of an answer; superseded by `max_completion_tokens`.
    #[serde(default)]
    max_tokens: Option<u64>,
    /// The most tokens of an answer.
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    /// How many alternatives to make.
    #[serde(default)]
    n: Option<u32>,
    /// Sampling temperature, 0 to 2.
    #[serde(default)]
    temperature: Option<f64>,
    /// Where the answer ends: one text or several.
    #[serde(default)]
    stop: Option<StopSequences>,
    /// Tools that the model may call.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
    /// Whether and which tools must be called.
    #[serde(default)]
    #[schema(value_type = Object)]
    tool_choice: Option<Value>,
    /// The format of the answer.
    #[serde(default)]
    #[schema(value_type = Object)]
    response_format: Option<Value>,
    /// Anything else reaches the provider as it is.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    extra: Fields,
}

/// Options of a stream.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct StreamOptions {
    /// Whether the last chunk says what was used.
    #[serde(default)]
    include_usage: Option<bool>,
    /// Anything else reaches the provider as it is.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    extra: Fields,
}

/// Fields by which a request could cost more than its output limit says.
const MULTIPLIERS: [&str; 5] = ["best_of", "use_beam_search", "prediction", "web_search_options", "min_tokens"];

impl ChatRequest {
    /// Whether the client asked for the usage at the end of a stream.
    pub fn shows_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    pub fn into_ask(self, options: Options) -> Result<Ask> {
        if let Some(field) =
            MULTIPLIERS.iter().find(|field| self.extra.get(**field).is_some_and(|value| !value.is_null()))
        {
            return Err(Error::invalid(*field, format!("{field} is not supported")));
        }
        let mut extra = self.extra;
        if let Some(options) = self.stream_options.map(|options| options.extra).filter(|extra| !extra.is_empty()) {
            extra.insert("stream_options".to_owned(), Value::Object(options));
        }
        let prompt = Prompt {
            messages: self.messages,
            tools: self.tools.unwrap_or_default(),
            tool_choice: self.tool_choice,
            response_format: self.response_format,
            temperature: self.temperature,
            stop: self.stop.map(StopSequences::into_list).unwrap_or_default(),
            max_output: self.max_completion_tokens.or(self.max_tokens),
            choices: self.n.unwrap_or(1),
            extra,
            ..Prompt::default()
        };
        Ok(Ask { model: self.model, prompt, stream: self.stream.unwrap_or(false), options })
    }
}
