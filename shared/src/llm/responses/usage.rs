//! The token counts of this format in normal form.

use serde_json::Value;

use crate::{llm::Usage, money::Tokens};

/// The counts of a `usage` object; `None` if it counts neither prompt nor answer. A part is never more than its whole,
/// and what the total has beyond prompt and answer is answer, as servers do that leave reasoning out of it.
pub(super) fn read(wire: &Value) -> Option<Usage> {
    let count = |path: &[&str]| path.iter().try_fold(wire, |value, name| value.get(*name)).and_then(Value::as_u64);
    let (input, output) = (count(&["input_tokens"]), count(&["output_tokens"]));
    input.or(output)?;
    let input = input.unwrap_or_default();
    let total = count(&["total_tokens"]).unwrap_or_default();
    let output = output.unwrap_or_default().max(total.saturating_sub(input));
    let cached = count(&["input_tokens_details", "cached_tokens"]).unwrap_or_default().min(input);
    let written = count(&["input_tokens_details", "cache_write_tokens"]).unwrap_or_default();
    let reasoning = count(&["output_tokens_details", "reasoning_tokens"]).unwrap_or_default();
    Some(Usage {
        input_tokens: Tokens(input),
        cached_input_tokens: Tokens(cached),
        cache_write_tokens: Tokens(written.min(input - cached)),
        cache_write_1h_tokens: Tokens::ZERO,
        output_tokens: Tokens(output),
        reasoning_tokens: Tokens(reasoning.min(output)),
        cache_hit_tokens: Tokens::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_part_is_never_more_than_the_whole() {
        let usage = read(&json!({
            "input_tokens": 3, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 9},
            "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 9},
        }));
        let counts = usage.map(|usage| [usage.cached_input_tokens, usage.cache_write_tokens, usage.reasoning_tokens]);
        assert_eq!(counts, Some([Tokens(2), Tokens(1), Tokens(2)]));
    }

    #[test]
    fn an_object_without_counts_is_no_usage() {
        assert_eq!(read(&json!({"input_tokens": null})), None);
        assert_eq!(read(&Value::Null), None);
    }
}
