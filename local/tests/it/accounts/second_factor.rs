//! `/api/auth/totp`.

use lmo_shared::clock::Clock;

use crate::{
    support::{Account, Lmo, PASSWORD, Response, Setup, Value, json, login, mails},
    totp,
};

/// The code of a secret so many steps from now.
fn code(secret: &str, steps: u64) -> String {
    totp::code(secret, Clock::System.now().seconds() + 30 * steps)
}

/// Turns the second factor on: the secret and the recovery codes.
async fn enrol(lmo: &Lmo, account: &Account) -> (String, Vec<String>) {
    let begun = account.send(lmo, "POST", "/api/auth/totp", Some(&json!({"password": PASSWORD}))).await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let secret = begun.json()["secret"].as_str().unwrap().to_owned();
    assert!(begun.json()["uri"].as_str().unwrap().starts_with("otpauth://totp/LMO:ada%40example.com?secret="));
    let confirmed = account.send(lmo, "POST", "/api/auth/totp/confirm", Some(&json!({"code": code(&secret, 0)}))).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    let codes = confirmed.json()["recovery_codes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn login_with(lmo: &Lmo, field: &str, value: &str) -> Response {
    let mut body = json!({"email": "ada@example.com", "password": PASSWORD});
    body[field] = json!(value);
    lmo.send("POST", "/api/auth/login", "", Some(&body)).await
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_a_code_of_it_was_shown() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let begin = |password: &str| json!({"password": password});
    account.send(&lmo, "POST", "/api/auth/totp", Some(&begin("not it"))).await.assert_error(403, "forbidden");
    account
        .send(&lmo, "POST", "/api/auth/totp/confirm", Some(&json!({"code": "123456"})))
        .await
        .assert_error(409, "conflict");
    account.send(&lmo, "POST", "/api/auth/totp", Some(&begin(PASSWORD))).await;
    account.again(&lmo).await;
    let (secret, codes) = enrol(&lmo, &account).await;
    assert_eq!(codes.len(), 10);
    account.send(&lmo, "POST", "/api/auth/totp", Some(&begin(PASSWORD))).await.assert_error(409, "conflict");
    login(&lmo, "ada@example.com", PASSWORD).await.assert_error(401, "second_factor_required");
    login_with(&lmo, "code", "12345").await.assert_error(400, "invalid_request");
    let signed_in = login_with(&lmo, "code", &code(&secret, 1)).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    let account = Account::of(&signed_in.json());
    let audited = account.audited(&lmo).await;
    assert!(audited.contains(&"totp.enable".to_owned()), "{audited:?}");
    let me = account.send(&lmo, "GET", "/api/auth/me", None).await.json();
    assert_eq!(me["user"]["second_factor"], true);
    assert!(mails(&setup, "ada@example.com").last().unwrap().contains("second factor"));
}

#[tokio::test]
async fn a_code_and_a_recovery_code_are_good_once() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let (secret, codes) = enrol(&lmo, &account).await;
    let now = code(&secret, 1);
    assert_eq!(login_with(&lmo, "code", &now).await.status, 200);
    login_with(&lmo, "code", &now).await.assert_error(401, "unauthenticated");
    let typed = codes[3].to_uppercase();
    assert_eq!(login_with(&lmo, "recovery_code", &typed).await.status, 200);
    login_with(&lmo, "recovery_code", &codes[3]).await.assert_error(401, "unauthenticated");
    assert!(mails(&setup, "ada@example.com").last().unwrap().contains("A recovery code was used"));
    let log = account.send(&lmo, "GET", "/api/tenant/audit?limit=100", None).await.json();
    let ways = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "session.create");
    let ways: Vec<_> = ways.map(|entry| entry["after"]["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["recovery_code", "password", "password"]);
    // Two at once use one code up.
    let both = tokio::join!(login_with(&lmo, "recovery_code", &codes[5]), login_with(&lmo, "recovery_code", &codes[5]));
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn a_second_factor_is_turned_off_by_password_and_code() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let end = async |body: Value| account.send(&lmo, "DELETE", "/api/auth/totp", Some(&body)).await;
    end(json!({"password": PASSWORD, "code": "123456"})).await.assert_error(409, "conflict");
    let (secret, codes) = enrol(&lmo, &account).await;
    end(json!({"password": PASSWORD})).await.assert_error(400, "invalid_request");
    end(json!({"password": "not it", "code": code(&secret, 1)})).await.assert_error(403, "forbidden");
    end(json!({"password": PASSWORD, "recovery_code": codes[0], "code": "123456"}))
        .await
        .assert_error(400, "invalid_request");
    assert_eq!(end(json!({"password": PASSWORD, "code": code(&secret, 1)})).await.status, 204);
    assert_eq!(login(&lmo, "ada@example.com", PASSWORD).await.status, 200);
    assert!(account.audited(&lmo).await.contains(&"totp.disable".to_owned()));
}

#[tokio::test]
async fn an_unverified_address_gets_no_second_factor() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::unverified(&lmo, "ada@example.com").await;
    let begun = account.send(&lmo, "POST", "/api/auth/totp", Some(&json!({"password": PASSWORD}))).await;
    begun.assert_error(403, "email_unverified");
}
