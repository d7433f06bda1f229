//! Metrics as CloudWatch reads them (CloudWatch user guide, "Specification: Embedded metric format"). A process has one
//! recorder, so this is a program of its own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use lmo_shared::{
    clock::Timestamp,
    id::{KeyId, RequestId},
    llm::Usage,
    money::{NanoUsd, Tokens},
    telemetry::{self, Exchange, Format, trace::Trace},
    usage::{Entry, Outcome, expires_at},
};
use serde_json::{Value, json};

fn entry(model: &str) -> Entry {
    let id = RequestId::new(Timestamp::parse("2026-11-22T10:00:00Z").unwrap());
    Entry {
        key: KeyId::new(id.made_at()),
        model: model.to_owned(),
        prices: "2026-11".to_owned(),
        usage: Usage { input_tokens: Tokens(3), output_tokens: Tokens(4), ..Usage::default() },
        nano_usd: NanoUsd(70),
        byok: false,
        estimated: false,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Answered,
        attempts: 1,
        failed_attempts: Vec::new(),
        first_ms: None,
        total_ms: 9,
        expires_at: expires_at(id),
    }
}

fn printed() -> Vec<Value> {
    let mut lines = Vec::new();
    assert!(telemetry::print_metrics_to(&mut lines));
    String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Names of the metrics of a line, each of which must have a value and a unit that CloudWatch knows.
fn metrics(line: &Value) -> Vec<&str> {
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    let name = |metric: &Value| {
        assert!(["Count", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap()), "{metric}");
    };
    let metrics = directive["Metrics"].as_array().unwrap();
    metrics.iter().for_each(name);
    let names: Vec<_> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
    for name in &names {
        assert!(line[*name].is_number() || line[*name].is_array(), "{name} in {line}");
    }
    names
}

#[test]
fn an_invocation_is_a_line_for_the_function_and_one_for_each_model() {
    telemetry::start(Format::Json).unwrap();
    drop(Exchange::begin("req-1", "POST", "/api/mcp/query", Trace::begin()));
    for model in ["lmo/echo", "lmo/echo", "other"] {
        telemetry::metrics::booked(&entry(model));
    }
    let lines = printed();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for line in &lines {
        assert!(line["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "LMO");
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension} in {line}");
        }
        assert_eq!(line["Function"], "lmo");
    }
    let dimensions = |line: &Value| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone();
    assert_eq!(dimensions(&lines[0]), json!([["Function"]]));
    assert_eq!(metrics(&lines[0]), ["Latency", "Requests"]);
    assert_eq!((&lines[0]["Requests"], lines[0]["Latency"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert_eq!(dimensions(&lines[1]), json!([["Function", "Model"]]));
    assert_eq!(metrics(&lines[1]), ["CostNanoUsd", "InputTokens", "OutputTokens"]);
    assert_eq!((&lines[1]["Model"], &lines[1]["OutputTokens"]), (&json!("lmo/echo"), &json!(8)));
    assert_eq!((&lines[2]["Model"], &lines[2]["CostNanoUsd"]), (&json!("other"), &json!(70)));
    assert!(printed().is_empty(), "what was printed is not printed again");
}
