//! OWASP API2:2023, broken authentication: access tokens that were made or changed by somebody else, or are for something
//! else. RFC 8725 lists them; each is made with the deployment's own key wherever that makes it more convincing.

use base64::{Engine, engine::general_purpose::STANDARD as PEM};

use crate::{
    errors::{CHAT, QUERY, assert_shape},
    support::{Forge, Lmo, Setup, Value, json, token_of},
};

struct World {
    lmo: Lmo,
    setup: Setup,
    forge: Forge,
    token: String,
}

impl World {
    async fn new() -> Self {
        let setup = Setup::with_standin("http://127.0.0.1:9");
        let lmo = setup.start();
        let token = token_of(&lmo, &lmo.key).await;
        let forge = Forge::new(&setup.data_dir(), &token);
        let world = Self { lmo, setup, forge, token };
        world.assert_accepted(&world.token).await;
        // What is changed in the tests is what makes the difference.
        world.assert_accepted(&world.forge.token(&json!({}), &json!({}))).await;
        world
    }

    async fn assert_accepted(&self, token: &str) {
        let accepted = self.lmo.send("GET", "/api/tenant/config", token, None).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
    }

    async fn assert_refused(&self, token: &str) {
        for path in [QUERY, CHAT] {
            let refused = self.lmo.send("POST", path, token, Some(&json!({}))).await;
            assert_shape(path, &refused, 401, "unauthenticated");
            assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{token}");
        }
    }

    /// Fails unless the token is refused with any of these changes of its header or its claims.
    async fn assert_refused_with(&self, part: &str, changes: &[Value]) {
        for change in changes {
            let (header, claims) =
                if part == "header" { (change.clone(), json!({})) } else { (json!({}), change.clone()) };
            self.assert_refused(&self.forge.token(&header, &claims)).await;
        }
    }
}

#[tokio::test]
async fn api2_an_expired_token_is_refused() {
    let world = World::new().await;
    let expired = json!({"iat": 1_700_000_000, "exp": 1_700_000_600});
    world.assert_refused_with("claims", &[expired]).await;
}

#[tokio::test]
async fn api2_a_token_without_a_good_end_is_refused() {
    let world = World::new().await;
    let (late, early) = (json!({"exp": null}), json!({"exp": "2100-01-01"}));
    world
        .assert_refused_with("claims", &[late, early, json!({"exp": -1}), json!({"exp": 0}), json!({"exp": []})])
        .await;
}

#[tokio::test]
async fn api2_a_token_of_the_future_is_refused() {
    let world = World::new().await;
    world.assert_refused_with("claims", &[json!({"iat": 4_000_000_000_u64, "exp": 4_000_000_600_u64})]).await;
}

#[tokio::test]
async fn api2_a_token_for_another_audience_is_refused() {
    let world = World::new().await;
    let others = ["https://other.example", "", "http://127.0.0.1"].map(|other| json!({"aud": other}));
    world.assert_refused_with("claims", &others).await;
    world.assert_refused_with("claims", &[json!({"aud": null}), json!({"aud": ["https://other.example"]})]).await;
}

#[tokio::test]
async fn api2_a_token_of_another_issuer_is_refused() {
    let world = World::new().await;
    let slash = format!("{}/", world.lmo.base);
    world.assert_refused_with("claims", &[json!({"iss": "https://other.example"}), json!({"iss": slash})]).await;
    world.assert_refused_with("claims", &[json!({"iss": null}), json!({"iss": 7})]).await;
}

#[tokio::test]
async fn api2_a_token_of_the_algorithm_none_is_refused() {
    let world = World::new().await;
    for none in ["none", "None", "NONE", ""] {
        let message = world.forge.message(&json!({"alg": none}), &json!({}));
        world.assert_refused(&format!("{message}.")).await;
        world.assert_refused(&world.forge.token(&json!({"alg": none}), &json!({}))).await;
    }
}

#[tokio::test]
async fn api2_the_public_key_is_no_secret_of_hs256() {
    let world = World::new().await;
    let public = world.forge.public().to_vec();
    let info = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &public].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", PEM.encode(&info));
    let published = world.lmo.get("/.well-known/jwks.json").await.body;
    let x = world.forge.jwk["x"].as_str().unwrap();
    for secret in [&public[..], &info, pem.as_bytes(), published.as_bytes(), x.as_bytes(), b""] {
        world.assert_refused(&world.forge.hs256(secret)).await;
    }
}

#[tokio::test]
async fn api2_a_token_of_another_algorithm_is_refused() {
    let world = World::new().await;
    world.assert_refused(&world.forge.rs256()).await;
    let others = ["RS256", "ES256", "PS256", "HS512", "eddsa", "Ed25519", "EdDSA "].map(|alg| json!({"alg": alg}));
    world.assert_refused_with("header", &others).await;
    world.assert_refused_with("header", &[json!({"alg": null}), json!({"alg": 1}), json!({"alg": ["EdDSA"]})]).await;
}

