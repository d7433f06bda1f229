//! One line for each request.

use std::time::Duration;

use crate::support::{Lmo, Running, Setup, chat, eventually, json, standin, streamed};

const CHAT: &str = "/v1/chat/completions";
const SOON: Duration = Duration::from_secs(30);

/// The platform without colours in its lines.
fn start(base_url: &str) -> Lmo {
    Setup::with_standin(base_url).env("NO_COLOR", "1").start()
}

/// The lines of requests that were logged so far.
fn lines(lmo: &Lmo) -> Vec<String> {
    let output = lmo.output.lock().unwrap().clone();
    output.lines().filter(|line| line.contains("trace_id=")).map(str::to_owned).collect()
}

/// The value of a field.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .map(|text| text.trim_matches('"'))
}

async fn logged(lmo: &Lmo, requests: usize) -> Vec<String> {
    eventually(SOON, "the log line", || lines(lmo).len() >= requests).await;
    // None comes twice.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let lines = lines(lmo);
    assert_eq!(lines.len(), requests, "{lines:#?}");
    lines
}

#[tokio::test]
async fn an_answer_is_one_line_with_who_what_and_how_much() {
    let standin = standin();
    let lmo = start(&standin.base_url());
    let whole = lmo.post(CHAT, &chat("[[tokens=5]] hi", 20)).await;
    lmo.post(CHAT, &streamed("[[tokens=5]] hi", 20)).await;
    let lines = logged(&lmo, 2).await;
    assert_eq!(field(&lines[0], "request"), Some(whole.header("x-request-id")));
    for line in &lines {
        assert!(line.contains("INFO request"), "{line}");
        assert_eq!(field(line, "method"), Some("POST"));
        assert_eq!(field(line, "route"), Some(CHAT));
        assert_eq!(field(line, "status"), Some("200"));
        assert_eq!(field(line, "model"), Some("standin/small"));
        assert_eq!(field(line, "output_tokens"), Some("5"));
        assert!(field(line, "tenant").is_some_and(|tenant| tenant.starts_with("tnt_")), "{line}");
        assert!(field(line, "key").is_some_and(|key| key.starts_with("key_")), "{line}");
        assert!(field(line, "entry").is_some_and(|entry| entry.starts_with("req_")), "{line}");
        assert!(field(line, "latency_ms").is_some(), "{line}");
    }
}

#[tokio::test]
async fn a_failure_is_one_line_with_its_code() {
    let standin = standin();
    let lmo = start(&standin.base_url());
    lmo.post(CHAT, &chat("[[fail=500]] hi", 20)).await;
    lmo.post(CHAT, &streamed("[[error_in_stream=1]] hi", 20)).await;
    lmo.post(CHAT, &json!({"messages": 7})).await;
    lmo.send("GET", "/nothing/there", "", None).await;
    let lines = logged(&lmo, 4).await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let level = line.split_whitespace().nth(1).unwrap();
            (
                level,
                field(line, "status").unwrap(),
                field(line, "code").unwrap_or_default(),
                field(line, "route").unwrap(),
            )
        })
        .collect();
    let expected = [
        ("ERROR", "503", "provider_unavailable", CHAT),
        ("ERROR", "200", "provider_failed", CHAT),
        ("INFO", "400", "invalid_request", CHAT),
        ("INFO", "404", "no_route", "none"),
    ];
    assert_eq!(told, expected, "{lines:#?}");
}

#[tokio::test]
async fn a_client_that_leaves_is_one_line_with_what_it_got() {
    let standin = standin();
    let lmo = start(&standin.base_url());
    let mut response =
        lmo.open("POST", CHAT, &lmo.key, Some(&streamed("[[tokens=50]][[chunk_delay=50ms]] hi", 100))).await;
    response.chunk().await.unwrap();
    drop(response);
    let lines = logged(&lmo, 1).await;
    assert_eq!(field(&lines[0], "left"), Some("true"));
    assert!(field(&lines[0], "output_tokens").is_some(), "{lines:#?}");
}

#[test]
fn a_filter_that_is_none_ends_the_start_in_one_line() {
    let output = Setup::new().env("RUST_LOG", "lmo=loudly").output(&[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.starts_with("lmo: RUST_LOG: "), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[tokio::test]
async fn a_summary_that_fails_is_not_in_the_line_of_its_turn() {
    let narrow = |catalogue| {
        format!(
            "{catalogue}\n[models.\"standin/narrow\"]\nprovider = \"standin\"\nupstream = \"narrow\"\ncontext_window = 4000\n\
             max_output_tokens = 400\nprice = {{ input = 1, output = 2 }}\noverhead_tokens = 8\n"
        )
    };
    // A summary gets a quarter of the time.
    let run = Running::with(narrow, |setup| setup.env("NO_COLOR", "1").env("LMO_REQUEST_DEADLINE_SECONDS", "24"));
    let config = json!({"session_summary": true, "default_model": "standin/narrow"});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    for number in 0..5 {
        let slow = if number == 0 { "[[delay=8s]]" } else { "" };
        let text = format!("{slow} [[tokens=3]] question {number} {}", "word ".repeat(300));
        let turn = json!({"query": text, "max_tokens": 40, "context": {"sessionId": "s"}});
        assert_eq!(run.lmo.post("/api/mcp/query", &turn).await.status, 200, "turn {number}");
    }
    let lines = logged(&run.lmo, 6).await;
    assert!(run.lmo.output.lock().unwrap().contains("a conversation could not be summarised"));
    for line in &lines[1..] {
        assert_eq!((field(line, "status"), field(line, "code")), (Some("200"), None), "{line}");
        assert_eq!(field(line, "output_tokens"), Some("3"), "{line}");
    }
    run.lmo.stop();
    run.setup.assert_books_agree();
}
