//! What the stand-in reads of a Converse request, and what Bedrock would refuse of it.

use crate::standin::body::{Flaw, Object, parse};
use crate::standin::conversation::{Conversation, Speaker, Turn, strings};
use crate::standin::pairing::{Flow, Pairing, Unpaired};

const FIELDS: [&str; 12] = [
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// The kinds of content, of which a block is exactly one.
const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

/// Reads a request to a model.
pub(in crate::standin) fn read(model: String, streams: bool, body: &[u8]) -> Result<Conversation, Flaw> {
    let body = parse(body)?;
    let root = Object::root(&body)?;
    root.only(&FIELDS)?;
    let mut reader = Reader::default();
    let mut system = Vec::new();
    for block in root.objects("system")?.unwrap_or_default() {
        if let Some(text) = text(&one(&block, &["text", "guardContent", "cachePoint"])?, &block)? {
            system.push(text);
        }
    }
    if !system.is_empty() {
        reader.turns.push(Turn { speaker: Speaker::System, texts: system });
    }
    for message in root.some_objects("messages")? {
        reader.message(&message)?;
    }
    reader.pairing.check().map_err(unpaired)?;
    if reader.pairing.turns.iter().any(|flow| !flow.calls.is_empty() || !flow.results.is_empty())
        && root.value("toolConfig").is_none()
    {
        return Err(Flaw::other(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ));
    }
    let config = root.object("inferenceConfig")?;
    if let Some(config) = &config {
        config.only(&["maxTokens", "temperature", "topP", "stopSequences"])?;
    }
    let count = config.as_ref().map(|config| config.count("maxTokens")).transpose()?.flatten();
    let stops = config.as_ref().map(|config| config.texts("stopSequences")).transpose()?.flatten();
    Ok(Conversation {
        model,
        turns: reader.turns,
        limit: count.unwrap_or(u64::MAX),
        streams,
        wants_usage: true,
        stop: stops.and_then(|stops| stops.into_iter().next()),
        ..Conversation::default()
    })
}

#[derive(Default)]
struct Reader {
    turns: Vec<Turn>,
    pairing: Pairing,
    last: Option<Speaker>,
}

impl Reader {
    fn message(&mut self, message: &Object<'_>) -> Result<(), Flaw> {
        message.only(&["role", "content"])?;
        let speaker = self.speaker(message)?;
        let (mut texts, mut flow, mut others) = (Vec::new(), Flow::default(), 0);
        for block in message.some_objects("content")? {
            match one(&block, &BLOCKS)?.as_str() {
                "toolUse" => {
                    let call = block.need("toolUse", block.object("toolUse")?)?;
                    call.need("name", call.text("name")?)?;
                    call.need("input", call.object("input")?)?;
                    flow.calls.push(call.need("toolUseId", call.text("toolUseId")?)?.to_owned());
                }
                "toolResult" => {
                    let result = block.need("toolResult", block.object("toolResult")?)?;
                    flow.results.push(result.need("toolUseId", result.text("toolUseId")?)?.to_owned());
                    self.turns.push(Turn { speaker: Speaker::Tool, texts: result_texts(&result)? });
                }
                // It belongs to the block before it.
                "cachePoint" => {}
                kind => {
                    others += 1;
                    texts.extend(text(kind, &block)?);
                }
            }
        }
        let only_results = !flow.results.is_empty() && others == 0;
        self.pairing.turns.push(flow);
        if !only_results {
            self.turns.push(Turn { speaker, texts });
        }
        Ok(())
    }

    fn speaker(&mut self, message: &Object<'_>) -> Result<Speaker, Flaw> {
        let speaker = match message.need("role", message.text("role")?)? {
            "user" => Speaker::User,
            "assistant" => Speaker::Model,
            role => {
                return Err(Flaw::other(format!(
                    "1 validation error detected: Value '{role}' at '{}' failed to satisfy constraint: Member must \
                     satisfy enum value set: [user, assistant]",
                    message.path_of("role")
                )));
            }
        };
        if self.last.is_none() && speaker == Speaker::Model {
            return Err(Flaw::other(
                "A conversation must start with a user message. Try again with a conversation that starts with a user \
                 message.",
            ));
        }
        if self.last.replace(speaker) == Some(speaker) {
            return Err(Flaw::other(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates \
                 between user and assistant roles and try again.",
            ));
        }
        Ok(speaker)
    }
}

/// The kind of a block.
fn one(block: &Object<'_>, known: &[&str]) -> Result<String, Flaw> {
    block.only(known)?;
    let mut kinds = block.fields.keys();
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) => Ok(kind.clone()),
        (_, Some(_)) | (None, None) => {
            Err(Flaw::other(format!("The content block at {} must have exactly one member.", block.path)))
        }
    }
}

fn text(kind: &str, block: &Object<'_>) -> Result<Option<String>, Flaw> {
    if kind != "text" {
        return Ok(None);
    }
    let text = block.need("text", block.text("text")?)?;
    if text.trim().is_empty() {
        return Err(Flaw::other(format!(
            "The text field in the ContentBlock object at {} is blank. Add text to the text field, and try again.",
            block.path
        )));
    }
    Ok(Some(text.to_owned()))
}

fn result_texts(result: &Object<'_>) -> Result<Vec<String>, Flaw> {
    let mut texts = Vec::new();
    for part in result.need("content", result.objects("content")?)? {
        match one(&part, &["text", "json", "image", "document", "video", "searchResult"])?.as_str() {
            "text" => texts.push(part.need("text", part.text("text")?)?.to_owned()),
            "json" => texts.extend(part.value("json").map(strings).unwrap_or_default()),
            _ => {}
        }
    }
    Ok(texts)
}

fn unpaired(unpaired: Unpaired) -> Flaw {
    Flaw::other(match unpaired {
        Unpaired::Result { turn, .. } => format!(
            "The number of toolResult blocks at messages.{turn}.content exceeds the number of toolUse blocks of previous \
             turn."
        ),
        Unpaired::Call { turn, id } => {
            format!("Expected toolResult blocks at messages.{}.content for the following Ids: {id}", turn + 1)
        }
    })
}
