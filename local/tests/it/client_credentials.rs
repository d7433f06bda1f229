//! `POST /api/auth/token` and `/.well-known/`: keys exchanged for access tokens (RFC 6749), which anybody can verify.

use crate::support::{Lmo, Response, Setup, Value, ask_token, json, key_id, part};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

const GRANT: &str = "grant_type=client_credentials";

fn in_form(key: &str) -> String {
    format!("{GRANT}&client_id={}&client_secret={key}", key_id(key))
}

async fn new_key(lmo: &Lmo, scopes: Value) -> String {
    let made = lmo.post("/api/tenant/keys", &json!({"name": "robot", "scopes": scopes})).await;
    made.json()["api_key"].as_str().unwrap().to_owned()
}

fn assert_error(response: &Response, status: u16, error: &str) {
    assert_eq!((response.status, response.header("cache-control")), (status, "no-store"), "{}", response.body);
    let body = response.json();
    assert_eq!(body["error"], error, "{body}");
    let described = body["error_description"].as_str().unwrap();
    // RFC 6749 section 5.2 says of which characters.
    assert!(
        described.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'),
        "{described}"
    );
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    let challenge = if status == 401 { "Basic realm=\"lmo\"" } else { "" };
    assert_eq!(response.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn a_key_is_exchanged_by_form_or_by_basic_authentication() {
    let lmo = Setup::new().start();
    let (id, form) = (key_id(&lmo.key), in_form(&lmo.key));
    for issued in [
        ask_token(&lmo, &form, None).await,
        ask_token(&lmo, GRANT, Some((&id, &lmo.key))).await,
        ask_token(&lmo, &format!("{GRANT}&client_id={id}&client_secret=&scope="), Some((&id, &lmo.key))).await,
    ] {
        assert_eq!((issued.status, issued.header("cache-control")), (200, "no-store"), "{}", issued.body);
        let issued = issued.json();
        assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(600)));
        let scopes: Vec<_> = issued["scope"].as_str().unwrap().split(' ').collect();
        assert!(scopes.contains(&"query") && scopes.contains(&"tenant:admin"), "{scopes:?}");
    }
}

