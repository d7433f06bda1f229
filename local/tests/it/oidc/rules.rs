//! What a tenant says of its provider: who may come by it, who is invited, and who has to.

use reqwest::{Client, header};

use super::{World, assert_invited, assert_refused, sign_in};
use crate::support::{
    Account, IdentityProvider, PASSWORD, Value, accept, json, link_token, login, mails, refresh, sign_in_rules,
};

#[tokio::test]
async fn a_stranger_whom_the_provider_names_is_invited_and_decides() {
    let world = World::new().await;
    let World { setup, lmo, owner, provider, .. } = &world;
    provider.knows("person-2", "bob@example.com");
    // Once, however often it comes.
    for _ in 0..2 {
        assert_invited(lmo, &world.arrive().await);
    }
    let mails = mails(setup, "bob@example.com");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("the identity provider invites you"), "{}", mails[0]);
    login(lmo, "bob@example.com", PASSWORD).await.assert_error(401, "unauthenticated");
    let audited = owner.audited(lmo).await;
    assert_eq!(audited.iter().filter(|action| *action == "member.add").count(), 1, "Ann alone: {audited:?}");
    let body = json!({"token": link_token(&mails[0]), "password": PASSWORD});
    let bob = accept(lmo, "", &body).await;
    assert_eq!(bob.status, 201, "{}", bob.body);
    assert_eq!(bob.json()["tenant"]["role"], "developer");
    assert_eq!(sign_in(lmo, &owner.tenant).await.user, Account::of(&bob.json()).user);
}

#[tokio::test]
async fn an_invitation_by_the_provider_is_good_as_long_as_the_rules_make_it() {
    let world = World::new().await;
    let World { setup, lmo, provider, .. } = &world;
    provider.knows("person-2", "bob@example.com");
    assert_invited(lmo, &world.arrive().await);
    let token = link_token(mails(setup, "bob@example.com").last().unwrap());
    let body = json!({"token": token, "password": PASSWORD});
    for (name, value) in [("default_role", json!("viewer")), ("allowed_domains", json!(["example.org"]))] {
        let mut rules = sign_in_rules(provider);
        rules[name] = value;
        world.put(&rules).await;
        accept(lmo, "", &body).await.assert_error(400, "invalid_request");
    }
    world.put(&sign_in_rules(provider)).await;
    assert_eq!(accept(lmo, "", &body).await.status, 201);
}

#[tokio::test]
async fn whoever_accepts_where_the_provider_is_required_signs_in_there() {
    let world = World::new().await;
    let World { setup, lmo, owner, provider, .. } = &world;
    let mut rules = sign_in_rules(provider);
    rules["required"] = json!(true);
    world.put(&rules).await;
    provider.knows("person-2", "bob@example.com");
    assert_invited(lmo, &world.arrive().await);
    let token = link_token(mails(setup, "bob@example.com").last().unwrap());
    let accepted = accept(lmo, "", &json!({"token": token, "password": PASSWORD})).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    assert_eq!(accepted.json(), json!({"sign_in_uri": format!("{}/api/auth/oidc/{}", lmo.base, owner.tenant)}));
    login(lmo, "bob@example.com", PASSWORD).await.assert_error(403, "forbidden");
    assert_eq!(sign_in(lmo, &owner.tenant).await.email, "bob@example.com");
}

#[tokio::test]
async fn a_session_ends_with_the_rules_that_let_it_in() {
    let world = World::new().await;
    let World { lmo, owner, provider, .. } = &world;
    let mut ann = sign_in(lmo, &owner.tenant).await;
    let mut narrow = sign_in_rules(provider);
    narrow["allowed_domains"] = json!(["example.org"]);
    world.put(&narrow).await;
    let refused = refresh(lmo, &ann.refresh).await;
    assert_refused(&refused, "`example.com` may not sign in");
    // What changes nothing for it leaves it alone.
    world.put(&sign_in_rules(provider)).await;
    ann = ann.refreshed(lmo).await;
    // Another provider, or the same one anew, has not vouched for it.
    world.put(&sign_in_rules(&IdentityProvider::start().await)).await;
    assert_refused(&refresh(lmo, &ann.refresh).await, "another provider meanwhile");
    world.put(&sign_in_rules(provider)).await;
    assert_refused(&refresh(lmo, &ann.refresh).await, "another provider meanwhile");
    sign_in(lmo, &owner.tenant).await;
}

#[tokio::test]
async fn only_members_come_where_nobody_becomes_one_by_signing_in() {
    let world = World::new().await;
    let mut rules = sign_in_rules(&world.provider);
    rules.as_object_mut().unwrap().remove("default_role");
    world.put(&rules).await;
    world.provider.knows("person-2", "bob@example.com");
    assert_refused(&world.arrive().await, "only members may come");
    world.provider.knows("the owner", "owner@example.com");
    assert_eq!(sign_in(&world.lmo, &world.owner.tenant).await.user, world.owner.user);
}

