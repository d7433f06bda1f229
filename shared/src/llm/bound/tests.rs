//! What counts, and that nothing that is sent counts less than its tokens.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn prompt(content: &Value) -> Prompt {
    serde_json::from_value(json!({"messages": [{"role": "user", "content": content}]})).unwrap()
}

fn bound(prompt: &Prompt) -> u64 {
    prompt.upper_bound(Tokens::ZERO, Tokens::ZERO, Tokens::ZERO).0
}

#[test]
fn a_text_counts_its_utf8_bytes_and_the_markers() {
    assert_eq!(bound(&prompt(&json!("naïve"))), 6 + MARKERS);
}

#[test]
fn overhead_is_added_once() {
    assert_eq!(prompt(&json!("abc")).upper_bound(Tokens(100), Tokens::ZERO, Tokens::ZERO), Tokens(3 + MARKERS + 100));
}

#[test]
fn an_image_counts_by_its_figure_and_not_by_its_base64() {
    for url in ["https://example.com/a.png".to_owned(), format!("data:image/png;base64,{}", "A".repeat(100_000))] {
        for image in [json!({"url": url}), json!(url)] {
            let prompt = prompt(&json!([{"type": "image_url", "image_url": image}]));
            assert!(prompt.needs_images());
            assert_eq!(prompt.upper_bound(Tokens::ZERO, Tokens(765), Tokens::ZERO), Tokens(MARKERS + 765));
        }
    }
}

#[test]
fn text_hidden_in_an_image_part_counts() {
    let prompt = prompt(&json!([{"type": "image_url", "image_url": {"url": "x", "alt": "0123456789"}}]));
    assert!(bound(&prompt) > 10 + MARKERS);
}

#[test]
fn everything_that_is_sent_counts() {
    let bare: Prompt = serde_json::from_value(json!({"messages": [{"role": "user", "content": ""}]})).unwrap();
    let marker = "0123456789";
    for full in [
        json!({"messages": [{"role": marker, "content": ""}]}),
        json!({"messages": [{"role": "user", "content": "", "name": marker}]}),
        json!({"messages": [{"role": "user", "content": "", "tool_call_id": marker}]}),
        json!({"messages": [{"role": "user", "content": "", "reasoning_content": marker}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "refusal", "refusal": marker}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "", "x": marker}]}]}),
        json!({"messages": [{"role": "user", "tool_calls": [{"id": "", "function": {"name": marker}}]}]}),
        json!({"messages": [{"role": "user", "tool_calls": [{"function": {"name": "", "arguments": marker}}]}]}),
        json!({"messages": [{"role": "user", "tool_calls": [{"type": "custom", "custom": {"input": marker}}]}]}),
        json!({"messages": [{"role": "user", "content": ""}], "tools": [{"name": marker}]}),
        json!({"messages": [{"role": "user", "content": ""}], "tool_choice": marker}),
        json!({"messages": [{"role": "user", "content": ""}], "response_format": {"type": marker}}),
        json!({"messages": [{"role": "user", "content": ""}], "extra": {"functions": [marker]}}),
    ] {
        let prompt: Prompt = serde_json::from_value(full.clone()).unwrap();
        assert!(bound(&prompt) >= bound(&bare) + 10, "{full}");
    }
}

#[test]
fn an_indented_tool_has_no_more_tokens_than_its_bound() {
    // In the worst case each line break with its indentation is a token beside the bytes that are not space.
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"a": [[[[1, 2], [{}]]]]}}});
    let pretty = serde_json::to_string_pretty(&tool).unwrap();
    let tokens = pretty.lines().map(|line| line.trim_start().len() as u64 + 1).sum::<u64>();
    assert!(bound(&Prompt { tools: vec![tool], ..Prompt::default() }) >= tokens);
}

proptest! {
    #[test]
    fn an_estimate_is_never_above_the_bound(texts in prop::collection::vec(".{0,40}", 0..5)) {
        let prompt = Prompt::new(texts.into_iter().map(|text| Message::text(Role::User, text)).collect());
        prop_assert!(prompt.estimated_tokens() <= prompt.upper_bound(Tokens::ZERO, Tokens::ZERO, Tokens::ZERO));
    }
}

#[test]
fn a_document_counts_by_its_figure_and_not_by_its_base64() {
    let data = format!("data:application/pdf;base64,{}", "A".repeat(100_000));
    let prompt = prompt(&json!([{"type": "file", "file": {"file_data": data}}]));
    assert!(prompt.needs_documents());
    assert_eq!(prompt.upper_bound(Tokens::ZERO, Tokens::ZERO, Tokens(9_000)), Tokens(MARKERS + 9_000));
}