#[tokio::test]
async fn a_token_says_what_rfc_9068_wants_and_anybody_can_verify_it() {
    let lmo = Setup::new().start();
    let token = ask_token(&lmo, &in_form(&lmo.key), None).await.json()["access_token"].as_str().unwrap().to_owned();
    let (header, claims, keys) = (part(&token, 0), part(&token, 1), lmo.get("/.well-known/jwks.json").await);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    let id = json!(key_id(&lmo.key));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(lmo.base), &json!(lmo.base)));
    assert_eq!((&claims["sub"], &claims["client_id"]), (&id, &id));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    assert!(claims["tenant"].as_str().unwrap().starts_with("tnt_") && claims["jti"].is_string());
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let keys = keys.json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["d"].is_null()));
    let public = BASE64.decode(key["x"].as_str().unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(message.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn the_configuration_says_what_there_is() {
    let lmo = Setup::new().start();
    let configuration = lmo.get("/.well-known/openid-configuration").await.json();
    assert_eq!(configuration["issuer"], lmo.base);
    for (field, path) in [("token_endpoint", "/api/auth/token"), ("jwks_uri", "/.well-known/jwks.json")] {
        assert_eq!(configuration[field], format!("{}{path}", lmo.base));
    }
    assert_eq!(configuration["grant_types_supported"], json!(["client_credentials"]));
    let elsewhere = Setup::new().env("LMO_ISSUER", "https://lmo.example/").start();
    let configuration = elsewhere.get("/.well-known/openid-configuration").await.json();
    assert_eq!(configuration["jwks_uri"], "https://lmo.example/.well-known/jwks.json");
}

#[tokio::test]
async fn a_token_can_be_narrowed_and_not_widened() {
    let lmo = Setup::new().start();
    let key = new_key(&lmo, json!(["query", "usage:read"])).await;
    let narrow = ask_token(&lmo, &format!("{}&scope=usage:read", in_form(&key)), None).await.json();
    assert_eq!(narrow["scope"], "usage:read");
    let token = narrow["access_token"].as_str().unwrap();
    assert_eq!(lmo.send("GET", "/api/tenant/usage?granularity=month", token, None).await.status, 200);
    let refused = lmo.send("POST", "/api/mcp/query", token, Some(&json!({"query": "hi", "model": "lmo/echo"}))).await;
    refused.assert_error(403, "forbidden");
    for scope in ["tenant:admin", "query+tenant:admin", "everything", "%00", "query,usage:read"] {
        let refused = ask_token(&lmo, &format!("{}&scope={scope}", in_form(&key)), None).await;
        assert_error(&refused, 400, "invalid_scope");
    }
}

#[tokio::test]
async fn what_is_no_request_is_told_as_rfc_6749_says() {
    let lmo = Setup::new().start();
    let (id, form) = (key_id(&lmo.key), in_form(&lmo.key));
    let without_grant = form.replace(GRANT, "");
    for (form, error) in [
        (without_grant.clone(), "invalid_request"),
        (format!("grant_type={without_grant}"), "invalid_request"),
        (format!("{form}&{GRANT}"), "invalid_request"),
        (format!("{form}&scope=query&scope=query"), "invalid_request"),
        (format!("grant_type=password{without_grant}"), "unsupported_grant_type"),
        (format!("grant_type=CLIENT_CREDENTIALS{without_grant}"), "unsupported_grant_type"),
    ] {
        assert_error(&ask_token(&lmo, &form, None).await, 400, error);
    }
    let twice = ask_token(&lmo, &form, Some((&id, &lmo.key))).await;
    assert_error(&twice, 400, "invalid_request");
    for kind in ["application/json", "text/plain", ""] {
        let request = lmo.client.post(format!("{}/api/auth/token", lmo.base)).header("content-type", kind);
        let refused = Response::read(request.body(form.clone()).send().await.unwrap()).await;
        assert_error(&refused, 400, "invalid_request");
    }
    let huge = ask_token(&lmo, &"a".repeat(7 * 1024 * 1024), None).await;
    huge.assert_error(413, "body_too_large");
}

#[tokio::test]
async fn api2_whoever_is_no_client_gets_no_token() {
    let setup = Setup::new();
    let (_, other) = setup.tenant(&[]);
    let lmo = setup.start();
    let (id, form) = (key_id(&lmo.key), in_form(&lmo.key));
    let changed = form.replace(&lmo.key, &format!("{}0", &lmo.key[..lmo.key.len() - 1]));
    for form in [
        GRANT.to_owned(),
        format!("{GRANT}&client_id={id}"),
        format!("{GRANT}&client_secret={}", lmo.key),
        format!("{GRANT}&client_id={id}&client_secret={other}"),
        format!("{GRANT}&client_id={}&client_secret={}", key_id(&other), lmo.key),
        format!("{GRANT}&client_id=me&client_secret=secret"),
        changed,
    ] {
        assert_error(&ask_token(&lmo, &form, None).await, 401, "invalid_client");
    }
    assert_error(&ask_token(&lmo, GRANT, Some((&id, &other))).await, 401, "invalid_client");
    assert_error(&ask_token(&lmo, GRANT, Some((&id, ""))).await, 401, "invalid_client");
    // A token gets no token: it would never end.
    let token = ask_token(&lmo, &form, None).await.json()["access_token"].as_str().unwrap().to_owned();
    assert_error(&ask_token(&lmo, GRANT, Some((&id, &token))).await, 401, "invalid_client");
    let bearer = lmo.client.post(format!("{}/api/auth/token", lmo.base)).bearer_auth(&lmo.key);
    let bearer = bearer.header("content-type", "application/x-www-form-urlencoded").body(GRANT).send().await.unwrap();
    assert_error(&Response::read(bearer).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_revoked_key_gets_no_token() {
    let lmo = Setup::new().start();
    let key = new_key(&lmo, json!(["query"])).await;
    assert_eq!(ask_token(&lmo, &in_form(&key), None).await.status, 200);
    let revoked = lmo.send("DELETE", &format!("/api/tenant/keys/{}", key_id(&key)), &lmo.key, None).await;
    assert!(revoked.status < 300);
    assert_error(&ask_token(&lmo, &in_form(&key), None).await, 401, "invalid_client");
}
