//! Usage reports.

use crate::{
    errors::{QUERY, assert_shape, param},
    support::{Response, Running, Value, json},
};

const USAGE: &str = "/api/tenant/usage";

/// A platform on which the demo key asked `standin/small` twice and `standin/plain` once, and another key asked
/// `standin/small` once; with the other key's id.
async fn used() -> (Running, String) {
    let run = Running::start();
    let other = run.lmo.post("/api/tenant/keys", &json!({"name": "other"})).await.json();
    let ask = |model| json!({"query": "[[tokens=5]]", "model": model, "max_tokens": 10});
    for model in ["standin/small", "standin/plain", "fast"] {
        run.lmo.post(QUERY, &ask(model)).await;
    }
    let key = other["api_key"].as_str().unwrap();
    run.lmo.send("POST", QUERY, key, Some(&ask("standin/small"))).await;
    run.lmo.usage_of(&run.lmo.key, 4).await;
    (run, other["id"].as_str().unwrap().to_owned())
}

async fn report(run: &Running, wanted: &str) -> Value {
    let report = run.lmo.get(&format!("{USAGE}?{wanted}")).await;
    assert_eq!(report.status, 200, "{}", report.body);
    report.json()
}

fn now() -> String {
    lmo_shared::clock::Clock::System.now().to_string()
}

#[tokio::test]
async fn each_granularity_sums_the_same_requests() {
    let (run, _) = used().await;
    for (granularity, length) in [("hour", 13), ("day", 10), ("month", 7)] {
        let before = now();
        let report = report(&run, &format!("granularity={granularity}")).await;
        if now()[..13] != before[..13] {
            return;
        }
        assert_eq!(report["rows"].as_array().unwrap().len(), 1, "{report:#}");
        assert_eq!(report["rows"][0]["period"], before[..length]);
        assert_eq!((&report["rows"][0]["requests"], &report["total"]["requests"]), (&json!(4), &json!(4)));
        // 3 * (4 * 0.15 + 5 * 0.6) + 4 * 1 + 5 * 2 USD per million.
        assert_eq!(report["total"]["cost_nano_usd"], 24_800);
    }
}

#[tokio::test]
async fn a_report_is_by_day_unless_it_is_told() {
    let (run, _) = used().await;
    assert_eq!(report(&run, "").await["rows"][0]["period"].as_str().unwrap().len(), 10);
}

#[tokio::test]
async fn rows_are_split_by_model() {
    let (run, _) = used().await;
    let report = report(&run, "granularity=month&group_by=model").await;
    let rows: Vec<_> =
        report["rows"].as_array().unwrap().iter().map(|row| (row["model"].clone(), row["requests"].clone())).collect();
    assert_eq!(rows, [(json!("standin/plain"), json!(1)), (json!("standin/small"), json!(3))]);
}

#[tokio::test]
async fn rows_are_split_by_key() {
    let (run, other) = used().await;
    let report = report(&run, "granularity=month&group_by=key").await;
    let rows = report["rows"].as_array().unwrap();
    let of_other = rows.iter().find(|row| row["key"] == other.as_str()).unwrap();
    assert_eq!((rows.len(), &of_other["requests"], &of_other["model"]), (2, &json!(1), &Value::Null));
}

#[tokio::test]
async fn rows_are_split_by_both() {
    let (run, _) = used().await;
    let report = report(&run, "granularity=month&group_by=key,model").await;
    let sum: u64 = report["rows"].as_array().unwrap().iter().map(|row| row["requests"].as_u64().unwrap()).sum();
    assert_eq!((report["rows"].as_array().unwrap().len(), sum), (3, 4));
}

#[tokio::test]
async fn a_report_outside_the_time_of_use_is_empty() {
    let (run, _) = used().await;
    let report = report(&run, "from=2026-01-01&to=2026-02-01").await;
    assert_eq!((&report["rows"], &report["total"]["requests"]), (&json!([]), &json!(0)));
    assert_eq!((&report["from"], &report["to"]), (&json!("2026-01-01T00:00:00Z"), &json!("2026-02-01T00:00:00Z")));
}

#[tokio::test]
async fn csv_is_a_line_per_row_under_its_names() {
    let (run, _) = used().await;
    let csv = run.lmo.get(&format!("{USAGE}?granularity=month&group_by=model&format=csv")).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<_> = csv.body.split_terminator("\r\n").collect();
    assert_eq!(
        lines[0],
        "period,model,key,requests,failed,estimated,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cache_hit_tokens,cost_nano_usd"
    );
    assert_eq!(lines[1], format!("{},\"standin/plain\",,1,0,0,4,0,0,5,0,0,14000", &now()[..7]));
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn csv_is_what_a_client_gets_that_accepts_it() {
    let (run, _) = used().await;
    for accept in ["text/csv", "text/csv, */*;q=0.1", "text/csv;charset=utf-8"] {
        let request = run.lmo.client.get(format!("{}{USAGE}", run.lmo.base)).bearer_auth(&run.lmo.key);
        let csv = Response::read(request.header("accept", accept).send().await.unwrap()).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8", "{accept}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_range_is_named() {
    let run = Running::start();
    for (wanted, named) in [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-02-01&to=2026-01-01", "to"),
        ("from=2026-02-01&to=2026-02-01", "to"),
        ("from=1000-01-01&to=2026-01-01", "from"),
        ("from=1980-01-01&to=2026-01-01&granularity=day", "from"),
        ("granularity=week", "granularity"),
        ("group_by=colour", "group_by"),
        ("format=xml", "format"),
        ("since=2026-01-01", "since"),
    ] {
        let refused = run.lmo.get(&format!("{USAGE}?{wanted}")).await;
        assert_shape(USAGE, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{wanted}: {}", refused.body);
    }
}

#[tokio::test]
async fn the_last_day_that_can_be_written_is_a_range() {
    let run = Running::start();
    for granularity in ["hour", "day", "month"] {
        let report = report(&run, &format!("from=9999-12-31&to=9999-12-31T23:00:00Z&granularity={granularity}")).await;
        assert_eq!(report["total"]["requests"], 0);
    }
}
