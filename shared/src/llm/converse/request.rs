//! A prompt to the body of `POST /model/{modelId}/converse`.

use serde::Serialize;
use serde_json::{Number, Value};

use super::{
    blocks::Block,
    model_fields::ModelFields,
    tools::ToolConfig,
    turns::{Conversation, Turn},
};
use crate::{
    llm::{
        Call, Fields, ProviderError,
        format::WireRequest,
        words::{self, AnswerForm, Parameters},
    },
    money::Tokens,
};

/// Claude's answer says which stop sequence it met, if it is asked to; other models don't mind.
const STOP_SEQUENCE: [&str; 1] = ["/stop_sequence"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    inference_config: InferenceConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    additional_model_request_fields: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_response_field_paths: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig<'a> {
    max_tokens: Tokens,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.text_format.is_none() && self.effort.is_none()
    }
}

#[derive(Serialize)]
struct TextFormat<'a> {
    r#type: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    /// As JSON text.
    schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// Writes a call.
///
/// # Errors
/// `Unsupported` if the prompt has something that this format can't say.
pub fn write(call: &Call<'_>) -> Result<WireRequest, ProviderError> {
    let prompt = call.prompt;
    let mut parameters = Parameters::of(prompt)?;
    let inference_config = InferenceConfig {
        max_tokens: call.max_output,
        temperature: words::temperature(prompt)?,
        top_p: parameters.number("top_p")?,
        stop_sequences: &prompt.stop,
    };
    let ModelFields { fields, effort } = ModelFields::of(call.model, &mut parameters)?;
    let cache_control = parameters.take("cache_control");
    parameters.end()?;
    if prompt.choices != 1 {
        return Err(ProviderError::unsupported("n", "this model's provider gives only one answer at a time"));
    }
    let Conversation { system, turns } = Conversation::of(prompt, cache_control)?;
    let body = Body {
        system,
        messages: turns,
        inference_config,
        tool_config: ToolConfig::of(prompt)?,
        additional_model_request_fields: fields,
        additional_model_response_field_paths: (!prompt.stop.is_empty()).then_some(STOP_SEQUENCE),
        output_config: OutputConfig { text_format: text_format(AnswerForm::of(prompt)?)?, effort },
    };
    let body = serde_json::to_vec(&body).map_err(|error| ProviderError::unsupported("messages", error.to_string()))?;
    let operation = if call.stream { "converse-stream" } else { "converse" };
    Ok(WireRequest::new(["model", call.model, operation], body))
}

fn text_format(form: AnswerForm<'_>) -> Result<Option<TextFormat<'_>>, ProviderError> {
    match form {
        AnswerForm::Text => Ok(None),
        AnswerForm::Json => Err(ProviderError::unsupported(
            "response_format.type",
            "this model's provider gives JSON only after a schema: use `json_schema`",
        )),
        AnswerForm::Schema { name, description, schema } => {
            let json_schema = JsonSchema { schema: Value::to_string(schema), name, description };
            Ok(Some(TextFormat { r#type: "json_schema", structure: Structure { json_schema } }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::Url;

    use super::*;
    use crate::llm::{Message, Prompt, Role};

    fn path(model: &str, stream: bool) -> String {
        let prompt = Prompt::new(vec![Message::text(Role::User, "hi")]);
        let call = Call { model, prompt: &prompt, max_output: Tokens(9), stream, time_left: Duration::ZERO };
        let mut url: Url = "https://bedrock-runtime.us-east-1.amazonaws.com/".parse().unwrap();
        url.path_segments_mut().unwrap().pop_if_empty().extend(write(&call).unwrap().path);
        url.path().to_owned()
    }

    #[test]
    fn a_model_is_one_segment_of_the_path() {
        assert_eq!(path("amazon.nova-lite-v1:0", false), "/model/amazon.nova-lite-v1:0/converse");
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
        let escaped = arn.replace('/', "%2F");
        assert_eq!(path(arn, true), format!("/model/{escaped}/converse-stream"));
    }
}
