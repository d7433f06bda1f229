//! `/api/tenant/invites`.

use crate::support::{Account, Lmo, PASSWORD, Response, Setup, Value, accept, json, link_token, mails};

const PATH: &str = "/api/tenant/invites";

pub async fn invite(lmo: &Lmo, by: &Account, email: &str, role: &str) -> Response {
    by.send(lmo, "POST", PATH, Some(&json!({"email": email, "role": role}))).await
}

async fn open(lmo: &Lmo, by: &Account) -> Vec<Value> {
    by.send(lmo, "GET", PATH, None).await.json()["invites"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_invitation_goes_by_mail_to_the_invited_alone() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let made = invite(&lmo, &owner, " Ann@Example.com ", "developer").await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()["email"], "ann@example.com");
    assert_eq!((&made.json()["role"], &made.json()["invited_by"]), (&json!("developer"), &json!("owner@example.com")));
    let mails = mails(&setup, "ann@example.com");
    assert_eq!(mails.len(), 1);
    let token = link_token(&mails[0]);
    assert!(!made.body.contains(&token) && !owner.send(&lmo, "GET", PATH, None).await.body.contains(&token));
    let listed = open(&lmo, &owner).await;
    assert_eq!(listed, [made.json()]);
    assert!(owner.audited(&lmo).await.contains(&"invite.create".to_owned()));
}

#[tokio::test]
async fn an_address_has_one_open_invitation() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let (first, second) = tokio::join!(
        invite(&lmo, &owner, "ann@example.com", "viewer"),
        invite(&lmo, &owner, "ANN@example.com", "admin"),
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let id = open(&lmo, &owner).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.send(&lmo, "DELETE", &format!("{PATH}/{id}"), None).await.status, 204);
    assert_eq!(open(&lmo, &owner).await.len(), 0);
    assert_eq!(invite(&lmo, &owner, "ann@example.com", "viewer").await.status, 201);
    // Nor does a member get one.
    invite(&lmo, &owner, "owner@example.com", "viewer").await.assert_error(409, "conflict");
    for (email, role) in [("nobody", "viewer"), ("bob@example.com", "king"), ("", "viewer")] {
        invite(&lmo, &owner, email, role).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn an_idempotency_key_invites_once() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let send = async |role: &str| {
        let request = lmo.client.post(format!("{}{PATH}", lmo.base)).bearer_auth(&owner.access);
        let request = request.header("idempotency-key", "once").header("content-type", "application/json");
        let body = json!({"email": "ann@example.com", "role": role}).to_string();
        Response::read(request.body(body).send().await.unwrap()).await
    };
    let (first, second) = (send("viewer").await, send("viewer").await);
    assert_eq!((first.status, second.status, &first.body), (201, 201, &second.body));
    send("admin").await.assert_error(422, "idempotency_mismatch");
    assert_eq!(mails(&setup, "ann@example.com").len(), 1);
}

#[tokio::test]
async fn an_invitation_that_is_sent_again_has_a_new_link_and_no_old_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let made = invite(&lmo, &owner, "ann@example.com", "viewer").await.json();
    let path = format!("{PATH}/{}/resend", made["id"].as_str().unwrap());
    assert_eq!(owner.send(&lmo, "POST", &path, None).await.status, 200);
    let mails = mails(&setup, "ann@example.com");
    assert_eq!(mails.len(), 2);
    let body = |mail: &str| json!({"token": link_token(mail), "password": PASSWORD});
    accept(&lmo, "", &body(&mails[0])).await.assert_error(400, "invalid_request");
    assert_eq!(accept(&lmo, "", &body(&mails[1])).await.status, 201);
    owner.send(&lmo, "POST", &path, None).await.assert_error(404, "not_found");
}

#[tokio::test]
async fn what_is_no_open_invitation_of_the_tenant_is_not_found() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let other = Account::new(&lmo, &setup, "other@example.com").await;
    let theirs = invite(&lmo, &other, "ann@example.com", "viewer").await.json()["id"].as_str().unwrap().to_owned();
    for id in [theirs.as_str(), "ivt_01ARZ3NDEKTSV4RRFFQ69G5FAV", "ivt_", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00"] {
        owner.send(&lmo, "DELETE", &format!("{PATH}/{id}"), None).await.assert_error(404, "not_found");
        owner.send(&lmo, "POST", &format!("{PATH}/{id}/resend"), None).await.assert_error(404, "not_found");
    }
    assert_eq!(open(&lmo, &other).await.len(), 1);
}
