//! Conversations that LMO keeps: what was said before goes to the model, one turn at a time, and to nobody else.

use std::time::Duration;

use crate::support::{Lmo, Response, Running, Value, json};

const QUERY: &str = "/api/mcp/query";
const CHAT: &str = "/v1/chat/completions";

fn turn(text: &str, session: &str) -> Value {
    json!({"query": text, "max_tokens": 40, "context": {"sessionId": session}})
}

async fn ask(lmo: &Lmo, text: &str, session: &str) -> Response {
    lmo.post(QUERY, &turn(text, session)).await
}

/// Roles and texts of what the provider got last.
fn heard(run: &Running) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = run.upstream_body()["messages"].clone();
    messages.as_array().unwrap().iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

fn said(role: &str, text: &str) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

#[tokio::test]
async fn the_next_turn_hears_what_was_said_before() {
    let run = Running::start();
    ask(&run.lmo, "[[tokens=3]] one", "chat-1").await;
    ask(&run.lmo, "[[tokens=2]] two", "chat-1").await;
    let expected = [
        said("user", "[[tokens=3]] one"),
        said("assistant", &lmo_bench::standin::text(3)),
        said("user", "[[tokens=2]] two"),
    ];
    assert_eq!(heard(&run), expected);
    ask(&run.lmo, "three", "chat-2").await;
    assert_eq!(heard(&run), [said("user", "three")]);
}

#[tokio::test]
async fn a_streamed_turn_is_there_when_its_end_is_told() {
    let run = Running::start();
    for text in ["[[tokens=3]] one", "two"] {
        let streamed = run.lmo.post("/api/mcp/stream", &turn(text, "s")).await;
        assert_eq!(streamed.events().last().unwrap()["event"], "done", "{}", streamed.body);
    }
    assert_eq!(heard(&run).len(), 3);
}

#[tokio::test]
async fn any_client_names_a_session_in_a_header() {
    let run = Running::start();
    for text in ["[[tokens=3]] one", "two"] {
        let request = run.lmo.client.post(format!("{}{CHAT}", run.lmo.base)).bearer_auth(&run.lmo.key);
        let request = request.header("x-lmo-session", "s").header("content-type", "application/json");
        let answer = request.body(crate::support::chat(text, 20).to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(heard(&run).len(), 3);
}

#[tokio::test]
async fn two_turns_at_once_are_never_mixed() {
    let run = Running::start();
    let answers = futures_util::future::join_all((0..8).map(|_| ask(&run.lmo, "[[delay=300ms]] hi", "s"))).await;
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        refused.assert_error(409, "conflict");
    }
    assert_eq!(answered, 1);
    let kept = run.lmo.get("/api/tenant/sessions/s").await.json();
    assert_eq!((&kept["turns"], kept["messages"].as_array().unwrap().len()), (&json!(1), 2));
}

#[tokio::test]
async fn a_turn_that_failed_leaves_the_conversation_as_it_was() {
    let run = Running::start();
    ask(&run.lmo, "[[tokens=3]] one", "s").await;
    assert_eq!(ask(&run.lmo, "[[fail=400]]", "s").await.status, 400);
    run.lmo.post("/api/mcp/stream", &turn("[[tokens=9]] [[cut_after=2]] [[flush]]", "s")).await;
    ask(&run.lmo, "two", "s").await;
    assert_eq!(heard(&run).len(), 3);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_block_its_session() {
    let run = Running::start();
    let leaving = turn("[[tokens=50]] [[chunk_delay=50ms]] [[flush]]", "s");
    let open = run.lmo.open("POST", "/api/mcp/stream", &run.lmo.key, Some(&leaving));
    drop(open.await);
    let mut status = 409;
    for _ in 0..100 {
        status = ask(&run.lmo, "hi", "s").await.status;
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_long_conversation_is_trimmed_to_the_models_window() {
    let run = Running::with_models(|catalogue| {
        format!(
            "{catalogue}\n[models.\"standin/narrow\"]\nprovider = \"standin\"\nupstream = \"narrow\"\ncontext_window = 400\n\
             max_output_tokens = 40\nprice = {{ input = 1, output = 2 }}\noverhead_tokens = 8\n"
        )
    });
    for number in 0..12 {
        let mut body = turn(&format!("[[tokens=20]] question number {number}"), "s");
        body["model"] = "standin/narrow".into();
        body["messages"] = json!([{"role": "system", "content": "Be brief."}]);
        assert_eq!(run.lmo.post(QUERY, &body).await.status, 200, "turn {number}");
    }
    let heard = heard(&run);
    assert_eq!(heard[0], said("system", "Be brief."));
    assert!((3..20).contains(&heard.len()), "{heard:?}");
    assert_eq!(heard[heard.len() - 3].1, "[[tokens=20]] question number 10");
    assert_eq!(heard.last().unwrap().1, "[[tokens=20]] question number 11");
}

#[tokio::test]
async fn what_no_longer_fits_is_summarised_if_the_tenant_wants_it() {
    let run = Running::with_models(|catalogue| {
        format!(
            "{catalogue}\n[models.\"standin/narrow\"]\nprovider = \"standin\"\nupstream = \"narrow\"\ncontext_window = 4000\n\
             max_output_tokens = 400\nprice = {{ input = 1, output = 2 }}\noverhead_tokens = 8\n"
        )
    });
    let config = json!({"session_summary": true, "default_model": "standin/narrow"});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    for number in 0..8 {
        let text = format!("[[tokens=3]] question {number} {}", "word ".repeat(300));
        assert_eq!(ask(&run.lmo, &text, "s").await.status, 200, "turn {number}");
    }
    let kept = run.lmo.get("/api/tenant/sessions/s").await.json();
    assert!(kept["summary"].is_string(), "{kept:#}");
    assert!(heard(&run)[0].1.starts_with("Summary of the earlier part"), "{:?}", heard(&run)[0]);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_session_is_read_and_deleted_by_its_tenant_alone() {
    let mut run = Running::start();
    let (_, other) = run.with_another_tenant();
    let lmo = &run.lmo;
    ask(lmo, "[[tokens=3]] one", "s").await;
    for method in ["GET", "DELETE"] {
        let theirs = lmo.send(method, "/api/tenant/sessions/s", &other, None).await;
        theirs.assert_error(404, "not_found");
    }
    assert_eq!(lmo.get("/api/tenant/sessions/s").await.json()["turns"], 1);
    assert_eq!(lmo.send("DELETE", "/api/tenant/sessions/s", &lmo.key, None).await.status, 204);
    lmo.get("/api/tenant/sessions/s").await.assert_error(404, "not_found");
    ask(lmo, "new", "s").await;
    assert_eq!(heard(&run), [said("user", "new")]);
}

#[tokio::test]
async fn a_bad_session_id_is_refused() {
    let run = Running::start();
    let refused = ask(&run.lmo, "hi", "a/b").await;
    refused.assert_error(400, "invalid_request");
    let mut both = turn("hi", "s");
    both["context"]["previousMessages"] = json!([{"role": "user", "content": "before"}]);
    run.lmo.post(QUERY, &both).await.assert_error(400, "invalid_request");
}
