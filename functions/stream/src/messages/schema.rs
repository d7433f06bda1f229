//! The request as the `OpenAPI` document shows it. It is read field by field (`request`), because it also goes to
//! providers as it is.

use serde_json::Value;
use utoipa::ToSchema;

/// A request for a message.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct MessagesRequest {
    /// A model or alias of the catalogue.
    model: String,
    /// The most tokens of the answer.
    max_tokens: u64,
    /// The conversation, oldest first: `{role, content}`, where the content is text or a list of blocks.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    /// The system prompt: text or a list of text blocks.
    #[schema(value_type = Option<Object>)]
    system: Option<Value>,
    /// Whether to answer piece by piece.
    stream: Option<bool>,
    /// Sampling temperature, 0 to 1.
    temperature: Option<f64>,
    /// Nucleus sampling.
    top_p: Option<f64>,
    /// Sample from so many tokens only.
    top_k: Option<u64>,
    /// Where the answer ends.
    stop_sequences: Option<Vec<String>>,
    /// Tools that the model may call: `{name, description, input_schema}`.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
    /// Whether and which tools must be called.
    #[schema(value_type = Option<Object>)]
    tool_choice: Option<Value>,
    /// How much to think: `{type, budget_tokens}`.
    #[schema(value_type = Option<Object>)]
    thinking: Option<Value>,
    /// `{user_id}`.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// `{effort, format}`; the format is `{type: "json_schema", schema}`.
    #[schema(value_type = Option<Object>)]
    output_config: Option<Value>,
    /// Marks the whole prompt for the provider's cache.
    #[schema(value_type = Option<Object>)]
    cache_control: Option<Value>,
}

/// A prompt whose tokens are to be counted; other parameters of a message are accepted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct CountRequest {
    /// A model or alias of the catalogue.
    model: String,
    /// The conversation, oldest first: `{role, content}`, where the content is text or a list of blocks.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    /// The system prompt: text or a list of text blocks.
    #[schema(value_type = Option<Object>)]
    system: Option<Value>,
    /// Tools that the model may call: `{name, description, input_schema}`.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
}
