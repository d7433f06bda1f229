//! The same conversation has the same tokens in every format, and all that a prompt may hold is taken.

use serde_json::{Value, json};

use super::speaking::{path, post};
use super::standin;
use crate::standin::format::Format;
use crate::standin::{Standin, StandinOptions, text};

/// A system prompt, a question with an image and a document, two calls with thoughts, their results: 2 + 4 + 1 + 2 + 1
/// words in 5 messages.
fn conversation(format: Format) -> Value {
    match format {
        Format::Chat => json!({ "model": "small", "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is it? [[tool=a]]" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } },
                { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk=" } }
            ] },
            { "role": "assistant", "content": "Wait.", "tool_calls": [
                { "id": "1", "type": "function", "function": { "name": "a", "arguments": "{\"x\":\"y\"}" } },
                { "id": "2", "type": "function", "function": { "name": "b", "arguments": "{}" } }
            ] },
            { "role": "tool", "tool_call_id": "1", "content": "a cat" },
            { "role": "tool", "tool_call_id": "2", "content": [{ "type": "text", "text": "dog" }] }
        ] }),
        Format::Messages => {
            json!({ "model": "small", "max_tokens": 9, "system": [{ "type": "text", "text": "Be brief." }],
            "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "What is it? [[tool=a]]", "cache_control": { "type": "ephemeral" } },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aGk=" } },
                { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "not counted" } }
            ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "not counted", "signature": "s" },
                { "type": "text", "text": "Wait." },
                { "type": "tool_use", "id": "1", "name": "a", "input": { "x": "y" } },
                { "type": "tool_use", "id": "2", "name": "b", "input": {} }
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "1", "content": "a cat" },
                { "type": "tool_result", "tool_use_id": "2", "is_error": true,
                    "content": [{ "type": "text", "text": "dog" }] }
            ] }
        ] })
        }
        Format::Responses => json!({ "model": "small", "instructions": "Be brief.", "input": [
            { "role": "user", "content": [
                { "type": "input_text", "text": "What is it? [[tool=a]]" },
                { "type": "input_image", "image_url": "data:image/png;base64,aGk=" },
                { "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk=" }
            ] },
            { "type": "reasoning", "id": "r", "encrypted_content": "gAAAAA==",
              "summary": [{ "type": "summary_text", "text": "not counted" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Wait." }] },
            { "type": "function_call", "call_id": "1", "name": "a", "arguments": "{\"x\":\"y\"}" },
            { "type": "function_call", "call_id": "2", "name": "b", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "1", "output": "a cat" },
            { "type": "function_call_output", "call_id": "2", "output": [{ "type": "input_text", "text": "dog" }] }
        ] }),
        Format::Gemini => json!({ "systemInstruction": { "parts": [{ "text": "Be brief." }] }, "contents": [
            { "role": "user", "parts": [
                { "text": "What is it? [[tool=a]]" },
                { "inlineData": { "mimeType": "image/png", "data": "aGk=" } },
                { "fileData": { "mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf" } }
            ] },
            { "role": "model", "parts": [
                { "text": "not counted", "thought": true },
                { "text": "Wait." },
                { "functionCall": { "name": "a", "args": { "x": "y" } }, "thoughtSignature": "s" },
                { "functionCall": { "name": "b", "args": {} } }
            ] },
            { "role": "user", "parts": [
                { "functionResponse": { "name": "a", "response": { "result": "a cat" } } },
                { "functionResponse": { "name": "b", "response": { "result": ["dog"] } } }
            ] }
        ] }),
        Format::Converse => json!({ "system": [{ "text": "Be brief." }, { "cachePoint": { "type": "default" } }],
            "toolConfig": { "tools": [] }, "messages": [
            { "role": "user", "content": [
                { "text": "What is it? [[tool=a]]" },
                { "image": { "format": "png", "source": { "bytes": "aGk=" } } },
                { "document": { "format": "pdf", "name": "a", "source": { "bytes": "aGk=" } } }
            ] },
            { "role": "assistant", "content": [
                { "reasoningContent": { "reasoningText": { "text": "not counted", "signature": "s" } } },
                { "text": "Wait." },
                { "toolUse": { "toolUseId": "1", "name": "a", "input": { "x": "y" } } },
                { "toolUse": { "toolUseId": "2", "name": "b", "input": {} } }
            ] },
            { "role": "user", "content": [
                { "toolResult": { "toolUseId": "1", "content": [{ "text": "a cat" }] } },
                { "toolResult": { "toolUseId": "2", "content": [{ "json": { "result": "dog" } }], "status": "error" } },
                { "cachePoint": { "type": "default" } }
            ] }
        ] }),
    }
}

const FORMATS: [Format; 5] = [Format::Chat, Format::Messages, Format::Responses, Format::Gemini, Format::Converse];

#[tokio::test]
async fn a_conversation_has_the_same_tokens_in_every_format() {
    for format in FORMATS {
        let came = post(&standin(), path(format, false), &conversation(format)).await;
        assert_eq!(came.status, 200, "{}", String::from_utf8_lossy(&came.body));
        let usage = came.heard(format, false).usage.unwrap();
        assert_eq!(usage[0], 2 + 4 + 1 + 2 + 1 + 5 * 3, "{format:?}");
    }
}

#[tokio::test]
async fn a_tools_result_is_answered_in_words() {
    for format in FORMATS {
        let heard = post(&standin(), path(format, false), &conversation(format)).await.heard(format, false);
        let words = if format == Format::Messages { 9 } else { 16 };
        assert_eq!((heard.calls.len(), heard.words.concat()), (0, text(words)), "{format:?}");
    }
}

#[tokio::test]
async fn several_stand_ins_count_for_themselves() {
    let (first, second) = (standin(), Standin::start(StandinOptions::default()).unwrap());
    let body = conversation(Format::Gemini);
    assert_eq!(post(&second, path(Format::Gemini, false), &body).await.status, 200);
    assert_eq!((first.stats().requests, second.stats().requests), (0, 1));
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    for path in ["/v1/complete", "/v1beta/models/small:countTokens", "/model/small/invoke-with-response-stream"] {
        assert_eq!(post(&standin(), path, &json!({})).await.status, 404);
    }
}
