//! `POST /api/auth/refresh`, `/logout`, `/logout-all`, and the list of sign-ins.

use futures_util::future::join_all;

use crate::support::{Account, Setup, json, link_token, mails, refresh};

#[tokio::test]
async fn a_refresh_token_is_good_once_and_each_time_there_is_a_new_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let first = Account::new(&lmo, &setup, "ada@example.com").await;
    let second = first.refreshed(&lmo).await;
    assert_ne!(first.refresh, second.refresh);
    let third = second.refreshed(&lmo).await;
    assert_eq!(third.send(&lmo, "GET", "/api/auth/me", None).await.status, 200);
}

#[tokio::test]
async fn a_token_that_comes_again_ends_the_whole_family() {
    let setup = Setup::new();
    let lmo = setup.start();
    let first = Account::new(&lmo, &setup, "ada@example.com").await;
    let other = first.again(&lmo).await;
    let second = first.refreshed(&lmo).await;
    refresh(&lmo, &first.refresh).await.assert_error(401, "unauthenticated");
    refresh(&lmo, &second.refresh).await.assert_error(401, "unauthenticated");
    second.send(&lmo, "GET", "/api/auth/me", None).await.assert_error(401, "unauthenticated");
    // Another sign-in of the same person is none of its family.
    let other = other.refreshed(&lmo).await;
    assert!(other.audited(&lmo).await.contains(&"session.reuse_detected".to_owned()));
}

#[tokio::test]
async fn of_many_who_use_a_token_at_once_at_most_one_goes_on_and_then_none() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let other = account.again(&lmo).await;
    let answers = join_all((0..8).map(|_| refresh(&lmo, &account.refresh))).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    answers.iter().filter(|answer| answer.status != 200).for_each(|answer| answer.assert_error(401, "unauthenticated"));
    let next = good[0].json()["refresh_token"].as_str().unwrap().to_owned();
    refresh(&lmo, &next).await.assert_error(401, "unauthenticated");
    let audited = other.audited(&lmo).await;
    let reused = audited.iter().filter(|action| *action == "session.reuse_detected").count();
    assert_eq!(reused, 1, "{audited:?}");
}

#[tokio::test]
async fn what_is_no_token_of_the_family_ends_nothing() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    // The same person and sign-in, with secrets that somebody made up.
    let guess = format!("{}{}", &account.refresh[..57], "0".repeat(52));
    let guess = format!("{guess}{:08x}", crc32fast::hash(guess.as_bytes()));
    let mistyped =
        account.refresh.replace(&account.refresh[60..61], if &account.refresh[60..61] == "A" { "B" } else { "A" });
    for bad in [guess.as_str(), &mistyped, "", "lmr_", &lmo.key, &account.access, &"a".repeat(100_000)] {
        refresh(&lmo, bad).await.assert_error(401, "unauthenticated");
        let out = lmo.send("POST", "/api/auth/logout", "", Some(&json!({"refresh_token": bad}))).await;
        assert_eq!(out.status, 204, "{}", out.body);
    }
    account.refreshed(&lmo).await;
}

#[tokio::test]
async fn switching_to_a_tenant_that_one_is_not_in_is_refused_and_costs_no_token() {
    let setup = Setup::new();
    let lmo = setup.start();
    let ada = Account::new(&lmo, &setup, "ada@example.com").await;
    let grace = Account::new(&lmo, &setup, "grace@example.com").await;
    for tenant in [grace.tenant.as_str(), "tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        let body = json!({"refresh_token": ada.refresh, "tenant": tenant});
        lmo.send("POST", "/api/auth/refresh", "", Some(&body)).await.assert_error(404, "not_found");
    }
    ada.refreshed(&lmo).await;
}

