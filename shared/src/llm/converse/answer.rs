//! `ConverseResponse`, and what it has in common with the events of a stream (Amazon Bedrock API reference).

use std::mem;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    llm::{Chunk, Delta, Fields, FinishReason, ProviderError, Reported, ToolCallDelta, Usage},
    money::Tokens,
};

/// A whole answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    output: Output,
    stop_reason: String,
    usage: Option<TokenUsage>,
    additional_model_response_fields: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Output {
    message: Message,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Vec<Block>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    text: Option<String>,
    tool_use: Option<ToolUse>,
    reasoning_content: Option<Reasoning>,
    citations_content: Option<Citations>,
}

#[derive(Debug, Deserialize)]
struct ToolUse {
    #[serde(rename = "toolUseId")]
    id: String,
    name: String,
    input: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning {
    reasoning_text: Option<ReasoningText>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReasoningText {
    text: String,
    signature: Option<String>,
}

/// Text with its sources, of which only the text can be said.
#[derive(Debug, Deserialize)]
struct Citations {
    #[serde(default)]
    content: Vec<Cited>,
}

#[derive(Debug, Deserialize)]
struct Cited {
    #[serde(default)]
    text: String,
}

/// Token counts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TokenUsage {
    /// Neither those read from the cache nor those written to it.
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
    cache_details: Vec<CacheDetail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CacheDetail {
    ttl: String,
    input_tokens: u64,
}

impl Answer {
    /// The chunk that it is, and what was counted.
    ///
    /// # Errors
    /// `Malformed` if a block is of a kind that was not asked for and that chat completions can't say.
    pub(super) fn into_chunk(self) -> Result<(Chunk, Option<Reported>), ProviderError> {
        let mut delta = end(&self.stop_reason, self.additional_model_response_fields.as_ref());
        let mut thoughts = Thoughts::default();
        for (index, block) in (0..).zip(self.output.message.content) {
            block.append_to(&mut delta, &mut thoughts, index)?;
        }
        delta.message_extra = thoughts.take();
        let chunk = Chunk { choices: vec![delta], ..Chunk::default() };
        Ok((chunk, self.usage.as_ref().map(TokenUsage::reported)))
    }
}

impl Block {
    fn append_to(self, delta: &mut Delta, thoughts: &mut Thoughts, index: u32) -> Result<(), ProviderError> {
        let cited = |citations: Citations| citations.content.into_iter().map(|cited| cited.text).collect();
        if let Some(text) = self.text.or_else(|| self.citations_content.map(cited)) {
            delta.text.get_or_insert_default().push_str(&text);
        } else if let Some(ToolUse { id, name, input }) = self.tool_use {
            delta.tool_calls.push(ToolCallDelta {
                index: u32::try_from(delta.tool_calls.len()).unwrap_or(u32::MAX),
                id: Some(id),
                name: Some(name),
                arguments: input.to_string(),
                extra: Fields::new(),
            });
        } else if let Some(Reasoning { reasoning_text, redacted_content }) = self.reasoning_content {
            if let Some(ReasoningText { text, signature }) = reasoning_text {
                thoughts.say(&text);
                thoughts.sign(index, signature);
            }
            thoughts.redact(index, redacted_content);
        } else {
            return Err(ProviderError::Malformed("a block of a kind that nobody asked for".to_owned()));
        }
        Ok(())
    }
}

/// What the model thought, on the way to the fields of a message (see [`Chunk`]).
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// In words, as far as they weren't taken yet.
    text: String,
    blocks: Vec<Value>,
    /// The words that aren't signed yet.
    unsigned: String,
}

impl Thoughts {
    /// Adds words.
    pub(super) fn say(&mut self, text: &str) {
        self.text.push_str(text);
        self.unsigned.push_str(text);
    }

    /// Adds the signature of block number `index`, if there is one. It comes with the whole text again, because Bedrock
    /// wants it back as it was, block by block.
    pub(super) fn sign(&mut self, index: u32, signature: Option<String>) {
        if let Some(signature) = signature {
            let text = mem::take(&mut self.unsigned);
            self.blocks.push(json!({"type": "thinking", "index": index, "thinking": text, "signature": signature}));
        }
    }

    /// Adds the encrypted thoughts of block number `index`, if there are some.
    pub(super) fn redact(&mut self, index: u32, data: Option<String>) {
        let block = |data| json!({"type": "redacted_thinking", "index": index, "data": data});
        self.blocks.extend(data.map(block));
    }

    /// The fields of what was added since the last time.
    pub(super) fn take(&mut self) -> Fields {
        let (text, blocks) = (mem::take(&mut self.text), mem::take(&mut self.blocks));
        let mut fields = Fields::new();
        if !text.is_empty() {
            fields.insert("reasoning_content".to_owned(), text.into());
        }
        if !blocks.is_empty() {
            fields.insert("thinking_blocks".to_owned(), blocks.into());
        }
        fields
    }
}

/// The last piece of an answer: why it ended, and the stop sequence that ended it, if the model said which.
pub(super) fn end(stop_reason: &str, model_fields: Option<&Value>) -> Delta {
    let finish = match stop_reason {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "tool_use" => FinishReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    };
    let stopped = model_fields.and_then(|fields| fields.get("stop_sequence")).filter(|text| text.is_string());
    let choice_extra = stopped.map(|text| ("stop_sequence".to_owned(), text.clone())).into_iter().collect();
    Delta { finish: Some(finish), choice_extra, ..Delta::default() }
}

impl TokenUsage {
    /// The counts in normal form.
    pub(super) fn reported(&self) -> Reported {
        let (read, written) = (self.cache_read_input_tokens, self.cache_write_input_tokens);
        let hour = self.cache_details.iter().filter(|detail| detail.ttl == "1h");
        let hour = hour.fold(0, |sum: u64, detail| sum.saturating_add(detail.input_tokens));
        let usage = Usage {
            input_tokens: Tokens(self.input_tokens.saturating_add(read).saturating_add(written)),
            cached_input_tokens: Tokens(read),
            cache_write_tokens: Tokens(written),
            cache_write_1h_tokens: Tokens(hour.min(written)),
            output_tokens: Tokens(self.output_tokens),
            ..Usage::default()
        };
        Reported { usage, native: None }
    }
}
