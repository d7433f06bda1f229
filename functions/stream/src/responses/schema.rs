//! The parameters of a request that LMO takes: what the `OpenAPI` document says is what is accepted.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type},
    },
};

use super::request::ResponseRequest;

/// Name, type and meaning of each. `AnyValue` has several types.
pub(super) const PARAMETERS: [(&str, Option<Type>, &str); 30] = [
    ("model", Some(Type::String), "A model or alias of the catalogue; the tenant's default if absent."),
    ("input", None, "The conversation: a text, or a list of items (messages, calls, results, reasoning)."),
    ("instructions", Some(Type::String), "What the model is told first."),
    ("max_output_tokens", Some(Type::Integer), "The most tokens of the answer, reasoning included."),
    ("stream", Some(Type::Boolean), "Whether to answer piece by piece."),
    ("stream_options", Some(Type::Object), "`include_obfuscation`, for a provider of the same format."),
    ("temperature", Some(Type::Number), "Sampling temperature, 0 to 2."),
    ("top_p", Some(Type::Number), "Nucleus sampling."),
    ("top_logprobs", Some(Type::Integer), "How many likely tokens to tell at each position."),
    ("tools", Some(Type::Array), "Functions and custom tools that the model may call."),
    ("tool_choice", None, "Whether and which tools must be called."),
    ("parallel_tool_calls", Some(Type::Boolean), "Whether several tools may be called at once."),
    ("text", Some(Type::Object), "`format` and `verbosity` of the answer."),
    ("reasoning", Some(Type::Object), "`effort` and `summary` of the reasoning."),
    ("include", Some(Type::Array), "`reasoning.encrypted_content`, `message.output_text.logprobs`."),
    ("metadata", Some(Type::Object), "Texts that the response repeats."),
    ("store", Some(Type::Boolean), "Taken and ignored: LMO keeps no responses."),
    ("truncation", Some(Type::String), "`disabled`."),
    ("service_tier", Some(Type::String), "`auto` or `default`."),
    ("user", Some(Type::String), "Who asks, for the provider."),
    ("safety_identifier", Some(Type::String), "Who asks, for the provider."),
    ("prompt_cache_key", Some(Type::String), "Which requests begin alike, for the provider's cache."),
    ("prompt_cache_retention", Some(Type::String), "For the provider's cache."),
    ("prompt_cache_options", Some(Type::Object), "For the provider's cache."),
    ("background", Some(Type::Boolean), "`false`."),
    ("previous_response_id", None, "Refused: LMO keeps no responses."),
    ("conversation", None, "Refused: LMO keeps no responses."),
    ("prompt", None, "Refused: LMO keeps no prompts."),
    ("max_tool_calls", None, "Refused: it limits tools that providers run."),
    ("context_management", None, "Refused: the conversation is the client's."),
];

impl ToSchema for ResponseRequest {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ResponseRequest")
    }
}

impl PartialSchema for ResponseRequest {
    fn schema() -> RefOr<Schema> {
        let mut object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A request for a response."))
            .required("input")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        for (name, kind, description) in PARAMETERS {
            let kind = kind.map_or(SchemaType::AnyValue, SchemaType::Type);
            object = object.property(name, ObjectBuilder::new().schema_type(kind).description(Some(description)));
        }
        object.into()
    }
}
