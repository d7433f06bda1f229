//! Keys that are changed, rotated and listed in pages; and nobody gives a key more than they may do themselves.

use futures_util::future::join_all;

use crate::{
    errors::{QUERY, assert_shape, good, param},
    support::{Account, Response, Running, Setup, Value, json},
};

const KEYS: &str = "/api/tenant/keys";

async fn create(run: &Running, request: Value) -> Value {
    let made = run.lmo.post(KEYS, &request).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

fn text(key: &Value) -> &str {
    key["api_key"].as_str().unwrap()
}

async fn change(run: &Running, key: &Value, change: Value) -> Response {
    run.lmo.send("PATCH", &path(key), &run.lmo.key, Some(&change)).await
}

async fn rotate(run: &Running, key: &Value, body: Value) -> Response {
    run.lmo.post(&format!("{}/rotate", path(key)), &body).await
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_lifts_what_is_null() {
    let run = Running::start();
    let limits = json!({"requests_per_minute": 5, "monthly_tokens": 1000});
    let key = create(
        &run,
        json!({"name": "robot", "scopes": ["query"], "limits": limits, "allowed_models": ["fast"], "allowed_tools": ["read_*"]}),
    )
    .await;
    let changed = change(&run, &key, json!({"limits": {"monthly_tokens": null, "tokens_per_minute": 9}})).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{}", changed.body);
    let mut expected = key.clone();
    expected.as_object_mut().unwrap().remove("api_key");
    expected["limits"] = json!({"requests_per_minute": 5, "tokens_per_minute": 9});
    assert_eq!(changed.json(), expected);
    let nulls = json!({"limits": null, "allowed_models": null, "allowed_tools": null, "scopes": null, "name": " b "});
    let changed = change(&run, &key, nulls).await.json();
    assert_eq!((&changed["name"], &changed["limits"]), (&json!("b"), &json!({})));
    assert_eq!(changed["scopes"], json!(["query", "embed", "usage:read"]));
    assert!(changed["allowed_models"].is_null() && changed["allowed_tools"].is_null());
    assert_eq!(run.lmo.get(&path(&key)).await.json(), changed);
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_named_and_nothing_changes() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot"})).await;
    let before = run.lmo.get(&path(&key)).await.json();
    let many = |count: usize| (0..count).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let ranges: Vec<String> = many(101);
    for (body, named) in [
        (json!({"name": null}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["query", "root"]}), "scopes[1]"),
        (json!({"limits": {"requests": 1}}), "limits.requests"),
        (json!({"limits": {"monthly_tokens": -1}}), "limits.monthly_tokens"),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"allowed_models": ["fast", "gpt-99"]}), "allowed_models[1]"),
        (json!({"allowed_models": "fast"}), "allowed_models"),
        (json!({"allowed_models": vec!["fast"; 1_001]}), "allowed_models"),
        (json!({"allowed_tools": ["a", "b*c"]}), "allowed_tools[1]"),
        (json!({"allowed_tools": [""]}), "allowed_tools[0]"),
        (json!({"allowed_addresses": []}), "allowed_addresses"),
        (json!({"allowed_addresses": ranges}), "allowed_addresses"),
        (json!({"allowed_addresses": ["10.0.0.0/8", "10.0.0.0/33"]}), "allowed_addresses[1]"),
        (json!({"allowed_addresses": ["localhost"]}), "allowed_addresses[0]"),
        (json!({"secret_hash": "0"}), "secret_hash"),
        (json!({"revoked_at": null, "id": "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"}), "id"),
    ] {
        let refused = change(&run, &key, body.clone()).await;
        assert_shape(KEYS, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{body}: {}", refused.body);
    }
    for body in [json!([]), json!("a"), json!(null)] {
        assert_shape(KEYS, &change(&run, &key, body).await, 400, "invalid_request");
    }
    assert_eq!(run.lmo.get(&path(&key)).await.json(), before);
    let hundred: Vec<String> = many(100);
    assert_eq!(change(&run, &key, json!({"allowed_addresses": hundred})).await.status, 200);
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_not_found_by_any_method() {
    let run = Running::start();
    for id in ["key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", "tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "..%2Fconfig"] {
        for (method, path) in [
            ("GET", format!("{KEYS}/{id}")),
            ("PATCH", format!("{KEYS}/{id}")),
            ("DELETE", format!("{KEYS}/{id}")),
            ("POST", format!("{KEYS}/{id}/rotate")),
        ] {
            let body = (method != "GET").then(|| json!({}));
            let refused = run.lmo.send(method, &path, &run.lmo.key, body.as_ref()).await;
            assert_shape(KEYS, &refused, 404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_is_neither_changed_nor_rotated() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot"})).await;
    assert_eq!(run.lmo.send("DELETE", &path(&key), &run.lmo.key, None).await.status, 204);
    assert_shape(KEYS, &change(&run, &key, json!({"name": "b"})).await, 409, "conflict");
    assert_shape(KEYS, &rotate(&run, &key, json!({"overlap_seconds": 0})).await, 409, "conflict");
    assert_eq!(run.lmo.get(&path(&key)).await.json()["name"], "robot");
}

#[tokio::test]
async fn a_rotated_key_is_the_same_key_with_two_secrets() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot", "limits": {"requests_per_minute": 2}})).await;
    let rotated = rotate(&run, &key, json!({"overlap_seconds": 60})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let rotated = rotated.json();
    for field in ["id", "name", "scopes", "limits", "created_at"] {
        assert_eq!(rotated[field], key[field], "{field}");
    }
    assert_ne!(text(&rotated), text(&key));
    assert!(rotated["previous_until"].is_string());
    // One meter for both.
    for key in [&key, &rotated] {
        assert_eq!(run.lmo.send("POST", QUERY, text(key), Some(&good(QUERY))).await.status, 200);
    }
    for key in [&key, &rotated] {
        run.lmo.send("POST", QUERY, text(key), Some(&good(QUERY))).await.assert_error(429, "rate_limited");
    }
    let seen = run.lmo.get(&path(&key)).await;
    for secret in [&text(&key)[57..109], &text(&rotated)[57..109], "hash"] {
        assert!(!seen.body.contains(secret), "{}", seen.body);
    }
}

#[tokio::test]
async fn during_an_overlap_only_a_rotation_that_ends_it_is_taken() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot", "scopes": ["tenant:admin"]})).await;
    let second = rotate(&run, &key, json!({})).await.json();
    assert_shape(KEYS, &rotate(&run, &key, json!({})).await, 409, "conflict");
    let third = rotate(&run, &key, json!({"overlap_seconds": 0})).await.json();
    assert!(third["previous_until"].is_null());
    for (key, status) in [(&key, 401), (&second, 401), (&third, 200)] {
        assert_eq!(run.lmo.send("GET", KEYS, text(key), None).await.status, status);
    }
}

#[tokio::test]
async fn an_overlap_is_of_thirty_days_at_most() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot"})).await;
    for (body, named) in [
        (json!({"overlap_seconds": 2_592_001}), "overlap_seconds"),
        (json!({"overlap_seconds": -1}), "overlap_seconds"),
        (json!({"overlap_seconds": "1d"}), "overlap_seconds"),
        (json!({"overlap": 1}), "overlap"),
    ] {
        let refused = rotate(&run, &key, body).await;
        assert_shape(KEYS, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named);
    }
    assert_eq!(rotate(&run, &key, json!({"overlap_seconds": 2_592_000})).await.status, 200);
}

#[tokio::test]
async fn keys_come_in_pages() {
    let run = Running::start();
    let names: Vec<_> = (0..7).map(|number| format!("key {number}")).collect();
    for name in &names {
        create(&run, json!({"name": name})).await;
    }
    let (mut seen, mut sizes, mut query) = (Vec::new(), Vec::new(), "limit=3".to_owned());
    loop {
        let page = run.lmo.get(&format!("{KEYS}?{query}")).await.json();
        let keys = page["keys"].as_array().unwrap();
        sizes.push(keys.len());
        seen.extend(keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    assert_eq!(seen, [&["first".to_owned()], names.as_slice()].concat());
    assert!(sizes.iter().all(|size| *size <= 3), "{sizes:?}");
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=AAAA", "cursor"),
        ("cursor=", "cursor"),
        ("page=2", "page"),
    ] {
        let refused = run.lmo.get(&format!("{KEYS}?{query}")).await;
        assert_shape(KEYS, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{query}");
    }
}

#[tokio::test]
async fn a_key_gives_no_scope_that_it_lacks() {
    let run = Running::start();
    let manager = create(&run, json!({"name": "manager", "scopes": ["tenant:admin", "usage:read"]})).await;
    let send =
        async |method: &str, path: &str, body: Value| run.lmo.send(method, path, text(&manager), Some(&body)).await;
    assert_eq!(send("POST", KEYS, json!({"name": "a", "scopes": ["usage:read", "tenant:admin"]})).await.status, 201);
    // What it would get without being asked for counts as well.
    for body in [json!({"name": "a", "scopes": ["query"]}), json!({"name": "a"})] {
        assert_shape(KEYS, &send("POST", KEYS, body).await, 403, "forbidden");
    }
    let more = create(&run, json!({"name": "more", "scopes": ["query"]})).await;
    assert_shape(KEYS, &send("PATCH", &path(&more), json!({"name": "b"})).await, 403, "forbidden");
    assert_shape(KEYS, &send("POST", &format!("{}/rotate", path(&more)), json!({})).await, 403, "forbidden");
    let less = send("PATCH", &path(&more), json!({"scopes": ["usage:read"]})).await;
    assert_eq!((less.status, &less.json()["scopes"]), (200, &json!(["usage:read"])));
    assert_eq!(run.lmo.send("POST", QUERY, text(&more), Some(&good(QUERY))).await.status, 403);
}

#[tokio::test]
async fn a_bounded_key_frees_neither_itself_nor_others() {
    let run = Running::start();
    let bounds =
        json!({"limits": {"monthly_tokens": 1000}, "allowed_models": ["fast"], "allowed_addresses": ["127.0.0.0/8"]});
    let mut request = json!({"name": "bounded", "scopes": ["tenant:admin"]});
    request.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
    let bounded = create(&run, request.clone()).await;
    let send =
        async |method: &str, path: &str, body: Value| run.lmo.send(method, path, text(&bounded), Some(&body)).await;
    assert_eq!(send("POST", KEYS, request.clone()).await.status, 201);
    for (field, value) in [
        ("limits", json!({"monthly_tokens": 1001})),
        ("limits", json!({})),
        ("allowed_models", json!(["fast", "standin/plain"])),
        ("allowed_models", json!(null)),
        ("allowed_addresses", json!(["0.0.0.0/0"])),
    ] {
        let mut more = request.clone();
        more[field] = value.clone();
        let refused = send("POST", KEYS, more).await;
        assert_shape(KEYS, &refused, 403, "forbidden");
        assert!(refused.body.contains(field), "{}", refused.body);
        // A merge takes nothing away that it doesn't name.
        if value != json!({}) {
            let own = send("PATCH", &path(&bounded), json!({field: value})).await;
            assert_shape(KEYS, &own, 403, "forbidden");
        }
    }
    let free = create(&run, json!({"name": "free", "scopes": ["tenant:admin"]})).await;
    assert_shape(KEYS, &send("POST", &format!("{}/rotate", path(&free)), json!({})).await, 403, "forbidden");
    assert_eq!(send("PATCH", &path(&bounded), json!({"limits": {"monthly_tokens": 10}})).await.status, 200);
}

#[tokio::test]
async fn a_cap_of_a_key_that_is_changed_holds_from_the_next_request_on() {
    let run = Running::start();
    let key = create(&run, json!({"name": "robot", "limits": {"monthly_tokens": 1_000_000}})).await;
    let ask = async || run.lmo.send("POST", QUERY, text(&key), Some(&good(QUERY))).await;
    assert_eq!(ask().await.status, 200);
    assert_eq!(change(&run, &key, json!({"limits": {"monthly_tokens": 5}})).await.status, 200);
    ask().await.assert_error(402, "quota_exhausted");
    assert_eq!(change(&run, &key, json!({"limits": {"monthly_tokens": 1_000_000}})).await.status, 200);
    assert_eq!(ask().await.status, 200);
    assert_eq!(change(&run, &key, json!({"limits": null})).await.status, 200);
    assert!(join_all((0..5).map(|_| ask())).await.iter().all(|answer| answer.status == 200));
    let Running { lmo, setup, .. } = run;
    lmo.stop();
    setup.assert_books_agree();
}

#[tokio::test]
async fn where_a_key_may_be_used_holds_on_every_route_and_for_sockets() {
    use crate::support::Socket;
    let run = Running::start();
    let elsewhere = create(&run, json!({"name": "a", "allowed_addresses": ["198.51.100.0/24"]})).await;
    let here = create(&run, json!({"name": "b", "allowed_addresses": ["127.0.0.1", "::1"]})).await;
    for path in [QUERY, "/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/api/mcp/stream"] {
        let refused = run.lmo.send("POST", path, text(&elsewhere), Some(&good(path))).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.body.contains("127.0.0.1"), "{}", refused.body);
    }
    run.lmo.send("GET", "/v1/models", text(&elsewhere), None).await.assert_error(403, "address_not_allowed");
    run.lmo.send("GET", "/api/mcp/ws", text(&elsewhere), None).await.assert_error(403, "address_not_allowed");
    // What a client says of itself counts for nothing where nothing stands in front.
    let forged = run.lmo.client.get(format!("{}/v1/models", run.lmo.base)).bearer_auth(text(&elsewhere));
    let forged = forged.header("x-lmo-viewer", "198.51.100.1").header("x-forwarded-for", "198.51.100.1");
    Response::read(forged.send().await.unwrap()).await.assert_error(403, "address_not_allowed");
    assert_eq!(run.lmo.send("POST", QUERY, text(&here), Some(&good(QUERY))).await.status, 200);
    let mut socket = Socket::with_key(&run.lmo, text(&here)).await;
    let frames = socket.ask(&json!({"query": "hi", "max_tokens": 5})).await;
    assert_eq!(frames.last().unwrap()["event"], "done");
    // A connection that is open asks no more once its address is no longer listed.
    assert_eq!(change(&run, &here, json!({"allowed_addresses": ["198.51.100.0/24"]})).await.status, 200);
    let frames = socket.ask(&json!({"query": "hi", "max_tokens": 5})).await;
    assert_eq!(frames.last().unwrap()["data"]["code"], "address_not_allowed", "{frames:?}");
}

#[tokio::test]
async fn who_may_do_less_than_a_key_neither_changes_nor_revokes_it() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let developer = owner.invites(&lmo, &setup, "developer@example.com", "developer").await;
    let make = async |request: Value| {
        let made = owner.send(&lmo, "POST", KEYS, Some(&request)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()
    };
    let admins = make(json!({"name": "admins", "scopes": ["tenant:admin"]})).await;
    let robot = make(json!({"name": "robot", "scopes": ["query"]})).await;
    let limits = json!({"requests_per_minute": 5});
    let narrow = make(json!({"name": "narrow", "scopes": ["query", "tenant:admin"], "limits": limits})).await;
    let before = owner.send(&lmo, "GET", KEYS, None).await.json();
    for change in [
        json!({"scopes": ["query"]}),
        json!({"expires_at": "2999-01-01T00:00:00Z"}),
        json!({"allowed_addresses": ["192.0.2.1"]}),
    ] {
        developer.send(&lmo, "PATCH", &path(&admins), Some(&change)).await.assert_error(403, "forbidden");
        lmo.send("PATCH", &path(&robot), text(&narrow), Some(&change)).await.assert_error(403, "forbidden");
    }
    developer.send(&lmo, "DELETE", &path(&admins), None).await.assert_error(403, "forbidden");
    lmo.send("DELETE", &path(&robot), text(&narrow), None).await.assert_error(403, "forbidden");
    // Its own limits are none of what a key may lift.
    let lifted = json!({"limits": null});
    lmo.send("PATCH", &path(&narrow), text(&narrow), Some(&lifted)).await.assert_error(403, "forbidden");
    let after = owner.send(&lmo, "GET", KEYS, None).await.json();
    let shown = |keys: &Value| {
        let mut keys = keys["keys"].as_array().unwrap().clone();
        for key in keys.iter_mut() {
            key.as_object_mut().unwrap().remove("last_used_at");
        }
        keys
    };
    assert_eq!(shown(&after), shown(&before));
    // What they may give they may take.
    assert_eq!(developer.send(&lmo, "PATCH", &path(&robot), Some(&lifted)).await.status, 200);
    assert_eq!(developer.send(&lmo, "DELETE", &path(&robot), None).await.status, 204);
    let renamed = lmo.send("PATCH", &path(&narrow), text(&narrow), Some(&json!({"name": "narrower"}))).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
}
