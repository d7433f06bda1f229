//! Token counts. Those that are cached, or written into the cache, are not part of `input_tokens`; thinking is part of
//! `output_tokens`. Counts in a stream are cumulative: the last of the answer's is right, and of the prompt's the largest,
//! as some servers know them only at the beginning and some only at the end.

use serde_json::Value;

use crate::{
    llm::{Reported, Usage},
    money::Tokens,
};

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    written_1h: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Takes over what a `usage` object says.
    pub(super) fn take(&mut self, usage: &Value) {
        let count = |name: &str| usage.get(name).and_then(Value::as_u64);
        let within = |object: &str, name: &str| usage.get(object)?.get(name)?.as_u64();
        self.input = count("input_tokens").max(self.input);
        self.output = count("output_tokens").or(self.output);
        self.read = count("cache_read_input_tokens").max(self.read);
        self.written = count("cache_creation_input_tokens").max(self.written);
        self.written_1h = within("cache_creation", "ephemeral_1h_input_tokens").max(self.written_1h);
        self.thinking = within("output_tokens_details", "thinking_tokens").or(self.thinking);
    }

    /// In the normal form; `None` if neither prompt nor answer was counted.
    pub(super) fn reported(&self) -> Option<Reported> {
        self.input.or(self.output)?;
        let [input, output, read, written] =
            [self.input, self.output, self.read, self.written].map(Option::unwrap_or_default);
        let input = input.saturating_add(read).saturating_add(written);
        let usage = Usage {
            input_tokens: Tokens(input),
            cached_input_tokens: Tokens(read),
            cache_write_tokens: Tokens(written),
            cache_write_1h_tokens: Tokens(self.written_1h.unwrap_or_default().min(written)),
            output_tokens: Tokens(output),
            reasoning_tokens: Tokens(self.thinking.unwrap_or_default().min(output)),
            cache_hit_tokens: Tokens::ZERO,
        };
        Some(Reported { usage, native: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cached_tokens_are_part_of_the_prompt() {
        let mut counts = Counts::default();
        counts.take(&json!({"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15}, "output_tokens": 1}));
        let usage = counts.reported().unwrap().usage;
        assert_eq!(usage.input_tokens, Tokens(130));
        assert_eq!(usage.cached_input_tokens, Tokens(100));
        assert_eq!((usage.cache_write_tokens, usage.cache_write_1h_tokens), (Tokens(20), Tokens(15)));
        assert_eq!(usage.output_tokens, Tokens(1));
    }

    #[test]
    fn of_the_prompt_the_largest_count_is_right_and_of_the_answer_the_last() {
        let mut counts = Counts::default();
        counts.take(&json!({"input_tokens": 12, "cache_read_input_tokens": 5, "output_tokens": 1}));
        counts.take(&json!({"input_tokens": 0, "cache_read_input_tokens": null, "output_tokens": 0}));
        let usage = counts.reported().unwrap().usage;
        assert_eq!((usage.input_tokens, usage.output_tokens), (Tokens(17), Tokens(0)));
    }

    #[test]
    fn an_object_without_counts_is_no_usage() {
        let mut counts = Counts::default();
        counts.take(&json!({"service_tier": "standard"}));
        assert_eq!(counts.reported(), None);
    }
}
