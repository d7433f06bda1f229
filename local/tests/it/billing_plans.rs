//! Plans, coupons, credit, profile and settings: as tenants and operators see them, and at the command line.

use std::process::Output;

use crate::{
    cli::assert_one_line,
    errors::{assert_shape, param},
    operators::Desk,
    support::{Account, Lmo, Response, Setup, Value, json},
};

const PLANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plans.toml");
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../billing.toml");
const PLAN: &str = "/api/billing/plan";
const PROFILE: &str = "/api/billing/profile";
const COUPONS: &str = "/api/admin/coupons";
const OWN: &str = "/api/admin/billing/settings";

/// A catalogue whose echo costs something, with the plans and the settings that ship.
fn sold() -> Setup {
    let setup = Setup::new().env("LMO_ISSUER", "http://127.0.0.1:8080");
    setup.write_models(
        "[providers.lmo]\nkind = \"echo\"\n[models.\"lmo/echo\"]\nprovider = \"lmo\"\ncontext_window = 100000\n\
         price = { input = 1, output = 2 }\n[aliases]\ndefault = \"lmo/echo\"\n",
    );
    assert!(setup.output(&["plans", "apply", PLANS]).status.success());
    setup.run(&["billing", "settings", "apply", SETTINGS]);
    setup
}

struct World {
    desk: Desk,
    owner: Account,
}

