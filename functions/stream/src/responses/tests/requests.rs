//! Requests as prompts.

use std::time::Duration;

use lmo_shared::{
    error::Error,
    llm::{Call, OutputLimitField, Prompt, WireFormat, responses::reasoning},
    money::Tokens,
};
use serde_json::{Value, json};

use crate::responses::request::ResponseRequest;

fn prompt(request: Value) -> Result<Prompt, Error> {
    ResponseRequest::example(request).into_ask().map(|ask| ask.prompt)
}

/// The messages that an input is.
pub(super) fn messages(input: &Value) -> Value {
    json!(prompt(json!({"input": input})).unwrap().messages)
}

/// The parameter at fault.
fn fault(request: Value) -> String {
    match prompt(request) {
        Err(Error::Invalid { param, .. }) => param,
        other => panic!("{other:?}"),
    }
}

/// Adds `parameter` to a request that is good.
fn with(parameter: &Value) -> Value {
    let mut request = json!({"input": "Hi"});
    let fields = parameter.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(fields);
    request
}

#[test]
fn a_text_is_the_users_and_instructions_come_first() {
    let prompt = prompt(json!({"input": "Hello!", "instructions": "Be brief."})).unwrap();
    let said = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]);
    assert_eq!(json!(prompt.messages), said);
}

#[test]
fn reasoning_text_and_calls_of_a_turn_are_one_message() {
    let messages = messages(&json!([
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "clock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "noon"}]},
        {"role": "assistant", "content": "Sunny."},
        {"role": "assistant", "content": "And noon."},
    ]));
    let roles: Vec<_> = messages.as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant", "assistant"]);
    assert_eq!(messages[1]["content"], json!([{"type": "text", "text": "Let me look."}]));
    assert_eq!(messages[1]["reasoning_content"], "Hm.");
    assert_eq!(messages[1]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(messages[3]["tool_call_id"], "call_2");
}

#[test]
fn reasoning_that_says_nothing_is_no_message() {
    let messages =
        messages(&json!([{"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "user", "content": "Hi"}]));
    assert_eq!(messages, json!([{"role": "user", "content": "Hi"}]));
}

#[test]
fn images_and_documents_keep_their_details() {
    let messages = messages(&json!([{"role": "user", "content": [
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        {"type": "input_text", "text": "?", "prompt_cache_breakpoint": {"mode": "explicit"}},
    ]}]));
    let parts = json!([
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        {"type": "text", "text": "?", "cache_control": {"type": "ephemeral"}},
    ]);
    assert_eq!(messages[0]["content"], parts);
}

#[test]
fn parameters_have_chat_completions_words() {
    let prompt = prompt(json!({
        "input": "Hi", "max_output_tokens": 20, "temperature": 0.5, "top_p": 0.9, "user": "u", "store": true,
        "parallel_tool_calls": false, "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "top_logprobs": 2, "reasoning": {"effort": "low", "summary": "auto"}, "truncation": "disabled",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": null}],
        "tool_choice": {"type": "function", "name": "f"}, "service_tier": "auto", "background": false,
        "previous_response_id": null,
    }))
    .unwrap();
    let extra = json!({"user": "u", "top_p": 0.9, "top_logprobs": 2, "parallel_tool_calls": false, "logprobs": true,
        "reasoning_effort": "low", "verbosity": "low"});
    assert_eq!(json!(prompt.extra), extra);
    let schema = json!({"name": "n", "schema": {"type": "object"}});
    assert_eq!(prompt.response_format, Some(json!({"type": "json_schema", "json_schema": schema})));
    let function = json!({"name": "f", "parameters": {"type": "object"}});
    assert_eq!(prompt.tools, [json!({"type": "function", "function": function})]);
    assert_eq!(prompt.tool_choice, Some(json!({"type": "function", "function": {"name": "f"}})));
    assert_eq!((prompt.max_output, prompt.temperature), (Some(20), Some(0.5)));
    assert_eq!(prompt.untranslated, Vec::<String>::new());
}

#[test]
fn what_only_this_format_can_say_is_named() {
    let untranslated = |request| prompt(request).unwrap().untranslated;
    assert_eq!(untranslated(with(&json!({"reasoning": {"summary": "detailed"}}))), ["reasoning.summary"]);
    assert_eq!(untranslated(with(&json!({"tools": [{"type": "custom", "name": "patch"}]}))), ["tools"]);
    let caller = json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "", "namespace": "n"}]);
    assert_eq!(untranslated(json!({"input": caller})), ["input[0].namespace"]);
}

