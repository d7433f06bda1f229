//! A cap that is raised holds at the next request, also where another process remembers the tenant as it was.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{
        Plan,
        repo::{Choice, Chooser, When},
    },
    clock::Timestamp,
    http,
    llm::catalogue::Catalogue,
    quota::Limits,
    tenant::{ApiKey, Tenant},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{month::MODELS, support::Ground};

struct Scene {
    ground: Ground,
    tenant: Tenant,
    key: String,
}

/// A process of the functions that ask and that change keys, with a memory of its own.
struct Process {
    service: Router,
    key: String,
}

impl Process {
    async fn send(&self, method: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("x-api-key", key);
        let request = request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
        let response = self.service.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn ask_with(&self, key: &str) -> u16 {
        let body = json!({"query": "word ".repeat(20), "model": "lmo/echo", "max_tokens": 50});
        let (status, answer) = self.send("POST", "/api/mcp/query", key, body).await;
        assert!(status == 200 || answer["code"] == "quota_exhausted", "{status} {answer}");
        status
    }

    async fn ask(&self) -> u16 {
        self.ask_with(&self.key).await
    }

    /// Asks until the cap doesn't allow it any more.
    async fn exhaust(&self, key: &str) {
        for _ in 0..100 {
            if self.ask_with(key).await == 402 {
                return;
            }
        }
        panic!("there is no cap");
    }
}

fn tokens(cap: u64) -> Limits {
    Limits { monthly_tokens: Some(cap), ..Limits::default() }
}

impl Scene {
    async fn new(limits: Limits, shards: u8) -> Self {
        let now = Timestamp::parse("2026-11-25T10:00:00Z").unwrap();
        let ground = Ground::at(now).await;
        ground.platform.catalogues().apply(Catalogue::from_toml(MODELS, now).unwrap()).await.unwrap();
        let tenant = Tenant { limits, meter_shards: shards, ..Tenant::new("acme", now) };
        let key = ground.platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap().text;
        Self { ground, tenant, key }
    }

    fn process(&self) -> Process {
        let platform = &self.ground.platform;
        let (authenticator, catalogues) = (platform.authenticator(), platform.catalogues());
        let answers = platform.answers(Arc::clone(&catalogues));
        let routes = lmo_query::router(authenticator.clone(), answers, platform.clock().clone())
            .merge(lmo_tenant::router(platform, authenticator, catalogues, self.ground.mailer()));
        Process { service: http::serve(routes, platform.clock().clone(), None), key: self.key.clone() }
    }

    /// As the operator's routes and command do it.
    async fn limit(&self, limits: Limits) {
        let (actor, now) = (Actor::command_line(), self.ground.platform.clock().now());
        let set = |tenant: &mut Tenant| {
            tenant.limits = limits;
            Ok(())
        };
        let tenants = self.ground.platform.tenants();
        let tenant = tenants.edit(self.tenant.id, IfMatch::Any, "tenant.limits", &actor, now, set).await.unwrap();
        self.ground.platform.meters().recap(&tenant).await.unwrap();
    }

    async fn choose(&self, name: &str, cap: Option<u64>) {
        let platform = &self.ground.platform;
        let (actor, subscriptions) = (Actor::command_line(), platform.subscriptions());
        let plan = json!({"name": name, "title": name, "currency": "USD", "effective": "2026-01-01",
                          "limits": Limits { monthly_tokens: cap, ..Limits::default() }});
        let plan: Plan = serde_json::from_value(plan).unwrap();
        let catalogue = platform.catalogues().current().await.unwrap();
        subscriptions.plans().apply(plan, &catalogue, &actor, platform.clock().now()).await.unwrap();
        let (tenant, when, version, chooser) = (self.tenant.id, When::Now, IfMatch::Any, Chooser::Operator);
        subscriptions.choose(Choice { tenant, plan: name, when, version, chooser, actor: &actor }).await.unwrap();
    }
}

#[tokio::test]
async fn a_tenants_cap_is_raised_for_every_process() {
    for shards in [1, 4] {
        let scene = Scene::new(tokens(1_000), shards).await;
        let [one, other] = [scene.process(), scene.process()];
        one.exhaust(&one.key).await;
        other.exhaust(&other.key).await;
        scene.limit(tokens(2_000)).await;
        assert_eq!((one.ask().await, other.ask().await), (200, 200), "{shards} sub-meters");
        other.exhaust(&other.key).await;
        scene.limit(Limits::default()).await;
        assert_eq!((one.ask().await, other.ask().await), (200, 200), "{shards} sub-meters");
    }
}

#[tokio::test]
async fn another_plan_raises_the_cap_for_every_process() {
    let scene = Scene::new(Limits::default(), 1).await;
    scene.choose("small", Some(1_000)).await;
    let [one, other] = [scene.process(), scene.process()];
    one.exhaust(&one.key).await;
    other.exhaust(&other.key).await;
    scene.choose("large", Some(2_000)).await;
    assert_eq!((one.ask().await, other.ask().await), (200, 200));
}

#[tokio::test]
async fn a_keys_cap_is_raised_for_every_process() {
    let scene = Scene::new(Limits::default(), 1).await;
    let [one, other] = [scene.process(), scene.process()];
    let new = json!({"name": "robot", "limits": {"monthly_tokens": 1_000}});
    let (status, made) = one.send("POST", "/api/tenant/keys", &scene.key, new).await;
    assert_eq!(status, 201, "{made}");
    let (path, key) = (format!("/api/tenant/keys/{}", made["id"].as_str().unwrap()), made["api_key"].as_str().unwrap());
    for limits in [json!({"monthly_tokens": 2_000}), json!({"monthly_tokens": null})] {
        one.exhaust(key).await;
        other.exhaust(key).await;
        let (status, changed) = one.send("PATCH", &path, &scene.key, json!({"limits": limits})).await;
        assert_eq!(status, 200, "{changed}");
        assert_eq!((one.ask_with(key).await, other.ask_with(key).await), (200, 200), "{limits}");
    }
}

#[tokio::test]
async fn a_meter_that_is_still_to_be_opened_needs_no_new_cap() {
    let scene = Scene::new(Limits::default(), 1).await;
    let key = ApiKey {
        limits: tokens(5),
        ..scene.ground.platform.tenants().keys(scene.tenant.id, None, 1).await.unwrap().0.remove(0)
    };
    scene.ground.platform.meters().recap_key(scene.tenant.id, &key).await.unwrap();
    assert_eq!(scene.process().ask().await, 200);
}
