//! `GET /api/mcp/ws`: answers over a WebSocket.

use std::time::{Duration, Instant};

use lmo_bench::standin;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Running, Socket, Value, eventually, json};

mod handshakes;
mod shutdown;

const SLOWLY: &str = "[[flush]] [[chunk_delay=20ms]]";

fn text(frames: &[Value]) -> String {
    frames.iter().filter_map(|frame| frame["data"]["text"].as_str()).collect()
}

fn names(frames: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = frames.iter().map(|frame| frame["event"].as_str().unwrap()).collect();
    names.dedup();
    names
}

async fn open(run: &Running) -> Socket {
    Socket::with_key(&run.lmo, &run.lmo.key).await
}

#[tokio::test]
async fn an_answer_has_the_events_of_the_stream() {
    let run = Running::start();
    let question = json!({"query": "[[tokens=5]]", "max_tokens": 20, "cache": "no-store"});
    let streamed = run.lmo.post("/api/mcp/stream", &question).await.events();
    let frames = open(&run).await.ask(&question).await;
    assert_eq!((names(&frames), text(&frames)), (vec!["delta", "usage", "done"], standin::text(5)));
    let of_stream = |name: &str| streamed.iter().rfind(|event| event["event"] == name).unwrap()["data"].clone();
    let of_socket = |name: &str| frames.iter().rfind(|frame| frame["event"] == name).unwrap()["data"].clone();
    assert_eq!(of_socket("usage"), of_stream("usage"));
    let fields = |data: &Value| data.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&of_socket("done")), fields(&of_stream("done")));
    assert_eq!(of_socket("done")["cost"], of_stream("done")["cost"]);
}

#[tokio::test]
async fn tools_and_fields_of_the_body_work_as_over_http() {
    let run = Running::start();
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let query = "[[tool=weather args={\"city\":\"Paris\"}]]";
    let ask = json!({"query": query, "tools": tools, "max_tokens": 50, "temperature": 0.5, "id": "1"});
    let frames = open(&run).await.ask(&ask).await;
    let arguments: String = frames.iter().filter_map(|frame| frame["data"]["arguments"].as_str()).collect();
    assert_eq!((names(&frames), arguments.as_str()), (vec!["tool_call", "usage", "done"], "{\"city\":\"Paris\"}"));
    assert_eq!((&run.upstream_body()["temperature"], &run.upstream_body()["id"]), (&json!(0.5), &Value::Null));
}

