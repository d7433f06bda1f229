//! Signing in by a tenant's identity provider, with a browser's redirects and cookies.

use reqwest::{Client, header, redirect};

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::{
    Account, CLIENT, IdentityProvider, Lmo, PASSWORD, Response, Setup, Signing, Value, accept, json, link_token, mails,
    refresh, sign_in_rules,
};

mod rules;

/// A browser that goes nowhere by itself.
struct Browser {
    client: Client,
    cookie: Option<String>,
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder().redirect(redirect::Policy::none()).build().unwrap(), cookie: None }
    }

    async fn get(&self, url: &str) -> reqwest::Response {
        let mut request = self.client.get(url);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, format!("other=1; {cookie}"));
        }
        request.send().await.unwrap()
    }

    /// Begins, agrees at the provider, and stops with the address that leads back.
    async fn go(&mut self, lmo: &Lmo, tenant: &str) -> String {
        let begun = self.get(&format!("{}/api/auth/oidc/{tenant}", lmo.base)).await;
        assert_eq!(begun.status(), 303, "{}", begun.text().await.unwrap());
        assert_eq!(begun.headers()[header::CACHE_CONTROL], "no-store");
        let cookie = begun.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");
        self.cookie = cookie.split(';').next().map(str::to_owned);
        let agreed = self.get(location(&begun)).await;
        assert!(agreed.status().is_redirection(), "{}", agreed.status());
        location(&agreed).to_owned()
    }

    /// Comes back.
    async fn come(&self, address: &str) -> Response {
        Response::read(self.get(address).await).await
    }
}

fn location(response: &reqwest::Response) -> &str {
    response.headers()[header::LOCATION].to_str().unwrap()
}

/// Whoever arrived, after the page has exchanged its refresh token.
async fn entered(lmo: &Lmo, arrived: &Response) -> Account {
    assert_eq!(arrived.status, 303, "{}", arrived.body);
    let page = arrived.header("location");
    let token =
        page.strip_prefix(&format!("{}/signed-in#refresh_token=", lmo.base)).unwrap_or_else(|| panic!("{page}"));
    let answer = refresh(lmo, token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json().get("restriction").is_none(), "{}", answer.body);
    Account::of(&answer.json())
}

async fn sign_in(lmo: &Lmo, tenant: &str) -> Account {
    let mut browser = Browser::new();
    let back = browser.go(lmo, tenant).await;
    entered(lmo, &browser.come(&back).await).await
}

/// Fails unless somebody is refused for this reason.
fn assert_refused(arrived: &Response, why: &str) {
    arrived.assert_error(403, "forbidden");
    let detail = arrived.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(why), "{detail}");
}

/// A tenant with a provider, and with a member whom the provider names unless it is told otherwise.
struct World {
    setup: Setup,
    lmo: Lmo,
    owner: Account,
    ann: Account,
    provider: IdentityProvider,
}

impl World {
    async fn new() -> Self {
        let setup = Setup::new();
        let lmo = setup.start();
        let owner = Account::new(&lmo, &setup, "owner@example.com").await;
        let ann = owner.invites(&lmo, &setup, "ann@example.com", "developer").await;
        let provider = IdentityProvider::start().await;
        let world = Self { setup, lmo, owner, ann, provider };
        world.put(&sign_in_rules(&world.provider)).await;
        world
    }

    async fn put(&self, rules: &Value) -> Value {
        let put = self.owner.send(&self.lmo, "PUT", "/api/tenant/sign-in", Some(rules)).await;
        assert_eq!(put.status, 200, "{}", put.body);
        put.json()
    }

    /// How many have signed in by the provider.
    async fn vouched(&self) -> usize {
        let log = self.owner.send(&self.lmo, "GET", "/api/tenant/audit?limit=100", None).await.json();
        let entries = log["entries"].as_array().unwrap().iter();
        entries.filter(|entry| entry["after"]["way"] == "identity_provider").count()
    }

