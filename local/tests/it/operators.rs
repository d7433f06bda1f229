//! Those who work for the operator: who they are, what they may do, and that nobody else may.

use std::process::Output;

use crate::{
    cli::assert_one_line,
    errors::{QUERY, assert_shape, good, param},
    support::{Account, Lmo, PASSWORD, Response, Setup, Value, json, link_token, login, mails},
};

const ADMIN: &str = "/api/admin/tenants";
const GRACE: &str = "grace@example.com";

/// A platform with an operator, and the operator's access token.
pub struct Desk {
    pub setup: Setup,
    pub lmo: Lmo,
    pub token: String,
}

/// Tokens and links are good in every process of one deployment.
pub fn deployment() -> Setup {
    let setup = Setup::new().env("LMO_ISSUER", "http://127.0.0.1:8080");
    setup.write_models(
        "[providers.lmo]\nkind = \"echo\"\n[models.\"lmo/echo\"]\nprovider = \"lmo\"\ncontext_window = 100000\n\
         price = { input = 0, output = 0 }\n[aliases]\ndefault = \"lmo/echo\"\n",
    );
    setup
}

async fn choose_password(lmo: &Lmo, link: &str) {
    let chosen = json!({"token": link_token(link), "password": PASSWORD});
    let chosen = lmo.send("POST", "/api/auth/password/reset", "", Some(&chosen)).await;
    assert_eq!(chosen.status, 204, "{}", chosen.body);
}

impl Desk {
    async fn new() -> Self {
        Self::of(deployment()).await
    }

    /// The same on a data directory.
    pub async fn of(setup: Setup) -> Self {
        let added = setup.run(&["operator", "add", "--email", GRACE]);
        let lmo = setup.start();
        choose_password(&lmo, added["link"].as_str().unwrap()).await;
        let signed_in = login(&lmo, GRACE, PASSWORD).await;
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        let token = signed_in.json()["access_token"].as_str().unwrap().to_owned();
        Self { setup, lmo, token }
    }

    pub fn lmo(&self) -> &Lmo {
        &self.lmo
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The operator's access token.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.lmo.send(method, path, &self.token, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let got = self.send("GET", path, None).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.json()
    }

