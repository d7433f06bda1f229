//! Webhooks over the real program: what tenants do with them, and what receivers get.

use std::time::{Duration, Instant};

use lmo_bench::receiver::{Got, Receiver};

use crate::support::{Lmo, Response, Setup, Value, eventually, json};

const ALL: &str = "/api/tenant/webhooks";
/// Longer than an attempt, its claim, and the pause before the next.
const PATIENCE: Duration = Duration::from_secs(90);

struct Scene {
    setup: Setup,
    lmo: Lmo,
    receiver: Receiver,
}

impl Scene {
    async fn new() -> Self {
        let setup = Setup::new();
        Self { lmo: setup.start(), setup, receiver: Receiver::start().await.unwrap() }
    }

    /// A webhook that does what the path says; its answer.
    async fn webhook(&self, path: &str) -> Value {
        let made = self.lmo.post(ALL, &json!({"url": self.receiver.url(path)})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.lmo.send(method, path, &self.lmo.key, body).await
    }

    /// Tells a webhook that it is tried; the delivery.
    async fn test(&self, webhook: &Value) -> Value {
        let tested = self.send("POST", &format!("{}/test", path(webhook)), None).await;
        assert_eq!(tested.status, 202, "{}", tested.body);
        tested.json()
    }

    /// The deliveries of a webhook, the latest first.
    async fn deliveries(&self, webhook: &Value) -> Vec<Value> {
        let page = self.lmo.get(&format!("{}/deliveries", path(webhook))).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()["deliveries"].as_array().unwrap().clone()
    }

    /// The latest delivery of a webhook, once it has so many attempts.
    async fn attempted(&self, webhook: &Value, times: usize) -> Value {
        let began = Instant::now();
        loop {
            let latest = self.deliveries(webhook).await.into_iter().next().unwrap_or_default();
            if latest["attempts"].as_array().is_some_and(|attempts| attempts.len() >= times) {
                return latest;
            }
            assert!(began.elapsed() < PATIENCE, "not {times} attempts: {latest:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What came for a name, once there is so much.
    async fn got(&self, name: &str, count: usize) -> Vec<Got> {
        eventually(PATIENCE, name, || self.receiver.got(name).len() >= count).await;
        self.receiver.got(name)
    }
}

fn path(webhook: &Value) -> String {
    format!("{ALL}/{}", webhook["id"].as_str().unwrap())
}

fn codes(delivery: &Value) -> Vec<Value> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt["status_code"].clone()).collect()
}

#[tokio::test]
async fn a_webhook_is_made_shown_changed_and_removed() {
    let scene = Scene::new().await;
    let wanted = json!({"url": "https://example.com/hook", "description": "ours", "events": ["key.created"]});
    let made = scene.lmo.post(ALL, &wanted).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");

    let shown = scene.lmo.get(&path(&made)).await;
    assert_eq!((shown.status, shown.header("etag")), (200, "\"1\""));
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().shift_remove("secret");
    assert_eq!(shown.json(), expected);
    assert_eq!(scene.lmo.get(ALL).await.json(), json!({"webhooks": [expected]}));

    let patch = json!({"url": "https://example.com/other", "description": null, "events": null, "enabled": false});
    let changed = scene.send("PATCH", &path(&made), Some(&patch)).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    let changed = changed.json();
    assert_eq!((&changed["url"], &changed["enabled"]), (&patch["url"], &json!(false)));
    assert_eq!(changed["disabled_because"], "by_tenant");
    assert!(changed.get("description").is_none() && changed.get("events").is_none(), "{changed}");
    scene.send("POST", &format!("{}/test", path(&made)), None).await.assert_error(409, "conflict");
    let enabled = scene.send("PATCH", &path(&made), Some(&json!({"enabled": true}))).await.json();
    assert_eq!((&enabled["enabled"], &enabled["url"]), (&json!(true), &patch["url"]));

    let old = scene.lmo.client.patch(format!("{}{}", scene.lmo.base, path(&made))).bearer_auth(&scene.lmo.key);
    let old = old.header("if-match", "\"2\"").header("content-type", "application/json").body("{\"enabled\":false}");
    Response::read(old.send().await.unwrap()).await.assert_error(412, "precondition_failed");

    assert_eq!(scene.send("DELETE", &path(&made), None).await.status, 204);
    for method in ["GET", "DELETE"] {
        scene.send(method, &path(&made), None).await.assert_error(404, "not_found");
    }
    let audit = scene.lmo.get("/api/tenant/audit").await;
    for action in ["webhook.create", "webhook.change", "webhook.delete"] {
        assert!(audit.body.contains(action), "{action}: {}", audit.body);
    }
    assert!(!audit.body.contains(secret));
}

#[tokio::test]
async fn what_is_no_address_of_a_webhook_is_refused() {
    let scene = Scene::new().await;
    let made = scene.webhook("any/200").await;
    for url in [
        "",
        "example.com",
        "ftp://example.com/",
        "http://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://a:b@example.com/",
        "https://[fd00:ec2::254]/",
    ] {
        let refused = scene.lmo.post(ALL, &json!({"url": url})).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.body.contains("url"), "{url}: {}", refused.body);
        scene.send("PATCH", &path(&made), Some(&json!({"url": url}))).await.assert_error(400, "invalid_request");
    }
    let url = "https://example.com/";
    for bad in [
        json!({}),
        json!({"url": 5}),
        json!({"url": url, "events": []}),
        json!({"url": url, "events": ["key.stolen"]}),
        json!({"url": url, "description": "x".repeat(201)}),
        json!({"url": url, "secret": "mine"}),
        json!({"url": format!("{url}{}", "x".repeat(2_100))}),
    ] {
        scene.lmo.post(ALL, &bad).await.assert_error(400, "invalid_request");
    }
    let rotate = format!("{}/rotate", path(&made));
    for bad in [json!({"overlap_seconds": 604_801}), json!({"overlap_seconds": -1}), json!({"overlap": 1})] {
        scene.send("POST", &rotate, Some(&bad)).await.assert_error(400, "invalid_request");
    }
    for id in ["whk_01ARZ3NDEKTSV4RRFFQ69G5FAV", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nothing", "%00"] {
        let path = format!("{ALL}/{id}");
        for (method, path) in [
            ("GET", path.clone()),
            ("PATCH", path.clone()),
            ("DELETE", path.clone()),
            ("POST", format!("{path}/rotate")),
            ("POST", format!("{path}/test")),
            ("GET", format!("{path}/deliveries")),
            ("POST", format!("{path}/deliveries/msg_01ARZ3NDEKTSV4RRFFQ69G5FAV/replay")),
        ] {
            let body = (method == "PATCH").then(|| json!({}));
            scene.send(method, &path, body.as_ref()).await.assert_error(404, "not_found");
        }
    }
    let since = scene.send("POST", &format!("{}/replay", path(&made)), Some(&json!({"since": "lately"}))).await;
    since.assert_error(400, "invalid_request");
    scene.send("POST", &format!("{}/deliveries/msg_1/replay", path(&made)), None).await.assert_error(404, "not_found");
    scene.lmo.get(&format!("{}/deliveries?cursor=abc", path(&made))).await.assert_error(400, "invalid_request");
    scene.lmo.get(&format!("{}/deliveries?limit=101", path(&made))).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn one_key_of_idempotency_makes_one_webhook_and_twenty_are_the_most() {
    let scene = Scene::new().await;
    let body = json!({"url": "https://example.com/"}).to_string();
    let post = async || {
        let request = scene.lmo.client.post(format!("{}{ALL}", scene.lmo.base)).bearer_auth(&scene.lmo.key);
        let request = request.header("idempotency-key", "once").header("content-type", "application/json");
        Response::read(request.body(body.clone()).send().await.unwrap()).await
    };
    let (first, second) = (post().await, post().await);
    assert_eq!((first.status, second.status, &first.body), (201, 201, &second.body));
    for _ in 1..20 {
        scene.webhook("any/200").await;
    }
    scene.lmo.post(ALL, &json!({"url": "https://example.com/"})).await.assert_error(409, "conflict");
}

#[tokio::test]
async fn a_key_that_may_not_manage_the_tenant_sees_no_webhook() {
    let scene = Scene::new().await;
    let made = scene.webhook("any/200").await;
    let key = scene.lmo.post("/api/tenant/keys", &json!({"name": "asks", "scopes": ["query"]})).await.json();
    let key = key["api_key"].as_str().unwrap();
    for (method, path) in
        [("GET", ALL.to_owned()), ("DELETE", path(&made)), ("POST", format!("{}/rotate", path(&made)))]
    {
        scene.lmo.send(method, &path, key, None).await.assert_error(403, "forbidden");
        scene.lmo.send(method, &path, "", None).await.assert_error(401, "unauthenticated");
    }
}

#[tokio::test]
async fn what_happens_to_keys_is_told_without_secrets() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("keys/200").await;
    let made = scene.lmo.post("/api/tenant/keys", &json!({"name": "robot"})).await.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(scene.send("DELETE", &format!("/api/tenant/keys/{id}"), None).await.status, 204);
    let got = scene.got("keys", 2).await;
    let mut bodies: Vec<Value> = got.iter().map(|got| serde_json::from_str(&got.body).unwrap()).collect();
    bodies.sort_by_key(|body| body["type"].to_string());
    assert_eq!((&bodies[0]["type"], &bodies[1]["type"]), (&json!("key.created"), &json!("key.revoked")));
    assert!(bodies.iter().all(|body| body["data"]["id"] == id && body["data"]["name"] == "robot"), "{bodies:#?}");
    assert!(bodies[0]["data"]["revoked_at"].is_null() && bodies[1]["data"]["revoked_at"].is_string());
    let secrets = [made["api_key"].as_str().unwrap(), webhook["secret"].as_str().unwrap()];
    assert!(got.iter().all(|got| secrets.iter().all(|secret| !got.body.contains(secret))));
    let delivery = scene.attempted(&webhook, 1).await;
    assert_eq!((&delivery["status"], codes(&delivery)), (&json!("delivered"), vec![json!(200)]));
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("rotated/200").await;
    let signatures = async |count: usize| {
        scene.test(&webhook).await;
        let got = scene.got("rotated", count).await;
        got[count - 1].header("webhook-signature").split(' ').count()
    };
    assert_eq!(signatures(1).await, 1);
    let rotate = format!("{}/rotate", path(&webhook));
    let rotated = scene.send("POST", &rotate, None).await;
    assert_eq!((rotated.status, rotated.header("etag")), (200, "\"2\""));
    let rotated = rotated.json();
    assert_ne!(rotated["secret"], webhook["secret"]);
    assert!(rotated["previous_secret_until"].is_string(), "{rotated}");
    assert_eq!(signatures(2).await, 2);
    let last = scene.send("POST", &rotate, Some(&json!({"overlap_seconds": 0}))).await.json();
    assert!(last.get("previous_secret_until").is_none(), "{last}");
    assert_eq!(signatures(3).await, 1);
}

#[tokio::test]
async fn what_fails_is_told_again_and_each_attempt_is_seen() {
    let scene = Scene::new().await;
    let (broken, cut) = (scene.webhook("broken/500/200").await, scene.webhook("cut/cut/200").await);
    let (slow, away) = (scene.webhook("slow/slow/200").await, scene.webhook("away/away").await);
    for webhook in [&broken, &cut, &slow, &away] {
        scene.test(webhook).await;
    }
    let delivery = scene.attempted(&broken, 2).await;
    assert_eq!((&delivery["status"], codes(&delivery)), (&json!("delivered"), vec![json!(500), json!(200)]));
    assert_eq!(delivery["attempts"][0]["response"], "answer");
    let delivery = scene.attempted(&cut, 2).await;
    assert_eq!(
        (codes(&delivery), &delivery["attempts"][0]["error"]),
        (vec![json!(null), json!(200)], &json!("the connection broke"))
    );
    let delivery = scene.attempted(&slow, 2).await;
    assert_eq!(
        (codes(&delivery), &delivery["attempts"][0]["error"]),
        (vec![json!(null), json!(200)], &json!("no answer in time"))
    );
    assert!((15_000..17_000).contains(&delivery["attempts"][0]["duration_ms"].as_u64().unwrap()), "{delivery:#}");
    let delivery = scene.attempted(&away, 2).await;
    assert_eq!((codes(&delivery), &delivery["status"]), (vec![json!(302), json!(302)], &json!("pending")));
    assert!(delivery["next_attempt_at"].is_string());
    assert!(scene.receiver.got("elsewhere").is_empty());
    for name in ["broken", "cut", "slow", "away"] {
        let got = scene.receiver.got(name);
        assert!(got.len() == 2 && got[0].header("webhook-id") == got[1].header("webhook-id"), "{name}");
        assert!(got[1].at - got[0].at >= Duration::from_secs(5), "{name}");
    }
}

#[tokio::test]
async fn one_that_is_gone_is_disabled_and_hears_a_replay_when_it_is_back() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("gone/410/200").await;
    let tested = scene.test(&webhook).await;
    assert_eq!(scene.attempted(&webhook, 1).await["status"], "dead");
    let began = Instant::now();
    while scene.lmo.get(&path(&webhook)).await.json()["disabled_because"] != "gone" {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let audit = scene.lmo.get("/api/tenant/audit").await.json();
    let entries = audit["entries"].as_array().unwrap();
    let disabled = entries.iter().find(|entry| entry["action"] == "webhook.disable").unwrap();
    assert_eq!(disabled["actor"], json!({"kind": "system"}));

    let replay = format!("{}/deliveries/{}/replay", path(&webhook), tested["id"].as_str().unwrap());
    scene.send("POST", &replay, None).await.assert_error(409, "conflict");
    assert_eq!(scene.send("PATCH", &path(&webhook), Some(&json!({"enabled": true}))).await.status, 200);
    let all = json!({"since": tested["created_at"]});
    let replayed = scene.send("POST", &format!("{}/replay", path(&webhook)), Some(&all)).await;
    assert_eq!((replayed.status, replayed.json()), (202, json!({"replayed": 1})));
    let delivery = scene.attempted(&webhook, 2).await;
    assert_eq!((&delivery["status"], codes(&delivery)), (&json!("delivered"), vec![json!(410), json!(200)]));
    let replayed = scene.send("POST", &replay, None).await;
    assert_eq!((replayed.status, &replayed.json()["status"]), (202, &json!("pending")));
    assert_eq!(codes(&scene.attempted(&webhook, 3).await), [json!(410), json!(200), json!(200)]);
}

#[tokio::test]
async fn a_power_cut_over_an_attempt_makes_it_come_again_under_the_same_id() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("dying/hang/200").await;
    let tested = scene.test(&webhook).await;
    scene.got("dying", 1).await;
    let Scene { setup, lmo, receiver } = scene;
    lmo.kill();
    let scene = Scene { lmo: setup.start(), setup, receiver };
    let got = scene.got("dying", 2).await;
    assert!(got.iter().all(|got| got.header("webhook-id") == tested["id"]), "{got:?}");
    assert_eq!(got[0].body, got[1].body);
    assert_ne!(got[0].header("webhook-timestamp"), got[1].header("webhook-timestamp"));
}

