//! Each event in `events/`, answered by the binary that its trigger calls.

use std::collections::BTreeSet;

use lmo_bench::{
    lambda::{HttpEvent, event},
    stripe::{StripeOptions, StripeStandin, sign},
};

use crate::support::{Ground, Value, ask, assert_status, events, json, query};

/// The files that tests here or beside feed to a binary.
const FED: [&str; 37] = [
    "apigw-auth-token.json",
    "apigw-billing-quota.json",
    "apigw-embed.json",
    "apigw-embeddings.json",
    "apigw-jwks.json",
    "apigw-models.json",
    "apigw-query.json",
    "apigw-stripe-webhook.json",
    "apigw-tenant-config-get.json",
    "apigw-tenant-config-put.json",
    "apigw-tenant-keys-create.json",
    "apigw-tenant-keys-list.json",
    "apigw-tenant-keys-revoke.json",
    "apigw-tenant-session.json",
    "apigw-tenant-usage.json",
    "apigw-websocket-connect.json",
    "apigw-websocket-disconnect.json",
    "apigw-websocket-message.json",
    "function-url-chat-completions.json",
    "function-url-messages.json",
    "function-url-responses.json",
    "function-url-stream-get.json",
    "function-url-stream.json",
    "kinesis-batch-duplicated.json",
    "kinesis-batch-poison.json",
    "kinesis-batch.json",
    "scheduler-bill-part.json",
    "scheduler-bill.json",
    "scheduler-collect.json",
    "scheduler-deliver.json",
    "scheduler-purge.json",
    "scheduler-reconcile.json",
    "scheduler-rotate-keys.json",
    "scheduler-sweep.json",
    "scheduler-terms.json",
    "scheduler-letters.json",
    "scheduler-export.json",
];

#[test]
fn no_event_is_left_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<_> = names.collect();
    assert_eq!(names, FED.map(str::to_owned).into());
}

/// The JSON that `function` answers a file of events with, all of them in turn by one process.
async fn answers(ground: &Ground, function: &str, files: &[(&str, u16)]) -> Vec<Value> {
    let mut function = ground.function(function);
    let mut answers = Vec::new();
    for (file, status) in files {
        let answer = ask(&mut function, HttpEvent::file(file).key(ground.key())).await;
        assert_status(&answer, *status);
        assert!(answer.header("content-type").starts_with("application/json"), "{file}");
        assert!(answer.header("x-request-id").starts_with("req_"), "{file}: {:?}", answer.headers);
        answers.push(answer.json());
    }
    answers
}

#[tokio::test]
async fn query_answers_its_events() {
    let ground = Ground::new();
    let files = [
        ("apigw-query.json", 200),
        ("apigw-embed.json", 200),
        ("apigw-embeddings.json", 200),
        ("apigw-models.json", 200),
    ];
    let [query, embed, embeddings, models] = answers(&ground, "query", &files).await.try_into().unwrap();
    assert_eq!((&query["model"], &query["content"]), (&json!("standin/small"), &json!(lmo_bench::standin::text(16))));
    assert_eq!(embed["embeddings"].as_array().unwrap().len(), 2, "{embed}");
    assert_eq!(embeddings["data"][0]["embedding"].as_array().unwrap().len(), 512, "{embeddings}");
    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert!(ids.contains(&json!("standin/small")), "{models}");
}

#[tokio::test]
async fn tenant_answers_its_events() {
    let ground = Ground::new();
    let files = [
        ("apigw-tenant-config-get.json", 200),
        ("apigw-tenant-config-put.json", 200),
        ("apigw-tenant-keys-list.json", 200),
        ("apigw-tenant-keys-create.json", 201),
        ("apigw-tenant-usage.json", 200),
    ];
    let [config, changed, list, created, usage] = answers(&ground, "tenant", &files).await.try_into().unwrap();
    assert_eq!((&config["max_tokens"], &changed["max_tokens"]), (&Value::Null, &json!(400)), "{config}{changed}");
    assert_eq!(list["keys"].as_array().unwrap().len(), 1, "{list}");
    assert!(created["api_key"].as_str().unwrap().starts_with("lmo_"));
    assert_eq!(usage["total"]["requests"], 0, "{usage}");
}

