//! `DELETE /api/tenant` and `POST /api/tenant/restore`.

use crate::support::{Account, PASSWORD, Setup, json, login, mails};

#[tokio::test]
async fn a_tenant_that_is_being_deleted_does_nothing_but_come_back_or_be_exported() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let admin = owner.invites(&lmo, &setup, "admin@example.com", "admin").await;
    let made = owner.send(&lmo, "POST", "/api/tenant/keys", Some(&json!({"name": "k"}))).await.json();
    let key = made["api_key"].as_str().unwrap();
    let name = json!({"name": "owner@example.com's"});
    admin.send(&lmo, "DELETE", "/api/tenant", Some(&name)).await.assert_error(403, "forbidden");
    for wrong in [json!({"name": "another"}), json!({}), json!({"name": null})] {
        owner.send(&lmo, "DELETE", "/api/tenant", Some(&wrong)).await.assert_error(400, "invalid_request");
    }
    owner.send(&lmo, "POST", "/api/tenant/restore", None).await.assert_error(409, "conflict");
    let announced = owner.send(&lmo, "DELETE", "/api/tenant", Some(&name)).await;
    assert_eq!(announced.status, 200, "{}", announced.body);
    let state = announced.json();
    assert_eq!((&state["status"], &state["id"]), (&json!("deleting"), &json!(owner.tenant)));
    assert!(state["delete_after"].as_str().unwrap().starts_with("20"));
    let mail = mails(&setup, "owner@example.com").pop().unwrap();
    assert!(mail.contains(state["delete_after"].as_str().unwrap().split('T').next().unwrap()), "{mail}");
    // At once where it was done, within 30 s elsewhere.
    for credential in [&owner.access, &admin.access, key] {
        for (method, path) in [("GET", "/v1/models"), ("GET", "/api/tenant/usage"), ("POST", "/api/tenant/leave")] {
            let refused = lmo.send(method, path, credential, None).await;
            assert_eq!(refused.status, 403, "{method} {path}: {}", refused.body);
            assert!(refused.body.contains("tenant_suspended"), "{}", refused.body);
        }
    }
    owner.send(&lmo, "DELETE", "/api/tenant", Some(&name)).await.assert_error(403, "tenant_suspended");
    admin.send(&lmo, "POST", "/api/tenant/restore", None).await.assert_error(403, "forbidden");
    admin.send(&lmo, "POST", "/api/tenant/export", None).await.assert_error(403, "forbidden");
    // Its owner can still sign in.
    let signed_in = login(&lmo, "owner@example.com", PASSWORD).await;
    let owner = Account::of(&signed_in.json());
    assert_eq!(owner.send(&lmo, "POST", "/api/tenant/export", None).await.status, 201);
    let restored = owner.send(&lmo, "POST", "/api/tenant/restore", None).await;
    assert_eq!((restored.status, &restored.json()["status"]), (200, &json!("active")), "{}", restored.body);
    assert_eq!(lmo.send("GET", "/v1/models", key, None).await.status, 200);
    let audited = owner.audited(&lmo).await;
    for action in ["tenant.delete", "tenant.restore", "tenant.export"] {
        assert!(audited.contains(&action.to_owned()), "{audited:?}");
    }
}

#[tokio::test]
async fn nobody_is_invited_into_a_tenant_that_is_being_deleted() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let invitation = json!({"email": "new@example.com", "role": "viewer"});
    assert_eq!(owner.send(&lmo, "POST", "/api/tenant/invites", Some(&invitation)).await.status, 201);
    let name = json!({"name": "owner@example.com's"});
    assert_eq!(owner.send(&lmo, "DELETE", "/api/tenant", Some(&name)).await.status, 200);
    let token = crate::support::link_token(mails(&setup, "new@example.com").last().unwrap());
    let body = json!({"token": token, "password": PASSWORD});
    crate::support::accept(&lmo, "", &body).await.assert_error(403, "tenant_suspended");
}
