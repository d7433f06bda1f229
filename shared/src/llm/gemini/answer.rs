//! `GenerateContentResponse`, which is a whole answer and each event of a stream alike (Gemini API reference).

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{logprobs::LogprobsResult, status::Status};
use crate::{
    llm::{Fields, Reported, Usage},
    money::Tokens,
};

/// What Gemini answers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Answer {
    pub(super) candidates: Vec<Candidate>,
    pub(super) prompt_feedback: Option<PromptFeedback>,
    pub(super) usage_metadata: Option<UsageMetadata>,
    pub(super) response_id: Option<String>,
    pub(super) error: Option<Status>,
}

/// An alternative.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Candidate {
    /// Left out for the first one.
    pub(super) index: Option<u32>,
    pub(super) content: Content,
    pub(super) finish_reason: Option<String>,
    pub(super) logprobs_result: Option<LogprobsResult>,
}

/// What it says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    pub(super) parts: Vec<Part>,
}

/// A part of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Part {
    pub(super) text: Option<String>,
    pub(super) thought: bool,
    pub(super) thought_signature: Option<String>,
    pub(super) function_call: Option<FunctionCall>,
    inline_data: Option<IgnoredAny>,
    file_data: Option<IgnoredAny>,
    executable_code: Option<IgnoredAny>,
    code_execution_result: Option<IgnoredAny>,
}

impl Part {
    /// The kind of a part that was not asked for and that chat completions can't say.
    pub(super) fn foreign(&self) -> Option<&'static str> {
        let kinds = [
            ("inlineData", &self.inline_data),
            ("fileData", &self.file_data),
            ("executableCode", &self.executable_code),
            ("codeExecutionResult", &self.code_execution_result),
        ];
        kinds.into_iter().find(|(_, data)| data.is_some()).map(|(kind, _)| kind)
    }
}

/// A call, always whole.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionCall {
    /// Older models give none.
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) args: Fields,
}

/// Why there is no candidate.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PromptFeedback {
    pub(super) block_reason: Option<String>,
}

/// Token counts. Each event of a stream has them; the last ones count.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UsageMetadata {
    #[serde(rename = "promptTokenCount")]
    prompt: Option<u64>,
    /// Those of the prompt that were cached.
    #[serde(rename = "cachedContentTokenCount")]
    cached: u64,
    #[serde(rename = "toolUsePromptTokenCount")]
    tool_use: u64,
    #[serde(rename = "candidatesTokenCount")]
    candidates: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: u64,
    #[serde(rename = "totalTokenCount")]
    total: u64,
}

impl UsageMetadata {
    /// The counts in normal form; `None` if there are none. Thoughts are not among the candidates' tokens, and whatever
    /// else is in the total is output, which is never the cheaper kind.
    pub(super) fn reported(&self) -> Option<Reported> {
        self.prompt.or(self.candidates)?;
        let input = self.prompt.unwrap_or_default().saturating_add(self.tool_use);
        let output = self.candidates.unwrap_or_default().saturating_add(self.thoughts);
        let output = output.max(self.total.saturating_sub(input));
        let usage = Usage {
            input_tokens: Tokens(input),
            cached_input_tokens: Tokens(self.cached.min(input)),
            output_tokens: Tokens(output),
            reasoning_tokens: Tokens(self.thoughts.min(output)),
            ..Usage::default()
        };
        Some(Reported { usage, native: None })
    }
}

/// What a refused prompt is answered with.
pub(super) fn refusal(block_reason: &str) -> Value {
    format!("The prompt was blocked by the model's provider ({block_reason}).").into()
}
