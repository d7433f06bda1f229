//! `/api/tenant/export`.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Account, Lmo, Response, Setup, Value, json};

/// The pages of an export from `address` on.
async fn pages(lmo: &Lmo, by: &Account, mut address: String) -> Vec<Response> {
    let mut pages = Vec::new();
    loop {
        let page = by.send(lmo, "GET", &address, None).await;
        assert_eq!((page.status, page.header("content-type")), (200, "application/jsonl"), "{}", page.body);
        assert!(page.body.len() < 6_000_000);
        let next = page.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        let next = next.map(str::to_owned);
        pages.push(page);
        match next {
            Some(next) => address = next,
            None => return pages,
        }
    }
}

async fn begin(lmo: &Lmo, by: &Account) -> String {
    let begun = by.send(lmo, "POST", "/api/tenant/export", None).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let next = begun.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(begun.header("link"), format!("<{next}>; rel=\"next\""));
    next
}

fn lines(pages: &[Response]) -> Vec<Value> {
    let lines = pages.iter().flat_map(|page| page.body.lines());
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

async fn ask(lmo: &Lmo, key: &str, text: &str, session: &str) {
    let body = json!({"query": text, "model": "lmo/echo", "context": {"sessionId": session}});
    let asked = lmo.send("POST", "/api/mcp/query", key, Some(&body)).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
}

#[tokio::test]
async fn an_owner_gets_all_of_the_tenant_and_nothing_secret_or_of_another() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let other = Account::new(&lmo, &setup, "other@example.com").await;
    owner.invites(&lmo, &setup, "viewer@example.com", "viewer").await;
    let invitation = json!({"email": "new@example.com", "role": "viewer"});
    assert_eq!(owner.send(&lmo, "POST", "/api/tenant/invites", Some(&invitation)).await.status, 201);
    let config = json!({"system_prompt": "owner's own prompt"});
    assert_eq!(owner.send(&lmo, "PUT", "/api/tenant/config", Some(&config)).await.status, 200);
    let key = async |by: &Account| {
        let made = by.send(&lmo, "POST", "/api/tenant/keys", Some(&json!({"name": "robot"}))).await.json();
        made["api_key"].as_str().unwrap().to_owned()
    };
    let (own, theirs) = (key(&owner).await, key(&other).await);
    for turn in 0..3 {
        ask(&lmo, &own, &format!("owner's question {turn}"), "chat").await;
        ask(&lmo, &theirs, &format!("other's question {turn}"), "chat").await;
    }
    lmo.usage_of(&own, 3).await;
    let pages = pages(&lmo, &owner, begin(&lmo, &owner).await).await;
    let lines = lines(&pages);
    let mut counts = BTreeMap::new();
    for line in &lines {
        assert_eq!(line.as_object().unwrap().len(), 3, "{line}");
        *counts.entry(line["kind"].as_str().unwrap()).or_insert(0) += 1;
    }
    for (kind, count) in
        [("tenant", 1), ("config", 1), ("key", 1), ("member", 2), ("invite", 1), ("request", 3), ("session", 1)]
    {
        assert_eq!(counts.get(kind), Some(&count), "{kind}: {counts:?}");
    }
    assert!(counts["audit"] >= 5 && counts["total"] >= 1, "{counts:?}");
    let said = lines.iter().find(|line| line["kind"] == "session").unwrap()["data"]["messages"].to_string();
    assert!((0..3).all(|turn| said.contains(&format!("owner's question {turn}"))), "{said}");
    let all: String = pages.iter().map(|page| page.body.as_str()).collect();
    assert!(all.contains("owner's own prompt"));
    let secret = &own[31..own.len() - 8];
    for not in [secret, "secret", "hash", "other@example.com", "other's question", &other.tenant, &other.user, "argon2"]
    {
        assert!(!all.contains(not), "`{not}` is in the export");
    }
    assert_eq!(owner.audited(&lmo).await.iter().filter(|action| *action == "tenant.export").count(), 1);
}

#[tokio::test]
async fn a_large_tenant_comes_in_pages_with_nothing_missing_or_doubled() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let made = owner.send(&lmo, "POST", "/api/tenant/keys", Some(&json!({"name": "robot"}))).await.json();
    let key = made["api_key"].as_str().unwrap().to_owned();
    // Five conversations, each twice as large as what ends a page, and two of many turns.
    let long = "long ".repeat(160_000);
    for session in 0..5 {
        ask(&lmo, &key, &format!("{session} {long}"), &format!("long-{session}")).await;
        ask(&lmo, &key, &format!("{session} {long}"), &format!("long-{session}")).await;
    }
    let pages = pages(&lmo, &owner, begin(&lmo, &owner).await).await;
    assert!(pages.len() > 3, "{} pages", pages.len());
    let lines = lines(&pages);
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    let requests: BTreeSet<_> = of("request").iter().map(|line| line["id"].to_string()).collect();
    assert_eq!((requests.len(), of("request").len()), (10, 10));
    let messages: usize = of("session").iter().map(|line| line["data"]["messages"].as_array().unwrap().len()).sum();
    assert_eq!(messages, 20);
    let sessions: BTreeSet<_> = of("session").iter().map(|line| line["id"].to_string()).collect();
    assert_eq!(sessions.len(), 5);
}

#[tokio::test]
async fn no_page_is_given_that_no_export_was_begun_for() {
    let setup = Setup::new();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "owner@example.com").await;
    let other = Account::new(&lmo, &setup, "other@example.com").await;
    let next = begin(&lmo, &other).await;
    // Another tenant's.
    owner.send(&lmo, "GET", &next, None).await.assert_error(400, "invalid_request");
    for query in ["", "?cursor=", "?cursor=none", "?cursor=AAAA", &format!("?cursor={}", "A".repeat(5_000))] {
        let refused = owner.send(&lmo, "GET", &format!("/api/tenant/export{query}"), None).await;
        refused.assert_error(400, "invalid_request");
    }
    assert!(!pages(&lmo, &other, next).await.is_empty());
}
