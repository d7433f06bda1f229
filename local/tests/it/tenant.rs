//! `/api/tenant`: what a tenant is, and what it says of itself; and versions of it and of its configuration.

use crate::{
    errors::{assert_shape, param},
    support::{Lmo, Response, Running, Setup, Value, json},
};

const TENANT: &str = "/api/tenant";
const CONFIG: &str = "/api/tenant/config";

async fn send(lmo: &Lmo, method: &str, path: &str, if_match: Option<&str>, body: &Value) -> Response {
    let request = lmo.client.request(method.parse().unwrap(), format!("{}{path}", lmo.base)).bearer_auth(&lmo.key);
    let request = if_match.into_iter().fold(request, |request, tag| request.header("if-match", tag));
    let request = request.header("content-type", "application/merge-patch+json").body(body.to_string());
    Response::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_tenant_is_shown_as_the_operator_made_it() {
    let setup = Setup::new();
    let (id, key) = setup.tenant(&["--monthly-tokens", "1000"]);
    let lmo = setup.start();
    let seen = lmo.send("GET", TENANT, &key, None).await;
    assert_eq!((seen.status, seen.header("etag")), (200, "\"1\""));
    let seen = seen.json();
    assert!(seen["created_at"].as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "id": id,
        "name": "test",
        "status": "active",
        "limits": {"monthly_tokens": 1000},
        "require_second_factor": false,
        "created_at": seen["created_at"],
    });
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_tenant_changes_its_name_and_nothing_that_is_the_operators() {
    let run = Running::start();
    let changed = send(&run.lmo, "PATCH", TENANT, None, &json!({"name": " Acme "})).await;
    assert_eq!((changed.status, changed.header("etag"), &changed.json()["name"]), (200, "\"2\"", &json!("Acme")));
    let changed = send(&run.lmo, "PATCH", TENANT, None, &json!({"require_second_factor": true})).await.json();
    assert_eq!((&changed["name"], &changed["require_second_factor"]), (&json!("Acme"), &json!(true)));
    for (body, named) in [
        (json!({"limits": {}}), "limits"),
        (json!({"status": "active"}), "status"),
        (json!({"id": "tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV"}), "id"),
        (json!({"name": null}), "name"),
        (json!({"name": "   "}), "name"),
        (json!({"name": "x".repeat(101)}), "name"),
        (json!({"require_second_factor": "yes"}), "require_second_factor"),
    ] {
        let refused = send(&run.lmo, "PATCH", TENANT, None, &body).await;
        assert_shape(TENANT, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{body}");
    }
    assert_eq!(run.lmo.get(TENANT).await.json(), changed);
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let run = Running::start();
    assert_eq!(run.lmo.get(CONFIG).await.header("etag"), "\"0\"");
    for (method, path, first) in [("PUT", CONFIG, "\"0\""), ("PATCH", TENANT, "\"1\"")] {
        let body = if path == CONFIG { json!({"max_tokens": 9}) } else { json!({"name": "b"}) };
        let changed = send(&run.lmo, method, path, Some(first), &body).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_ne!(changed.header("etag"), first);
        assert_eq!(run.lmo.get(path).await.header("etag"), changed.header("etag"));
        for stale in [first, "\"99\"", "\"not-ours\""] {
            let refused = send(&run.lmo, method, path, Some(stale), &body).await;
            assert_shape(path, &refused, 412, "precondition_failed");
        }
        let refused = send(&run.lmo, method, path, Some("2"), &body).await;
        assert_shape(path, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "If-Match");
        assert_eq!(send(&run.lmo, method, path, Some("*"), &body).await.status, 200);
    }
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_wins() {
    let run = Running::start();
    for (method, path, tag) in [("PUT", CONFIG, "\"0\""), ("PATCH", TENANT, "\"1\"")] {
        let body = |number: u64| match path {
            CONFIG => json!({"max_tokens": number}),
            _ => json!({"name": number.to_string()}),
        };
        let (first, second) = (body(1), body(2));
        let (one, two) = tokio::join!(
            send(&run.lmo, method, path, Some(tag), &first),
            send(&run.lmo, method, path, Some(tag), &second),
        );
        let won = if one.status == 200 { &one } else { &two };
        assert_eq!((one.status.min(two.status), one.status.max(two.status)), (200, 412));
        assert_eq!(run.lmo.get(path).await.json(), won.json());
    }
}

#[tokio::test]
async fn without_a_version_both_changes_are_made() {
    let run = Running::start();
    let (name, factor) = (json!({"name": "b"}), json!({"require_second_factor": true}));
    let (one, two) =
        tokio::join!(send(&run.lmo, "PATCH", TENANT, None, &name), send(&run.lmo, "PATCH", TENANT, None, &factor));
    assert_eq!((one.status, two.status), (200, 200));
    let seen = run.lmo.get(TENANT).await;
    assert_eq!(seen.header("etag"), "\"3\"");
    assert_eq!((&seen.json()["name"], &seen.json()["require_second_factor"]), (&json!("b"), &json!(true)));
}
