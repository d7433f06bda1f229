//! Who may make whom what.

use crate::support::{Account, Lmo, Response, Setup, Value, json};

pub fn path(account: &Account) -> String {
    format!("/api/tenant/members/{}", account.user)
}

pub async fn give(lmo: &Lmo, by: &Account, to: &Account, role: &str) -> Response {
    by.send(lmo, "PATCH", &path(to), Some(&json!({"role": role}))).await
}

#[tokio::test]
async fn nobody_gives_or_touches_a_role_above_their_own() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let admin = owner.invites(&lmo, &setup, "admin@example.com", "admin").await;
    let viewer = admin.invites(&lmo, &setup, "viewer@example.com", "viewer").await;
    give(&lmo, &admin, &viewer, "owner").await.assert_error(403, "forbidden");
    give(&lmo, &admin, &admin, "owner").await.assert_error(403, "forbidden");
    give(&lmo, &admin, &owner, "viewer").await.assert_error(403, "forbidden");
    admin.send(&lmo, "DELETE", &path(&owner), None).await.assert_error(403, "forbidden");
    let invitation = json!({"email": "other@example.com", "role": "owner"});
    admin.send(&lmo, "POST", "/api/tenant/invites", Some(&invitation)).await.assert_error(403, "forbidden");
    give(&lmo, &viewer, &admin, "viewer").await.assert_error(403, "forbidden");
    viewer.send(&lmo, "DELETE", &path(&admin), None).await.assert_error(403, "forbidden");
    assert_eq!(give(&lmo, &admin, &viewer, "admin").await.status, 200);
    assert_eq!(give(&lmo, &owner, &viewer, "owner").await.status, 200);
}

#[tokio::test]
async fn a_key_that_manages_the_tenant_is_an_admin_among_members() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let viewer = owner.invites(&lmo, &setup, "viewer@example.com", "viewer").await;
    let scopes = json!({"name": "k", "scopes": ["tenant:admin"]});
    let key = owner.send(&lmo, "POST", "/api/tenant/keys", Some(&scopes)).await.json();
    let key = key["api_key"].as_str().unwrap();
    let send =
        async |account: &Account, role| lmo.send("PATCH", &path(account), key, Some(&json!({"role": role}))).await;
    assert_eq!(send(&viewer, "admin").await.status, 200);
    send(&viewer, "owner").await.assert_error(403, "forbidden");
    send(&owner, "viewer").await.assert_error(403, "forbidden");
    let transfer = json!({"to": viewer.user});
    lmo.send("POST", "/api/tenant/transfer", key, Some(&transfer)).await.assert_error(403, "forbidden");
    lmo.send("POST", "/api/tenant/leave", key, None).await.assert_error(403, "forbidden");
}

#[tokio::test]
async fn a_change_is_for_the_version_that_was_read() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let member = owner.invites(&lmo, &setup, "member@example.com", "viewer").await;
    let read = owner.send(&lmo, "GET", &path(&member), None).await;
    let tag = read.header("etag").to_owned();
    assert_eq!(
        (read.json()["email"].clone(), read.json()["role"].clone()),
        ("member@example.com".into(), "viewer".into())
    );
    let send = async |tag: &str, role| {
        let request = lmo.client.patch(format!("{}{}", lmo.base, path(&member))).bearer_auth(&owner.access);
        let request = request.header("if-match", tag).header("content-type", "application/json");
        Response::read(request.body(json!({"role": role}).to_string()).send().await.unwrap()).await
    };
    let changed = send(&tag, "billing").await;
    assert_eq!((changed.status, changed.json()["role"].clone()), (200, "billing".into()), "{}", changed.body);
    assert_ne!(changed.header("etag"), tag);
    send(&tag, "viewer").await.assert_error(412, "precondition_failed");
    // Nothing to change is no new version.
    let same = send(changed.header("etag"), "billing").await;
    assert_eq!(same.header("etag"), changed.header("etag"));
    assert_eq!(owner.audited(&lmo).await.iter().filter(|action| *action == "member.change").count(), 1);
}

#[tokio::test]
async fn a_removed_member_is_out_and_so_are_its_sessions() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let member = owner.invites(&lmo, &setup, "member@example.com", "admin").await;
    assert_eq!(member.send(&lmo, "GET", "/api/tenant/config", None).await.status, 200);
    assert_eq!(owner.send(&lmo, "DELETE", &path(&member), None).await.status, 204);
    assert_eq!(member.send(&lmo, "GET", "/api/tenant/config", None).await.status, 401);
    let body = json!({"refresh_token": member.refresh});
    assert_eq!(lmo.send("POST", "/api/auth/refresh", "", Some(&body)).await.status, 401);
    owner.send(&lmo, "DELETE", &path(&member), None).await.assert_error(404, "not_found");
    owner.send(&lmo, "GET", &path(&member), None).await.assert_error(404, "not_found");
    // Neither does an earlier session come back with a new invitation.
    owner.send(&lmo, "POST", "/api/tenant/invites", Some(&json!({"email": member.email, "role": "viewer"}))).await;
    let token = crate::support::link_token(crate::support::mails(&setup, &member.email).last().unwrap());
    let body = json!({"token": token, "password": crate::support::PASSWORD});
    assert_eq!(crate::support::accept(&lmo, "", &body).await.status, 201);
    let body = json!({"refresh_token": member.refresh});
    assert_eq!(lmo.send("POST", "/api/auth/refresh", "", Some(&body)).await.status, 401);
    assert!(owner.audited(&lmo).await.contains(&"member.remove".to_owned()));
}

#[tokio::test]
async fn everybody_may_leave() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    for role in ["admin", "developer", "billing", "viewer"] {
        let member = owner.invites(&lmo, &setup, &format!("{role}@example.com"), role).await;
        assert_eq!(member.send(&lmo, "POST", "/api/tenant/leave", None).await.status, 204, "{role}");
        assert_eq!(member.send(&lmo, "POST", "/api/tenant/leave", None).await.status, 401, "{role}");
    }
    let left = owner.audited(&lmo).await.iter().filter(|action| *action == "member.leave").count();
    assert_eq!(left, 4);
}

#[tokio::test]
async fn members_come_in_pages() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    for n in 0..4 {
        owner.invites(&lmo, &setup, &format!("m{n}@example.com"), "viewer").await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.send(&lmo, "GET", &format!("/api/tenant/members?limit=2{cursor}"), None).await.json();
        let members = page["members"].as_array().unwrap();
        assert!(members.len() <= 2);
        found.extend(members.iter().map(|member| member["email"].as_str().unwrap().to_owned()));
        let Value::String(next) = &page["next_cursor"] else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, ["owner@example.com", "m0@example.com", "m1@example.com", "m2@example.com", "m3@example.com"]);
    let other = owner.send(&lmo, "GET", &format!("/api/tenant/invites?limit=2{cursor}"), None).await;
    other.assert_error(400, "invalid_request");
}
