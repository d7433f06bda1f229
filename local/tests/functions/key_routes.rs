//! `/api/tenant/keys` over several instances of the function, with a clock that the test sets.

use std::time::Duration;

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use http_body_util::BodyExt;
use lmo_shared::{
    audit::Actor,
    clock::Timestamp,
    http,
    id::{KeyId, TenantId},
    tenant::{ApiKey, Tenant},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::Ground;

const KEYS: &str = "/api/tenant/keys";
const HERE: &str = "203.0.113.7";

/// The platform, and a tenant with a key that may do everything.
struct Scene {
    ground: Ground,
    tenant: TenantId,
    key: String,
}

/// A process of the function, with a memory of its own.
struct Instance<'a> {
    scene: &'a Scene,
    service: Router,
}

/// A response: status, header fields and body.
struct Answer {
    status: u16,
    etag: String,
    replayed: bool,
    body: Value,
}

impl Scene {
    async fn new() -> Self {
        let now = Timestamp::parse("2026-11-25T10:00:00Z").unwrap();
        let ground = Ground::at(now).await;
        let tenant = Tenant::new("test", now);
        let key = ground.platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap().text;
        Self { ground, tenant: tenant.id, key }
    }

    fn instance(&self) -> Instance<'_> {
        let platform = &self.ground.platform;
        let mailer = self.ground.mailer();
        let routes = lmo_tenant::router(platform, platform.authenticator(), platform.catalogues(), mailer);
        Instance { scene: self, service: http::serve(routes, platform.clock().clone(), None) }
    }

    fn pass(&self, time: Duration) {
        self.ground.platform.clock().advance(time);
    }

    fn now(&self) -> Timestamp {
        self.ground.platform.clock().now()
    }

    async fn stored(&self, id: &Value) -> ApiKey {
        let id = KeyId::parse(id.as_str().unwrap()).unwrap();
        self.ground.platform.tenants().key(self.tenant, id).await.unwrap()
    }
}

impl Instance<'_> {
    async fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: Option<Value>) -> Answer {
        self.send_from(Some(HERE), method, path, fields, body).await
    }

    async fn send_from(
        &self,
        address: Option<&str>,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !fields.iter().any(|(name, _)| *name == "x-api-key") {
            request = request.header("x-api-key", &self.scene.key);
        }
        request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let mut request = request.body(body).unwrap();
        if let Some(address) = address {
            let peer = std::net::SocketAddr::new(address.parse().unwrap(), 4711);
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let response = self.service.clone().oneshot(request).await.unwrap();
        let field = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, etag) = (response.status().as_u16(), field("etag").unwrap_or_default());
        let replayed = field("idempotent-replayed").is_some();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, etag, replayed, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Makes a key; returns what is answered.
    async fn create(&self, body: Value) -> Value {
        let made = self.send("POST", KEYS, &[], Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body
    }

    /// The status that a key gets, and the error's code.
    async fn with(&self, key: &Value) -> (u16, Value) {
        let answer = self.send("GET", KEYS, &[("x-api-key", key["api_key"].as_str().unwrap())], None).await;
        (answer.status, answer.body["code"].clone())
    }
}

fn admin(name: &str) -> Value {
    json!({"name": name, "scopes": ["tenant:admin"]})
}

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

fn refused(code: &str) -> (u16, Value) {
    (401, json!(code))
}

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_within_30_seconds() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    assert_eq!(there.with(&key).await.0, 200);
    assert_eq!(here.send("DELETE", &path(&key), &[], None).await.status, 204);
    assert_eq!(here.with(&key).await, refused("unauthenticated"));
    scene.pass(Duration::from_secs(29));
    assert_eq!(there.with(&key).await.0, 200, "it is known there, and need not be read yet");
    scene.pass(Duration::from_secs(1));
    assert_eq!(there.with(&key).await, refused("unauthenticated"));
}

#[tokio::test]
async fn a_changed_key_is_another_everywhere_within_30_seconds() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    assert_eq!(there.with(&key).await.0, 200);
    let change = json!({"scopes": ["usage:read"]});
    assert_eq!(here.send("PATCH", &path(&key), &[], Some(change)).await.status, 200);
    assert_eq!(here.with(&key).await, (403, json!("forbidden")));
    scene.pass(Duration::from_secs(30));
    assert_eq!(there.with(&key).await, (403, json!("forbidden")));
}

