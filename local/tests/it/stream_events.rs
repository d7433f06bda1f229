//! `/api/mcp/stream`: LMO's own events.

use lmo_bench::standin;

use crate::support::{Running, Value, json};

const STREAM: &str = "/api/mcp/stream";

fn names(events: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    names.dedup();
    names
}

fn text(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["data"]["text"].as_str()).collect()
}

#[tokio::test]
async fn an_answer_is_deltas_then_usage_then_done() {
    let run = Running::start();
    let events = run.lmo.post(STREAM, &json!({"query": "[[tokens=5]]", "max_tokens": 20})).await.events();
    assert_eq!(names(&events), ["delta", "usage", "done"]);
    assert_eq!(text(&events), standin::text(5));
    let (usage, done) = (&events[events.len() - 2]["data"], &events[events.len() - 1]["data"]);
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"], &usage["estimated"]),
        (&json!(4), &json!(5), &json!(false))
    );
    // 4 * 0.15 + 5 * 0.6 USD per million.
    assert_eq!((&done["finish_reason"], &done["cost"]["nano_usd"]), (&json!("stop"), &json!(3_600)));
    assert_eq!(done["model"], "standin/small");
    assert!(done["id"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn ids_count_from_zero_without_a_gap() {
    let run = Running::start();
    let events = run.lmo.post(STREAM, &json!({"query": "[[tokens=5]]", "max_tokens": 20})).await.events();
    let ids: Vec<_> = events.iter().map(|event| event["id"].as_str().unwrap().parse::<usize>().unwrap()).collect();
    assert_eq!(ids, (0..events.len()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_delta_is_never_empty() {
    let run = Running::start();
    let events = run.lmo.post(STREAM, &json!({"query": "[[tokens=5]]", "max_tokens": 20})).await.events();
    let deltas: Vec<_> = events.iter().filter(|event| event["event"] == "delta").map(|event| &event["data"]).collect();
    assert_eq!(deltas.len(), 5, "{deltas:?}");
}

#[tokio::test]
async fn a_question_in_the_query_string_is_answered_alike() {
    let run = Running::start();
    let question = format!("{STREAM}?query=%5B%5Btokens%3D5%5D%5D&model=fast&temperature=0.5&max_tokens=3");
    let events = run.lmo.get(&question).await.events();
    assert_eq!(names(&events), ["delta", "usage", "done"]);
    assert_eq!(text(&events), standin::text(3));
    assert_eq!(events.last().unwrap()["data"]["finish_reason"], "length");
    assert_eq!(run.upstream_body()["temperature"], 0.5);
}

#[tokio::test]
async fn tool_calls_come_in_pieces_of_their_arguments() {
    let run = Running::start();
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let ask = json!({"query": "[[tool=weather args={\"city\":\"Paris\"}]]", "tools": tools, "max_tokens": 50});
    let events = run.lmo.post(STREAM, &ask).await.events();
    assert_eq!(names(&events), ["tool_call", "usage", "done"]);
    let calls: Vec<_> =
        events.iter().filter(|event| event["event"] == "tool_call").map(|event| &event["data"]).collect();
    let arguments: String = calls.iter().filter_map(|call| call["arguments"].as_str()).collect();
    assert_eq!((&calls[0]["name"], arguments.as_str()), (&json!("weather"), "{\"city\":\"Paris\"}"));
    assert!(calls.len() > 2 && calls[0]["id"].is_string());
    assert_eq!(events.last().unwrap()["data"]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_failure_in_the_middle_is_an_error_event_and_the_last() {
    let run = Running::start();
    let events = run.lmo.post(STREAM, &json!({"query": "[[cut_after=3]]", "max_tokens": 20})).await.events();
    assert_eq!(names(&events), ["delta", "error"]);
    assert_eq!(text(&events), standin::text(3));
    let error = &events.last().unwrap()["data"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("provider_cut"), &json!(false)));
}

#[tokio::test]
async fn a_model_that_can_not_stream_is_streamed_in_one_piece() {
    let whole = "max_output_tokens = 4096\ncapabilities = [\"chat\"]\n";
    let streaming =
        "max_output_tokens = 4096\ncapabilities = [\"chat\", \"stream\", \"tools\", \"json\", \"images\"]\n";
    let run = Running::with_models(|catalogue| catalogue.replace(streaming, whole));
    let events = run.lmo.post(STREAM, &json!({"query": "[[tokens=5]]", "max_tokens": 20})).await.events();
    assert_eq!((names(&events), text(&events)), (vec!["delta", "usage", "done"], standin::text(5)));
    assert_eq!(run.upstream_body()["stream"], Value::Null);
}
