//! Reasoning that goes back with the conversation. Each provider seals it in its own way: `OpenAI` gives a reasoning
//! item with `encrypted_content`, Anthropic a block of thinking with a signature. So that a client of the one format
//! can bring back what a provider of the other said, each travels inside of the other, behind a prefix of ours.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// Begins the `data` of redacted thinking that is a reasoning item: its id, a dot and its `encrypted_content` follow.
const ITEM: &str = "lmo-responses.";
/// Begins the `encrypted_content` of a reasoning item that is a block of another provider: its JSON as base64 follows.
const BLOCK: &str = "lmo-thinking.";

/// A reasoning item's `encrypted_content` as a block of thinking: the one that was sealed in it, or redacted thinking
/// that holds the item. `None` if it begins like a sealed block and isn't one.
#[must_use]
pub fn block(id: &str, encrypted: &str) -> Option<Value> {
    let Some(sealed) = encrypted.strip_prefix(BLOCK) else {
        return Some(json!({"type": "redacted_thinking", "data": format!("{ITEM}{id}.{encrypted}")}));
    };
    let block: Value = serde_json::from_slice(&BASE64_STANDARD.decode(sealed).ok()?).ok()?;
    let known = matches!(block.get("type")?.as_str()?, "thinking" | "redacted_thinking");
    known.then_some(block)
}

/// Whether an `encrypted_content` holds a block of another provider.
#[must_use]
pub fn is_sealed(encrypted: &str) -> bool {
    encrypted.starts_with(BLOCK)
}

/// A block of thinking as the `encrypted_content` of a reasoning item: the item's own if the block holds one.
#[must_use]
pub fn encrypted(block: &Value) -> String {
    match held(block) {
        Some((_, encrypted)) => encrypted.to_owned(),
        None => format!("{BLOCK}{}", BASE64_STANDARD.encode(block.to_string())),
    }
}

/// Whether a block of redacted thinking holds a reasoning item, which only a provider of this format can read.
#[must_use]
pub fn holds_item(block: &Value) -> bool {
    held(block).is_some()
}

/// The reasoning item that a block of redacted thinking holds; `None` for thinking of another provider.
#[must_use]
pub fn item(block: &Value) -> Option<Value> {
    let (id, encrypted) = held(block)?;
    Some(json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": encrypted}))
}

fn held(block: &Value) -> Option<(&str, &str)> {
    block.get("data")?.as_str()?.strip_prefix(ITEM)?.split_once('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_back_out_of_the_block_that_holds_it() {
        let block = block("rs_1", "gAAAAB.x==").unwrap();
        let item = item(&block).unwrap();
        assert_eq!((&item["id"], &item["encrypted_content"]), (&json!("rs_1"), &json!("gAAAAB.x==")));
        assert_eq!(encrypted(&block), "gAAAAB.x==");
        assert!(holds_item(&block) && !holds_item(&json!({"type": "redacted_thinking", "data": "EmwK"})));
    }

    #[test]
    fn a_block_comes_back_out_of_the_item_that_seals_it() {
        let thinking = json!({"type": "thinking", "thinking": "Hm.", "signature": "EqQB"});
        let sealed = encrypted(&thinking);
        assert!(is_sealed(&sealed));
        assert_eq!(block("rs_1", &sealed), Some(thinking));
    }

    #[test]
    fn a_seal_that_was_tampered_with_is_no_block() {
        assert_eq!(block("rs_1", "lmo-thinking.!"), None);
        assert_eq!(block("rs_1", &format!("{BLOCK}{}", BASE64_STANDARD.encode("{\"type\":\"text\"}"))), None);
    }
}