#[tokio::test]
async fn a_new_secret_is_good_at_once_where_the_old_one_is_known() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    assert_eq!(there.with(&key).await.0, 200);
    let rotate = format!("{}/rotate", path(&key));
    let rotated = here.send("POST", &rotate, &[], Some(json!({}))).await;
    assert_eq!((rotated.status, &rotated.body["id"]), (200, &key["id"]), "{}", rotated.body);
    for instance in [&here, &there] {
        assert_eq!(instance.with(&rotated.body).await.0, 200);
        assert_eq!(instance.with(&key).await.0, 200);
    }
    assert_eq!(rotated.body["previous_until"], scene.now().after(Duration::from_hours(24)).to_string());
    scene.pass(Duration::from_hours(24));
    for instance in [&here, &there] {
        assert_eq!(instance.with(&key).await, refused("unauthenticated"));
        assert_eq!(instance.with(&rotated.body).await.0, 200);
    }
    let seen = here.send("GET", &path(&key), &[], None).await.body;
    assert_eq!(seen["previous_until"], Value::Null);
}

#[tokio::test]
async fn a_rotation_without_overlap_ends_the_old_secret_within_30_seconds() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    assert_eq!(there.with(&key).await.0, 200);
    let rotate = format!("{}/rotate", path(&key));
    let rotated = here.send("POST", &rotate, &[], Some(json!({"overlap_seconds": 0}))).await.body;
    assert_eq!(here.with(&key).await, refused("unauthenticated"));
    assert_eq!(here.with(&rotated).await.0, 200);
    scene.pass(Duration::from_secs(30));
    assert_eq!(there.with(&key).await, refused("unauthenticated"));
    assert_eq!(there.with(&rotated).await.0, 200);
}

#[tokio::test]
async fn wrong_secrets_read_a_key_again_at_most_once_a_second() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let key = instance.create(admin("robot")).await;
    assert_eq!(instance.with(&key).await.0, 200);
    // What would be a secret if the key had it.
    let mut wrong = scene.ground.platform.tenants().key(scene.tenant, id(&key)).await.unwrap();
    let guess = lmo_shared::auth::NewKey::again(scene.tenant, id(&key));
    let guess = json!({"api_key": guess.text});
    assert_eq!(instance.with(&guess).await, refused("unauthenticated"));
    // Now the key is known as it was a moment ago, whatever is in the table.
    wrong.revoked_at = Some(scene.now());
    let main = scene.ground.platform.table().tenant(scene.tenant).main();
    main.put(&lmo_shared::store::keys::key(wrong.id), &wrong).await.unwrap();
    assert_eq!(instance.with(&guess).await, refused("unauthenticated"));
    assert_eq!(instance.with(&key).await.0, 200, "the guess had it read");
    scene.pass(Duration::from_secs(1));
    assert_eq!(instance.with(&guess).await, refused("unauthenticated"));
    assert_eq!(instance.with(&key).await, refused("unauthenticated"));
}

fn id(key: &Value) -> KeyId {
    KeyId::parse(key["id"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_expired_key_is_refused_to_the_second_and_can_be_renewed() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let until = scene.now().after(Duration::from_mins(1));
    let key = instance.create(json!({"name": "a", "scopes": ["tenant:admin"], "expires_at": until.to_string()})).await;
    scene.pass(Duration::from_secs(59));
    assert_eq!(instance.with(&key).await.0, 200);
    scene.pass(Duration::from_secs(1));
    assert_eq!(instance.with(&key).await, refused("unauthenticated"));
    // What isn't changed needs not be in the future.
    assert_eq!(instance.send("PATCH", &path(&key), &[], Some(json!({"name": "b"}))).await.status, 200);
    let later = scene.now().after(Duration::from_mins(1)).to_string();
    assert_eq!(instance.send("PATCH", &path(&key), &[], Some(json!({"expires_at": later}))).await.status, 200);
    assert_eq!(instance.with(&key).await.0, 200);
}

#[tokio::test]
async fn a_use_is_noted_once_an_hour() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    assert_eq!(scene.stored(&key["id"]).await.last_used_at, None);
    assert_eq!(here.send("GET", &path(&key), &[], None).await.body["last_used_at"], Value::Null);
    let (first, version) = (scene.now(), scene.stored(&key["id"]).await.version);
    here.with(&key).await;
    assert_eq!(scene.stored(&key["id"]).await.last_used_at, Some(first));
    for _ in 0..3 {
        scene.pass(Duration::from_mins(19));
        here.with(&key).await;
        there.with(&key).await;
        assert_eq!(scene.stored(&key["id"]).await.last_used_at, Some(first));
    }
    scene.pass(Duration::from_mins(3));
    there.with(&key).await;
    let noted = scene.stored(&key["id"]).await;
    assert_eq!(noted.last_used_at, Some(scene.now()));
    assert_eq!(noted.version, version, "a note is no change");
    let seen = here.send("GET", &path(&key), &[], None).await.body;
    assert_eq!(seen["last_used_at"], scene.now().to_string());
}

#[tokio::test]
async fn what_is_refused_is_no_use() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let key =
        instance.create(json!({"name": "a", "scopes": ["usage:read"], "allowed_addresses": ["10.0.0.0/8"]})).await;
    let guess = lmo_shared::auth::NewKey::again(scene.tenant, id(&key)).text;
    instance.with(&json!({"api_key": guess})).await;
    assert_eq!(instance.with(&key).await, (403, json!("address_not_allowed")));
    assert_eq!(scene.stored(&key["id"]).await.last_used_at, None);
}

