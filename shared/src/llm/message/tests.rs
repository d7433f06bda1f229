//! Nothing that a caller gave is lost.

use super::*;
use serde_json::json;

#[test]
fn messages_are_written_as_they_were_read() {
    let given = json!([
        {"role": "developer", "content": "Be brief.", "name": "ops"},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": "https://example.com/b.png"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "text", "text": 5},
            "bare"
        ]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"x": 1}},
            {"id": "b", "type": "custom", "custom": {"name": "g", "input": "raw"}}
        ], "refusal": null},
        {"role": "tool", "content": "42", "tool_call_id": "a"},
        {"role": "critic", "content": "Hm."}
    ]);
    let messages: Vec<Message> = serde_json::from_value(given.clone()).unwrap();
    assert_eq!(messages[4].role, Role::Other("critic".to_owned()));
    assert_eq!(serde_json::to_value(messages).unwrap(), given);
}

#[test]
fn null_tool_calls_are_none() {
    let message: Message = serde_json::from_value(json!({"role": "assistant", "tool_calls": null})).unwrap();
    assert!(message.tool_calls.is_empty());
}
