//! What proves who somebody is stands in no log, and in no file but the mail.

use std::{fs, path::Path};

use lmo_shared::clock::Clock;

use crate::{
    support::{Account, PASSWORD, Setup, Value, json, link_token, mails, refresh},
    totp,
};

const NEW: &str = "nine quiet lanterns sleep";
const WRONG: &str = "eight loud trumpets wake";

#[tokio::test]
async fn nothing_that_proves_who_somebody_is_is_logged_or_kept() {
    let setup = Setup::new().env("RUST_LOG", "trace");
    let lmo = setup.start();
    let send = async |path: &str, body: Value| lmo.send("POST", &format!("/api/auth/{path}"), "", Some(&body)).await;
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let mut secrets: Vec<String> = [PASSWORD, NEW, WRONG].map(str::to_owned).into();
    secrets.push(link_token(&mails(&setup, "ada@example.com")[0]));
    secrets.extend([account.access.clone(), account.refresh.clone()]);
    send("login", json!({"email": "ada@example.com", "password": WRONG})).await.assert_error(401, "unauthenticated");
    send("login", json!({"email": "ada@example.com", "password": {"text": WRONG}}))
        .await
        .assert_error(400, "invalid_request");
    let next = account.refreshed(&lmo).await;
    secrets.extend([next.access.clone(), next.refresh.clone()]);
    refresh(&lmo, &account.refresh).await.assert_error(401, "unauthenticated");
    let account = account.again(&lmo).await;
    secrets.extend([account.access.clone(), account.refresh.clone()]);
    let begun = account.send(&lmo, "POST", "/api/auth/totp", Some(&json!({"password": PASSWORD}))).await.json();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let code = json!({"code": totp::code(&secret, Clock::System.now().seconds())});
    let confirmed = account.send(&lmo, "POST", "/api/auth/totp/confirm", Some(&code)).await.json();
    let recovery = confirmed["recovery_codes"][0].as_str().unwrap().to_owned();
    let with_code = json!({"email": "ada@example.com", "password": PASSWORD, "recovery_code": recovery});
    assert_eq!(send("login", with_code).await.status, 200);
    secrets.extend([secret, recovery.replace('-', ""), recovery]);
    assert_eq!(send("password/forgot", json!({"email": "ada@example.com"})).await.status, 202);
    let token = link_token(mails(&setup, "ada@example.com").last().unwrap());
    assert_eq!(send("password/reset", json!({"token": token, "password": NEW})).await.status, 204);
    secrets.push(token);
    let output = std::sync::Arc::clone(&lmo.output);
    lmo.stop();

    let printed = output.lock().unwrap().clone();
    assert!(printed.contains("/api/auth/password/reset"), "{printed}");
    let mut kept = Vec::new();
    read(&setup.data_dir(), &mut kept);
    assert!(kept.windows(15).any(|bytes| bytes == b"ada@example.com"), "the account is kept in what was read");
    for secret in secrets {
        assert!(!printed.contains(&secret), "`{secret}` was logged");
        assert!(!kept.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "`{secret}` is kept");
    }
}

/// All files but the mails.
fn read(dir: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "mail") {
                read(&path, into);
            }
        } else {
            into.extend(fs::read(&path).unwrap());
        }
    }
}
