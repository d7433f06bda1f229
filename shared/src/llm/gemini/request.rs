//! A prompt to the body of `POST /models/{model}:generateContent`.

use http::HeaderMap;
use serde::Serialize;

use super::{
    config::GenerationConfig,
    contents::{Content, Conversation},
    tools::{ToolConfig, Tools},
};
use crate::llm::{Call, ProviderError, format::WireRequest, words::Parameters};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tools<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    generation_config: GenerationConfig<'a>,
}

/// Writes a call.
///
/// # Errors
/// `Unsupported` if the prompt has something that this format can't say.
pub fn write(call: &Call<'_>) -> Result<WireRequest, ProviderError> {
    let mut parameters = Parameters::of(call.prompt)?;
    let generation_config = GenerationConfig::of(call, &mut parameters)?;
    // Gemini finds by itself what it has cached.
    parameters.take("cache_control");
    parameters.end()?;
    let Conversation { system, contents } = Conversation::of(call)?;
    let body = Body {
        system_instruction: system,
        contents,
        tools: Tools::of(call.prompt)?.map(|tools| [tools]),
        tool_config: ToolConfig::of(call.prompt)?,
        generation_config,
    };
    let body = serde_json::to_vec(&body).map_err(|error| ProviderError::unsupported("messages", error.to_string()))?;
    let query = if call.stream { vec![("alt", "sse")] } else { Vec::new() };
    Ok(WireRequest { path: path(call), query, headers: HeaderMap::new(), body })
}

/// A model is a resource: `models/{name}` unless it says itself what it is (`tunedModels/{name}`).
fn path(call: &Call<'_>) -> Vec<String> {
    let method = if call.stream { "streamGenerateContent" } else { "generateContent" };
    let resource = format!("{}:{method}", call.model);
    if call.model.contains('/') {
        return resource.split('/').map(str::to_owned).collect();
    }
    vec!["models".to_owned(), resource]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::Url;

    use super::*;
    use crate::{
        llm::{Message, Prompt, Role},
        money::Tokens,
    };

    fn url(model: &str, stream: bool) -> String {
        let prompt = Prompt::new(vec![Message::text(Role::User, "hi")]);
        let call = Call { model, prompt: &prompt, max_output: Tokens(9), stream, time_left: Duration::ZERO };
        let request = write(&call).unwrap();
        let mut url: Url = "https://generativelanguage.googleapis.com/v1beta".parse().unwrap();
        url.path_segments_mut().unwrap().extend(request.path);
        url.query_pairs_mut().extend_pairs(request.query);
        url.into()
    }

    #[test]
    fn the_method_is_behind_an_unescaped_colon() {
        let base = "https://generativelanguage.googleapis.com/v1beta";
        assert_eq!(url("gemini-2.5-pro", false), format!("{base}/models/gemini-2.5-pro:generateContent?"));
        assert_eq!(url("gemini-2.5-pro", true), format!("{base}/models/gemini-2.5-pro:streamGenerateContent?alt=sse"));
    }

    #[test]
    fn a_model_may_name_its_own_collection() {
        assert!(url("tunedModels/mine", false).ends_with("/v1beta/tunedModels/mine:generateContent?"));
    }
}
