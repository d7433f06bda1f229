//! Whole responses.

use lmo_shared::{
    answer::{Choice, Completion},
    llm::{Event as ProviderEvent, FinishReason, ToolCall, WireFormat},
};
use serde_json::{Value, json};

use super::{done, golden, usage};
use crate::responses::response::{Head, whole};

fn completion(choice: Choice) -> Completion {
    let mut completion = Completion::default();
    completion.choices.push(choice);
    completion.done = Some(done(usage()));
    completion
}

#[test]
fn a_providers_own_response_is_passed_on_but_for_id_and_model() {
    let text = golden("openai_reasoning.json");
    let ProviderEvent::Chunk(chunk) = WireFormat::Responses.whole(&text).unwrap().remove(0) else { panic!() };
    let mut completion = completion(Choice::default());
    completion.native = chunk.native;
    let mut own: Value = serde_json::from_slice(&text).unwrap();
    (own["id"], own["model"]) = ("resp_01J".into(), "standin/small".into());
    assert_eq!(whole(&Head::example(), completion).unwrap(), own);
}

#[test]
fn a_response_has_every_field_that_clients_demand() {
    let calls = vec![ToolCall::function("call_1", "weather", "{}")];
    let message_extra = [("reasoning_content".to_owned(), json!("Hm."))].into_iter().collect();
    let finish = Some(FinishReason::ToolCalls);
    let choice = Choice { text: Some("Hi".to_owned()), tool_calls: calls, finish, message_extra, ..Choice::default() };
    let response = whole(&Head::example(), completion(choice)).unwrap();
    // The fields of `Response` in openai-python that have no default, and those that the API always writes.
    for name in
        ["id", "object", "created_at", "status", "model", "output", "parallel_tool_calls", "tool_choice", "tools"]
    {
        assert!(!response[name].is_null(), "{name}");
    }
    let nullable = ["error", "incomplete_details", "instructions", "metadata", "temperature", "top_p", "text", "usage"];
    assert!(nullable.iter().all(|name| response.get(name).is_some()));
    let types: Vec<_> = response["output"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["reasoning", "message", "function_call"]);
}

#[test]
fn an_answer_that_was_filtered_is_incomplete() {
    let choice = Choice { finish: Some(FinishReason::ContentFilter), ..Choice::default() };
    let response = whole(&Head::example(), completion(choice)).unwrap();
    assert_eq!(response["incomplete_details"], json!({"reason": "content_filter"}));
}
