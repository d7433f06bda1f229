//! `/api/auth/me`.

use crate::support::{Account, Setup, json};

#[tokio::test]
async fn a_person_sees_itself_and_its_tenants_and_changes_its_name_there_too() {
    let setup = Setup::new();
    let lmo = setup.start();
    let account = Account::new(&lmo, &setup, "ada@example.com").await;
    let me = account.send(&lmo, "GET", "/api/auth/me", None).await;
    assert_eq!(me.header("cache-control"), "no-store");
    let me = me.json();
    assert_eq!((&me["user"]["id"], &me["user"]["email_verified"]), (&json!(account.user), &json!(true)));
    assert_eq!((&me["tenant"], &me["restriction"]), (&json!(account.tenant), &json!(null)));
    assert_eq!((&me["tenants"][0]["id"], &me["tenants"][0]["role"]), (&json!(account.tenant), &json!("owner")));
    let named = account.send(&lmo, "PATCH", "/api/auth/me", Some(&json!({"name": " Ada L. "}))).await.json();
    assert_eq!(named["user"]["name"], "Ada L.");
    assert!(account.audited(&lmo).await.contains(&"member.rename".to_owned()));
    // What is the same changes nothing, and what is absent stays.
    for body in [json!({"name": "Ada L."}), json!({})] {
        let same = account.send(&lmo, "PATCH", "/api/auth/me", Some(&body)).await;
        assert_eq!((same.status, &same.json()["user"]["name"]), (200, &json!("Ada L.")));
    }
    for bad in [json!({"name": "a".repeat(101)}), json!({"name": "a\u{7}"}), json!({"email": "eve@example.com"})] {
        account.send(&lmo, "PATCH", "/api/auth/me", Some(&bad)).await.assert_error(400, "invalid_request");
    }
}