#[tokio::test]
async fn a_use_that_can_not_be_noted_is_no_reason_to_refuse() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let key = instance.create(admin("robot")).await;
    *scene.ground.cut.lock().unwrap() = Some("last_used_at = :at".to_owned());
    assert_eq!(instance.with(&key).await.0, 200);
    assert_eq!(scene.stored(&key["id"]).await.last_used_at, None);
    *scene.ground.cut.lock().unwrap() = None;
    scene.pass(Duration::from_secs(30));
    assert_eq!(instance.with(&key).await.0, 200);
    assert_eq!(scene.stored(&key["id"]).await.last_used_at, Some(scene.now()));
}

#[tokio::test]
async fn a_key_is_used_from_its_addresses_only() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let ranges = json!(["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"]);
    let key = instance.create(json!({"name": "a", "scopes": ["tenant:admin"], "allowed_addresses": ranges})).await;
    assert_eq!(key["allowed_addresses"], json!(["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"]));
    let fields = [("x-api-key", key["api_key"].as_str().unwrap())];
    let from = async |address| {
        let answer = instance.send_from(address, "GET", "/api/tenant/config", &fields, None).await;
        (answer.status, answer.body["code"].clone())
    };
    for inside in ["203.0.113.255", "2001:db8:1::1", "198.51.100.7", "::ffff:203.0.113.9"] {
        assert_eq!(from(Some(inside)).await.0, 200, "{inside}");
    }
    for outside in [Some("203.0.114.1"), Some("2001:db9::1"), Some("198.51.100.8"), None] {
        assert_eq!(from(outside).await, (403, json!("address_not_allowed")), "{outside:?}");
    }
    let lifted = instance.send("PATCH", &path(&key), &[], Some(json!({"allowed_addresses": null}))).await;
    assert_eq!((lifted.status, &lifted.body["allowed_addresses"]), (200, &Value::Null));
    assert_eq!(from(None).await.0, 200);
}

#[tokio::test]
async fn an_idempotency_key_is_good_for_a_day() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let fields = [("idempotency-key", "order-66")];
    let first = instance.send("POST", KEYS, &fields, Some(admin("robot"))).await;
    assert_eq!((first.status, first.replayed), (201, false));
    scene.pass(Duration::from_secs(24 * 3_600 - 1));
    let again = scene.instance().send("POST", KEYS, &fields, Some(admin("robot"))).await;
    assert_eq!((again.status, again.replayed, &again.body), (201, true, &first.body));
    scene.pass(Duration::from_secs(1));
    let next_day = instance.send("POST", KEYS, &fields, Some(admin("robot"))).await;
    assert_eq!((next_day.status, next_day.replayed), (201, false));
    assert_ne!(next_day.body["id"], first.body["id"]);
}

#[tokio::test]
async fn a_replayed_rotation_shows_the_same_secret() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let key = instance.create(admin("robot")).await;
    let rotate = format!("{}/rotate", path(&key));
    let send = async |name: &str| instance.send("POST", &rotate, &[("idempotency-key", name)], Some(json!({}))).await;
    let (first, again) = (send("a").await, send("a").await);
    assert_eq!((first.status, again.status, again.replayed), (200, 200, true));
    assert_eq!(first.body, again.body);
    assert_eq!(scene.stored(&key["id"]).await.version, 2);
    // Another one is refused during the overlap, with or without a name.
    assert_eq!((send("b").await.status, send("a").await.status), (409, 200));
}

