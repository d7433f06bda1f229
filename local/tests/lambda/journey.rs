//! A newcomer's first two minutes, as with `cargo run`, through the functions' binaries.

use lmo_bench::{
    lambda::{HttpEvent, event},
    standin::text,
};

use crate::support::{Ground, ask, assert_status, json, kinesis_event, query, streamed, text_of};

#[tokio::test]
async fn a_question_is_answered_streamed_metered_and_reported() {
    let ground = Ground::new();
    let mut tenant = ground.function("tenant");
    let create = HttpEvent::file("apigw-tenant-keys-create.json").key(ground.key());
    let created = ask(&mut tenant, create.body(&json!({"name": "intern"}))).await;
    assert_status(&created, 201);
    let created = created.json();
    let key = created["api_key"].as_str().unwrap();

    let mut queries = ground.function("query");
    let answer = ask(&mut queries, query(&ground, "Hello there").key(key)).await;
    assert_status(&answer, 200);
    let answer = answer.json();
    assert_eq!((&answer["content"], &answer["model"]), (&json!(text(16)), &json!("standin/small")));
    // 5 * 0.15 + 16 * 0.6 USD per million.
    assert_eq!(answer["cost"]["nano_usd"], 10_350);

    let mut streams = ground.function("stream");
    let events = HttpEvent::file("function-url-stream.json").key(key).body(&json!({"query": "[[tokens=7]] hi"}));
    let answer = ask(&mut streams, events).await;
    assert!(answer.text().contains("event: done"), "{}", answer.text());
    let answer = ask(&mut streams, streamed(&ground, "[[tokens=5]] hi").key(key)).await;
    assert_eq!(text_of(&answer.text()), text(5));

    let mut aggregate = ground.function("aggregate");
    let batch = kinesis_event(&ground.platform()).await;
    let events = batch["Records"].as_array().unwrap().len();
    assert!((1..=3).contains(&events), "{batch}");
    for _ in 0..2 {
        let counted = aggregate.invoke(&batch).await.unwrap();
        assert_eq!(counted.json(), json!({"batchItemFailures": []}), "{}", aggregate.log());
    }
    let swept = aggregate.invoke(&event("scheduler-sweep.json")).await.unwrap();
    assert_eq!(swept.error, None);

    let report = HttpEvent::file("apigw-tenant-usage.json").key(ground.key());
    let usage = ask(&mut tenant, report.query("granularity=month")).await.json();
    assert_eq!((&usage["total"]["requests"], &usage["total"]["output_tokens"]), (&json!(3), &json!(28)), "{usage}");
    for function in [tenant, queries, streams, aggregate] {
        assert_eq!(function.stop().await.unwrap().status.code(), Some(0));
    }
    assert_eq!(ground.assert_books_agree().await.len(), 1);
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_another_function() {
    let ground = Ground::new();
    let mut tenant = ground.function("tenant");
    let created = ask(&mut tenant, HttpEvent::file("apigw-tenant-keys-create.json").key(ground.key())).await.json();
    let path = format!("/api/tenant/keys/{}", created["id"].as_str().unwrap());
    let revoke = HttpEvent::file("apigw-tenant-keys-revoke.json").key(ground.key()).at("DELETE", &path);
    assert_status(&ask(&mut tenant, revoke).await, 204);
    let key = created["api_key"].as_str().unwrap();
    assert_status(&ask(&mut ground.function("query"), query(&ground, "hi").key(key)).await, 401);
}
