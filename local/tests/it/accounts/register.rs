//! `POST /api/auth/register`.

use futures_util::future::join_all;

use crate::support::{Account, PASSWORD, Response, Setup, json, login, mails};

const PATH: &str = "/api/auth/register";

#[tokio::test]
async fn whoever_signs_up_owns_a_tenant_and_is_signed_in() {
    let setup = Setup::new();
    let lmo = setup.start();
    let body = json!({"email": " Ada@Example.com ", "password": PASSWORD, "tenant_name": " Engines ", "name": "Ada"});
    let made = lmo.send("POST", PATH, "", Some(&body)).await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.body);
    let made = made.json();
    assert_eq!((&made["token_type"], &made["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!((&made["tenant"]["name"], &made["tenant"]["role"]), (&json!("Engines"), &json!("owner")));
    assert_eq!((&made["user"]["email"], &made["user"]["name"]), (&json!("ada@example.com"), &json!("Ada")));
    assert_eq!((&made["user"]["email_verified"], &made["restriction"]), (&json!(false), &json!("email_unverified")));
    let account = Account::new(&lmo, &setup, "grace@example.com").await;
    let config = account.send(&lmo, "GET", "/api/tenant/config", None).await;
    assert_eq!(config.status, 200, "{}", config.body);
    let audited = account.audited(&lmo).await;
    assert!(
        ["tenant.create", "session.create", "user.verify"].iter().all(|action| audited.contains(&(*action).to_owned())),
        "{audited:?}"
    );
}

#[tokio::test]
async fn an_address_is_registered_once_and_its_owner_is_told() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::unverified(&lmo, "ada@example.com").await;
    let body = json!({"email": "ADA@example.com", "password": "another good password", "tenant_name": "Other"});
    let refused = lmo.send("POST", PATH, "", Some(&body)).await;
    refused.assert_error(409, "conflict");
    for fact in [&account.user, &account.tenant, "ada@example.com", "verified"] {
        assert!(!refused.body.contains(fact), "{}", refused.body);
    }
    let mails = mails(&setup, "ada@example.com");
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(mails[1].contains("Subject: You have an account") && !mails[1].contains("token="), "{}", mails[1]);
    // The password is still the first one's.
    assert_eq!(login(&lmo, "ada@example.com", PASSWORD).await.status, 200);
    login(&lmo, "ada@example.com", "another good password").await.assert_error(401, "unauthenticated");
}

#[tokio::test]
async fn of_twenty_who_register_an_address_at_once_one_wins() {
    let setup = Setup::new();
    let lmo = setup.start();
    let bodies: Vec<_> = (0..20)
        .map(|n| json!({"email": "ada@example.com", "password": format!("{PASSWORD} {n}"), "tenant_name": format!("T{n}")}))
        .collect();
    let all = join_all(bodies.iter().map(|body| lmo.send("POST", PATH, "", Some(body)))).await;
    let won: Vec<_> = all.iter().filter(|response| response.status == 201).collect();
    assert_eq!(won.len(), 1, "{:?}", all.iter().map(|response| response.status).collect::<Vec<_>>());
    for response in all.iter().filter(|response| response.status != 201) {
        match response.status {
            409 => response.assert_error(409, "conflict"),
            _ => response.assert_error(429, "too_many_attempts"),
        }
    }
    let account = Account::of(&won[0].json());
    let me = account.send(&lmo, "GET", "/api/auth/me", None).await.json();
    assert_eq!(me["tenants"].as_array().unwrap().len(), 1, "{me:#}");
    assert_eq!(me["tenants"][0]["id"], account.tenant);
}

#[tokio::test]
async fn an_idempotency_key_signs_up_once() {
    let setup = Setup::new();
    let lmo = setup.start();
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "tenant_name": "Engines"});
    let send = async |body: &crate::support::Value| {
        let request = lmo.client.post(format!("{}{PATH}", lmo.base)).header("idempotency-key", "once");
        let request = request.header("content-type", "application/json").body(body.to_string());
        Response::read(request.send().await.unwrap()).await
    };
    let (first, second) = (send(&body).await, send(&body).await);
    assert_eq!((first.status, second.status), (201, 201), "{}", second.body);
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotent-replayed"), "true");
    let other = json!({"email": "ada@example.com", "password": PASSWORD, "tenant_name": "Others"});
    send(&other).await.assert_error(422, "idempotency_mismatch");
    assert_eq!(mails(&setup, "ada@example.com").len(), 1);
}

#[tokio::test]
async fn who_guesses_passwords_by_a_registration_that_was_answered_has_to_wait() {
    let setup = Setup::new();
    let lmo = setup.start();
    let send = async |password: &str| {
        let body = json!({"email": "ada@example.com", "password": password, "tenant_name": "Engines"});
        let request = lmo.client.post(format!("{}{PATH}", lmo.base)).header("idempotency-key", "1");
        let request = request.header("content-type", "application/json").body(body.to_string());
        Response::read(request.send().await.unwrap()).await
    };
    assert_eq!(send(PASSWORD).await.status, 201);
    let mut guesses = 0;
    let refused = loop {
        let answer = send(&format!("guess number {guesses}")).await;
        if answer.status != 422 || guesses == 15 {
            break answer;
        }
        guesses += 1;
    };
    refused.assert_error(429, "too_many_attempts");
    assert!(guesses >= 5, "{guesses}");
    // The right one isn't told either.
    send(PASSWORD).await.assert_error(429, "too_many_attempts");
}

#[tokio::test]
async fn what_may_not_be_chosen_is_named() {
    let setup = Setup::new();
    let lmo = setup.start();
    for (field, value, param) in [
        ("email", json!("ada"), "email"),
        ("email", json!("a@b@c.example"), "email"),
        ("email", json!(5), "email"),
        ("password", json!("short"), "password"),
        ("password", json!("a".repeat(257)), "password"),
        ("password", json!(null), "password"),
        ("tenant_name", json!("  "), "tenant_name"),
        ("tenant_name", json!("a".repeat(101)), "tenant_name"),
        ("tenant_name", json!("a\nb"), "tenant_name"),
        ("name", json!("a\u{0}b"), "name"),
        ("plan", json!("free"), "plan"),
    ] {
        let mut body = json!({"email": "ada@example.com", "password": PASSWORD, "tenant_name": "Engines"});
        body[field] = value;
        let refused = lmo.send("POST", PATH, "", Some(&body)).await;
        refused.assert_error(400, "invalid_request");
        assert_eq!(refused.json()["param"], param, "{}", refused.body);
    }
    assert_eq!(mails(&setup, "ada@example.com").len(), 0);
}