#[tokio::test]
async fn a_member_of_two_tenants_goes_from_one_to_the_other() {
    let setup = Setup::new();
    let lmo = setup.start();
    let ada = Account::new(&lmo, &setup, "ada@example.com").await;
    let grace = Account::new(&lmo, &setup, "grace@example.com").await;
    let invite = json!({"email": grace.email, "role": "viewer"});
    let invited = ada.send(&lmo, "POST", "/api/tenant/invites", Some(&invite)).await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    let accept = json!({"token": link_token(mails(&setup, &grace.email).last().unwrap())});
    let accepted = grace.send(&lmo, "POST", "/api/auth/invites/accept", Some(&accept)).await;
    assert_eq!(accepted.status, 201, "{}", accepted.body);
    // Where somebody was first is where it signs in.
    let grace = grace.again(&lmo).await;
    let me = grace.send(&lmo, "GET", "/api/auth/me", None).await.json();
    let tenants: Vec<_> = me["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["id"]).collect();
    assert_eq!((&me["tenant"], tenants), (&json!(grace.tenant), vec![&json!(grace.tenant), &json!(ada.tenant)]));
    let switch = json!({"refresh_token": grace.refresh, "tenant": ada.tenant});
    let switched = lmo.send("POST", "/api/auth/refresh", "", Some(&switch)).await.json();
    assert_eq!((&switched["tenant"]["id"], &switched["tenant"]["role"]), (&json!(ada.tenant), &json!("viewer")));
    let there = Account::of(&switched);
    there.send(&lmo, "GET", "/api/tenant/keys", None).await.assert_error(403, "forbidden");
    assert!(ada.audited(&lmo).await.contains(&"session.switch".to_owned()));
    // It stays there.
    assert_eq!(there.refreshed(&lmo).await.tenant, ada.tenant);
}

#[tokio::test]
async fn signing_out_ends_a_sign_in_and_is_no_error_the_second_time() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let other = account.again(&lmo).await;
    for _ in 0..2 {
        let out = lmo.send("POST", "/api/auth/logout", "", Some(&json!({"refresh_token": account.refresh}))).await;
        assert_eq!(out.status, 204, "{}", out.body);
    }
    refresh(&lmo, &account.refresh).await.assert_error(401, "unauthenticated");
    account.send(&lmo, "GET", "/api/auth/sessions", None).await.assert_error(401, "unauthenticated");
    other.refreshed(&lmo).await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sign_ins() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let other = account.again(&lmo).await;
    assert_eq!(account.send(&lmo, "POST", "/api/auth/logout-all", None).await.status, 204);
    for token in [&account.refresh, &other.refresh] {
        refresh(&lmo, token).await.assert_error(401, "unauthenticated");
    }
    let back = account.again(&lmo).await;
    let sessions = back.send(&lmo, "GET", "/api/auth/sessions", None).await.json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1, "{sessions:#}");
    assert!(back.audited(&lmo).await.contains(&"session.end_all".to_owned()));
}

#[tokio::test]
async fn a_person_sees_its_own_sign_ins_and_ends_them_one_by_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let ada = Account::new(&lmo, &setup, "ada@example.com").await;
    let other = ada.again(&lmo).await;
    let grace = Account::new(&lmo, &setup, "grace@example.com").await;
    let list = ada.send(&lmo, "GET", "/api/auth/sessions", None).await.json();
    let sessions = list["sessions"].as_array().unwrap();
    let current: Vec<_> = sessions.iter().map(|session| session["current"] == true).collect();
    assert_eq!(current, [false, true], "{list:#}");
    assert_eq!((&sessions[0]["address"], &sessions[0]["tenant"]), (&json!("127.0.0.1"), &json!(ada.tenant)));
    let path = |id: &str| format!("/api/auth/sessions/{id}");
    let id = sessions[0]["id"].as_str().unwrap();
    grace.send(&lmo, "DELETE", &path(id), None).await.assert_error(404, "not_found");
    assert_eq!(ada.send(&lmo, "DELETE", &path(id), None).await.status, 204);
    ada.send(&lmo, "DELETE", &path(id), None).await.assert_error(404, "not_found");
    ada.send(&lmo, "DELETE", &path("mine"), None).await.assert_error(404, "not_found");
    refresh(&lmo, &other.refresh).await.assert_error(401, "unauthenticated");
    ada.refreshed(&lmo).await;
}
