//! Log probabilities, from Gemini's `logprobsResult` to chat completions' `logprobs`.

use serde::Deserialize;
use serde_json::{Number, Value, json};

/// As Gemini has them: for each place of the answer the token that was taken, and the likeliest ones.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogprobsResult {
    chosen_candidates: Vec<Token>,
    top_candidates: Vec<Likeliest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Likeliest {
    candidates: Vec<Token>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default = "certain")]
    log_probability: Number,
}

/// A probability of 1 is left out, as its logarithm is zero.
fn certain() -> Number {
    0.into()
}

impl LogprobsResult {
    /// As chat completions have them.
    pub(super) fn into_chat(self) -> Value {
        let mut likeliest = self.top_candidates.into_iter();
        let content = self.chosen_candidates.into_iter().map(|chosen| {
            let others = likeliest.next().unwrap_or_default().candidates;
            let mut entry = chosen.into_chat();
            entry["top_logprobs"] = others.into_iter().map(Token::into_chat).collect();
            entry
        });
        json!({"content": content.collect::<Vec<_>>(), "refusal": null})
    }
}

impl Token {
    fn into_chat(self) -> Value {
        json!({"token": self.token, "logprob": self.log_probability, "bytes": null})
    }
}
