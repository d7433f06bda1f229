//! The audit log: every change has its entry, which says who did what, from where, and what it was before.

use crate::{
    errors::{assert_shape, param},
    support::{Response, Running, Value, json},
};

const AUDIT: &str = "/api/tenant/audit";
const KEYS: &str = "/api/tenant/keys";

async fn entries(run: &Running, query: &str) -> Vec<Value> {
    let page = run.lmo.get(&format!("{AUDIT}?{query}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.json()["entries"].as_array().unwrap().clone()
}

/// Changes something of everything; returns the keys' secrets.
async fn change_everything(run: &Running) -> Vec<String> {
    let secret = |made: &Value| made["api_key"].as_str().unwrap()[57..109].to_owned();
    let key = run.lmo.post(KEYS, &json!({"name": "robot", "allowed_addresses": ["127.0.0.1"]})).await.json();
    let path = format!("{KEYS}/{}", key["id"].as_str().unwrap());
    let send = async |method: &str, path: &str, body: Value| {
        let done = run.lmo.send(method, path, &run.lmo.key, Some(&body)).await;
        assert!((200..300).contains(&done.status), "{method} {path}: {}", done.body);
        done
    };
    send("PATCH", &path, json!({"name": "android", "limits": {"monthly_tokens": 5}})).await;
    let rotated = send("POST", &format!("{path}/rotate"), json!({"overlap_seconds": 60})).await.json();
    send("DELETE", &path, json!({})).await;
    send("PUT", "/api/tenant/config", json!({"max_tokens": 9})).await;
    send("PUT", "/api/tenant/config", json!({"max_tokens": 9, "system_prompt": "Be brief."})).await;
    send("PATCH", "/api/tenant", json!({"name": "Acme"})).await;
    vec![secret(&key), secret(&rotated), run.lmo.key[57..109].to_owned()]
}

#[tokio::test]
async fn every_change_has_its_entry_and_none_has_a_secret() {
    let run = Running::start();
    let secrets = change_everything(&run).await;
    let entries = entries(&run, "order=oldest").await;
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let changes =
        ["key.create", "key.change", "key.rotate", "key.revoke", "config.replace", "config.replace", "tenant.change"];
    let mut opening = actions[..2].to_vec();
    opening.sort_unstable();
    assert_eq!((opening, &actions[2..]), (vec!["key.create", "tenant.create"], &changes[..]));
    let [created, edited, rotated, revoked, set, reset, renamed] = &entries[2..] else { panic!() };

    assert_eq!((&created["before"], &created["after"]["name"]), (&Value::Null, &json!("robot")));
    assert_eq!(created["after"]["allowed_addresses"], json!(["127.0.0.1/32"]));
    assert_eq!(edited["before"], json!({"name": "robot", "limits": {}}));
    assert_eq!(edited["after"], json!({"name": "android", "limits": {"monthly_tokens": 5}}));
    assert_eq!(rotated["before"], json!({}));
    assert!(rotated["after"]["previous_until"].is_u64(), "{rotated:#}");
    assert!(revoked["after"]["revoked_at"].is_u64(), "{revoked:#}");
    assert!([edited, rotated, revoked].iter().all(|entry| entry["target"] == created["target"]));
    assert_eq!((&set["before"], &set["after"]), (&Value::Null, &json!({"max_tokens": 9})));
    assert_eq!((&reset["before"], &reset["after"]), (&json!({}), &json!({"system_prompt": "Be brief."})));
    assert_eq!((&renamed["before"], &renamed["after"]), (&json!({"name": "demo"}), &json!({"name": "Acme"})));

    for entry in &entries[2..] {
        assert_eq!((&entry["actor"]["kind"], &entry["actor"]["name"]), (&json!("key"), &json!("first")), "{entry:#}");
        assert_eq!(entry["address"], "127.0.0.1");
        assert!(entry["request_id"].as_str().unwrap().starts_with("req_"));
        assert!(entry["at"].as_str().unwrap().ends_with('Z') && entry["id"].as_str().unwrap().starts_with("aud_"));
    }
    assert_eq!(entries[0]["actor"], json!({"kind": "operator"}));
    let text = Value::from(entries).to_string();
    for secret in secrets.iter().map(String::as_str).chain(["hash", "lmo_"]) {
        assert!(!text.contains(secret), "`{secret}` is in {text}");
    }
}

#[tokio::test]
async fn what_was_refused_leaves_no_entry() {
    let run = Running::start();
    let before = entries(&run, "").await.len();
    let key = run.lmo.get(KEYS).await.json()["keys"][0]["id"].clone();
    let path = format!("{KEYS}/{}", key.as_str().unwrap());
    for (method, path, body) in [
        ("POST", KEYS, json!({"name": ""})),
        ("PATCH", path.as_str(), json!({"name": ""})),
        ("PUT", "/api/tenant/config", json!({"max_tokens": 0})),
        ("PATCH", "/api/tenant", json!({"name": ""})),
    ] {
        assert_eq!(run.lmo.send(method, path, &run.lmo.key, Some(&body)).await.status, 400);
    }
    let request = run.lmo.client.patch(format!("{}{path}", run.lmo.base)).bearer_auth(&run.lmo.key);
    let request = request.header("if-match", "\"9\"").header("content-type", "application/json");
    assert_eq!(request.body(r#"{"name": "b"}"#).send().await.unwrap().status(), 412);
    assert_eq!(entries(&run, "").await.len(), before);
}

#[tokio::test]
async fn the_log_comes_in_pages_newest_first_or_oldest_first() {
    let run = Running::start();
    change_everything(&run).await;
    let newest: Vec<_> = entries(&run, "").await.iter().map(|entry| entry["id"].clone()).collect();
    let mut oldest: Vec<_> = entries(&run, "order=oldest").await.iter().map(|entry| entry["id"].clone()).collect();
    oldest.reverse();
    assert_eq!(newest, oldest);
    let (mut seen, mut query) = (Vec::new(), "limit=4".to_owned());
    loop {
        let page = run.lmo.get(&format!("{AUDIT}?{query}")).await.json();
        let page_entries = page["entries"].as_array().unwrap();
        assert!(page_entries.len() <= 4);
        seen.extend(page_entries.iter().map(|entry| entry["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=4&cursor={cursor}");
    }
    assert_eq!(seen, newest);
    for (query, named) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("order=random", "order"),
        ("format=xml", "format"),
        ("cursor=S0VZ", "cursor"),
    ] {
        let refused = run.lmo.get(&format!("{AUDIT}?{query}")).await;
        assert_shape(AUDIT, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named);
    }
}

#[tokio::test]
async fn the_log_is_exported_as_lines_that_link_to_more() {
    let run = Running::start();
    change_everything(&run).await;
    let all = entries(&run, "order=oldest").await;
    let (mut lines, mut path) = (Vec::new(), format!("{AUDIT}?format=jsonl&order=oldest&limit=4"));
    let mut pages = 0;
    loop {
        let page: Response = run.lmo.get(&path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "application/jsonl"));
        lines.extend(page.body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        pages += 1;
        let Some(link) = page.header("link").strip_prefix('<') else { break };
        let (next, rel) = link.split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        path = next.to_owned();
    }
    assert_eq!(lines, all);
    assert!(pages > 1, "{pages}");
}

#[tokio::test]
async fn a_key_needs_a_scope_to_read_it() {
    let run = Running::start();
    for (scope, status) in [("query", 403), ("usage:read", 403), ("audit:read", 200), ("tenant:admin", 200)] {
        let key = run.lmo.post(KEYS, &json!({"name": "a", "scopes": [scope]})).await.json();
        assert_eq!(run.lmo.send("GET", AUDIT, key["api_key"].as_str().unwrap(), None).await.status, status, "{scope}");
    }
    assert_shape(AUDIT, &run.lmo.send("GET", AUDIT, "", None).await, 401, "unauthenticated");
}