#[test]
fn a_provider_of_this_format_is_given_only_reasoning_that_it_can_read() {
    let foreign = json!({"type": "thinking", "thinking": "Hm.", "signature": "EqQB"});
    let own = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"});
    let open = json!({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]});
    let input = json!([{"role": "user", "content": "Hi"}, own, open,
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": reasoning::encrypted(&foreign)},
        {"type": "reasoning", "id": "rs_3", "summary": [{"type": "summary_text", "text": "Hm."}]}]);
    let native = prompt(json!({"input": input})).unwrap().native.unwrap();
    assert_eq!(native.fields["input"], json!([{"role": "user", "content": "Hi"}, own, open]));
}

#[test]
fn state_and_tools_that_others_run_are_refused() {
    for parameter in [
        json!({"previous_response_id": "resp_1"}),
        json!({"conversation": "conv_1"}),
        json!({"prompt": {"id": "pmpt_1"}}),
        json!({"background": true}),
        json!({"max_tool_calls": 3}),
        json!({"context_management": []}),
        json!({"truncation": "auto"}),
        json!({"service_tier": "priority"}),
        json!({"moderation": {"model": "m"}}),
        json!({"best_of": 2}),
    ] {
        let (name, _) = parameter.as_object().unwrap().iter().next().unwrap();
        assert_eq!(&fault(with(&parameter)), name);
    }
    for kind in ["web_search", "file_search", "code_interpreter", "computer_use_preview", "mcp", "image_generation"] {
        assert_eq!(fault(with(&json!({"tools": [{"type": kind}]}))), "tools[0].type");
    }
    assert_eq!(fault(with(&json!({"tool_choice": {"type": "web_search"}}))), "tool_choice.type");
    assert_eq!(fault(with(&json!({"reasoning": {"mode": "pro"}}))), "reasoning.mode");
    assert_eq!(fault(with(&json!({"include": ["web_search_call.results"]}))), "include[0]");
}

#[test]
fn whatever_is_wrong_is_named_by_its_path() {
    let item = |item: Value| fault(json!({"input": [{"role": "user", "content": "Hi"}, item]}));
    assert_eq!(item(json!({"type": "item_reference", "id": "msg_1"})), "input[1].type");
    assert_eq!(item(json!({"role": "tool", "content": "x"})), "input[1].role");
    assert_eq!(item(json!({"role": "user"})), "input[1].content");
    assert_eq!(item(json!({"role": "user", "content": 5})), "input[1].content");
    assert_eq!(item(json!({"role": "user", "content": [{"type": "text", "text": "x"}]})), "input[1].content[0].type");
    let image = json!({"type": "input_image", "file_id": "file-1"});
    assert_eq!(item(json!({"role": "user", "content": [image]})), "input[1].content[0].file_id");
    assert_eq!(item(json!({"type": "function_call", "name": "f", "arguments": ""})), "input[1].call_id");
    assert_eq!(item(json!({"type": "reasoning", "encrypted_content": "lmo-thinking.?"})), "input[1].encrypted_content");
    assert_eq!(item(json!("Hi")), "input[1]");
    assert_eq!(fault(json!({})), "input");
    assert_eq!(fault(json!({"input": []})), "input");
    assert_eq!(fault(json!({"input": {"role": "user"}})), "input");
    assert_eq!(fault(with(&json!({"max_output_tokens": 0}))), "max_output_tokens");
    assert_eq!(fault(with(&json!({"temperature": "hot"}))), "temperature");
    assert_eq!(fault(with(&json!({"metadata": {"a": 1}}))), "metadata.a");
    assert_eq!(fault(with(&json!({"tools": [{"type": "function"}]}))), "tools[0].name");
    assert_eq!(fault(with(&json!({"text": {"format": {"type": "json_schema", "name": "n"}}}))), "text.format.schema");
    assert_eq!(fault(with(&json!({"text": {"stop": "x"}}))), "text.stop");
}

#[test]
fn a_request_that_is_written_again_says_the_same() {
    let input = json!([
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "Weather?"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    ]);
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": true}]);
    let request = json!({"model": "m", "max_output_tokens": 20, "stream": false, "store": false,
        "instructions": "Be brief.", "input": input, "tools": tools, "tool_choice": "auto"});
    let mut prompt = prompt(request.clone()).unwrap();
    prompt.native = None;
    let max_output = Tokens(20);
    let call = Call { model: "m", prompt: &prompt, max_output, stream: false, time_left: Duration::ZERO };
    let body = WireFormat::Responses.request(&call, OutputLimitField::default()).unwrap().body;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), request);
}
