//! What every route of accounts refuses.

use crate::support::{Account, Setup, json};

/// Routes for whoever is signed in, with a body that would do.
const OWN: [(&str, &str); 11] = [
    ("GET", "/api/auth/me"),
    ("PATCH", "/api/auth/me"),
    ("POST", "/api/auth/verify/resend"),
    ("POST", "/api/auth/logout-all"),
    ("GET", "/api/auth/sessions"),
    ("DELETE", "/api/auth/sessions/ses_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/auth/totp"),
    ("DELETE", "/api/auth/totp"),
    ("POST", "/api/auth/totp/confirm"),
    ("GET", "/api/auth/me?x=1"),
];
/// Routes that anybody may use, with their required fields.
const OPEN: [(&str, &[&str]); 7] = [
    ("/api/auth/register", &["email", "password", "tenant_name"]),
    ("/api/auth/login", &["email", "password"]),
    ("/api/auth/refresh", &["refresh_token"]),
    ("/api/auth/logout", &["refresh_token"]),
    ("/api/auth/verify", &["token"]),
    ("/api/auth/password/forgot", &["email"]),
    ("/api/auth/password/reset", &["token", "password"]),
];

#[tokio::test]
async fn accounts_are_opened_by_access_tokens_of_people_alone() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let cut = &account.access[..account.access.len() - 2];
    for (method, path) in OWN {
        for bad in ["", "nonsense", "a.b.c", cut, &account.refresh, &lmo.key] {
            let refused = lmo.send(method, path, bad, Some(&json!({}))).await;
            refused.assert_error(401, "unauthenticated");
            assert_eq!(refused.header("cache-control"), "no-store");
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
        }
    }
    account.refreshed(&lmo).await;
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_named() {
    let setup = Setup::new();
    let lmo = setup.start();
    for (path, fields) in OPEN {
        let empty = lmo.send("POST", path, "", Some(&json!({}))).await;
        empty.assert_error(400, "invalid_request");
        assert_eq!(empty.json()["param"], fields[0], "{path}");
        for field in fields {
            for bad in [json!(5), json!({"a": 1}), json!([]), json!(null)] {
                let mut body = json!({});
                for field in fields {
                    let good = if *field == "email" { "ada@example.com" } else { "a long enough text" };
                    body[field] = json!(good);
                }
                body[field] = bad;
                let refused = lmo.send("POST", path, "", Some(&body)).await;
                refused.assert_error(400, "invalid_request");
                assert_eq!(refused.json()["param"], *field, "{path} {}", refused.body);
            }
        }
        let cut = lmo.client.post(format!("{}{path}", lmo.base)).header("content-type", "application/json");
        let cut = crate::support::Response::read(cut.body("{").send().await.unwrap()).await;
        cut.assert_error(400, "bad_json");
        let form = lmo.client.post(format!("{}{path}", lmo.base)).header("content-type", "text/plain");
        let form = crate::support::Response::read(form.body("{}").send().await.unwrap()).await;
        form.assert_error(415, "unsupported_media_type");
        let huge = json!({"email": "a".repeat(7 * 1024 * 1024)});
        lmo.send("POST", path, "", Some(&huge)).await.assert_error(413, "body_too_large");
        lmo.send("GET", path, "", None).await.assert_error(405, "method_not_allowed");
    }
}