#[tokio::test]
async fn a_session_goes_on_from_message_to_message() {
    let run = Running::start();
    let mut socket = open(&run).await;
    for _ in 0..2 {
        let frames = socket.ask(&json!({"query": "hi", "context": {"sessionId": "chat-1"}})).await;
        assert_eq!(names(&frames).last(), Some(&"done"));
    }
    assert_eq!(run.upstream_body()["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn pieces_arrive_one_by_one() {
    let run = Running::start();
    let mut socket = open(&run).await;
    socket.say(&json!({"query": "[[flush]] [[chunk_delay=300ms]] [[tokens=4]]"})).await;
    let (mut arrivals, began) = (Vec::new(), Instant::now());
    let frames = loop {
        let frame = socket.frame().await;
        arrivals.push(began.elapsed());
        if frame["event"] == "done" {
            break arrivals.len();
        }
    };
    assert_eq!(frames, 6);
    // The first doesn't wait for the last.
    assert!(arrivals[3] > arrivals[0] + Duration::from_millis(600), "{arrivals:?}");
}

#[tokio::test]
async fn answers_at_the_same_time_are_told_apart_by_their_ids() {
    let run = Running::start();
    let mut socket = open(&run).await;
    for id in ["a", "b", "c"] {
        socket.say(&json!({"id": id, "query": format!("{SLOWLY} [[tokens=20]]"), "cache": "no-store"})).await;
    }
    let mut frames = Vec::new();
    while frames.iter().filter(|frame: &&Value| frame["event"] == "done").count() < 3 {
        frames.push(socket.frame().await);
    }
    for id in ["a", "b", "c"] {
        let own: Vec<_> = frames.iter().filter(|frame| frame["id"] == id).cloned().collect();
        assert_eq!((names(&own), text(&own)), (vec!["delta", "usage", "done"], standin::text(20)));
        let counted: Vec<_> = own.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect();
        assert_eq!(counted, (0..own.len() as u64).collect::<Vec<_>>());
    }
    let first_end = frames.iter().position(|frame| frame["event"] == "done").unwrap();
    assert!(["a", "b", "c"].iter().all(|id| frames[..first_end].iter().any(|frame| frame["id"] == *id)));
}

#[tokio::test]
async fn a_ping_is_answered_while_an_answer_is_made() {
    let run = Running::start();
    let mut socket = open(&run).await;
    socket.say(&json!({"query": "[[delay=2s]]"})).await;
    socket.say(&json!({"type": "ping", "id": "p"})).await;
    assert_eq!(socket.frame().await, json!({"id": "p", "event": "pong"}));
}

#[tokio::test]
async fn what_is_wrong_is_told_and_the_connection_goes_on() {
    let run = Running::start();
    let mut socket = open(&run).await;
    for (message, status, code) in [
        (Message::text("hello"), 400, "bad_json"),
        (Message::text("{\"query\": 5}"), 400, "invalid_request"),
        (Message::binary(vec![0xff]), 400, "bad_json"),
        (Message::text(json!({"query": "x".repeat(300_000)}).to_string()), 413, "body_too_large"),
        (Message::text(json!({"query": "hi", "model": "nobody"}).to_string()), 404, "model_not_found"),
    ] {
        socket.send(message).await;
        let frame = socket.frame().await;
        let data = &frame["data"];
        assert_eq!((&frame["event"], &data["status"], &data["code"]), (&json!("error"), &json!(status), &json!(code)));
        assert_eq!(data["type"], "about:blank");
    }
    assert_eq!(names(&socket.ask(&json!({"query": "[[tokens=2]]"})).await), ["delta", "usage", "done"]);
}

#[tokio::test]
async fn a_message_beyond_all_measure_ends_the_connection_with_a_reason() {
    let run = Running::start();
    let mut socket = open(&run).await;
    socket.send(Message::text("x".repeat(1_100_000))).await;
    let (code, reason) = socket.hear().await.unwrap_err().unwrap();
    assert_eq!(code, 1009, "{reason}");
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_answered() {
    let run = Running::start();
    let mut socket = open(&run).await;
    assert_eq!(names(&socket.ask(&json!({"query": "[[tokens=2]]"})).await), ["delta", "usage", "done"]);
    assert_eq!(socket.close().await, Err(Some((1000, "enough".to_owned()))));
}

#[tokio::test]
async fn a_cap_refuses_over_a_socket_as_over_http() {
    let run = Running::start();
    let limits = json!({"name": "small", "limits": {"monthly_tokens": 10}});
    let key = run.lmo.post("/api/tenant/keys", &limits).await.json()["api_key"].as_str().unwrap().to_owned();
    let frames = Socket::with_key(&run.lmo, &key).await.ask(&json!({"query": "[[tokens=5]]", "id": "1"})).await;
    assert_eq!((frames.len(), &frames[0]["id"]), (1, &json!("1")));
    assert_eq!((&frames[0]["data"]["code"], &frames[0]["data"]["status"]), (&json!("quota_exhausted"), &json!(402)));
}

#[tokio::test]
async fn a_client_that_leaves_ends_all_its_answers_and_pays_for_what_was_received() {
    let run = Running::start();
    let mut socket = open(&run).await;
    for id in ["a", "b"] {
        let query = format!("{SLOWLY} [[tokens=1000]]");
        socket.say(&json!({"id": id, "query": query, "max_tokens": 2000, "cache": "no-store"})).await;
    }
    // One that has not begun.
    socket.say(&json!({"query": "[[delay=20s]]", "max_tokens": 20})).await;
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < 2 {
        heard.insert(socket.frame().await["id"].to_string());
    }
    eventually(Duration::from_secs(10), "the third call", || run.standin.stats().in_flight == 3).await;
    drop(socket);
    eventually(Duration::from_secs(10), "the cancellations", || run.standin.stats().cancelled == 3).await;
    let usage = run.lmo.usage_of(&run.lmo.key, 3).await;
    assert!((1..2000).contains(&usage["output_tokens"].as_u64().unwrap()), "{usage}");
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_client_that_does_not_read_hinders_nobody_else() {
    let run =
        Running::with_models(|catalogue| catalogue.replace("max_output_tokens = 4096", "max_output_tokens = 100000"));
    let mut slow = open(&run).await;
    slow.say(&json!({"query": format!("{SLOWLY} [[tokens=90000]]"), "max_tokens": 90_000})).await;
    slow.frame().await;
    assert_eq!(names(&open(&run).await.ask(&json!({"query": "[[tokens=2]]"})).await), ["delta", "usage", "done"]);
    drop(slow);
    eventually(Duration::from_secs(10), "the cancellation", || run.standin.stats().cancelled == 1).await;
    run.lmo.stop();
    run.setup.assert_books_agree();
}
