//! What time does to links, sign-ins and passwords, and what a tenant may demand of its members.

use std::time::Duration;

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use lmo_shared::{
    audit::{Actor, IfMatch},
    clock::Timestamp,
    http,
    id::{TenantId, UserId},
    mail::{EmailAddress, Folder, Mailer},
    people::Users,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{support::Ground, totp};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "seven green umbrellas dance";
const DAY: Duration = Duration::from_hours(24);

struct Door {
    ground: Ground,
    service: Router,
    mail: TempDir,
}

impl Door {
    async fn new() -> Self {
        let ground = Ground::at(Timestamp::parse("2026-11-22T10:00:12Z").unwrap()).await;
        let mail = TempDir::new().unwrap();
        let clock = ground.platform.clock().clone();
        let from = EmailAddress::parse("lmo@example.com").unwrap();
        let mailer = Mailer::Folder(Folder::new(mail.path().to_owned(), from, clock.clone()));
        let authenticator = ground.platform.authenticator();
        let routes = lmo_auth::router(&ground.platform, authenticator.clone(), mailer.clone());
        let catalogues = ground.platform.catalogues();
        let routes = routes.merge(lmo_tenant::router(&ground.platform, authenticator, catalogues, mailer));
        Self { service: http::serve(routes, clock, None), ground, mail }
    }

    fn wait(&self, time: Duration) {
        self.ground.platform.clock().advance(time);
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::from(body.to_string()));
        let response = self.service.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", &format!("/api/auth/{path}"), "", body).await
    }

    async fn register(&self) -> Value {
        let body = json!({"email": EMAIL, "password": PASSWORD, "tenant_name": "Engines"});
        let (status, made) = self.post("register", &body).await;
        assert_eq!(status, 201, "{made:#}");
        made
    }

    async fn login(&self) -> (u16, Value) {
        self.post("login", &json!({"email": EMAIL, "password": PASSWORD})).await
    }

    async fn refresh(&self, tokens: &Value) -> (u16, Value) {
        self.post("refresh", &json!({"refresh_token": tokens["refresh_token"]})).await
    }

    /// The token in the newest mail with a link.
    fn link(&self) -> String {
        let mut paths: Vec<_> =
            std::fs::read_dir(self.mail.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
        let mut tokens =
            texts.filter_map(|text| Some(text.split_once("#token=")?.1.split_whitespace().next()?.to_owned()));
        tokens.next_back().unwrap()
    }
}

#[tokio::test]
async fn a_link_is_too_old_after_its_time() {
    let door = Door::new().await;
    let made = door.register().await;
    let verify = json!({"token": door.link()});
    door.wait(Duration::from_secs(1));
    door.post("password/forgot", &json!({"email": EMAIL})).await;
    let reset = json!({"token": door.link(), "password": "nine quiet lanterns sleep"});
    door.wait(Duration::from_mins(61));
    let (status, refused) = door.post("password/reset", &reset).await;
    assert_eq!((status, &refused["param"]), (400, &json!("token")), "{refused:#}");
    door.wait(DAY);
    let (status, refused) = door.post("verify", &verify).await;
    assert_eq!((status, &refused["param"]), (400, &json!("token")), "{refused:#}");
    let (_, again) = door.refresh(&made).await;
    let token = again["access_token"].as_str().unwrap();
    assert_eq!(door.send("POST", "/api/auth/verify/resend", token, &json!({})).await.0, 202);
    assert_eq!(door.post("verify", &json!({"token": door.link()})).await.0, 204);
}

#[tokio::test]
async fn a_sign_in_lasts_while_it_is_used_but_not_for_ever() {
    let door = Door::new().await;
    let idle = door.register().await;
    let (_, mut used) = door.login().await;
    let mut days = 0;
    loop {
        door.wait(20 * DAY);
        days += 20;
        let (status, next) = door.refresh(&used).await;
        if status != 200 {
            assert_eq!(status, 401, "{next:#}");
            break;
        }
        used = next;
        assert!(days < 400, "for ever");
    }
    assert_eq!(days, 180);
    assert_eq!(door.refresh(&idle).await.0, 401);
    assert_eq!(door.login().await.0, 200);
}

#[tokio::test]
async fn a_password_is_hashed_again_once_parameters_change() {
    // The reference implementation's test of argon2id with 256 KiB and two passes.
    const OLD: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let door = Door::new().await;
    let made = door.register().await;
    let users = Users::new(door.ground.platform.table().clone());
    let id = UserId::parse(made["user"]["id"].as_str().unwrap()).unwrap();
    let user = users.get(id).await.unwrap();
    let edit = |user: &mut lmo_shared::people::User, _: &mut lmo_shared::store::Change| {
        user.password = Some(serde_json::from_value(json!(OLD)).unwrap());
        Ok(())
    };
    users.change(user, edit).await.unwrap();
    let login = json!({"email": EMAIL, "password": "password"});
    assert_eq!(door.post("login", &json!({"email": EMAIL, "password": "Password"})).await.0, 401);
    assert_eq!(door.post("login", &login).await.0, 200);
    let kept = json!(users.get(id).await.unwrap().password);
    assert!(kept.as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "parameters are those of today");
    assert_eq!(door.post("login", &login).await.0, 200);
    assert_eq!(json!(users.get(id).await.unwrap().password), kept);
}

#[tokio::test]
async fn a_tenant_that_demands_a_second_factor_is_closed_to_who_has_none() {
    let door = Door::new().await;
    let made = door.register().await;
    door.post("verify", &json!({"token": door.link()})).await;
    let tenant = TenantId::parse(made["tenant"]["id"].as_str().unwrap()).unwrap();
    let demand = |tenant: &mut lmo_shared::tenant::Tenant| {
        tenant.require_second_factor = true;
        Ok(())
    };
    let (tenants, now) = (door.ground.platform.tenants(), door.ground.platform.clock().now());
    tenants.edit(tenant, IfMatch::Any, "tenant.change", &Actor::system(), now, demand).await.unwrap();
    let (status, signed_in) = door.login().await;
    assert_eq!((status, &signed_in["restriction"]), (200, &json!("second_factor_missing")), "{signed_in:#}");
    let token = signed_in["access_token"].as_str().unwrap();
    let keys = async |token: &str| door.send("GET", "/api/tenant/keys", token, &json!({})).await;
    let (status, refused) = keys(token).await;
    assert_eq!((status, &refused["code"]), (403, &json!("second_factor_missing")));
    // What is to be done about it can be done.
    let (status, begun) = door.send("POST", "/api/auth/totp", token, &json!({"password": PASSWORD})).await;
    assert_eq!(status, 200, "{begun:#}");
    let code = || json!(totp::code(begun["secret"].as_str().unwrap(), door.ground.platform.clock().now().seconds()));
    let (_, earlier) = door.login().await;
    assert_eq!(door.send("POST", "/api/auth/totp/confirm", token, &json!({"code": code()})).await.0, 200);
    let (_, proved) = door.refresh(&signed_in).await;
    assert_eq!(proved["restriction"], json!(null), "{proved:#}");
    assert_eq!(keys(proved["access_token"].as_str().unwrap()).await.0, 200);
    // A sign-in that was begun without a code is no better for it.
    let (_, earlier) = door.refresh(&earlier).await;
    assert_eq!(earlier["restriction"], json!("second_factor_missing"));
    let mut login = json!({"email": EMAIL, "password": PASSWORD, "code": code()});
    assert_eq!(door.post("login", &login).await.0, 401, "the code was used");
    door.wait(Duration::from_secs(30));
    login["code"] = code();
    let (status, signed_in) = door.post("login", &login).await;
    assert_eq!((status, &signed_in["restriction"]), (200, &json!(null)), "{signed_in:#}");
    // Turned off, it is missing.
    door.wait(Duration::from_secs(30));
    let token = signed_in["access_token"].as_str().unwrap();
    let off = json!({"password": PASSWORD, "code": code()});
    assert_eq!(door.send("DELETE", "/api/auth/totp", token, &off).await.0, 204);
    let (_, again) = door.refresh(&signed_in).await;
    assert_eq!(again["restriction"], json!("second_factor_missing"));
}
