//! `Idempotency-Key`: what is sent twice is carried out once.

use std::{collections::BTreeSet, path::Path};

use futures_util::future::join_all;

use crate::{
    errors::{assert_shape, param},
    support::{Lmo, Response, Running, Value, json},
};

const KEYS: &str = "/api/tenant/keys";

async fn create(lmo: &Lmo, key: &str, name: &str, body: &Value) -> Response {
    let request = lmo.client.post(format!("{}{KEYS}", lmo.base)).bearer_auth(key).header("idempotency-key", name);
    Response::read(request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap())
        .await
}

async fn names(run: &Running) -> Vec<String> {
    let keys = run.lmo.get(KEYS).await.json()["keys"].clone();
    keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_with_its_secret() {
    let run = Running::start();
    let body = json!({"name": "robot"});
    let first = create(&run.lmo, &run.lmo.key, "order-1", &body).await;
    let again = create(&run.lmo, &run.lmo.key, "order-1", &body).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(first.body, again.body);
    assert!(again.json()["api_key"].as_str().unwrap().starts_with("lmo_"));
    assert_eq!(names(&run).await, ["first", "robot"]);
    // It survives a restart.
    let Running { lmo, setup, standin } = run;
    let key = lmo.key.clone();
    lmo.stop();
    let lmo = setup.start();
    assert_eq!(create(&lmo, &key, "order-1", &body).await.body, first.body);
    drop(standin);
}

#[tokio::test]
async fn another_body_is_refused() {
    let run = Running::start();
    assert_eq!(create(&run.lmo, &run.lmo.key, "order-1", &json!({"name": "one"})).await.status, 201);
    let refused = create(&run.lmo, &run.lmo.key, "order-1", &json!({"name": "two"})).await;
    assert_shape(KEYS, &refused, 422, "idempotency_mismatch");
    assert_eq!(names(&run).await, ["first", "one"]);
}

#[tokio::test]
async fn another_caller_and_another_route_have_names_of_their_own() {
    let run = Running::start();
    let body = json!({"name": "robot", "scopes": ["tenant:admin"]});
    let first = create(&run.lmo, &run.lmo.key, "order-1", &body).await.json();
    let other = create(&run.lmo, first["api_key"].as_str().unwrap(), "order-1", &body).await;
    assert_eq!((other.status, other.header("idempotent-replayed")), (201, ""));
    assert_ne!(other.json()["id"], first["id"]);
    let path = format!("{KEYS}/{}/rotate", first["id"].as_str().unwrap());
    let request = run.lmo.client.post(format!("{}{path}", run.lmo.base)).bearer_auth(&run.lmo.key);
    let request = request.header("idempotency-key", "order-1").header("content-type", "application/json");
    let rotated = Response::read(request.body("{}").send().await.unwrap()).await;
    assert_eq!((rotated.status, rotated.header("idempotent-replayed")), (200, ""));
}

#[tokio::test]
async fn twenty_at_once_make_one_key() {
    let run = Running::start();
    let body = json!({"name": "robot"});
    let answers = join_all((0..20).map(|_| create(&run.lmo, &run.lmo.key, "order-1", &body))).await;
    let bodies: BTreeSet<_> = answers.iter().map(|answer| (answer.status, answer.body.as_str())).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(answers[0].status, 201);
    let carried_out = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    assert_eq!(carried_out, 1);
    assert_eq!(names(&run).await, ["first", "robot"]);
}

#[tokio::test]
async fn a_request_that_failed_is_not_kept() {
    let run = Running::start();
    assert_eq!(create(&run.lmo, &run.lmo.key, "order-1", &json!({"name": ""})).await.status, 400);
    assert_eq!(create(&run.lmo, &run.lmo.key, "order-1", &json!({"name": "robot"})).await.status, 201);
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let run = Running::start();
    let long = "x".repeat(256);
    for name in ["", "two words", "naïve", &long] {
        let request = run.lmo.client.post(format!("{}{KEYS}", run.lmo.base)).bearer_auth(&run.lmo.key);
        let request = request.header("idempotency-key", name.as_bytes()).header("content-type", "application/json");
        let refused = Response::read(request.body(r#"{"name": "a"}"#).send().await.unwrap()).await;
        assert_shape(KEYS, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "Idempotency-Key");
    }
    let most = "x".repeat(255);
    assert_eq!(create(&run.lmo, &run.lmo.key, &most, &json!({"name": "a"})).await.status, 201);
}

/// Whether any file below a folder has these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            return holds(&entry.path(), bytes);
        }
        std::fs::read(entry.path()).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn neither_the_secret_nor_the_name_is_in_the_table() {
    const NAME: &str = "wallaby-order-5d1c";
    let run = Running::start();
    let made = create(&run.lmo, &run.lmo.key, NAME, &json!({"name": "quokka-robot-77aa"})).await.json();
    let rotate = format!("{KEYS}/{}/rotate", made["id"].as_str().unwrap());
    let rotated = run.lmo.post(&rotate, &json!({})).await.json();
    let Running { lmo, setup, .. } = run;
    lmo.stop();
    let table = setup.data_dir();
    assert!(holds(&table, b"quokka-robot-77aa") && holds(&table, made["id"].as_str().unwrap().as_bytes()));
    for key in [&made, &rotated] {
        let secret = &key["api_key"].as_str().unwrap()[57..];
        assert!(!holds(&table, secret.as_bytes()));
    }
    assert!(!holds(&table, NAME.as_bytes()));
}
