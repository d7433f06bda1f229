//! Whether mail to an address reaches its person, and what somebody may do before that is known.

use crate::support::{Account, Setup, json, link_token, mails, refresh};

#[tokio::test]
async fn an_unverified_address_opens_the_account_and_nothing_else() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::unverified(&lmo, "ada@example.com").await;
    for (method, path, body) in [
        ("GET", "/api/tenant/keys", None),
        ("POST", "/api/tenant/keys", Some(json!({"name": "mine"}))),
        ("POST", "/api/mcp/query", Some(json!({"query": "hi"}))),
        ("GET", "/api/tenant/audit", None),
    ] {
        account.send(&lmo, method, path, body.as_ref()).await.assert_error(403, "email_unverified");
    }
    let me = account.send(&lmo, "GET", "/api/auth/me", None).await.json();
    assert_eq!(me["restriction"], "email_unverified", "{me:#}");
    let again = refresh(&lmo, &account.refresh).await.json();
    assert_eq!(again["restriction"], "email_unverified");
}

#[tokio::test]
async fn the_link_in_the_mail_verifies_the_address_once() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::unverified(&lmo, "ada@example.com").await;
    let mails = mails(&setup, "ada@example.com");
    let token = json!({"token": link_token(&mails[0])});
    assert_eq!(lmo.send("POST", "/api/auth/verify", "", Some(&token)).await.status, 204);
    let replayed = lmo.send("POST", "/api/auth/verify", "", Some(&token)).await;
    replayed.assert_error(400, "invalid_request");
    assert_eq!(replayed.json()["param"], "token");
    let account = account.refreshed(&lmo).await;
    assert_eq!(account.send(&lmo, "GET", "/api/tenant/keys", None).await.status, 200);
    account.send(&lmo, "POST", "/api/auth/verify/resend", None).await.assert_error(409, "conflict");
}

#[tokio::test]
async fn the_link_can_be_had_again_but_not_without_end() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::unverified(&lmo, "ada@example.com").await;
    let mut sent = 1;
    loop {
        let answer = account.send(&lmo, "POST", "/api/auth/verify/resend", None).await;
        if answer.status != 202 {
            answer.assert_error(429, "too_many_attempts");
            break;
        }
        sent += 1;
        assert!(sent < 10, "mails without end");
    }
    let mails = mails(&setup, "ada@example.com");
    assert_eq!(mails.len(), sent);
    // Each of them is good.
    let token = json!({"token": link_token(mails.last().unwrap())});
    assert_eq!(lmo.send("POST", "/api/auth/verify", "", Some(&token)).await.status, 204);
}

#[tokio::test]
async fn a_token_of_another_kind_verifies_nothing() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::unverified(&lmo, "ada@example.com").await;
    lmo.send("POST", "/api/auth/password/forgot", "", Some(&json!({"email": "ada@example.com"}))).await;
    let reset = link_token(mails(&setup, "ada@example.com").last().unwrap());
    for token in [account.access.as_str(), &account.refresh, &reset, "", "a.b.c"] {
        let refused = lmo.send("POST", "/api/auth/verify", "", Some(&json!({"token": token}))).await;
        refused.assert_error(400, "invalid_request");
    }
    let me = account.send(&lmo, "GET", "/api/auth/me", None).await.json();
    assert_eq!(me["user"]["email_verified"], false);
}