    /// What somebody gets who signs in now.
    async fn arrive(&self) -> Response {
        let mut browser = Browser::new();
        let back = browser.go(&self.lmo, &self.owner.tenant).await;
        browser.come(&back).await
    }
}

/// Fails unless whoever arrived is told of an invitation.
fn assert_invited(lmo: &Lmo, arrived: &Response) {
    assert_eq!(arrived.status, 303, "{}", arrived.body);
    assert_eq!(arrived.header("location"), format!("{}/signed-in#error=invited", lmo.base));
}

#[tokio::test]
async fn a_member_signs_in_by_the_provider() {
    let World { lmo, owner, ann: member, provider, .. } = World::new().await;
    let ann = sign_in(&lmo, &owner.tenant).await;
    assert_eq!((&ann.user, &ann.tenant), (&member.user, &owner.tenant));
    assert_eq!(ann.send(&lmo, "GET", "/api/tenant/keys", None).await.status, 200);
    // A developer is no admin.
    ann.send(&lmo, "PUT", "/api/tenant/config", Some(&json!({}))).await.assert_error(403, "forbidden");
    let again = sign_in(&lmo, &owner.tenant).await;
    assert_eq!(again.user, ann.user);
    assert_eq!(provider.exchanges(), 2);
    let log = owner.send(&lmo, "GET", "/api/tenant/audit?limit=100", None).await.json();
    let began = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "session.create");
    let ways: Vec<_> = began.map(|entry| entry["after"]["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["identity_provider", "identity_provider", "invitation", "password"]);
}

#[tokio::test]
async fn an_issuer_that_failed_is_left_alone_for_a_while() {
    let World { lmo, owner, .. } = World::new().await;
    let broken = IdentityProvider::start().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    broken.describes(move |document| {
        count.fetch_add(1, Ordering::SeqCst);
        document["code_challenge_methods_supported"] = json!(["plain"]);
    });
    for _ in 0..3 {
        let refused = owner.send(&lmo, "PUT", "/api/tenant/sign-in", Some(&sign_in_rules(&broken))).await;
        assert!(refused.status == 400 && refused.body.contains("PKCE"), "{}", refused.body);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn each_algorithm_that_providers_use_is_understood() {
    let world = World::new().await;
    for signing in [Signing::Rs256, Signing::Es256, Signing::EdDsa] {
        world.provider.signs(signing);
        let arrived = world.arrive().await;
        assert_eq!(arrived.status, 303, "{signing:?}: {}", arrived.body);
    }
}

#[tokio::test]
async fn a_token_without_a_signature_of_the_provider_is_nothing() {
    let world = World::new().await;
    for signing in [Signing::None, Signing::Hs256, Signing::Foreign] {
        world.provider.signs(signing);
        assert_refused(&world.arrive().await, "no valid signature");
    }
    assert_eq!(world.vouched().await, 0);
}

#[tokio::test]
async fn what_a_token_says_has_to_be_meant_for_this_sign_in() {
    let world = World::new().await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let lies: [(&str, Value, &str); 14] = [
        ("nonce", json!("another"), "answers another request"),
        ("nonce", Value::Null, "answers another request"),
        ("aud", json!("another client"), "for another client"),
        ("aud", json!([]), "for another client"),
        ("aud", json!([CLIENT.0, "another client"]), "for another client"),
        ("azp", json!("another client"), "for another client"),
        ("exp", json!(now - 120), "has expired"),
        ("iat", json!(now + 120), "of the future"),
        ("iss", json!("http://127.0.0.1:1"), "of another issuer"),
        ("sub", json!(""), "names nobody"),
        ("email_verified", json!(false), "verified"),
        ("email_verified", json!("false"), "verified"),
        ("email", json!("no address"), "no e-mail address"),
        ("email", json!("ann@elsewhere.org"), "`elsewhere.org` may not sign in"),
    ];
    for (claim, value, why) in lies {
        world.provider.says(move |claims| claims[claim] = value.clone());
        assert_refused(&world.arrive().await, why);
    }
    world.provider.says(|claims| {
        claims.as_object_mut().unwrap().remove("email_verified");
    });
    assert_refused(&world.arrive().await, "`email_verified`");
    assert_eq!(world.vouched().await, 0);
}

#[tokio::test]
async fn microsofts_word_for_a_verified_address_counts() {
    let world = World::new().await;
    world.provider.says(|claims| {
        claims.as_object_mut().unwrap().remove("email_verified");
        claims["xms_edov"] = json!("1");
    });
    assert_eq!(world.arrive().await.status, 303);
}

#[tokio::test]
async fn a_provider_that_tells_the_address_only_if_asked_is_asked() {
    let world = World::new().await;
    world.provider.says(|claims| {
        claims.as_object_mut().unwrap().retain(|name, _| !name.starts_with("email"));
    });
    world.provider.tells(json!({"sub": "somebody else", "email": "ann@example.com", "email_verified": true}));
    assert_refused(&world.arrive().await, "tells of somebody else");
    world.provider.tells(json!({"sub": "person-1", "email": "ann@example.com", "email_verified": true}));
    assert_eq!(world.arrive().await.status, 303);
}

#[tokio::test]
async fn a_state_is_good_once() {
    let World { lmo, owner, provider, .. } = World::new().await;
    let mut browser = Browser::new();
    let back = browser.go(&lmo, &owner.tenant).await;
    assert_eq!(browser.come(&back).await.status, 303);
    assert_refused(&browser.come(&back).await, "finished before");
    assert_eq!(provider.exchanges(), 1);
    // Two at once.
    let back = browser.go(&lmo, &owner.tenant).await;
    let (one, other) = tokio::join!(browser.come(&back), browser.come(&back));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403]);
}

#[tokio::test]
async fn only_the_browser_that_began_comes_back() {
    let World { lmo, owner, .. } = World::new().await;
    let (mut victim, mut attacker) = (Browser::new(), Browser::new());
    let back = attacker.go(&lmo, &owner.tenant).await;
    assert_refused(&victim.come(&back).await, "another browser");
    victim.go(&lmo, &owner.tenant).await;
    assert_refused(&victim.come(&back).await, "another browser");
    // A state that was changed, or that is none.
    let (start, state) = back.split_once("state=").unwrap();
    for state in [state.replacen("v1.", "v1.A", 1), "v1.x.y".to_owned(), String::new()] {
        assert_refused(&attacker.come(&format!("{start}state={state}")).await, "not begun here");
    }
    let nothing = format!("{}/api/auth/oidc/{}/callback", lmo.base, owner.tenant);
    attacker.come(&nothing).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_code_of_another_provider_is_not_taken() {
    let World { setup, lmo, owner, provider, .. } = World::new().await;
    let other = Account::new(&lmo, &setup, "owner@example.org").await;
    let evil = IdentityProvider::start().await;
    let put = other.send(&lmo, "PUT", "/api/tenant/sign-in", Some(&sign_in_rules(&evil))).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let mut browser = Browser::new();
    let theirs = browser.go(&lmo, &other.tenant).await;
    let ours = browser.go(&lmo, &owner.tenant).await;
    // The code and the name of one provider with the state of the other, as in a mix-up.
    let parameter = |address: &str, name: &str| {
        let url = reqwest::Url::parse(address).unwrap();
        url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
    };
    // It comes back to where the provider that made the code sends it, whatever it says of itself.
    let astray = ours.replace(&owner.tenant, &other.tenant);
    assert_refused(&browser.come(&astray).await, "begun for another tenant");
    let mixed = |iss: &str| {
        let address = format!("{}/api/auth/oidc/{}/callback", lmo.base, owner.tenant);
        let mut url = reqwest::Url::parse(&address).unwrap();
        let (code, state) = (parameter(&theirs, "code"), parameter(&ours, "state"));
        url.query_pairs_mut().extend_pairs([("code", code.as_str()), ("state", &state), ("iss", iss)]);
        url.to_string()
    };
    assert_refused(&browser.come(&mixed(&evil.issuer)).await, "not of the tenant's provider");
    assert_eq!((provider.exchanges(), evil.exchanges()), (0, 0));
    // The state is used up; what is left is the other tenant's, whose cookie is gone.
    assert_refused(&browser.come(&mixed(&provider.issuer)).await, "finished before");
    assert_refused(&browser.come(&theirs).await, "another browser");
}

#[tokio::test]
async fn what_a_tenants_provider_says_opens_that_tenant_and_nothing_else() {
    let world = World::new().await;
    let World { setup, lmo, owner, provider, .. } = &world;
    let victim = Account::new(lmo, setup, "victim@example.com").await;
    // The owner of the one tenant has the provider name the owner of the other, and learns nothing of its account.
    provider.knows("whoever", "victim@example.com");
    assert_invited(lmo, &world.arrive().await);
    assert!(!owner.send(lmo, "GET", "/api/tenant/members", None).await.body.contains("victim"));
    let token = json!({"token": link_token(mails(setup, "victim@example.com").last().unwrap())});
    assert_eq!(accept(lmo, &victim.access, &token).await.status, 201);
    let forged = sign_in(lmo, &owner.tenant).await;
    assert_eq!((&forged.user, &forged.tenant), (&victim.user, &owner.tenant));
    let body = json!({"refresh_token": forged.refresh, "tenant": victim.tenant});
    lmo.send("POST", "/api/auth/refresh", "", Some(&body)).await.assert_error(403, "forbidden");
    let me = forged.send(lmo, "GET", "/api/auth/me", None).await;
    assert!(!me.body.contains(&victim.tenant), "{}", me.body);
    let password = json!({"current_password": PASSWORD, "password": "eight yellow umbrellas dance"});
    for (method, path, body) in [
        ("PATCH", "/api/auth/me", Some(json!({"name": "Mallory"}))),
        ("GET", "/api/auth/sessions", None),
        ("POST", "/api/auth/logout-all", None),
        ("POST", "/api/auth/password", Some(password)),
        ("POST", "/api/auth/totp", Some(json!({"password": PASSWORD}))),
    ] {
        let refused = forged.send(lmo, method, path, body.as_ref()).await;
        assert!(refused.status == 403 && refused.body.contains("good in its tenant alone"), "{path}: {}", refused.body);
    }
    // The victim has seen none of it, and can still sign in.
    assert_eq!(victim.again(lmo).await.tenant, victim.tenant);
}

#[tokio::test]
async fn an_address_that_the_provider_gives_to_somebody_else_is_not_the_members() {
    let World { lmo, owner, provider, .. } = World::new().await;
    provider.knows("person-1", "ann@example.com");
    sign_in(&lmo, &owner.tenant).await;
    provider.knows("person-2", "ann@example.com");
    let mut browser = Browser::new();
    let back = browser.go(&lmo, &owner.tenant).await;
    assert_refused(&browser.come(&back).await, "meant somebody else by this address");
}

#[tokio::test]
async fn a_provider_that_says_no_is_quoted_by_a_word() {
    let World { lmo, owner, provider, .. } = World::new().await;
    let mut browser = Browser::new();
    let back = browser.go(&lmo, &owner.tenant).await;
    let (start, state) = back.split_once("state=").unwrap();
    let (start, _) = start.split_once("code=").unwrap();
    let state = state.split('&').next().unwrap();
    let denied = browser.come(&format!("{start}state={state}&error=access_denied%3Cscript%3E")).await;
    assert_refused(&denied, "the provider says `access_deniedscript`");
    let back = browser.go(&lmo, &owner.tenant).await;
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert_refused(&browser.come(&back.replace(code, "another")).await, "it refused the code (invalid_grant)");
    let back = browser.go(&lmo, &owner.tenant).await;
    assert_refused(&browser.come(&back.replace("code=", "nothing=")).await, "made no code");
    assert_eq!(provider.exchanges(), 1);
}