#[tokio::test]
async fn where_the_provider_is_required_passwords_open_nothing_but_for_owners() {
    let world = World::new().await;
    let World { lmo, owner, ann: here, provider, .. } = &world;
    let mut rules = sign_in_rules(provider);
    rules["required"] = json!(true);
    world.put(&rules).await;
    let refused = refresh(lmo, &here.refresh).await;
    refused.assert_error(403, "forbidden");
    assert!(refused.body.contains(&format!("/api/auth/oidc/{}", owner.tenant)), "{}", refused.body);
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "tenant": owner.tenant});
    lmo.send("POST", "/api/auth/login", "", Some(&body)).await.assert_error(403, "forbidden");
    assert_eq!(login(lmo, "owner@example.com", PASSWORD).await.status, 200);
    let by_provider = sign_in(lmo, &owner.tenant).await;
    // Without a provider there is nothing that answers for it.
    assert_eq!(owner.send(lmo, "DELETE", "/api/tenant/sign-in", None).await.status, 204);
    refresh(lmo, &by_provider.refresh).await.assert_error(403, "forbidden");
    lmo.send("GET", &format!("/api/auth/oidc/{}", owner.tenant), "", None).await.assert_error(404, "not_found");
}

#[tokio::test]
async fn the_secret_is_written_and_never_read() {
    let world = World::new().await;
    let World { lmo, owner, provider, .. } = &world;
    let read = owner.send(lmo, "GET", "/api/tenant/sign-in", None).await;
    assert_eq!((read.status, read.json()["has_client_secret"].as_bool()), (200, Some(true)));
    let audit = owner.send(lmo, "GET", "/api/tenant/audit?limit=100", None).await;
    for body in [&read.body, &audit.body] {
        assert!(!body.contains("s3cret"), "{body}");
    }
    let redirect = format!("{}/api/auth/oidc/{}/callback", lmo.base, owner.tenant);
    assert_eq!(read.json()["redirect_uri"], redirect);
    // It stays where it is, and goes nowhere else.
    let mut rules = sign_in_rules(provider);
    rules.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(world.put(&rules).await["has_client_secret"], true);
    assert_eq!(world.arrive().await.status, 303);
    let evil = IdentityProvider::start().await;
    rules["issuer"] = json!(evil.issuer);
    let refused = owner.send(lmo, "PUT", "/api/tenant/sign-in", Some(&rules)).await;
    refused.assert_error(400, "invalid_request");
    assert_eq!(refused.json()["param"], "client_secret");
}

#[tokio::test]
async fn rules_are_looked_at_before_they_are_kept() {
    let World { lmo, owner, provider, .. } = World::new().await;
    let path = "/api/tenant/sign-in";
    let with = |name: &str, value: Value| {
        let mut rules = sign_in_rules(&provider);
        rules[name] = value;
        rules
    };
    let nobody = format!("{}/elsewhere", provider.issuer);
    for (name, value, param) in [
        ("issuer", json!("ftp://example.com"), "issuer"),
        ("issuer", json!(nobody), "issuer"),
        ("issuer", json!(format!("{}/", provider.issuer)), "issuer"),
        ("issuer", json!("http://127.0.0.1:1"), "issuer"),
        ("client_id", json!(""), "client_id"),
        ("client_secret", json!(""), "client_secret"),
        ("client_secret", json!("x".repeat(2000)), "client_secret"),
        ("allowed_domains", json!(["Example.com"]), "allowed_domains[0]"),
        ("allowed_domains", json!([]), "allowed_domains"),
        ("default_role", json!("owner"), "default_role"),
    ] {
        let refused = owner.send(&lmo, "PUT", path, Some(&with(name, value))).await;
        refused.assert_error(400, "invalid_request");
        assert_eq!(refused.json()["param"], param, "{}", refused.body);
    }
    let fresh = IdentityProvider::start().await;
    fresh.describes(|document| document["code_challenge_methods_supported"] = json!(["plain"]));
    let refused = owner.send(&lmo, "PUT", path, Some(&sign_in_rules(&fresh))).await;
    assert!(refused.body.contains("PKCE"), "{}", refused.body);
}

#[tokio::test]
async fn rules_are_changed_on_the_version_that_was_read() {
    let World { lmo, owner, provider, .. } = World::new().await;
    let path = format!("{}/api/tenant/sign-in", lmo.base);
    let client = Client::new();
    let send = |method: &str, version: &str| {
        let request = client.request(method.parse().unwrap(), &path).bearer_auth(&owner.access);
        request.header(header::IF_MATCH, version).json_body(&sign_in_rules(&provider)).send()
    };
    assert_eq!(send("PUT", "\"1\"").await.unwrap().headers()[header::ETAG], "\"2\"");
    assert_eq!(send("PUT", "\"1\"").await.unwrap().status(), 412);
    assert_eq!(send("DELETE", "\"1\"").await.unwrap().status(), 412);
    assert_eq!(send("DELETE", "\"2\"").await.unwrap().status(), 204);
    owner.send(&lmo, "DELETE", "/api/tenant/sign-in", None).await.assert_error(404, "not_found");
}

/// A body of JSON; the client is built without that feature.
trait JsonBody {
    fn json_body(self, body: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, body: &Value) -> Self {
        self.header(header::CONTENT_TYPE, "application/json").body(body.to_string())
    }
}