#[tokio::test]
async fn no_proxy_of_the_environment_gets_what_is_told() {
    let proxy = Receiver::start().await.unwrap();
    let address = proxy.url("");
    let mut setup = Setup::new();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        setup = setup.env(name, &address);
    }
    let receiver = Receiver::start().await.unwrap();
    let scene = Scene { lmo: setup.start(), setup, receiver };
    let webhook = scene.webhook("direct/200").await;
    scene.test(&webhook).await;
    assert_eq!(codes(&scene.attempted(&webhook, 1).await), [json!(200)]);
    let direct = scene.receiver.got("direct");
    assert_eq!((direct.len(), direct[0].path.as_str()), (1, "/direct/200"));
    assert_eq!(proxy.count(), 0);
}

#[tokio::test]
async fn deliveries_come_in_pages_the_latest_first() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("paged/200").await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.insert(0, scene.test(&webhook).await["id"].clone());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = scene.lmo.get(&format!("{}/deliveries?limit=2{cursor}", path(&webhook))).await.json();
        seen.extend(page["deliveries"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, sent);
    let other = scene.webhook("other/200").await;
    let cursor = scene.lmo.get(&format!("{}/deliveries?limit=1", path(&webhook))).await.json();
    let theirs = format!("{}/deliveries?cursor={}", path(&other), cursor["next_cursor"].as_str().unwrap());
    scene.lmo.get(&theirs).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_tenant_that_tries_its_webhooks_all_the_time_has_to_wait() {
    let scene = Scene::new().await;
    let webhook = scene.webhook("tried/200").await;
    let mut tried = 0;
    let refused = loop {
        let tested = scene.send("POST", &format!("{}/test", path(&webhook)), None).await;
        if tested.status != 202 || tried == 90 {
            break tested;
        }
        tried += 1;
    };
    refused.assert_error(429, "too_many_attempts");
    assert!(tried >= 60, "{tried}");
    let replayed = json!({"since": "2026-11-25T10:00:00Z"});
    let replayed = scene.send("POST", &format!("{}/replay", path(&webhook)), Some(&replayed)).await;
    replayed.assert_error(429, "too_many_attempts");
}
