//! `POST /api/auth/login`.

use std::time::Duration;

use crate::support::{Account, PASSWORD, Setup, json, login};

#[tokio::test]
async fn somebody_who_knows_the_password_is_signed_in() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let answer = login(&lmo, "Ada@Example.com", PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let signed_in = Account::of(&answer.json());
    assert_eq!((&signed_in.user, &signed_in.tenant), (&account.user, &account.tenant));
    assert_eq!(answer.json()["restriction"], json!(null));
    assert_eq!(signed_in.send(&lmo, "GET", "/api/tenant/keys", None).await.status, 200);
}

#[tokio::test]
async fn an_account_that_does_not_exist_answers_like_one_whose_password_is_wrong() {
    let setup = Setup::new();
    let lmo = setup.start();
    Account::new(&lmo, &setup, "ada@example.com").await;
    let (mut wrong, mut unknown) = (Duration::ZERO, Duration::ZERO);
    for n in 0..4 {
        let began = std::time::Instant::now();
        let known = login(&lmo, "ada@example.com", "not the password").await;
        wrong += began.elapsed();
        let began = std::time::Instant::now();
        let nobody = login(&lmo, &format!("nobody{n}@example.com"), "not the password").await;
        unknown += began.elapsed();
        let shape = |response: &crate::support::Response| {
            let mut body = response.json();
            body["request_id"] = json!(null);
            let names = response.headers.keys().map(|name| name.as_str().to_owned());
            (response.status, body, names.collect::<std::collections::BTreeSet<_>>())
        };
        assert_eq!(shape(&known), shape(&nobody));
    }
    // Both hash a password, which is most of the work; the machine may be busy.
    let ratio = wrong.as_secs_f64() / unknown.as_secs_f64();
    assert!((0.2..5.0).contains(&ratio), "{wrong:?} {unknown:?}");
}

#[tokio::test]
async fn failures_make_the_next_attempt_wait_even_with_the_right_password() {
    let setup = Setup::new();
    let lmo = setup.start();
    // It was never used from here, so strangers' failures count.
    Account::unverified(&lmo, "ada@example.com").await;
    let mut refused = None;
    for _ in 0..12 {
        let answer = login(&lmo, "ada@example.com", "not the password").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.assert_error(401, "unauthenticated");
    }
    let refused = refused.unwrap();
    refused.assert_error(429, "too_many_attempts");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    login(&lmo, "ada@example.com", PASSWORD).await.assert_error(429, "too_many_attempts");
    // Others aren't kept waiting by it.
    Account::unverified(&lmo, "grace@example.com").await.again(&lmo).await;
}

#[tokio::test]
async fn a_tenant_that_somebody_is_not_in_does_not_exist() {
    let setup = Setup::new();
    let lmo = setup.start();
    let ada = Account::new(&lmo, &setup, "ada@example.com").await;
    let grace = Account::new(&lmo, &setup, "grace@example.com").await;
    let into = |tenant: &str| json!({"email": "ada@example.com", "password": PASSWORD, "tenant": tenant});
    let own = lmo.send("POST", "/api/auth/login", "", Some(&into(&ada.tenant))).await;
    assert_eq!(own.status, 200, "{}", own.body);
    lmo.send("POST", "/api/auth/login", "", Some(&into(&grace.tenant))).await.assert_error(404, "not_found");
    let nowhere = into("tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    lmo.send("POST", "/api/auth/login", "", Some(&nowhere)).await.assert_error(404, "not_found");
    lmo.send("POST", "/api/auth/login", "", Some(&into("mine"))).await.assert_error(400, "invalid_request");
    // Nor does a wrong password tell which tenants there are.
    let wrong = json!({"email": "ada@example.com", "password": "not the password", "tenant": grace.tenant});
    lmo.send("POST", "/api/auth/login", "", Some(&wrong)).await.assert_error(401, "unauthenticated");
}
