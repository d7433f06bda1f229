//! `/api/auth/password`.

use futures_util::future::join_all;

use crate::support::{Account, PASSWORD, Setup, json, link_token, login, mails, refresh};

const NEW: &str = "nine quiet lanterns sleep";

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_other_sign_ins_end() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let other = account.again(&lmo).await;
    let body = |old: &str, new: &str| json!({"current_password": old, "password": new});
    let change = async |old, new| account.send(&lmo, "POST", "/api/auth/password", Some(&body(old, new))).await;
    change("not the password", NEW).await.assert_error(403, "forbidden");
    change(PASSWORD, "short").await.assert_error(400, "invalid_request");
    assert_eq!(change(PASSWORD, NEW).await.status, 204);
    refresh(&lmo, &other.refresh).await.assert_error(401, "unauthenticated");
    let account = account.refreshed(&lmo).await;
    login(&lmo, "ada@example.com", PASSWORD).await.assert_error(401, "unauthenticated");
    assert_eq!(login(&lmo, "ada@example.com", NEW).await.status, 200);
    assert!(account.audited(&lmo).await.contains(&"password.change".to_owned()));
    assert!(mails(&setup, "ada@example.com").last().unwrap().contains("Your password was changed"));
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_link_in_the_mail_once() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let forgot =
        async |email: &str| lmo.send("POST", "/api/auth/password/forgot", "", Some(&json!({"email": email}))).await;
    let (known, unknown) = (forgot("ada@example.com").await, forgot("nobody@example.com").await);
    assert_eq!((known.status, known.body), (202, unknown.body));
    assert_eq!(unknown.status, 202);
    assert!(!mails(&setup, "nobody@example.com")[0].contains("token="));
    let token = link_token(mails(&setup, "ada@example.com").last().unwrap());
    let reset = async |token: &str, password: &str| {
        let body = json!({"token": token, "password": password});
        lmo.send("POST", "/api/auth/password/reset", "", Some(&body)).await
    };
    // What may not be chosen doesn't use the link up.
    reset(&token, "short").await.assert_error(400, "invalid_request");
    assert_eq!(reset(&token, NEW).await.status, 204);
    let replayed = reset(&token, "yet another password").await;
    replayed.assert_error(400, "invalid_request");
    assert_eq!(replayed.json()["param"], "token");
    refresh(&lmo, &account.refresh).await.assert_error(401, "unauthenticated");
    login(&lmo, "ada@example.com", PASSWORD).await.assert_error(401, "unauthenticated");
    let account = Account::of(&login(&lmo, "ada@example.com", NEW).await.json());
    assert!(account.audited(&lmo).await.contains(&"password.reset".to_owned()));
    assert!(mails(&setup, "ada@example.com").last().unwrap().contains("Your password was changed"));
}

#[tokio::test]
async fn of_many_who_open_a_link_at_once_one_chooses_the_password() {
    let setup = Setup::new();
    let lmo = setup.start();
    Account::new(&lmo, &setup, "ada@example.com").await;
    lmo.send("POST", "/api/auth/password/forgot", "", Some(&json!({"email": "ada@example.com"}))).await;
    let token = link_token(mails(&setup, "ada@example.com").last().unwrap());
    let bodies: Vec<_> = (0..5).map(|n| json!({"token": token, "password": format!("{NEW} {n}")})).collect();
    let sent = bodies.iter().map(|body| lmo.send("POST", "/api/auth/password/reset", "", Some(body)));
    let statuses: Vec<_> = join_all(sent).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 204 | 400)), "{statuses:?}");
}

#[tokio::test]
async fn the_owner_of_an_address_takes_an_account_over_that_a_stranger_registered() {
    let setup = Setup::new();
    let lmo = setup.start();
    let strangers = Account::unverified(&lmo, "ada@example.com").await;
    lmo.send("POST", "/api/auth/password/forgot", "", Some(&json!({"email": "ada@example.com"}))).await;
    let token = link_token(mails(&setup, "ada@example.com").last().unwrap());
    let body = json!({"token": token, "password": NEW});
    assert_eq!(lmo.send("POST", "/api/auth/password/reset", "", Some(&body)).await.status, 204);
    refresh(&lmo, &strangers.refresh).await.assert_error(401, "unauthenticated");
    login(&lmo, "ada@example.com", PASSWORD).await.assert_error(401, "unauthenticated");
    let own = login(&lmo, "ada@example.com", NEW).await.json();
    assert_eq!((&own["user"]["email_verified"], &own["restriction"]), (&json!(true), &json!(null)), "{own:#}");
}