#[tokio::test]
async fn api2_a_key_that_a_token_brings_along_is_not_believed() {
    let world = World::new().await;
    let url = format!("{}/mine.json", world.lmo.base);
    for header in [
        json!({}),
        json!({"jwk": world.forge.jwk}),
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"kid": "mine"}),
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "' OR 1=1 --"}),
        json!({"kid": null}),
    ] {
        world.assert_refused(&world.forge.foreign(&header)).await;
    }
    world.assert_refused_with("header", &[json!({"kid": "mine"}), json!({"kid": null}), json!({"kid": ""})]).await;
}

#[tokio::test]
async fn api2_a_token_of_another_type_is_refused() {
    let world = World::new().await;
    let others = ["JWT", "link+jwt", "at+JWT", "id_token+jwt", ""].map(|typ| json!({"typ": typ}));
    world.assert_refused_with("header", &others).await;
    world.assert_refused_with("header", &[json!({"typ": null})]).await;
}

#[tokio::test]
async fn api2_a_token_that_wants_more_to_be_understood_is_refused() {
    let world = World::new().await;
    world.assert_refused_with("header", &[json!({"crit": ["exp"]}), json!({"crit": []}), json!({"zip": "DEF"})]).await;
}

#[tokio::test]
async fn api2_a_changed_token_is_refused() {
    let world = World::new().await;
    let parts: Vec<_> = world.token.split('.').collect();
    let another = world.forge.message(&json!({}), &json!({"scope": "query tenant:admin", "jti": "another"}));
    world.assert_refused(&format!("{another}.{}", parts[2])).await;
    for at in (0..world.token.len()).step_by(7) {
        let mut changed = world.token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        if changed.contains('.') && changed != world.token {
            let refused = world.lmo.send("GET", "/api/tenant/config", &changed, None).await;
            assert_eq!(refused.status, 401, "changed at {at}: {changed}");
        }
    }
}

#[tokio::test]
async fn api2_pieces_of_a_token_are_refused() {
    let world = World::new().await;
    let parts: Vec<_> = world.token.split('.').collect();
    let long = format!("{}.{}", "A".repeat(5000), parts[1]);
    for piece in [
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("..{}", parts[2]),
        format!("{}.", world.token),
        format!("{}.{}", world.token, parts[2]),
        format!("{}=", world.token),
        format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        "..".to_owned(),
        ".".to_owned(),
        "a.b.c".to_owned(),
        long,
    ] {
        world.assert_refused(&piece).await;
    }
}

#[tokio::test]
async fn api2_a_token_for_nobody_is_refused() {
    let world = World::new().await;
    let ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for sub in [format!("key_{ulid}"), format!("usr_{ulid}"), format!("tnt_{ulid}"), "admin".to_owned(), String::new()]
    {
        world.assert_refused_with("claims", &[json!({"sub": sub})]).await;
    }
    world.assert_refused_with("claims", &[json!({"tenant": format!("tnt_{ulid}")}), json!({"tenant": "*"})]).await;
}

#[tokio::test]
async fn api2_a_token_of_a_revoked_key_is_refused() {
    let world = World::new().await;
    let made = world.lmo.post("/api/tenant/keys", &json!({"name": "robot"})).await.json();
    let token = token_of(&world.lmo, made["api_key"].as_str().unwrap()).await;
    let question = json!({"query": "hi", "model": "lmo/echo"});
    assert_eq!(world.lmo.send("POST", QUERY, &token, Some(&question)).await.status, 200);
    let path = format!("/api/tenant/keys/{}", made["id"].as_str().unwrap());
    assert!(world.lmo.send("DELETE", &path, &world.lmo.key, None).await.status < 300);
    world.assert_refused(&token).await;
}

#[tokio::test]
async fn api2_a_token_of_another_deployment_is_refused() {
    let (world, other) = (World::new().await, World::new().await);
    world.assert_refused(&other.token).await;
    // Also after a restart on another port, which is another address.
    let World { lmo, setup, token, .. } = world;
    lmo.stop();
    let lmo = setup.start();
    assert_eq!(lmo.send("GET", "/api/tenant/config", &token, None).await.status, 401);
}

#[tokio::test]
async fn a_token_is_taken_wherever_a_key_is() {
    let world = World::new().await;
    let client = &world.lmo.client;
    let config = format!("{}/api/tenant/config", world.lmo.base);
    let by_header = client.get(&config).header("x-api-key", &world.token).send().await.unwrap();
    assert_eq!(by_header.status(), 200);
    let chat = json!({"model": "lmo/echo", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9});
    for path in [CHAT, "/v1/messages"] {
        let answered = world.lmo.send("POST", path, &world.token, Some(&chat)).await;
        assert_eq!(answered.status, 200, "{}", answered.body);
    }
    let mut frames = crate::support::Socket::with_key(&world.lmo, &world.token).await;
    let frames = frames.ask(&json!({"query": "hi", "model": "lmo/echo"})).await;
    assert!(frames.iter().any(|frame| frame["event"] == "done"), "{frames:?}");
    // It is metered as its key.
    let usage = world.lmo.usage_of(&world.lmo.key, 3).await;
    assert_eq!(usage["requests"], 3);
}
