//! What the binaries print for CloudWatch.

use crate::support::{Ground, Value, ask, assert_status, query};

/// Lines in CloudWatch's embedded metric format that have this metric, with it.
fn embedded(output: &str, metric: &str) -> Vec<(Value, Value)> {
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "LMO");
    lines.filter_map(|line| Some((line.get(metric)?.clone(), line.clone()))).collect()
}

#[tokio::test]
async fn what_a_request_took_is_printed_before_its_answer_goes_out() {
    let ground = Ground::new();
    let mut function = ground.function("query");
    assert_status(&ask(&mut function, query(&ground, "hi")).await, 200);
    let output = function.output();
    let requests = embedded(&output, "Requests");
    assert_eq!(requests.len(), 1, "{output}");
    let tokens = embedded(&output, "OutputTokens");
    assert_eq!(tokens.len(), 1, "{output}");
    assert_eq!(tokens[0].1["Model"], "standin/small");
    assert!(!output.contains(ground.key()) && !function.log().contains(ground.key()));
}
