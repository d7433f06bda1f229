//! Answers that are given again: to the same tenant for the same request, and to nobody else.

use std::time::Duration;

use crate::support::{Lmo, Response, Running, Value, json};

const CHAT: &str = "/v1/chat/completions";
const QUERY: &str = "/api/mcp/query";

fn question(text: &str) -> Value {
    json!({"query": text, "temperature": 0, "max_tokens": 50})
}

async fn ask(lmo: &Lmo, body: &Value) -> Response {
    lmo.post(QUERY, body).await
}

/// Waits until what was said is kept: it is written behind the answer.
async fn kept(lmo: &Lmo, body: &Value) {
    let mut only = body.clone();
    only["cache"] = "only-if-cached".into();
    for _ in 0..200 {
        if ask(lmo, &only).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was kept of {body}");
}

#[tokio::test]
async fn the_same_deterministic_question_is_answered_once_by_the_model() {
    let run = Running::start();
    let body = question("[[tokens=5]]");
    let first = ask(&run.lmo, &body).await;
    assert_eq!(first.header("x-lmo-cache"), "miss");
    kept(&run.lmo, &body).await;
    let second = ask(&run.lmo, &body).await;
    assert_eq!((second.header("x-lmo-cache"), &second.json()["content"]), ("hit", &first.json()["content"]));
    assert_eq!(run.standin.stats().requests, 1);
}

#[tokio::test]
async fn a_hit_has_a_price_of_its_own() {
    let run = Running::with_models(|catalogue| {
        catalogue.replace("cached_input = 0.075", "cached_input = 0.075, cache_hit = 0.01")
    });
    let body = question("[[tokens=5]]");
    let usage = ask(&run.lmo, &body).await.json()["usage"].clone();
    kept(&run.lmo, &body).await;
    let hit = ask(&run.lmo, &body).await.json();
    let tokens = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!((&hit["usage"]["cache_hit_tokens"], &hit["usage"]["input_tokens"]), (&json!(tokens), &json!(0)));
    assert_eq!(hit["cost"]["nano_usd"], tokens * 10);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_request_that_is_not_deterministic_is_cached_only_if_it_asks_for_it() {
    let run = Running::start();
    let body = json!({"query": "[[tokens=5]]", "temperature": 0.7, "max_tokens": 50});
    for _ in 0..2 {
        assert_eq!(ask(&run.lmo, &body).await.header("x-lmo-cache"), "bypass");
    }
    let mut asking = body.clone();
    asking["cache"] = "default".into();
    assert_eq!(ask(&run.lmo, &asking).await.header("x-lmo-cache"), "miss");
    kept(&run.lmo, &body).await;
    assert_eq!(ask(&run.lmo, &asking).await.header("x-lmo-cache"), "hit");
    assert_eq!(run.standin.stats().requests, 3);
}

#[tokio::test]
async fn no_store_neither_looks_nor_keeps_and_refresh_only_keeps() {
    let run = Running::start();
    let mode = |mode: &str| {
        let mut body = question("[[tokens=5]]");
        body["cache"] = mode.into();
        body
    };
    assert_eq!(ask(&run.lmo, &mode("no-store")).await.header("x-lmo-cache"), "bypass");
    ask(&run.lmo, &mode("only-if-cached")).await.assert_error(404, "not_cached");
    assert_eq!(ask(&run.lmo, &mode("refresh")).await.header("x-lmo-cache"), "miss");
    kept(&run.lmo, &question("[[tokens=5]]")).await;
    assert_eq!(ask(&run.lmo, &mode("refresh")).await.header("x-lmo-cache"), "miss");
    assert_eq!(run.standin.stats().requests, 3);
}

#[tokio::test]
async fn an_answer_older_than_max_age_will_not_do() {
    let run = Running::start();
    let mut body = question("[[tokens=5]]");
    ask(&run.lmo, &body).await;
    kept(&run.lmo, &body).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    body["max_age"] = 1.into();
    assert_eq!(ask(&run.lmo, &body).await.header("x-lmo-cache"), "miss");
    body["max_age"] = 3600.into();
    kept(&run.lmo, &body).await;
}

#[tokio::test]
async fn a_hit_on_a_stream_is_a_stream() {
    let run = Running::start();
    let mut body = json!({"model": "standin/small", "temperature": 0, "max_tokens": 50, "stream": true,
        "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "[[tokens=5]] [[flush]]"}]});
    let first = run.lmo.post(CHAT, &body).await;
    kept(
        &run.lmo,
        &json!({"model": "standin/small", "temperature": 0, "max_tokens": 50,
        "messages": [{"role": "user", "content": "[[tokens=5]] [[flush]]"}]}),
    )
    .await;
    let second = run.lmo.post(CHAT, &body).await;
    assert_eq!(second.header("x-lmo-cache"), "hit");
    assert_eq!((second.streamed_text(), second.events().len()), (first.streamed_text(), first.events().len()));
    assert_eq!(
        second.events()[second.events().len() - 2]["data"]["usage"],
        first.events()[first.events().len() - 2]["data"]["usage"]
    );
    body["stream"] = false.into();
    let whole = run.lmo.post(CHAT, &body).await;
    assert_eq!(whole.header("x-lmo-cache"), "hit");
    assert_eq!(whole.json()["choices"][0]["message"]["content"], first.streamed_text());
    assert_eq!(run.standin.stats().requests, 1);
}

#[tokio::test]
async fn identical_questions_at_once_call_the_model_once() {
    let run = Running::start();
    let body = question("[[tokens=5]] [[delay=300ms]]");
    let asked = (0..20).map(|_| ask(&run.lmo, &body));
    let answers = futures_util::future::join_all(asked).await;
    let hits = answers.iter().filter(|answer| answer.header("x-lmo-cache") == "hit").count();
    assert_eq!((hits, run.standin.stats().requests), (19, 1));
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn who_waited_for_a_failure_asks_for_itself() {
    let run = Running::start();
    let body = question("[[fail=400 times=1 id=x]] [[delay=200ms]] [[tokens=5]]");
    let answers = futures_util::future::join_all((0..3).map(|_| ask(&run.lmo, &body))).await;
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(answered, 2);
}

#[tokio::test]
async fn another_tenant_gets_no_answer_of_the_first() {
    let run = Running::start();
    run.lmo.stop();
    let (_, other) = run.setup.tenant(&[]);
    let lmo = run.setup.start();
    let body = question("[[tokens=5]]");
    ask(&lmo, &body).await;
    kept(&lmo, &body).await;
    let theirs = lmo.send("POST", QUERY, &other, Some(&body)).await;
    assert_eq!((theirs.status, theirs.header("x-lmo-cache")), (200, "miss"));
    assert_eq!(run.standin.stats().requests, 2);
}

#[tokio::test]
async fn what_broke_off_is_not_kept() {
    let run = Running::start();
    let body = json!({"query": "[[tokens=9]] [[cut_after=3]]", "temperature": 0, "max_tokens": 50});
    run.lmo.post("/api/mcp/stream", &body).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut only = body.clone();
    only["cache"] = "only-if-cached".into();
    ask(&run.lmo, &only).await.assert_error(404, "not_cached");
}

#[tokio::test]
async fn a_large_answer_is_kept_in_several_items() {
    let run = Running::start();
    // Text that doesn't compress.
    let words = (0..40_000_u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n << 17));
    let text = words.fold(String::new(), |text, word| text + &format!("{word:x} "));
    let body = json!({"query": format!("[[say={text}]]"), "temperature": 0, "max_tokens": 4096});
    let first = ask(&run.lmo, &body).await;
    kept(&run.lmo, &body).await;
    let second = ask(&run.lmo, &body).await;
    assert_eq!((second.header("x-lmo-cache"), &second.json()["content"]), ("hit", &first.json()["content"]));
}

#[tokio::test]
async fn what_is_not_a_mode_is_refused() {
    let run = Running::start();
    let mut body = question("hi");
    body["cache"] = "sometimes".into();
    ask(&run.lmo, &body).await.assert_error(400, "invalid_request");
    let request = run.lmo.client.post(format!("{}{CHAT}", run.lmo.base)).bearer_auth(&run.lmo.key);
    let request = request.header("x-lmo-cache", "sometimes").header("content-type", "application/json");
    let refused = Response::read(request.body(crate::support::chat("hi", 5).to_string()).send().await.unwrap()).await;
    refused.assert_error(400, "invalid_request");
}

/// The tests' catalogue with an embedding model.
fn with_embeddings(catalogue: &str) -> String {
    let model = "[models.\"lmo/hash-embed\"]\nprovider = \"lmo\"\ncontext_window = 8192\ncapabilities = [\"embed\"]\n\
                 dimensions = 512\nprice = { input = 0.02 }\n";
    catalogue.replace("[aliases]", &format!("{model}[aliases]\nembed = \"lmo/hash-embed\""))
}

async fn semantic(threshold: f64) -> Running {
    let run = Running::with_models(|catalogue| with_embeddings(&catalogue));
    let config = json!({"cache": {"semantic": {"threshold": threshold}}});
    assert_eq!(run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&config)).await.status, 200);
    run
}

fn about(question: &str, system: &str) -> Value {
    json!({"temperature": 0, "max_tokens": 50, "messages": [
        {"role": "system", "content": system}, {"role": "user", "content": question}]})
}

const PARIS: &str = "What is the capital city of France, please tell me its name? [[tokens=4]]";
const PARIS_AGAIN: &str = "What is the capital city of France, please tell me the name? [[tokens=4]]";

#[tokio::test]
async fn a_similar_question_gets_the_answer_of_the_first() {
    let run = semantic(0.8).await;
    let first = ask(&run.lmo, &about(PARIS, "Be brief.")).await;
    kept(&run.lmo, &about(PARIS, "Be brief.")).await;
    let second = ask(&run.lmo, &about(PARIS_AGAIN, "Be brief.")).await;
    assert_eq!((second.header("x-lmo-cache"), &second.json()["content"]), ("semantic", &first.json()["content"]));
    assert_eq!(run.standin.stats().requests, 1);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_question_below_the_threshold_or_with_another_system_prompt_or_tools_is_asked() {
    let run = semantic(0.8).await;
    ask(&run.lmo, &about(PARIS, "Be brief.")).await;
    kept(&run.lmo, &about(PARIS, "Be brief.")).await;
    let mut tools = about(PARIS_AGAIN, "Be brief.");
    tools["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let other = about("How do I boil an egg for breakfast? [[tokens=4]]", "Be brief.");
    for body in [other, about(PARIS_AGAIN, "Be long."), tools] {
        assert_eq!(ask(&run.lmo, &body).await.header("x-lmo-cache"), "miss", "{body}");
    }
}

#[tokio::test]
async fn a_similar_question_of_another_tenant_is_asked() {
    let run = semantic(0.8).await;
    ask(&run.lmo, &about(PARIS, "Be brief.")).await;
    kept(&run.lmo, &about(PARIS, "Be brief.")).await;
    run.lmo.stop();
    let (_, other) = run.setup.tenant(&[]);
    let lmo = run.setup.start();
    let config = json!({"cache": {"semantic": {"threshold": 0.1}}});
    assert_eq!(lmo.send("PUT", "/api/tenant/config", &other, Some(&config)).await.status, 200);
    let theirs = lmo.send("POST", QUERY, &other, Some(&about(PARIS_AGAIN, "Be brief."))).await;
    assert_eq!((theirs.status, theirs.header("x-lmo-cache")), (200, "miss"));
}

#[tokio::test]
async fn embedding_a_question_is_charged_as_a_request_of_its_own() {
    let run = semantic(0.8).await;
    ask(&run.lmo, &about(PARIS, "Be brief.")).await;
    let report = run.lmo.usage_of(&run.lmo.key, 2).await;
    assert_eq!(report["requests"], 2);
}
