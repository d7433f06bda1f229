//! A budget of thinking, as Anthropic has it, for the formats that know efforts only.

use serde_json::Value;

/// A budget below this is a low effort, one below the second a medium one. They lie between the budgets that LMO makes
/// of the efforts: see `messages::thinking`.
const EFFORTS: (u64, u64) = (4_096, 16_384);

/// What the budget of an Anthropic client's `thinking` amounts to. Thinking that is left to the model needs no word.
pub(in crate::llm) fn effort(thinking: &Value) -> Option<&'static str> {
    let (medium, high) = EFFORTS;
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64).filter(|_| thinking["type"] == "enabled")?;
    Some(match budget {
        _ if budget < medium => "low",
        _ if budget < high => "medium",
        _ => "high",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_budget_is_the_effort_whose_budget_is_nearest() {
        let of = |tokens: u64| effort(&json!({"type": "enabled", "budget_tokens": tokens}));
        assert_eq!([1_024, 8_192, 24_576].map(of), [Some("low"), Some("medium"), Some("high")]);
        assert_eq!(effort(&json!({"type": "adaptive"})), None);
    }
}