    async fn create(&self, body: Value) -> Value {
        let made = self.send("POST", ADMIN, Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let listed = self.get(&format!("{ADMIN}?{query}")).await["tenants"].clone();
        listed.as_array().unwrap().iter().map(|tenant| tenant["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn path(tenant: &Value) -> String {
    format!("{ADMIN}/{}", tenant["id"].as_str().unwrap())
}

/// Every route of `/api/admin`, of this tenant, with a body where one is needed.
fn routes(document: &Value, tenant: &str) -> Vec<(String, String, Option<Value>)> {
    let paths = document["paths"].as_object().unwrap();
    let admin = paths.iter().filter(|(path, _)| path.starts_with("/api/admin/"));
    let operations = admin.flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| {
            let body = match method.as_str() {
                "get" => None,
                _ if path.ends_with("/suspend") => Some(json!({"reason": "a test"})),
                "post" if path == ADMIN => Some(json!({"name": "made"})),
                _ => Some(json!({})),
            };
            (method.to_uppercase(), path.replace("{id}", tenant).replace("{period}", "2026-10"), body)
        })
    });
    operations.collect()
}

#[tokio::test]
async fn only_an_operator_opens_the_operators_routes() {
    let desk = Desk::new().await;
    let owner = Account::new(&desk.lmo, &desk.setup, "ada@example.com").await;
    let document = desk.lmo.send("GET", "/openapi.json", "", None).await.json();
    let routes = routes(&document, &owner.tenant);
    assert!(routes.len() >= 9, "{routes:?}");
    let key_token =
        format!("grant_type=client_credentials&client_secret={}&client_id=key_{}", desk.lmo.key, &desk.lmo.key[30..56]);
    let request = desk.lmo.client.post(format!("{}/api/auth/token", desk.lmo.base));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(key_token);
    let key_token = Response::read(request.send().await.unwrap()).await.json()["access_token"].clone();
    for (method, path, body) in &routes {
        let with = async |credential: &str| desk.lmo.send(method, path, credential, body.as_ref()).await;
        for nobody in ["", "nonsense", "a.b.c"] {
            assert_shape(path, &with(nobody).await, 401, "unauthenticated");
        }
        for other in [owner.access.as_str(), &desk.lmo.key, key_token.as_str().unwrap()] {
            assert_shape(path, &with(other).await, 403, "forbidden");
        }
    }
    // The tenant is as it was, and so is the list.
    assert_eq!(desk.names("").await.len(), 2);
    for (method, path, body) in &routes {
        let opened = desk.send(method, path, body.as_ref()).await;
        // What there isn't, or what an empty body doesn't say, is another matter.
        assert!(opened.status < 500 && ![401, 403].contains(&opened.status), "{method} {path}: {}", opened.body);
    }
    let Desk { setup, lmo, token } = desk;
    lmo.stop();
    assert_eq!(setup.run(&["operator", "remove", "--email", GRACE])["email"], GRACE);
    let lmo = setup.start();
    for (method, path, body) in &routes {
        assert_shape(path, &lmo.send(method, path, &token, body.as_ref()).await, 403, "forbidden");
    }
    assert_ne!(login(&lmo, GRACE, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_operator_opens_no_tenants_route() {
    let desk = Desk::new().await;
    let document = desk.lmo.send("GET", "/openapi.json", "", None).await.json();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/tenant") && !path.starts_with("/api/mcp") && !path.starts_with("/v1/") {
            continue;
        }
        for method in item.as_object().unwrap().keys() {
            let path = path.replace("{id}", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV");
            let body = (method != "get").then(|| json!({}));
            let refused = desk.send(&method.to_uppercase(), &path, body.as_ref()).await;
            assert_eq!(refused.status, 403, "{method} {path}: {}", refused.body);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let desk = Desk::new().await;
    for (origin, status) in [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:8080", 200)] {
        let request = desk.lmo.client.get(format!("{}{ADMIN}", desk.lmo.base)).bearer_auth(&desk.token);
        assert_eq!(request.header("origin", origin).send().await.unwrap().status(), status, "{origin}");
    }
}

#[tokio::test]
async fn a_tenant_is_made_with_a_key_or_with_an_owner() {
    let desk = Desk::new().await;
    let asked = json!({"name": " Acme ", "plan": "gold", "limits": {"monthly_tokens": 1_000_000}, "meter_shards": 2});
    let made = desk.create(asked).await;
    assert_eq!((&made["name"], &made["plan"], &made["meter_shards"]), (&json!("Acme"), &json!("gold"), &json!(2)));
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(desk.lmo.send("POST", QUERY, key, Some(&good(QUERY))).await.status, 200);
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("api_key");
    assert_eq!(desk.get(&path(&made)).await, shown);

    let owned = desk.create(json!({"name": "Owned", "owner_email": "ada@example.com"})).await;
    assert!(owned["api_key"].is_null());
    let mail = mails(&desk.setup, "ada@example.com").pop().unwrap();
    choose_password(&desk.lmo, &mail).await;
    let ada = login(&desk.lmo, "ada@example.com", PASSWORD).await.json();
    assert_eq!(ada["tenant"]["id"], owned["id"]);
    let access = ada["access_token"].as_str().unwrap();
    assert_eq!(desk.lmo.send("PATCH", "/api/tenant", access, Some(&json!({"name": "Mine"}))).await.status, 200);

    // Whoever has an account owns another one, and is told.
    let second = desk.create(json!({"name": "Second", "owner_email": "ADA@example.com"})).await;
    let mail = mails(&desk.setup, "ada@example.com").pop().unwrap();
    assert!(mail.contains("Second") && !mail.contains("token="), "{mail}");
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "tenant": second["id"]});
    let there = desk.lmo.send("POST", "/api/auth/login", "", Some(&body)).await;
    assert_eq!(there.status, 200, "{}", there.body);
}

#[tokio::test]
async fn a_tenant_that_is_sent_twice_is_made_once() {
    let desk = Desk::new().await;
    let create = async || {
        let request = desk.lmo.client.post(format!("{}{ADMIN}", desk.lmo.base)).bearer_auth(&desk.token);
        let request = request.header("idempotency-key", "order-1").header("content-type", "application/json");
        Response::read(request.body(r#"{"name": "Once", "owner_email": "ada@example.com"}"#).send().await.unwrap())
            .await
    };
    let (first, again) = (create().await, create().await);
    assert_eq!((first.status, again.status, first.body == again.body), (201, 201, true));
    assert_eq!(desk.names("name=once").await, ["Once"]);
    assert_eq!(mails(&desk.setup, "ada@example.com").len(), 1);
}

#[tokio::test]
async fn tenants_are_found_by_status_and_name_in_pages() {
    let desk = Desk::new().await;
    for name in ["alpha", "Alps", "beta"] {
        desk.create(json!({"name": name})).await;
    }
    let beta = desk.get(&format!("{ADMIN}?name=BETA")).await["tenants"][0].clone();
    let suspended = desk.send("POST", &format!("{}/suspend", path(&beta)), Some(&json!({"reason": "unpaid"}))).await;
    assert_eq!(suspended.status, 200, "{}", suspended.body);
    assert_eq!(desk.names("name=alp").await, ["alpha", "Alps"]);
    assert_eq!(desk.names("status=suspended").await, ["beta"]);
    assert_eq!(desk.names("status=active&name=beta").await, [""; 0]);
    let (mut seen, mut query) = (Vec::new(), "limit=1".to_owned());
    loop {
        let page = desk.get(&format!("{ADMIN}?{query}")).await;
        let tenants = page["tenants"].as_array().unwrap();
        assert!(tenants.len() <= 1);
        seen.extend(tenants.iter().map(|tenant| tenant["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=1&cursor={cursor}");
    }
    assert_eq!(seen, ["demo", "alpha", "Alps", "beta"]);
    for (query, named) in
        [("limit=0", "limit"), ("status=gone", "status"), ("cursor=AAAA", "cursor"), ("sort=name", "sort")]
    {
        let refused = desk.send("GET", &format!("{ADMIN}?{query}"), None).await;
        assert_shape(ADMIN, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{query}");
    }
}

#[tokio::test]
async fn a_suspended_tenant_does_nothing_until_it_is_resumed() {
    let desk = Desk::new().await;
    let owner = Account::new(&desk.lmo, &desk.setup, "ada@example.com").await;
    let made = json!({"id": owner.tenant});
    let key = owner.send(&desk.lmo, "POST", "/api/tenant/keys", Some(&json!({"name": "robot"}))).await.json();
    let key = key["api_key"].as_str().unwrap();
    let suspend = format!("{}/suspend", path(&made));
    let suspended = desk.send("POST", &suspend, Some(&json!({"reason": "unpaid"}))).await;
    assert_eq!((suspended.status, &suspended.json()["suspended_for"]), (200, &json!("unpaid")));
    desk.lmo.send("POST", QUERY, key, Some(&good(QUERY))).await.assert_error(403, "tenant_suspended");
    owner.send(&desk.lmo, "GET", "/api/tenant", None).await.assert_error(403, "tenant_suspended");
    assert_shape(ADMIN, &desk.send("POST", &suspend, Some(&json!({"reason": "again"}))).await, 409, "conflict");
    let resumed = desk.send("POST", &format!("{}/resume", path(&made)), Some(&json!({}))).await;
    assert_eq!(
        (resumed.status, &resumed.json()["status"], &resumed.json()["suspended_for"]),
        (200, &json!("active"), &Value::Null)
    );
    assert_eq!(desk.lmo.send("POST", QUERY, key, Some(&good(QUERY))).await.status, 200);
    assert_shape(
        ADMIN,
        &desk.send("POST", &format!("{}/resume", path(&made)), Some(&json!({}))).await,
        409,
        "conflict",
    );
    for reason in [json!({}), json!({"reason": " "}), json!({"reason": "x".repeat(101)})] {
        assert_shape(ADMIN, &desk.send("POST", &suspend, Some(&reason)).await, 400, "invalid_request");
    }

    // Both logs tell it, and who did it.
    let log = desk.get(&format!("{}/audit?limit=2", path(&made))).await;
    let own = owner.send(&desk.lmo, "GET", "/api/tenant/audit?limit=2", None).await.json();
    assert_eq!(log, own);
    let actions: Vec<_> = log["entries"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["tenant.resume", "tenant.suspend"]);
    let suspended = &log["entries"][1];
    assert_eq!(
        (&suspended["after"]["suspended_for"], &suspended["actor"]["kind"]),
        (&json!("unpaid"), &json!("operator"))
    );
    assert!(suspended["actor"]["id"].as_str().unwrap().starts_with("usr_") && suspended["address"] == "127.0.0.1");
    let operated = desk.get("/api/admin/audit?limit=3").await;
    let actions: Vec<_> = operated["entries"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["tenant.resume", "tenant.suspend", "operator.add"]);
    assert_eq!(operated["entries"][1]["target"], owner.tenant);
}

#[tokio::test]
async fn limits_and_plans_change_and_a_month_that_has_begun_is_not_split() {
    let desk = Desk::new().await;
    let made = desk.create(json!({"name": "Acme"})).await;
    let key = made["api_key"].as_str().unwrap();
    let change = async |body: Value| desk.send("PATCH", &path(&made), Some(&body)).await;
    assert_eq!(change(json!({"meter_shards": 4})).await.json()["meter_shards"], 4);
    assert_eq!(desk.lmo.send("POST", QUERY, key, Some(&good(QUERY))).await.status, 200);
    assert_shape(ADMIN, &change(json!({"meter_shards": 2})).await, 409, "conflict");
    let changed = change(json!({"plan": "gold", "limits": {"monthly_tokens": 5}})).await;
    assert_eq!((changed.status, &changed.json()["plan"]), (200, &json!("gold")));
    desk.lmo.send("POST", QUERY, key, Some(&good(QUERY))).await.assert_error(402, "quota_exhausted");
    assert_eq!(change(json!({"plan": null, "limits": null})).await.json()["limits"], json!({}));
    assert_eq!(desk.lmo.send("POST", QUERY, key, Some(&good(QUERY))).await.status, 200);
    for (body, named) in [
        (json!({"meter_shards": 0}), "meter_shards"),
        (json!({"meter_shards": 65}), "meter_shards"),
        (json!({"name": null}), "name"),
        (json!({"plan": ""}), "plan"),
        (json!({"status": "active"}), "status"),
    ] {
        let refused = change(body).await;
        assert_shape(ADMIN, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    let stale = desk.lmo.client.patch(format!("{}{}", desk.lmo.base, path(&made))).bearer_auth(&desk.token);
    let stale = stale.header("if-match", "\"1\"").header("content-type", "application/json").body(r#"{"plan": "a"}"#);
    assert_eq!(stale.send().await.unwrap().status(), 412);
    desk.lmo.usage_of(key, 2).await;
    let usage = desk.get(&format!("{}/usage?granularity=month", path(&made))).await;
    assert_eq!(usage["total"]["requests"], 2);
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_is_not_found() {
    let desk = Desk::new().await;
    let document = desk.lmo.send("GET", "/openapi.json", "", None).await.json();
    for id in ["tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"] {
        for (method, path, body) in routes(&document, id).into_iter().filter(|(_, path, _)| path.contains(id)) {
            assert_shape(&path, &desk.send(&method, &path, body.as_ref()).await, 404, "not_found");
        }
    }
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_same_is_done_by_command() {
    let setup = deployment();
    let (id, key) = setup.tenant(&["--monthly-tokens", "1000"]);
    assert_eq!(setup.run(&["tenant", "plan", &id, "gold"])["plan"], "gold");
    assert_eq!(setup.run(&["tenant", "limits", &id])["limits"], json!({}));
    assert_eq!(setup.run(&["tenant", "suspend", &id, "--reason", "unpaid"])["status"], "suspended");
    let listed = lines(&setup.output(&["tenant", "list"]));
    assert_eq!((&listed[0]["tenant"], &listed[0]["plan"]), (&json!(id), &json!("gold")));
    assert_eq!(lines(&setup.output(&["tenant", "list", "--status", "active"])), [Value::Null; 0]);
    assert_one_line(&setup.output(&["tenant", "suspend", &id, "--reason", "again"]), &["suspended already"]);
    assert_one_line(&setup.output(&["tenant", "resume", "tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV"]), &["does not exist"]);
    let lmo = setup.start();
    lmo.send("GET", "/api/tenant", &key, None).await.assert_error(403, "tenant_suspended");
    lmo.stop();
    assert_eq!(setup.run(&["tenant", "resume", &id])["status"], "active");

    let added = setup.run(&["operator", "add", "--email", GRACE]);
    assert!(added["link"].as_str().unwrap().contains("#token="), "{added}");
    assert_one_line(&setup.output(&["operator", "add", "--email", GRACE]), &["already"]);
    assert_one_line(&setup.output(&["operator", "add", "--email", "grace"]), &["e-mail"]);
    let listed = lines(&setup.output(&["operator", "list"]));
    assert_eq!((listed.len(), &listed[0]["email"]), (1, &json!(GRACE)));
    setup.run(&["operator", "remove", "--email", GRACE]);
    assert!(lines(&setup.output(&["operator", "list"])).is_empty());
    assert_one_line(&setup.output(&["operator", "remove", "--email", GRACE]), &["does not exist"]);
}