#[tokio::test]
async fn auth_answers_its_events() {
    let ground = Ground::new();
    let mut auth = ground.function("auth");
    let keys = HttpEvent::file("apigw-jwks.json");
    // They are new, so nothing is to be rotated.
    let rotated = auth.invoke(&event("scheduler-rotate-keys.json")).await.unwrap();
    assert_eq!((&rotated.error, rotated.json()), (&None, Value::Null));
    let known = ask(&mut auth, &keys).await.json();
    assert_eq!(known["keys"].as_array().unwrap().len(), 2, "current and next: {known}");

    // By HTTP's Basic authentication: the key's id, which is in its text, and its text.
    let client = format!("key_{}:{}", &ground.key()[4 + 26..4 + 52], ground.key());
    let client = format!("Basic {}", aws_smithy_types::base64::encode(client));
    let token = ask(&mut auth, HttpEvent::file("apigw-auth-token.json").header("authorization", &client)).await;
    assert_status(&token, 200);
    let token = token.json()["access_token"].as_str().unwrap().to_owned();
    assert_status(&ask(&mut ground.function("query"), query(&ground, "hi").key(&token)).await, 200);
}

#[tokio::test]
async fn billing_answers_its_events() {
    let ground = Ground::new();
    let (quota, webhook) = (HttpEvent::file("apigw-billing-quota.json"), HttpEvent::file("apigw-stripe-webhook.json"));
    let mut billing = ground.function("billing");
    let quota = ask(&mut billing, quota.key(ground.key())).await;
    assert_status(&quota, 200);
    assert_eq!(quota.json()["period"].as_str().map(str::len), Some("2026-11".len()), "{}", quota.text());
    // Without an account at Stripe nobody is listened to; with one, whoever knows its secret.
    assert_status(&ask(&mut billing, webhook.clone()).await, 404);
    let stripe = StripeStandin::start(StripeOptions::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, secret) = (file("key", "sk_test_of_the_stand_in"), file("secret", "whsec_test"));
    let flags = ["--secret-key-file", &key, "--webhook-secret-file", &secret, "--api-base", &stripe.origin()];
    let stored = ground.lmo(&[&["billing", "stripe"], &flags[..]].concat());
    assert!(stored.status.success(), "{stored:?}");
    let mut billing = ground.function("billing");
    assert_status(&ask(&mut billing, webhook.clone()).await, 400);
    let now = ground.platform().clock().now().seconds();
    let body = event("apigw-stripe-webhook.json")["body"].as_str().unwrap().to_owned();
    let signature = sign("whsec_test", now.cast_signed(), &body);
    let heard = ask(&mut billing, webhook.header("stripe-signature", &signature)).await;
    assert_status(&heard, 200);
    assert_eq!(heard.json(), json!({"known": false}), "it is nobody's payment");
}

#[tokio::test]
async fn the_schedules_event_has_webhooks_told() {
    let ground = Ground::new();
    // It looks for what is due until the next one comes.
    let told = ground.function("tenant").invoke(&event("scheduler-deliver.json")).await.unwrap();
    assert_eq!((&told.error, &told.json()["delivered"]), (&None, &json!(0)), "{told:?}");
}

#[tokio::test]
async fn the_schedules_event_has_payments_seen_to() {
    let ground = Ground::new();
    let ran = ground.function("billing").invoke(&event("scheduler-collect.json")).await.unwrap();
    assert_eq!((&ran.error, &ran.json()), (&None, &json!({"seen": 0, "failed": 0, "unfinished": false})), "{ran:?}");
}

