//! One normal form for the token counts of all servers that speak this format, each of which has its own idea of them.

use serde_json::Value;

use crate::{
    llm::{Fields, Native, Reported, Usage, WireFormat},
    money::Tokens,
};

/// The counts in normal form beside the provider's own; `None` if it counted neither prompt nor answer.
///
/// * Cached tokens are in `prompt_tokens_details.cached_tokens` (`OpenAI`), `prompt_cache_hit_tokens` (`DeepSeek`) or
///   `cached_tokens` (Moonshot).
/// * `OpenAI` counts reasoning into `completion_tokens`; xAI and Gemini don't, but into `total_tokens`. So the answer
///   has whatever the prompt leaves of the total, if that is more.
pub(super) fn reported(wire: Fields) -> Option<Reported> {
    let count = |path: &[&str]| {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(wire.get(*first)?, |value, name| value.get(name)).and_then(Value::as_u64)
    };
    let (prompt, completion) = (count(&["prompt_tokens"]), count(&["completion_tokens"]));
    prompt.or(completion)?;
    let input = prompt.unwrap_or_default();
    let total = count(&["total_tokens"]).unwrap_or_default();
    let output = completion.unwrap_or_default().max(total.saturating_sub(input));
    let cached = count(&["prompt_tokens_details", "cached_tokens"])
        .or_else(|| count(&["prompt_cache_hit_tokens"]))
        .or_else(|| count(&["cached_tokens"]))
        .unwrap_or_default();
    let written = count(&["prompt_tokens_details", "cache_write_tokens"]).unwrap_or_default();
    let reasoning = count(&["completion_tokens_details", "reasoning_tokens"])
        .or_else(|| count(&["reasoning_tokens"]))
        .unwrap_or_default();
    let usage = Usage {
        input_tokens: Tokens(input),
        cached_input_tokens: Tokens(cached.min(input)),
        // OpenRouter's, for providers whose cache is written at a price.
        cache_write_tokens: Tokens(written.min(input.saturating_sub(cached))),
        cache_write_1h_tokens: Tokens::ZERO,
        output_tokens: Tokens(output),
        reasoning_tokens: Tokens(reasoning.min(output)),
        cache_hit_tokens: Tokens::ZERO,
    };
    Some(Reported { usage, native: Some(Native { format: WireFormat::ChatCompletions, fields: wire }) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn usage(wire: &Value) -> Option<[u64; 4]> {
        let usage = reported(wire.as_object().unwrap().clone())?.usage;
        Some([usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_tokens].map(|n| n.0))
    }

    #[test]
    fn each_providers_cached_tokens_are_found() {
        let openai = json!({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}});
        let deepseek = json!({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4});
        let moonshot = json!({"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 4});
        for wire in [openai, deepseek, moonshot] {
            assert_eq!(usage(&wire), Some([9, 4, 1, 0]));
        }
    }

    #[test]
    fn reasoning_that_is_only_in_the_total_is_output() {
        let xai = json!({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94}});
        assert_eq!(usage(&xai), Some([32, 0, 103, 94]));
    }

    #[test]
    fn an_object_without_counts_is_no_usage() {
        assert_eq!(usage(&json!({})), None);
        assert_eq!(usage(&json!({"prompt_tokens": null, "queue_time": 0.1})), None);
    }

    #[test]
    fn a_part_is_never_more_than_the_whole() {
        let wire = json!({"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 9, "reasoning_tokens": 9});
        assert_eq!(usage(&wire), Some([3, 3, 2, 2]));
    }
}
