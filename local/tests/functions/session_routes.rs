//! `/api/tenant/sessions/{id}`, as requests to the function's router.

use std::{collections::BTreeSet, time::Duration};

use axum::{Router, body::Body};
use http_body_util::BodyExt;
use lmo_shared::{
    audit::Actor,
    auth::NewKey,
    clock::Timestamp,
    http,
    id::{RequestId, SessionId, TenantId},
    llm::{Message, Role},
    session::{Asked, Opening, Said},
    store::Committed,
    tenant::{ApiKey, KeyScope, Retention, Tenant},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::Ground;

const PATH: &str = "/api/tenant/sessions/user:7";

/// The function, and a tenant's key with one scope.
struct Scene {
    ground: Ground,
    service: Router,
    tenant: TenantId,
    key: String,
}

impl Scene {
    async fn with(scope: KeyScope) -> Self {
        let now = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let ground = Ground::at(now).await;
        let platform = &ground.platform;
        let (tenant, actor) = (Tenant::new("test", now), Actor::command_line());
        let (id, tenants) = (tenant.id, platform.tenants());
        tenants.open(&tenant, &actor).await.unwrap();
        let new = NewKey::make(id, now);
        let mut change = tenants.change();
        tenants.add_key(&mut change, id, &ApiKey::of(&new, "second", BTreeSet::from([scope]), now), &actor).unwrap();
        assert_eq!(change.commit().await.unwrap(), Committed::Yes);
        let routes = lmo_tenant::router(platform, platform.authenticator(), platform.catalogues(), ground.mailer());
        let service = http::serve(routes, platform.clock().clone(), None);
        Self { ground, service, tenant: id, key: new.text }
    }

    /// A session of so many turns.
    async fn say(&self, turns: usize) {
        for turn in 0..turns {
            let now = self.ground.platform.clock().now();
            let (until, ttl) = (now.after(Duration::from_mins(1)), Duration::from_hours(1));
            let opening = Opening { request: RequestId::new(now), until, ttl, retention: Retention::default() };
            let id = SessionId::parse("user:7").unwrap();
            let begun = self.ground.platform.sessions().begin(self.tenant, &id, opening).await.unwrap();
            let asked = Asked::new(&[Message::text(Role::User, format!("question {turn}"))]).unwrap();
            let answered = vec![Message::text(Role::Assistant, format!("answer {turn}"))];
            begun.commit(Said { asked, answered, model: "lmo/echo".to_owned(), summary: None }).await.unwrap();
        }
    }

    async fn send(&self, method: &str, path: &str) -> (u16, Value) {
        let request = axum::http::Request::builder().method(method).uri(path).header("x-api-key", &self.key);
        let response = self.service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, query: &str) -> (u16, Value) {
        self.send("GET", &format!("{PATH}{query}")).await
    }
}

#[tokio::test]
async fn a_session_is_shown_with_its_messages() {
    let scene = Scene::with(KeyScope::Query).await;
    scene.say(1).await;
    let shown = json!({
        "id": "user:7",
        "created_at": "2026-11-22T10:00:00Z",
        "updated_at": "2026-11-22T10:00:00Z",
        "expires_at": "2026-11-22T11:00:00Z",
        "turns": 1,
        "model": "lmo/echo",
        "messages": [
            {"role": "user", "content": "question 0"},
            {"role": "assistant", "content": "answer 0"},
        ],
    });
    assert_eq!(scene.get("").await, (200, shown));
}

#[tokio::test]
async fn older_turns_are_on_further_pages() {
    let scene = Scene::with(KeyScope::Query).await;
    scene.say(5).await;
    let (mut query, mut seen) = ("?limit=2".to_owned(), Vec::new());
    for before in [json!(3), json!(1), Value::Null] {
        let page = scene.get(&query).await.1;
        assert_eq!((&page["turns"], &page["next_before"]), (&json!(5), &before));
        let texts = page["messages"].as_array().unwrap().iter().map(|message| message["content"].clone());
        seen.splice(..0, texts);
        query = format!("?limit=2&before={before}");
    }
    let all: Vec<_> = (0..5).flat_map(|turn| [format!("question {turn}"), format!("answer {turn}")]).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_page_before_the_first_turn_is_empty() {
    let scene = Scene::with(KeyScope::Query).await;
    scene.say(2).await;
    let page = scene.get("?before=0").await.1;
    assert_eq!((&page["messages"], &page["next_before"]), (&json!([]), &Value::Null));
    assert_eq!(scene.get("?before=4000000000").await.1["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_page_out_of_range_is_refused_by_name() {
    let scene = Scene::with(KeyScope::Query).await;
    for (query, param) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=x", "limit"),
        ("?before=-1", "before"),
        ("?after=1", "after"),
    ] {
        let (status, problem) = scene.get(query).await;
        assert_eq!((status, &problem["param"]), (400, &json!(param)), "{query}: {problem}");
    }
}

#[tokio::test]
async fn a_deleted_session_is_gone() {
    let scene = Scene::with(KeyScope::Query).await;
    scene.say(2).await;
    assert_eq!(scene.send("DELETE", PATH).await, (204, Value::Null));
    for method in ["GET", "DELETE"] {
        let (status, problem) = scene.send(method, PATH).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{method}");
    }
}

#[tokio::test]
async fn what_can_be_no_session_is_not_found() {
    let scene = Scene::with(KeyScope::Query).await;
    for name in ["nobody", "a%20b", "a%23b", &"x".repeat(129)] {
        for method in ["GET", "DELETE"] {
            let (status, problem) = scene.send(method, &format!("/api/tenant/sessions/{name}")).await;
            assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{method} {name}");
        }
    }
}

#[tokio::test]
async fn a_key_that_may_not_ask_may_not_read_or_delete_either() {
    let scene = Scene::with(KeyScope::TenantAdmin).await;
    scene.say(1).await;
    for method in ["GET", "DELETE"] {
        assert_eq!(scene.send(method, PATH).await.1["code"], "forbidden", "{method}");
    }
}
