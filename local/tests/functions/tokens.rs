//! Callers with access tokens: people and keys, as the functions' router sees them. OWASP API2:2023, broken
//! authentication, where it takes a tenant's state.

use std::collections::BTreeSet;

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use lmo_shared::{
    audit::{Actor, IfMatch},
    auth::{Authenticator, Restriction, Role},
    clock::Timestamp,
    http,
    id::{SignInId, TenantId, UserId},
    store::keys,
    tenant::{KeyScope, Member, Status, Tenant},
};
use serde_json::Value;
use tower::ServiceExt;

use crate::support::Ground;

const CONFIG: &str = "/api/tenant/config";

struct Scene {
    ground: Ground,
    authenticator: Authenticator,
    service: Router,
    tenant: TenantId,
    user: UserId,
}

struct Answer {
    status: u16,
    challenge: String,
    body: Value,
}

impl Scene {
    /// A tenant with one member.
    async fn new(role: Role) -> Self {
        let now = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let ground = Ground::at(now).await;
        let platform = &ground.platform;
        let (tenant, user) = (Tenant::new("test", now), UserId::new(now));
        platform.tenants().open(&tenant, &Actor::command_line()).await.unwrap();
        let member = Member { user, email: "ada@example.com".to_owned(), name: None, role, added_at: now, version: 1 };
        platform.tenants().of(tenant.id).main().put(&keys::member(user), &member).await.unwrap();
        let authenticator = platform.authenticator();
        let routes = lmo_tenant::router(platform, authenticator.clone(), platform.catalogues(), ground.mailer());
        let service = http::serve(routes, platform.clock().clone(), None);
        Self { tenant: tenant.id, user, authenticator, service, ground }
    }

    async fn token(&self, restriction: Option<Restriction>) -> String {
        let (place, sign_in) = (Some((self.tenant, Role::Owner)), SignInId::new(Timestamp(1)));
        self.ground.platform.tokens().person(self.user, place, sign_in, restriction).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, token: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json").body(Body::from("{}")).unwrap();
        let response = self.service.clone().oneshot(request).await.unwrap();
        let challenge = response.headers().get("www-authenticate").map_or("", |value| value.to_str().unwrap());
        let (status, challenge) = (response.status().as_u16(), challenge.to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, challenge, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn assert_refused(&self, token: &str) {
        let refused = self.send("GET", CONFIG, token).await;
        assert_eq!((refused.status, &refused.body["code"]), (401, &"unauthenticated".into()), "{}", refused.body);
        assert_eq!(refused.challenge, "Bearer error=\"invalid_token\"");
    }
}

#[tokio::test]
async fn a_member_calls_with_an_access_token() {
    let scene = Scene::new(Role::Admin).await;
    let token = scene.token(None).await;
    assert_eq!(scene.send("GET", CONFIG, &token).await.status, 200);
    // It may, but there is no such key.
    let path = "/api/tenant/keys/key_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    assert_eq!(scene.send("DELETE", path, &token).await.status, 404);
}

#[tokio::test]
async fn a_member_is_what_its_membership_says_and_not_its_token() {
    let scene = Scene::new(Role::Viewer).await;
    let token = scene.token(None).await;
    let refused = scene.send("PUT", CONFIG, &token).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &"forbidden".into()));
}

#[tokio::test]
async fn api2_a_token_of_a_removed_member_is_refused() {
    let scene = Scene::new(Role::Owner).await;
    let token = scene.token(None).await;
    assert_eq!(scene.send("GET", CONFIG, &token).await.status, 200);
    let main = scene.ground.platform.tenants().of(scene.tenant).main();
    let _ = main.delete_if(&keys::member(scene.user), "attribute_exists(pk)", &[]).await.unwrap();
    scene.authenticator.forget(scene.tenant);
    scene.assert_refused(&token).await;
}

#[tokio::test]
async fn api2_a_token_of_a_suspended_tenant_is_refused() {
    let scene = Scene::new(Role::Owner).await;
    let token = scene.token(None).await;
    assert_eq!(scene.send("GET", CONFIG, &token).await.status, 200);
    let suspend = |tenant: &mut Tenant| {
        tenant.status = Status::Suspended;
        Ok(())
    };
    let (tenants, actor) = (scene.ground.platform.tenants(), Actor::command_line());
    tenants.edit(scene.tenant, IfMatch::Any, "tenant.suspend", &actor, Timestamp(1), suspend).await.unwrap();
    scene.authenticator.forget(scene.tenant);
    let refused = scene.send("GET", CONFIG, &token).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &"tenant_suspended".into()));
}

#[tokio::test]
async fn api2_a_token_for_another_tenant_opens_nothing_there() {
    let (scene, other) = (Scene::new(Role::Owner).await, TenantId::new(Timestamp(5)));
    let tokens = scene.ground.platform.tokens();
    let token = tokens.person(scene.user, Some((other, Role::Owner)), SignInId::new(Timestamp(1)), None).await.unwrap();
    scene.assert_refused(&token).await;
}

#[tokio::test]
async fn a_token_for_no_tenant_opens_no_tenants_routes() {
    let scene = Scene::new(Role::Owner).await;
    let (tokens, sign_in) = (scene.ground.platform.tokens(), SignInId::new(Timestamp(1)));
    for token in
        [tokens.operator(scene.user, sign_in, None).await, tokens.person(scene.user, None, sign_in, None).await]
    {
        let refused = scene.send("GET", CONFIG, &token.unwrap()).await;
        assert_eq!((refused.status, &refused.body["code"]), (403, &"forbidden".into()));
    }
}

#[tokio::test]
async fn a_restricted_token_says_what_there_is_to_do() {
    let scene = Scene::new(Role::Owner).await;
    for (restriction, code) in [
        (Restriction::EmailUnverified, "email_unverified"),
        (Restriction::SecondFactorMissing, "second_factor_missing"),
    ] {
        let refused = scene.send("GET", CONFIG, &scene.token(Some(restriction)).await).await;
        assert_eq!((refused.status, &refused.body["code"]), (403, &code.into()));
    }
}

#[tokio::test]
async fn a_keys_token_may_do_no_more_than_it_was_narrowed_to() {
    let scene = Scene::new(Role::Owner).await;
    let platform = &scene.ground.platform;
    let key = platform.tenants().keys(scene.tenant, None, 10).await.unwrap().0.remove(0);
    let narrow = BTreeSet::from([KeyScope::UsageRead]);
    let token = platform.tokens().key(key.id, scene.tenant, narrow).await.unwrap();
    let refused = scene.send("GET", CONFIG, &token).await;
    assert_eq!((refused.status, &refused.body["code"]), (403, &"forbidden".into()));
    assert_eq!(scene.send("GET", "/api/tenant/usage?granularity=month", &token).await.status, 200);
}
