//! Messages to `system` and `messages` (Amazon Bedrock API reference, `Message`). Messages of one side that follow each
//! other are one turn, as the sides must take turns.
//!
//! Not said, as Converse has no words for it: speakers' names, an image's `detail`, and thoughts that aren't signed.

use serde::Serialize;
use serde_json::Value;

use super::{
    blocks::{Block, CachePoint, ToolResult, ToolUse, blocks, reasoning},
    documents::Names,
};
use crate::llm::{
    Message, Prompt, ProviderError, Role, ToolCall,
    words::{arguments, system_messages},
};

/// A turn of one side.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// A whole conversation.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    /// The system prompt.
    pub(super) system: Vec<Block<'a>>,
    /// The turns.
    pub(super) turns: Vec<Turn<'a>>,
}

impl<'a> Conversation<'a> {
    /// That of a prompt. `cache_control`, if it is given for the request as a whole, marks its end.
    ///
    /// # Errors
    /// `Unsupported` if it has something that can't be said.
    pub(super) fn of(prompt: &'a Prompt, cache_control: Option<&Value>) -> Result<Self, ProviderError> {
        let (system, turns) = prompt.messages.split_at(system_messages(prompt));
        let mut writer = Writer { turns: Vec::new(), names: Names::default() };
        let mut instruction = Vec::new();
        for (at, message) in system.iter().enumerate() {
            instruction.extend(writer.system(message, at)?);
        }
        for (at, message) in turns.iter().enumerate() {
            writer.message(message, system.len() + at)?;
        }
        if let Some(last) = writer.turns.last_mut() {
            mark(&mut last.content, CachePoint::of(cache_control, "cache_control")?);
        }
        Ok(Self { system: instruction, turns: writer.turns })
    }
}

struct Writer<'a> {
    turns: Vec<Turn<'a>>,
    names: Names,
}

impl<'a> Writer<'a> {
    fn message(&mut self, message: &'a Message, at: usize) -> Result<(), ProviderError> {
        let (role, content) = match &message.role {
            Role::User => ("user", marked(blocks(message, at, &mut self.names)?, message, at)?),
            Role::Assistant => ("assistant", marked(self.answer(message, at)?, message, at)?),
            Role::Tool => ("user", marked(self.result(message, at)?, message, at)?),
            Role::System | Role::Developer => ("system", self.system(message, at)?),
            Role::Other(role) => {
                let message = format!("this model's provider has no role `{role}`");
                return Err(ProviderError::unsupported(format!("messages[{at}].role"), message));
            }
        };
        match self.turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.extend(content),
            None if content.is_empty() => {}
            None => self.turns.push(Turn { role, content }),
        }
        Ok(())
    }

    fn system(&mut self, message: &'a Message, at: usize) -> Result<Vec<Block<'a>>, ProviderError> {
        let blocks = blocks(message, at, &mut self.names)?;
        if !blocks.iter().all(|block| matches!(block, Block::Text(_) | Block::CachePoint(_))) {
            let param = format!("messages[{at}].content");
            return Err(ProviderError::unsupported(param, "a system message can only have text"));
        }
        marked(blocks, message, at)
    }

    /// What the model thought, said and called.
    fn answer(&mut self, message: &'a Message, at: usize) -> Result<Vec<Block<'a>>, ProviderError> {
        let said = blocks(message, at, &mut self.names)?;
        let mut all = Vec::new();
        // A client of Messages has its thoughts among the parts, one of chat completions beside them.
        if !said.iter().any(|block| matches!(block, Block::ReasoningContent(_))) {
            all.extend(thoughts(message));
        }
        let refusal = message.extra.get("refusal").and_then(Value::as_str).filter(|_| said.is_empty());
        all.extend(said);
        all.extend(refusal.map(Block::Text));
        for (place, call) in message.tool_calls.iter().enumerate() {
            let param = format!("messages[{at}].tool_calls[{place}]");
            all.push(Block::ToolUse(tool_use(call, &param)?));
            let point = CachePoint::of(call.extra.get("cache_control"), &format!("{param}.cache_control"))?;
            all.extend(point.map(Block::CachePoint));
        }
        Ok(all)
    }

    /// A tool's result. What marks a part of it as worth keeping, marks it as a whole.
    fn result(&mut self, message: &'a Message, at: usize) -> Result<Vec<Block<'a>>, ProviderError> {
        let param = || format!("messages[{at}].tool_call_id");
        let missing = || ProviderError::unsupported(param(), "a tool's result must say which call it answers");
        let id = message.tool_call_id.as_deref().ok_or_else(missing)?;
        let failed = message.extra.get("is_error") == Some(&Value::Bool(true));
        let all = blocks(message, at, &mut self.names)?;
        let (points, content): (Vec<_>, Vec<_>) = all.into_iter().partition(|b| matches!(b, Block::CachePoint(_)));
        let result = ToolResult { id, content, status: failed.then_some("error") };
        Ok([Block::ToolResult(result)].into_iter().chain(points.into_iter().next_back()).collect())
    }
}

/// Blocks with the mark of their message as a whole.
fn marked<'a>(mut blocks: Vec<Block<'a>>, message: &Message, at: usize) -> Result<Vec<Block<'a>>, ProviderError> {
    mark(&mut blocks, CachePoint::of(message.extra.get("cache_control"), &format!("messages[{at}].cache_control"))?);
    Ok(blocks)
}

/// Marks the end of some blocks, unless it is marked already.
fn mark(blocks: &mut Vec<Block<'_>>, point: Option<CachePoint>) {
    if !matches!(blocks.last(), None | Some(Block::CachePoint(_))) {
        blocks.extend(point.map(Block::CachePoint));
    }
}

/// `thinking_blocks`, as chat clients give them back. The text of the only one may be in `reasoning_content`.
fn thoughts(message: &Message) -> impl Iterator<Item = Block<'_>> {
    let blocks = message.extra.get("thinking_blocks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let only = blocks.iter().filter(|block| block.get("data").is_none()).count() == 1;
    let text = message.extra.get("reasoning_content").and_then(Value::as_str).unwrap_or_default();
    let text = only.then_some(text);
    blocks.iter().filter_map(move |block| reasoning(block, text)).map(Block::ReasoningContent)
}

fn tool_use<'a>(call: &'a ToolCall, param: &str) -> Result<ToolUse<'a>, ProviderError> {
    let Some(function) = call.function.as_ref().filter(|_| call.kind == "function") else {
        return Err(ProviderError::unsupported(format!("{param}.type"), "only calls of functions are supported"));
    };
    let Some(input) = arguments(function) else {
        let param = format!("{param}.function.arguments");
        return Err(ProviderError::unsupported(param, "this model's provider takes only a JSON object as arguments"));
    };
    Ok(ToolUse { id: &call.id, name: &function.name, input })
}
