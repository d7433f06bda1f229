//! `POST /api/auth/invites/accept`.

use futures_util::future::join_all;

use super::{
    invites::invite,
    roles::{give, path},
};
use crate::support::{Account, Lmo, PASSWORD, Response, Setup, accept, json, link_token, mails, refresh};

/// The token that was sent to an address last.
fn sent(setup: &Setup, email: &str) -> String {
    link_token(mails(setup, email).last().unwrap())
}

async fn join(lmo: &Lmo, setup: &Setup, email: &str, password: &str) -> Response {
    accept(lmo, "", &json!({"token": sent(setup, email), "password": password})).await
}

#[tokio::test]
async fn whoever_is_new_gets_an_account_and_is_signed_in() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    invite(&lmo, &owner, "ann@example.com", "developer").await;
    let token = sent(&setup, "ann@example.com");
    for (body, param) in [
        (json!({"token": token}), "password"),
        (json!({"token": token, "password": "short"}), "password"),
        (json!({"token": token, "password": "ann@example.com"}), "password"),
        (json!({"token": token, "password": PASSWORD, "name": "a\nb"}), "name"),
        (json!({"token": format!("{token}x"), "password": PASSWORD}), "token"),
        (json!({"token": "", "password": PASSWORD}), "token"),
    ] {
        let refused = accept(&lmo, "", &body).await;
        refused.assert_error(400, "invalid_request");
        assert_eq!(refused.json()["param"], param, "{}", refused.body);
    }
    let body = json!({"token": token, "password": PASSWORD, "name": "Ann"});
    let accepted = accept(&lmo, "", &body).await;
    assert_eq!(accepted.status, 201, "{}", accepted.body);
    let made = accepted.json();
    assert_eq!((&made["tenant"]["id"], &made["tenant"]["role"]), (&json!(owner.tenant), &json!("developer")));
    // The link has shown that mail reaches the address.
    assert_eq!((&made["user"]["email_verified"], &made["restriction"]), (&json!(true), &json!(null)));
    let ann = Account::of(&made);
    assert_eq!(ann.send(&lmo, "GET", "/api/tenant/keys", None).await.status, 200);
    let member = owner.send(&lmo, "GET", &path(&ann), None).await.json();
    assert_eq!((&member["name"], &member["email"]), (&json!("Ann"), &json!("ann@example.com")));
    accept(&lmo, "", &body).await.assert_error(400, "invalid_request");
    let audited = owner.audited(&lmo).await;
    assert!(audited.contains(&"member.add".to_owned()), "{audited:?}");
}

#[tokio::test]
async fn whoever_has_an_account_joins_with_its_password_or_signed_in() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let ann = Account::new(&lmo, &setup, "ann@example.com").await;
    let bob = Account::new(&lmo, &setup, "bob@example.com").await;
    invite(&lmo, &owner, "ann@example.com", "viewer").await;
    invite(&lmo, &owner, "bob@example.com", "admin").await;
    join(&lmo, &setup, "ann@example.com", "not the password").await.assert_error(401, "unauthenticated");
    let joined = join(&lmo, &setup, "ann@example.com", PASSWORD).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    assert_eq!(
        (Account::of(&joined.json()).user, Account::of(&joined.json()).tenant),
        (ann.user, owner.tenant.clone())
    );
    let token = json!({"token": sent(&setup, "bob@example.com")});
    // A key is nobody who could join, and no good token is no token.
    let refused = accept(&lmo, &lmo.key, &token).await;
    assert!([401, 403].contains(&refused.status), "{}", refused.body);
    let joined = accept(&lmo, &bob.access, &token).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    let me = Account::of(&joined.json()).send(&lmo, "GET", "/api/auth/me", None).await.json();
    assert_eq!(me["tenants"].as_array().unwrap().len(), 2, "{me:#}");
    // The sign-in that was there is for the other tenant still.
    assert_eq!(Account::of(&refresh(&lmo, &bob.refresh).await.json()).tenant, bob.tenant);
}

#[tokio::test]
async fn nobody_joins_with_another_address_than_the_invited_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let eve = Account::new(&lmo, &setup, "eve@example.com").await;
    Account::new(&lmo, &setup, "ann@example.com").await;
    for invited in ["ann@example.com", "new@example.com"] {
        invite(&lmo, &owner, invited, "admin").await;
        let token = json!({"token": sent(&setup, invited)});
        accept(&lmo, &eve.access, &token).await.assert_error(403, "forbidden");
    }
    let page = owner.send(&lmo, "GET", "/api/tenant/members", None).await.json();
    assert_eq!(page["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_ten_who_accept_at_once_one_does() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    invite(&lmo, &owner, "new@example.com", "viewer").await;
    let body = json!({"token": sent(&setup, "new@example.com"), "password": PASSWORD});
    let all = join_all((0..10).map(|_| accept(&lmo, "", &body))).await;
    let statuses: Vec<_> = all.iter().map(|response| response.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 400, 401, 409, 429].contains(status)), "{statuses:?}");
    let added = owner.audited(&lmo).await.iter().filter(|action| *action == "member.add").count();
    assert_eq!(added, 1);
}

#[tokio::test]
async fn an_invitation_falls_with_the_right_of_whoever_invited() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let admin = owner.invites(&lmo, &setup, "admin@example.com", "admin").await;
    let made = invite(&lmo, &admin, "new@example.com", "admin").await.json();
    assert_eq!(give(&lmo, &owner, &admin, "viewer").await.status, 200);
    join(&lmo, &setup, "new@example.com", PASSWORD).await.assert_error(400, "invalid_request");
    assert_eq!(owner.send(&lmo, "DELETE", &path(&admin), None).await.status, 204);
    join(&lmo, &setup, "new@example.com", PASSWORD).await.assert_error(400, "invalid_request");
    // Whoever may sends it again.
    let resend = format!("/api/tenant/invites/{}/resend", made["id"].as_str().unwrap());
    assert_eq!(owner.send(&lmo, "POST", &resend, None).await.status, 200);
    assert_eq!(join(&lmo, &setup, "new@example.com", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn a_revoked_invitation_is_accepted_by_nobody() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let made = invite(&lmo, &owner, "new@example.com", "viewer").await.json();
    let path = format!("/api/tenant/invites/{}", made["id"].as_str().unwrap());
    assert_eq!(owner.send(&lmo, "DELETE", &path, None).await.status, 204);
    join(&lmo, &setup, "new@example.com", PASSWORD).await.assert_error(400, "invalid_request");
    owner.send(&lmo, "DELETE", &path, None).await.assert_error(404, "not_found");
    assert!(owner.audited(&lmo).await.contains(&"invite.revoke".to_owned()));
}