impl World {
    async fn new() -> Self {
        let desk = Desk::of(sold()).await;
        let owner = Account::new(desk.lmo(), desk.setup(), "ada@example.com").await;
        Self { desk, owner }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.owner.send(self.desk.lmo(), method, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let got = self.send("GET", path, None).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.json()
    }

    /// Of the tenant as operators see it.
    fn of_tenant(&self, what: &str) -> String {
        format!("/api/admin/billing/tenants/{}/{what}", self.owner.tenant)
    }
}

/// A change on condition of a version.
async fn if_match(lmo: &Lmo, credential: &str, path: &str, tag: &str, body: &Value) -> Response {
    let request = lmo.client.put(format!("{}{path}", lmo.base)).bearer_auth(credential).header("if-match", tag);
    Response::read(request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap())
        .await
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_tenant_sees_its_plan_and_moves_to_another() {
    let world = World::new().await;
    let plan = world.get(PLAN).await;
    assert_eq!((&plan["plan"]["name"], &plan["limits"]["monthly_tokens"]), (&json!("free"), &json!(1_000_000)));
    assert_eq!((&plan["coupons"], &plan["credit"]), (&json!([]), &json!([])));
    let public = world.get("/api/billing/plans").await;
    let names: Vec<_> = public["plans"].as_array().unwrap().iter().map(|plan| plan["name"].clone()).collect();
    assert_eq!(names, ["free", "prepaid", "team"]);

    let dollars = json!({"name": "dollars", "title": "Dollars", "currency": "USD"});
    assert_eq!(world.desk.send("PUT", "/api/admin/plans/dollars", Some(&dollars)).await.status, 200);
    for (body, status, code, named) in [
        (json!({"plan": "dollars"}), 400, "invalid_request", Some("when")),
        (json!({"plan": "free", "when": "soon"}), 400, "invalid_request", Some("when")),
        (json!({}), 400, "invalid_request", Some("plan")),
        (json!({"plan": 7}), 400, "invalid_request", Some("plan")),
        (json!({"plan": "free", "from": 1}), 400, "invalid_request", None),
        (json!({"plan": "enterprise", "when": "period_end"}), 404, "not_found", None),
        (json!({"plan": "nothing"}), 404, "not_found", None),
    ] {
        let refused = world.send("PUT", PLAN, Some(&body)).await;
        assert_shape(PLAN, &refused, status, code);
        if let Some(named) = named {
            assert_eq!(param(&refused), named, "{body}");
        }
    }
    assert_eq!(world.get(PLAN).await, plan);

    let chosen = world.send("PUT", PLAN, Some(&json!({"plan": "team", "when": "period_end"}))).await;
    assert_eq!(chosen.json()["next"]["plan"]["name"], "team", "{}", chosen.body);
    assert_eq!(
        (chosen.json()["plan"]["name"].clone(), chosen.json()["limits"].clone()),
        (json!("free"), plan["limits"].clone())
    );
    assert!(chosen.json()["trial_until"].is_string());
    // What holds is chosen again: what was to come is given up.
    let kept = world.send("PUT", PLAN, Some(&json!({"plan": "free"}))).await;
    assert_eq!(kept.json(), plan, "{}", kept.body);
    let tag = kept.header("etag").to_owned();
    let same = world.send("PUT", PLAN, Some(&json!({"plan": "free"}))).await;
    assert_eq!((same.status, same.header("etag")), (200, tag.as_str()), "nothing was to be done");
    let stale =
        if_match(world.desk.lmo(), &world.owner.access, PLAN, chosen.header("etag"), &json!({"plan": "prepaid"})).await;
    stale.assert_error(412, "precondition_failed");
    let actions = world.owner.audited(world.desk.lmo()).await;
    assert_eq!(actions.iter().filter(|action| *action == "plan.choose").count(), 2, "{actions:?}");
}

#[tokio::test]
async fn prepaid_credit_opens_what_an_empty_purse_keeps_shut() {
    let world = World::new().await;
    let ask = async || world.send("POST", "/api/mcp/query", Some(&json!({"query": "hi"}))).await;
    assert_eq!(ask().await.status, 200);
    assert_eq!(world.send("PUT", PLAN, Some(&json!({"plan": "prepaid"}))).await.status, 200);
    ask().await.assert_error(402, "quota_exhausted");
    let path = world.of_tenant("credits");
    for (body, named) in [
        (json!({"amount": "0", "currency": "EUR", "reason": "a"}), "amount"),
        (json!({"amount": "-1", "currency": "EUR", "reason": "a"}), "amount"),
        (json!({"amount": "0.001", "currency": "EUR", "reason": "a"}), "amount"),
        (json!({"amount": 5, "currency": "EUR", "reason": "a"}), "amount"),
        (json!({"amount": "5", "currency": "eur", "reason": "a"}), "currency"),
        (json!({"amount": "5", "currency": "EUR", "reason": " "}), "reason"),
        (json!({"amount": "5", "currency": "EUR", "reason": "a", "expires_at": "soon"}), "expires_at"),
        (json!({"amount": "5", "currency": "EUR", "reason": "a", "expires_at": "2020-01-01"}), "expires_at"),
    ] {
        let refused = world.desk.send("POST", &path, Some(&body)).await;
        assert_eq!((refused.status, param(&refused)), (400, json!(named)), "{body}: {}", refused.body);
    }
    let nobody = "/api/admin/billing/tenants/tnt_01ARZ3NDEKTSV4RRFFQ69G5FAV/credits";
    let body = json!({"amount": "5", "currency": "EUR", "reason": "goodwill", "expires_at": "2099-01-01T00:00:00Z"});
    world.desk.send("POST", nobody, Some(&body)).await.assert_error(404, "not_found");

    let give = async || {
        let lmo = world.desk.lmo();
        let request = lmo.client.post(format!("{}{path}", lmo.base)).bearer_auth(world.desk.token());
        Response::read(
            request
                .header("idempotency-key", "once")
                .header("content-type", "application/json")
                .body(body.to_string())
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    let (first, again) = (give().await, give().await);
    assert_eq!((first.status, again.status, first.json()), (201, 201, again.json()), "{}", first.body);
    assert_eq!(ask().await.status, 200);
    let plan = world.get(PLAN).await;
    assert_eq!(plan["credit"], json!([{"currency": "EUR", "amount": "5"}]));
    for credits in [world.get("/api/billing/credits").await, world.desk.get(&path).await] {
        let [credit] = credits["credits"].as_array().unwrap().as_slice() else { panic!("{credits:#}") };
        assert_eq!((&credit["left"], &credit["reason"]), (&json!("5"), &json!("goodwill")));
    }
    let operated = world.desk.get("/api/admin/audit").await;
    assert!(operated.to_string().contains("credit.give"), "{operated:#}");
}

#[tokio::test]
async fn operators_put_versions_of_plans_in() {
    let world = World::new().await;
    let path = "/api/admin/plans/free";
    let versions = world.desk.get(path).await["versions"].clone();
    let [first] = versions.as_array().unwrap().as_slice() else { panic!("{versions:#}") };
    let mut plan = first.clone();
    plan.as_object_mut().unwrap().remove("effective");
    let put = async |plan: &Value| world.desk.send("PUT", path, Some(plan)).await;
    let same = put(&plan).await;
    assert_eq!((same.status, &same.json()["effective"]), (200, &first["effective"]), "it says the same");
    for (field, value) in [
        ("name", json!("other")),
        ("title", json!("")),
        ("currency", json!("XXX")),
        ("base_fee", json!("-1")),
        ("base_fee", json!(1.5)),
        ("included_tokens", json!(0)),
        ("effective", json!("soon")),
        ("effective", json!(300_000_000_000_000_u64)),
        ("fee", json!("1")),
    ] {
        let mut wrong = plan.clone();
        wrong[field] = value;
        let refused = put(&wrong).await;
        assert_shape(path, &refused, 400, "invalid_request");
    }
    plan["base_fee"] = json!("9");
    let put_in = put(&plan).await;
    assert_eq!((put_in.status, &put_in.json()["base_fee"]), (200, &json!("9")), "{}", put_in.body);
    plan["effective"] = json!("2099-01-01");
    plan["base_fee"] = json!("10");
    assert_eq!(put(&plan).await.status, 200);
    assert_eq!(world.desk.get(path).await["versions"].as_array().unwrap().len(), 3);
    // The tenant keeps its own until it moves, and newcomers get the new one.
    assert_eq!(world.get(PLAN).await["plan"]["base_fee"], "0");
    let newcomer = Account::new(world.desk.lmo(), world.desk.setup(), "bob@example.com").await;
    assert_eq!(newcomer.send(world.desk.lmo(), "GET", PLAN, None).await.json()["plan"]["base_fee"], "9");
    assert_eq!(world.send("PUT", PLAN, Some(&json!({"plan": "free"}))).await.json()["plan"]["base_fee"], "9");
    world.desk.send("GET", "/api/admin/plans/nothing", None).await.assert_error(404, "not_found");
    let all = world.desk.get("/api/admin/plans").await;
    assert_eq!(all["plans"].as_array().unwrap().len(), 4);
    // To one that isn't public the operator moves it.
    let moved = world
        .desk
        .send("PUT", &world.of_tenant("plan"), Some(&json!({"plan": "enterprise", "when": "period_end"})))
        .await;
    assert_eq!(moved.json()["next"]["plan"]["name"], "enterprise", "{}", moved.body);
    assert_eq!(world.desk.get(&world.of_tenant("plan")).await, world.get(PLAN).await);
}

#[tokio::test]
async fn a_coupon_is_made_once_and_redeemed_once() {
    let world = World::new().await;
    for (body, named) in [
        (json!({"code": "ab", "off": {"percent": "10"}}), "code"),
        (json!({"code": "ABC", "off": {"percent": "0"}}), "off"),
        (json!({"code": "ABC", "off": {"percent": "100.1"}}), "off"),
        (json!({"code": "ABC", "off": {"amount": "5"}}), "currency"),
        (json!({"code": "ABC", "off": {"amount": "5"}, "currency": "JPY", "periods": 0}), "periods"),
        (json!({"code": "ABC", "off": {"amount": "0.5"}, "currency": "JPY"}), "off"),
        (json!({"code": "ABC", "off": {"percent": "5"}, "currency": "EUR"}), "currency"),
    ] {
        let refused = world.desk.send("POST", COUPONS, Some(&body)).await;
        assert_eq!((refused.status, param(&refused)), (400, json!(named)), "{body}: {}", refused.body);
    }
    let body = json!({"code": "WELCOME", "off": {"percent": "50"}, "periods": 2, "redemptions_left": 1, "until": "2099-01-01"});
    let made = world.desk.send("POST", COUPONS, Some(&body)).await;
    assert_eq!((made.status, &made.json()["until"]), (201, &json!("2099-01-01T00:00:00Z")), "{}", made.body);
    world.desk.send("POST", COUPONS, Some(&body)).await.assert_error(409, "conflict");
    let redeem = async |code: Value| world.send("POST", "/api/billing/coupons", Some(&json!({"code": code}))).await;
    redeem(json!("NOTHING")).await.assert_error(404, "not_found");
    redeem(json!(5)).await.assert_error(400, "invalid_request");
    let (first, again) = (redeem(json!("WELCOME")).await, redeem(json!("WELCOME")).await);
    assert_eq!((first.status, first.json()), (200, again.json()), "{}", again.body);
    assert_eq!(world.get(PLAN).await["coupons"], json!([first.json()]));
    let other = Account::new(world.desk.lmo(), world.desk.setup(), "bob@example.com").await;
    let late = other.send(world.desk.lmo(), "POST", "/api/billing/coupons", Some(&json!({"code": "WELCOME"}))).await;
    late.assert_error(404, "not_found");
    // Nobody guesses codes without end.
    let mut tried = 0;
    while redeem(json!("GUESSED")).await.status == 404 {
        tried += 1;
        assert!(tried < 20);
    }
    redeem(json!("GUESSED")).await.assert_error(429, "too_many_attempts");
    let path = format!("{COUPONS}/WELCOME");
    assert_eq!(world.desk.get(&path).await["redemptions_left"], 0);
    assert_eq!(world.desk.send("DELETE", &path, None).await.status, 204);
    world.desk.send("DELETE", &path, None).await.assert_error(404, "not_found");
    assert_eq!(world.desk.get(COUPONS).await, json!({"coupons": []}));
}

#[tokio::test]
async fn a_profile_is_what_invoices_can_show() {
    let world = World::new().await;
    assert_eq!(world.get(PROFILE).await, json!({"name": "", "address": []}));
    let long = "a".repeat(201);
    for (body, named) in [
        (json!({"name": ""}), "name"),
        (json!({"name": long}), "name"),
        (json!({"name": "a\u{7}"}), "name"),
        (json!({"name": "a", "address": vec!["a"; 7]}), "address"),
        (json!({"name": "a", "address": ["a\nb"]}), "address"),
        (json!({"name": "a", "country": "Germany"}), "country"),
        (json!({"name": "a", "country": "UK"}), "country"),
        (json!({"name": "a", "tax_id": "DE123456789"}), "country"),
        (json!({"name": "a", "country": "DE", "tax_id": "DE12345678"}), "tax_id"),
        (json!({"name": "a", "country": "AT", "tax_id": "DE123456789"}), "tax_id"),
        (json!({"name": "a", "email": "nobody"}), "email"),
    ] {
        let refused = world.send("PUT", PROFILE, Some(&body)).await;
        assert_eq!((refused.status, param(&refused)), (400, json!(named)), "{body}: {}", refused.body);
    }
    let profile = json!({
        "name": "株式会社テスト", "address": ["東京都千代田区丸の内1-1", "〒100-0005"], "country": "JP",
        "tax_id": "T1234567890123", "email": "keiri@example.com", "reference": "PO-7",
    });
    let put = world.send("PUT", PROFILE, Some(&profile)).await;
    assert_eq!((put.status, put.header("etag"), put.json()), (200, "\"1\"", profile.clone()), "{}", put.body);
    assert_eq!(world.get(PROFILE).await, profile);
    let stale = if_match(world.desk.lmo(), &world.owner.access, PROFILE, "\"0\"", &profile).await;
    stale.assert_error(412, "precondition_failed");
}

#[tokio::test]
async fn settings_are_put_whole_and_by_version() {
    let world = World::new().await;
    let mut settings = world.desk.get(OWN).await;
    assert_eq!((&settings["default_plan"], &settings["version"]), (&json!("free"), &json!(1)));
    settings["default_plan"] = json!("nothing");
    let refused = world.desk.send("PUT", OWN, Some(&settings)).await;
    assert_eq!((refused.status, param(&refused)), (400, json!("default_plan")), "{}", refused.body);
    settings["default_plan"] = json!("team");
    let put = if_match(world.desk.lmo(), world.desk.token(), OWN, "\"1\"", &settings).await;
    assert_eq!((put.status, put.header("etag")), (200, "\"2\""), "{}", put.body);
    let stale = if_match(world.desk.lmo(), world.desk.token(), OWN, "\"1\"", &settings).await;
    stale.assert_error(412, "precondition_failed");
    let newcomer = Account::new(world.desk.lmo(), world.desk.setup(), "bob@example.com").await;
    let plan = newcomer.send(world.desk.lmo(), "GET", PLAN, None).await.json();
    assert_eq!((&plan["plan"]["name"], plan["trial_until"].is_string()), (&json!("team"), true), "{plan:#}");
}

#[tokio::test]
async fn without_settings_there_is_no_plan_and_no_limit() {
    let setup = Setup::new();
    let lmo = setup.start();
    let plan = lmo.get(PLAN).await;
    assert_eq!((plan.status, plan.json()), (200, json!({"coupons": [], "credit": [], "limits": {}})));
    lmo.send("PUT", PLAN, &lmo.key, Some(&json!({"plan": "free"}))).await.assert_error(404, "not_found");
    lmo.post("/api/billing/coupons", &json!({"code": "WELCOME"})).await.assert_error(409, "conflict");
}

#[test]
fn the_command_line_does_the_same() {
    let setup = sold();
    // What says the same stays.
    let applied = lines(&setup.output(&["plans", "apply", PLANS]));
    assert_eq!(applied.iter().map(|one| one["new"].clone()).collect::<Vec<_>>(), vec![json!(false); 4]);
    assert_eq!(lines(&setup.output(&["plans", "list"])).len(), 4);
    assert_eq!(setup.run(&["billing", "settings", "show"])["seller"]["country"], "DE");
    let (tenant, _) = setup.tenant(&[]);
    let moved = setup.run(&["billing", "plan", "--tenant", &tenant, "--plan", "prepaid"]);
    assert_eq!((&moved["terms"][1]["plan"], &moved["limits"]["monthly_nano_usd"]), (&json!("prepaid"), &json!(0)));
    let give =
        ["billing", "credit", "--tenant", &tenant, "--amount", "10.12", "--currency", "EUR", "--reason", "a test"];
    assert_eq!(setup.run(&give)["amount"], "10.12");
    let moved = setup.run(&["billing", "plan", "--tenant", &tenant, "--plan", "enterprise", "--at", "period-end"]);
    assert_eq!(
        (&moved["terms"][2]["plan"], &moved["limits"]["monthly_nano_usd"]),
        (&json!("enterprise"), &json!(10_000_000_000_u64))
    );
    let made = setup.run(&["billing", "coupon", "create", "--code", "TEN", "--percent", "10", "--plans", "free,team"]);
    assert_eq!((&made["off"], &made["plans"]), (&json!({"percent": "10"}), &json!(["free", "team"])));
    assert_eq!(lines(&setup.output(&["billing", "coupon", "list"])), [made]);
    assert_eq!(setup.run(&["billing", "coupon", "delete", "TEN"])["deleted"], "TEN");
    for (arguments, words) in [
        (&["plans", "apply", "nothing.toml"][..], &["nothing.toml"][..]),
        (&["plans", "apply", PLANS, "--effective", "soon"], &["--effective", "soon"]),
        (&["billing", "settings", "apply", PLANS], &["plans.toml"]),
        (&["billing", "plan", "--tenant", "nobody", "--plan", "free"], &["nobody"]),
        (&["billing", "plan", "--tenant", &tenant, "--plan", "nothing"], &["nothing"]),
        (
            &["billing", "credit", "--tenant", &tenant, "--amount", "x", "--currency", "EUR", "--reason", "a"],
            &["--amount"],
        ),
        (&["billing", "coupon", "create", "--code", "x", "--percent", "10"], &["code"]),
        (&["billing", "coupon", "delete", "TEN"], &["TEN"]),
    ] {
        assert_one_line(&setup.output(arguments), words);
    }
}
