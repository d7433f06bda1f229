use super::*;
use crate::{
    guard::Inspected,
    llm::{Native, WireFormat},
};

fn prompt(value: Value) -> Prompt {
    let mut prompt: Prompt = serde_json::from_value(value).unwrap();
    prompt.native = Some(Box::new(Native { format: WireFormat::Messages, fields: serde_json::Map::default() }));
    prompt
}

fn emails() -> Guard {
    guard(json!({"mask": [{"kind": "email", "on": "input"}]}))
}

fn refused(guard: &Guard, value: Value) -> String {
    match guard.check_prompt(&mut prompt(value)) {
        Err(Error::Invalid { param, .. }) => param,
        Err(Error::Blocked { rule }) => rule,
        other => panic!("{other:?}"),
    }
}

fn said(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}]})
}

#[test]
fn a_denied_request_names_the_rule() {
    let guard = guard(json!({"deny": [{"name": "a", "pattern": "x{9}"}, {"name": "b", "pattern": "(?i)falcon"}]}));
    assert_eq!(refused(&guard, said("Project FALCON")), "b");
    let error = guard.check_prompt(&mut prompt(said("falcon"))).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("guardrail_blocked", "the request was refused by guardrail `b`")
    );
    assert_eq!(guard.check_prompt(&mut prompt(said("Project Hawk"))).unwrap(), Inspected::Unchanged);
}

#[test]
fn a_request_that_is_masked_is_not_native_any_more() {
    let mut clean = prompt(said("hi"));
    assert_eq!(emails().check_prompt(&mut clean).unwrap(), Inspected::Unchanged);
    assert!(clean.native.is_some());
    let mut mail = prompt(said("hi bob@example.com"));
    assert_eq!(emails().check_prompt(&mut mail).unwrap(), Inspected::Masked);
    assert!(mail.native.is_none());
}

#[test]
fn every_text_of_a_request_is_masked() {
    let mail = "bob@example.com";
    let mut prompt = prompt(json!({
        "messages": [
            {"role": "system", "content": mail},
            {"role": "user", "name": mail, "content": [
                {"type": "text", "text": mail, "citations": [{"cited_text": mail}]},
                {"type": "file", "file": {"file_data": "data:text/plain;base64,Ym9i", "filename": mail}},
                {"type": "thinking", "thinking": mail, "signature": "s"},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": mail, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"to\":\"bob@example.com\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "c", "content": mail},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": mail,
            "parameters": {"properties": {"to": {"description": mail}}}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": mail}},
        "stop": [mail],
        "extra": {"user": mail, "prediction": {"type": "content", "content": mail}},
    }));
    emails().check_prompt(&mut prompt).unwrap();
    let text = serde_json::to_string(&prompt).unwrap();
    assert!(!text.contains(mail), "{text}");
    assert_eq!(text.matches("[EMAIL]").count(), 15);
    assert!(!text.contains("signature"), "{text}");
}

#[test]
fn names_schemas_addresses_and_encoded_data_are_left_alone() {
    let mail = "bob@example.com";
    let mut prompt = prompt(json!({
        "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://bob@example.com/x.png"}},
            {"type": "file", "file": {"file_data": mail}},
            {"type": "input_audio", "input_audio": {"data": mail, "format": "wav"}},
        ]}],
        "tools": [{"type": "function", "function": {"name": mail, "parameters": {"properties": {mail: {"enum": [mail]}}}}}],
    }));
    let before = prompt.clone();
    assert_eq!(emails().check_prompt(&mut prompt).unwrap(), Inspected::Unchanged);
    assert_eq!(prompt, before);
}

#[test]
fn a_text_that_only_the_callers_words_have_can_be_refused_but_not_masked() {
    let with = |guard: &Guard, text: &str| {
        let mut prompt = prompt(said("hi"));
        prompt.untranslated = vec!["container".to_owned(), "absent".to_owned()];
        prompt.native.as_mut().unwrap().fields.insert("container".to_owned(), json!({"note": [text]}));
        guard.check_prompt(&mut prompt).map_err(|error| error.to_string())
    };
    assert_eq!(with(&emails(), "fine"), Ok(Inspected::Unchanged));
    assert!(with(&emails(), "bob@example.com").unwrap_err().contains("can't be changed"));
    let deny = guard(json!({"deny": [{"name": "falcon", "pattern": "falcon"}]}));
    assert!(with(&deny, "falcon").unwrap_err().contains("`falcon`"));
}

#[test]
fn the_last_message_of_the_user_must_be_allowed() {
    let guard = guard(json!({"allow": ["(?i)invoice", "(?i)order"]}));
    let messages = |first: &str, last: &str| {
        json!({"messages": [{"role": "user", "content": first}, {"role": "assistant", "content": "order"},
            {"role": "user", "content": [{"type": "text", "text": last}]}, {"role": "tool", "content": "order"}]})
    };
    assert!(guard.check_prompt(&mut prompt(messages("hi", "my Order?"))).is_ok());
    assert_eq!(refused(&guard, messages("my order", "tell a joke")), "allow");
    assert_eq!(refused(&guard, json!({"messages": []})), "allow");
}

#[test]
fn a_blocked_tool_is_not_offered() {
    let guard = guard(json!({"blocked_tools": ["delete_*", "drop", "web_search*"]}));
    let tools =
        |tool: Value| json!({"messages": [], "tools": [{"type": "function", "function": {"name": "fine"}}, tool]});
    assert_eq!(refused(&guard, tools(json!({"type": "function", "function": {"name": "delete_all"}}))), "tools[1]");
    assert_eq!(refused(&guard, tools(json!({"type": "custom", "custom": {"name": "drop"}}))), "tools[1]");
    assert_eq!(refused(&guard, tools(json!({"type": "web_search_20250305", "name": "x"}))), "tools[1]");
    assert_eq!(refused(&guard, json!({"messages": [], "extra": {"functions": [{"name": "drop"}]}})), "functions");
    let fine = tools(json!({"type": "function", "function": {"name": "dropped", "description": "drop"}}));
    assert!(guard.check_prompt(&mut prompt(fine)).is_ok());
}

#[test]
fn a_tool_whose_calls_can_not_be_inspected_is_refused() {
    let tools = json!({"messages": [], "tools": [{"type": "custom", "custom": {"name": "f"}}]});
    let on = |side: &str| guard(json!({"mask": [{"kind": "email", "on": side}]}));
    assert_eq!(refused(&on("output"), tools.clone()), "tools[0]");
    assert!(on("input").check_prompt(&mut prompt(tools)).is_ok());
}

#[test]
fn a_request_has_a_largest_size() {
    let guard = guard(json!({"max_input_bytes": 5, "max_messages": 1}));
    assert!(guard.check_prompt(&mut prompt(said("12345"))).is_ok());
    assert_eq!(refused(&guard, said("123456")), "messages");
    let two = json!({"messages": [{"role": "user", "content": "1"}, {"role": "user", "content": "1"}]});
    assert_eq!(refused(&guard, two), "messages");
}

#[test]
fn rules_on_answers_leave_requests_alone() {
    let guard = guard(json!({"deny": [{"name": "a", "pattern": "a", "on": "output"}]}));
    assert_eq!(guard.check_prompt(&mut prompt(said("aaa"))).unwrap(), Inspected::Unchanged);
}
