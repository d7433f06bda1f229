//! A tenant always has an owner.

use futures_util::future::join_all;

use super::roles::{give, path};
use crate::support::{Account, Lmo, Setup, json};

async fn owners(lmo: &Lmo, by: &Account) -> Vec<String> {
    let page = by.send(lmo, "GET", "/api/tenant/members", None).await.json();
    let members = page["members"].as_array().unwrap_or_else(|| panic!("{page:#}"));
    let owners = members.iter().filter(|member| member["role"] == "owner");
    owners.map(|member| member["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    owner.invites(&lmo, &setup, "admin@example.com", "admin").await;
    give(&lmo, &owner, &owner, "admin").await.assert_error(409, "conflict");
    owner.send(&lmo, "DELETE", &path(&owner), None).await.assert_error(409, "conflict");
    owner.send(&lmo, "POST", "/api/tenant/leave", None).await.assert_error(409, "conflict");
    assert_eq!(owners(&lmo, &owner).await, [owner.user.as_str()]);
}

#[tokio::test]
async fn owners_who_demote_each_other_at_once_leave_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let first = Account::new(&lmo, &setup, "first@example.com").await;
    let second = first.invites(&lmo, &setup, "second@example.com", "owner").await;
    let third = first.invites(&lmo, &setup, "third@example.com", "owner").await;
    // Everybody demotes the next one, again and again.
    for _ in 0..5 {
        let all = [(&first, &second), (&second, &third), (&third, &first)];
        let attempts = all.map(|(by, whom)| give(&lmo, by, whom, "admin"));
        let statuses: Vec<_> = join_all(attempts).await.iter().map(|response| response.status).collect();
        assert!(statuses.iter().all(|status| [200, 403, 409].contains(status)), "{statuses:?}");
        let left = owners(&lmo, &first).await;
        assert!(!left.is_empty(), "{statuses:?}");
        let chief = [&first, &second, &third].into_iter().find(|account| account.user == left[0]).unwrap();
        for account in [&first, &second, &third] {
            assert_eq!(give(&lmo, chief, account, "owner").await.status, 200);
        }
    }
}

#[tokio::test]
async fn owners_who_leave_at_once_leave_one() {
    let setup = Setup::new();
    let lmo = setup.start();
    let first = Account::new(&lmo, &setup, "first@example.com").await;
    let mut all = vec![first.clone()];
    for n in 0..4 {
        all.push(first.invites(&lmo, &setup, &format!("o{n}@example.com"), "owner").await);
    }
    let viewer = first.invites(&lmo, &setup, "viewer@example.com", "viewer").await;
    let left = join_all(all.iter().map(|owner| owner.send(&lmo, "POST", "/api/tenant/leave", None))).await;
    let statuses: Vec<_> = left.iter().map(|response| response.status).collect();
    assert!(statuses.iter().all(|status| [204, 409].contains(status)), "{statuses:?}");
    assert!(!owners(&lmo, &viewer).await.is_empty(), "{statuses:?}");
}

#[tokio::test]
async fn a_tenant_is_handed_over_in_one_step() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let heir = owner.invites(&lmo, &setup, "heir@example.com", "viewer").await;
    let to = |id: &str| json!({"to": id});
    let transfer = async |by: &Account, id: &str| by.send(&lmo, "POST", "/api/tenant/transfer", Some(&to(id))).await;
    transfer(&heir, &heir.user).await.assert_error(403, "forbidden");
    transfer(&owner, &owner.user).await.assert_error(400, "invalid_request");
    transfer(&owner, "usr_01ARZ3NDEKTSV4RRFFQ69G5FAV").await.assert_error(404, "not_found");
    transfer(&owner, "nobody").await.assert_error(400, "invalid_request");
    let done = transfer(&owner, &heir.user).await;
    assert_eq!((done.status, done.json()["role"].clone()), (200, "owner".into()), "{}", done.body);
    transfer(&owner, &heir.user).await.assert_error(403, "forbidden");
    let before = owner.send(&lmo, "GET", &path(&owner), None).await.json();
    assert_eq!(before["role"], "admin");
    assert_eq!(owners(&lmo, &heir).await, [heir.user.as_str()]);
    assert!(heir.audited(&lmo).await.contains(&"tenant.transfer".to_owned()));
}

#[tokio::test]
async fn of_two_transfers_at_once_one_takes_place() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let a = owner.invites(&lmo, &setup, "a@example.com", "viewer").await;
    let b = owner.invites(&lmo, &setup, "b@example.com", "viewer").await;
    let bodies = [json!({"to": a.user}), json!({"to": b.user})];
    let sent = join_all(bodies.iter().map(|body| owner.send(&lmo, "POST", "/api/tenant/transfer", Some(body)))).await;
    let mut statuses: Vec<_> = sent.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    assert_eq!(owners(&lmo, &owner).await.len(), 1);
}
