//! What openai-python's `ResponseStreamState` and openai-node's `accumulateResponse` make of a stream, with every
//! condition that they have for it.

use serde_json::{Value, json};

/// The response that a stream amounts to. Panics where a client would fail.
pub(super) fn accumulate(events: &[Value]) -> Value {
    let mut response = Value::Null;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        let kind = event["type"].as_str().unwrap();
        if number == 0 {
            assert_eq!(kind, "response.created");
            response = event["response"].clone();
        }
        match kind {
            "response.created" | "response.in_progress" => {}
            "response.completed" | "response.incomplete" => {
                let known = response["output"].as_array().unwrap();
                assert_eq!(event["response"]["output"], json!(known), "the end repeats what was told");
                assert_eq!(number, events.len() - 1);
                response = event["response"].clone();
            }
            "response.output_item.added" => add(response["output"].as_array_mut().unwrap(), event),
            _ => step(&mut response["output"], kind, event),
        }
    }
    response
}

fn add(output: &mut Vec<Value>, event: &Value) {
    assert_eq!(event["output_index"], output.len());
    let item = &event["item"];
    for name in ["id", "call_id"] {
        let identity = item.get(name);
        assert!(name != "id" || identity.is_some());
        if let Some(identity) = identity {
            assert!(!identity.as_str().unwrap().is_empty());
            assert!(output.iter().all(|before| before.get(name) != Some(identity)), "{identity} comes twice");
        }
    }
    output.push(item.clone());
}

fn step(output: &mut Value, kind: &str, event: &Value) {
    let item = &mut output[index(event, "output_index")];
    assert!(!item.is_null(), "{event}");
    if kind == "response.output_item.done" {
        assert_eq!([&item["id"], &item["type"]], [&event["item"]["id"], &event["item"]["type"]]);
        let told = |item: &Value| [item["content"].clone(), item["arguments"].clone(), item["input"].clone()];
        assert_eq!(told(item), told(&event["item"]), "the end of an item repeats what was told");
        *item = event["item"].clone();
        return;
    }
    assert_eq!(item["id"], event["item_id"]);
    let part = |list| (list, if list == "summary" { "summary_index" } else { "content_index" });
    match kind {
        "response.content_part.added" => push(item, part("content"), event),
        "response.reasoning_summary_part.added" => push(item, part("summary"), event),
        "response.content_part.done" => assert_eq!(item["content"][index(event, "content_index")], event["part"]),
        "response.reasoning_summary_part.done" => {
            assert_eq!(item["summary"][index(event, "summary_index")], event["part"]);
        }
        "response.output_text.delta" => {
            let part = &mut item["content"][index(event, "content_index")];
            part["logprobs"].as_array_mut().unwrap().extend(event["logprobs"].as_array().unwrap().clone());
            append(&mut part["text"], event);
        }
        "response.output_text.done" => equal(&item["content"][index(event, "content_index")]["text"], &event["text"]),
        "response.refusal.delta" => append(&mut item["content"][index(event, "content_index")]["refusal"], event),
        "response.refusal.done" => {
            equal(&item["content"][index(event, "content_index")]["refusal"], &event["refusal"]);
        }
        "response.reasoning_summary_text.delta" => {
            append(&mut item["summary"][index(event, "summary_index")]["text"], event);
        }
        "response.reasoning_summary_text.done" => {
            equal(&item["summary"][index(event, "summary_index")]["text"], &event["text"]);
        }
        "response.function_call_arguments.delta" => append(&mut item["arguments"], event),
        "response.function_call_arguments.done" => equal(&item["arguments"], &event["arguments"]),
        "response.custom_tool_call_input.delta" => append(&mut item["input"], event),
        "response.custom_tool_call_input.done" => equal(&item["input"], &event["input"]),
        _ => panic!("no client knows {event}"),
    }
}

fn index(event: &Value, name: &str) -> usize {
    usize::try_from(event[name].as_u64().unwrap()).unwrap()
}

fn push(item: &mut Value, (list, position): (&str, &str), event: &Value) {
    let list = item[list].as_array_mut().unwrap();
    assert_eq!(event[position], list.len());
    list.push(event["part"].clone());
}

fn append(text: &mut Value, event: &Value) {
    *text = format!("{}{}", text.as_str().unwrap(), event["delta"].as_str().unwrap()).into();
}

fn equal(told: &Value, whole: &Value) {
    assert!(told.is_string());
    assert_eq!(told, whole);
}