#[tokio::test]
async fn a_task_that_is_none_is_an_error_of_the_function_and_not_its_end() {
    let ground = Ground::new();
    let mut auth = ground.function("auth");
    let error = auth.invoke(&json!({"task": "rotate"})).await.unwrap().error.unwrap();
    assert!(error.body.contains("rotate-keys"), "{error:?}");
    assert_status(&ask(&mut auth, HttpEvent::file("apigw-jwks.json")).await, 200);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_of_its_family() {
    let ground = Ground::new();
    let mut function = ground.function("tenant");
    for file in ["apigw-tenant-keys-revoke.json", "apigw-tenant-session.json"] {
        let answer = ask(&mut function, HttpEvent::file(file).key(ground.key())).await;
        assert_status(&answer, 404);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{file}");
    }
}

#[tokio::test]
async fn a_key_that_is_nobodys_is_refused() {
    let ground = Ground::new();
    for (function, file) in
        [("query", "apigw-query.json"), ("tenant", "apigw-tenant-usage.json"), ("stream", "function-url-messages.json")]
    {
        let answer = ask(&mut ground.function(function), HttpEvent::file(file)).await;
        assert_status(&answer, 401);
    }
}

#[tokio::test]
async fn what_no_address_can_have_in_a_query_ends_no_function() {
    let ground = Ground::new();
    let answer =
        ask(&mut ground.function("stream"), HttpEvent::file("function-url-stream-get.json").key(ground.key())).await;
    assert!(answer.text().contains("event: done"), "{}", answer.text());
    let asked = &ground.standin.stats().recent[0].body["messages"];
    assert_eq!(asked[0]["content"], "hello world", "{asked}");
    let query = "granularity=\"<ä>\"";
    for (function, file, status) in [
        ("query", "apigw-models.json", 200),
        ("tenant", "apigw-tenant-usage.json", 400),
        ("auth", "apigw-jwks.json", 200),
    ] {
        let answer = ask(&mut ground.function(function), HttpEvent::file(file).key(ground.key()).query(query)).await;
        assert_status(&answer, status);
    }
}

#[tokio::test]
async fn stream_answers_its_events_in_the_format_of_each_path() {
    let ground = Ground::new();
    let mut function = ground.function("stream");
    let text = lmo_bench::standin::text(16);
    for (file, last) in [
        ("function-url-stream.json", "event: done"),
        ("function-url-chat-completions.json", "data: [DONE]"),
        ("function-url-messages.json", "event: message_stop"),
        ("function-url-responses.json", "event: response.completed"),
    ] {
        let answer = function.invoke(HttpEvent::file(file).key(ground.key())).await.unwrap();
        assert!(answer.streamed, "{file}");
        let answer = answer.http().unwrap();
        assert_status(&answer, 200);
        assert!(answer.header("content-type").starts_with("text/event-stream"), "{file}");
        let body = answer.text();
        assert!(body.contains(last), "{file}: {body}");
        let said: String = events(&body)
            .iter()
            .filter_map(|event| {
                let deltas = [&event["text"], &event["choices"][0]["delta"]["content"], &event["delta"]["text"]];
                let responses = Some(&event["delta"]).filter(|_| event["type"] == "response.output_text.delta");
                deltas
                    .into_iter()
                    .chain(responses)
                    .find_map(Value::as_str)
                    .filter(|_| event["type"].as_str().is_none_or(|kind| kind.ends_with("delta")))
                    .map(str::to_owned)
            })
            .collect();
        assert_eq!(said, text, "{file}: {body}");
    }
}

#[tokio::test]
async fn the_schedules_event_begins_no_billing_run_before_somebody_says_who_sells() {
    let ground = Ground::new();
    let mut billing = ground.function("billing");
    let billed = billing.invoke(&event("scheduler-bill.json")).await.unwrap();
    assert_eq!((&billed.error, billed.json()), (&None, json!([])), "{billed:?}");
    // Nobody has begun that run.
    let error = billing.invoke(&event("scheduler-bill-part.json")).await.unwrap().error.unwrap();
    assert!(error.body.contains("2026-10"), "{error:?}");
    assert_eq!(billing.invoke(&event("scheduler-bill.json")).await.unwrap().json(), json!([]));
    let exported = billing.invoke(&event("scheduler-export.json")).await.unwrap().json();
    assert_eq!(exported, json!({"bucket": null}));
    let posted = billing.invoke(&event("scheduler-letters.json")).await.unwrap().json();
    assert_eq!((&posted["sent"], &posted["failed"]), (&json!(0), &json!(0)), "{posted}");
    let begun = billing.invoke(&event("scheduler-terms.json")).await.unwrap();
    assert_eq!(begun.json(), json!({"tenants": 0, "failed": 0, "unfinished": false}));
}