#[tokio::test]
async fn a_change_is_meant_for_the_version_that_it_names() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let key = instance.create(admin("robot")).await;
    let seen = instance.send("GET", &path(&key), &[], None).await;
    assert_eq!((seen.status, seen.etag.as_str()), (200, "\"1\""));
    let change = async |etag: &str, name: &str| {
        instance.send("PATCH", &path(&key), &[("if-match", etag)], Some(json!({"name": name}))).await
    };
    let changed = change("\"1\"", "one").await;
    assert_eq!((changed.status, changed.etag.as_str(), &changed.body["name"]), (200, "\"2\"", &json!("one")));
    let stale = change("\"1\"", "two").await;
    assert_eq!((stale.status, &stale.body["code"]), (412, &json!("precondition_failed")));
    for (method, path) in [("DELETE", path(&key)), ("POST", format!("{}/rotate", path(&key)))] {
        let stale = instance.send(method, &path, &[("if-match", "\"1\"")], Some(json!({}))).await;
        assert_eq!(stale.status, 412, "{method} {path}");
    }
    assert_eq!(scene.stored(&key["id"]).await.name, "one");
    assert_eq!(instance.send("DELETE", &path(&key), &[("if-match", "\"2\"")], None).await.status, 204);
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_wins() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    let path = path(&key);
    let fields = [("if-match", "\"1\"")];
    let change = async |instance: &Instance<'_>, name: &str| {
        instance.send("PATCH", &path, &fields, Some(json!({"name": name}))).await.status
    };
    let (one, two) = tokio::join!(change(&here, "one"), change(&there, "two"));
    assert_eq!((one.min(two), one.max(two)), (200, 412));
    let name = if one == 200 { "one" } else { "two" };
    let stored = scene.stored(&key["id"]).await;
    assert_eq!((stored.name.as_str(), stored.version), (name, 2));
}

#[tokio::test]
async fn of_two_rotations_at_once_one_is_taken_and_its_secret_is_good() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    for (fields, lost) in [(&[][..], 409), (&[("if-match", "\"1\"")][..], 412)] {
        let key = here.create(admin("robot")).await;
        let rotate = format!("{}/rotate", path(&key));
        let rotate = |instance| Instance::send(instance, "POST", &rotate, fields, Some(json!({})));
        let (one, two) = tokio::join!(rotate(&here), rotate(&there));
        let (won, other) = if one.status == 200 { (one, two) } else { (two, one) };
        assert_eq!((won.status, other.status), (200, lost), "{} {}", won.body, other.body);
        for good in [&key, &won.body] {
            assert_eq!((here.with(good).await.0, there.with(good).await.0), (200, 200));
        }
        assert_eq!(scene.stored(&key["id"]).await.version, 2);
    }
}

#[tokio::test]
async fn two_revocations_at_once_are_one() {
    let scene = Scene::new().await;
    let (here, there) = (scene.instance(), scene.instance());
    let key = here.create(admin("robot")).await;
    let path = path(&key);
    let revoke = |instance| Instance::send(instance, "DELETE", &path, &[], None);
    let (one, two) = tokio::join!(revoke(&here), revoke(&there));
    assert_eq!((one.status, two.status), (204, 204));
    assert_eq!(scene.stored(&key["id"]).await.version, 2);
}

#[tokio::test]
async fn a_tenant_has_a_thousand_keys_at_most_and_gets_room_by_revoking() {
    let scene = Scene::new().await;
    let instance = scene.instance();
    let key = instance.create(admin("robot")).await;
    // As if it had made the others.
    let main = scene.ground.platform.table().tenant(scene.tenant).main();
    main.put("KEYS", &json!({"live": 999})).await.unwrap();
    let (here, there) = (scene.instance(), scene.instance());
    let create = |instance| Instance::send(instance, "POST", KEYS, &[], Some(admin("last")));
    let (one, two) = tokio::join!(create(&here), create(&there));
    assert_eq!((one.status.min(two.status), one.status.max(two.status)), (201, 409));
    let refused = create(&here).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("conflict")));
    assert_eq!(instance.send("DELETE", &path(&key), &[], None).await.status, 204);
    // Revoking it again makes no more room.
    assert_eq!(instance.send("DELETE", &path(&key), &[], None).await.status, 204);
    assert_eq!((create(&here).await.status, create(&here).await.status), (201, 409));
}
