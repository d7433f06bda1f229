//! What the stand-in reads of a Gemini request, and what Google would refuse of it.

use serde_json::Value;

use crate::standin::body::{Flaw, Object, parse};
use crate::standin::conversation::{Conversation, Speaker, Turn, strings};

const FIELDS: [&str; 10] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "model",
    "serviceTier",
    "store",
];

const CONFIG: [&str; 22] = [
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseFormat",
    "responseJsonSchema",
    "_responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
];

const PART: [&str; 14] = [
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
    "toolCall",
    "toolResponse",
];

/// Reads a request for a model.
pub(in crate::standin) fn read(model: String, streams: bool, body: &[u8]) -> Result<Conversation, Flaw> {
    let body = parse(body)?;
    let root = Object::root(&body)?;
    root.only(&FIELDS)?;
    let config = root.object("generationConfig")?;
    if let Some(config) = &config {
        config.only(&CONFIG)?;
    }
    let mut turns = Vec::new();
    if let Some(system) = root.object("systemInstruction")? {
        let texts = read_parts(&system)?.texts;
        turns.extend((!texts.is_empty()).then_some(Turn { speaker: Speaker::System, texts }));
    }
    let mut open = 0;
    for content in root.some_objects("contents")? {
        read_content(&content, &mut turns, &mut open)?;
    }
    let count = config.as_ref().map(|config| config.count("maxOutputTokens")).transpose()?.flatten();
    let stops = config.as_ref().map(|config| config.texts("stopSequences")).transpose()?.flatten();
    Ok(Conversation {
        model,
        turns,
        limit: count.unwrap_or(u64::MAX),
        streams,
        wants_usage: true,
        stop: stops.and_then(|stops| stops.into_iter().next()),
        ..Conversation::default()
    })
}

/// What the parts of one content are.
#[derive(Default)]
struct Parts {
    texts: Vec<String>,
    /// The texts of each function's response.
    results: Vec<Vec<String>>,
    calls: usize,
    others: usize,
}

/// `open` is the number of calls in the content before.
fn read_content(content: &Object<'_>, turns: &mut Vec<Turn>, open: &mut usize) -> Result<(), Flaw> {
    content.only(&["role", "parts"])?;
    let speaker = match content.text("role")? {
        None | Some("user" | "function") => Speaker::User,
        Some("model") => Speaker::Model,
        Some(_) => return Err(Flaw::other("Please use a valid role: user, model.")),
    };
    let parts = read_parts(content)?;
    if parts.results.len() != *open && (*open > 0 || !parts.results.is_empty()) {
        return Err(Flaw::other(
            "Please ensure that the number of function response parts is equal to the number of function call parts of \
             the function call turn.",
        ));
    }
    *open = parts.calls;
    let only_results = !parts.results.is_empty() && parts.texts.is_empty() && parts.others == 0;
    turns.extend(parts.results.into_iter().map(|texts| Turn { speaker: Speaker::Tool, texts }));
    if !only_results {
        turns.push(Turn { speaker, texts: parts.texts });
    }
    Ok(())
}

fn read_parts(content: &Object<'_>) -> Result<Parts, Flaw> {
    let mut parts = Parts::default();
    for part in content.some_objects("parts")? {
        part.only(&PART)?;
        if let Some(response) = part.object("functionResponse")? {
            response.need("name", response.text("name")?)?;
            let result = response.need("response", response.object("response")?)?;
            parts.results.push(strings(&Value::Object(result.fields.clone())));
        } else if let Some(call) = part.object("functionCall")? {
            call.need("name", call.text("name")?)?;
            call.object("args")?;
            parts.calls += 1;
        } else {
            let text = part.text("text")?;
            parts.others += usize::from(text.is_none());
            let is_thought = part.flag("thought")?;
            parts.texts.extend(text.filter(|_| !is_thought).map(str::to_owned));
        }
    }
    Ok(parts)
}
