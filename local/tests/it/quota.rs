//! How much of what a tenant may is used, what the month will come to, what it brings in, and the usage as files.

use std::io::Read;

use lmo_shared::clock::{Clock, Period};

use crate::{
    burst::limited_key,
    errors::param,
    operators::{Desk, deployment},
    support::{Account, Setup, Value, json},
};

const QUOTA: &str = "/api/billing/quota";
const FORECAST: &str = "/api/billing/forecast";
const REVENUE: &str = "/api/admin/reports/revenue";

const MODELS: &str = "[providers.lmo]\nkind = \"echo\"\n[models.\"lmo/echo\"]\nprovider = \"lmo\"\n\
                      context_window = 100000\nprice = { input = 1, output = 2 }\ncost = { input = 0.5, output = 1 }\n\
                      [aliases]\ndefault = \"lmo/echo\"\n";

fn setup() -> Setup {
    let setup = Setup::new();
    setup.write_models(MODELS);
    setup
}

fn question() -> Value {
    json!({"query": "one two three", "max_tokens": 50})
}

#[tokio::test]
async fn a_quota_says_what_is_spent_and_left_of_the_tenant_and_its_keys() {
    let setup = setup();
    let (_, key) = setup.tenant(&["--monthly-tokens", "1000", "--requests-per-minute", "100"]);
    let lmo = setup.start();
    let quota = async || lmo.send("GET", QUOTA, &key, None).await.json();
    let fresh = quota().await;
    assert_eq!(fresh["tokens"], json!({"cap": 1000, "spent": 0, "held": 0, "left": 1000, "percent": 0}));
    assert_eq!(fresh["nano_usd"], json!({"spent": 0, "held": 0}));
    assert_eq!((&fresh["requests"], &fresh["keys"], &fresh["credit"]), (&json!(0), &json!([]), &json!([])));
    assert_eq!((&fresh["requests_per_minute"], fresh.get("tokens_per_minute")), (&json!(100), None));
    let month = Period::month(Clock::System.now());
    assert_eq!((&fresh["period"], &fresh["resets_at"]), (&json!(month.to_string()), &json!(month.end().to_string())));

    let robot = limited_key(&lmo, &key, &json!({"monthly_tokens": 200})).await;
    for key in [&key, &robot] {
        assert_eq!(lmo.send("POST", "/api/mcp/query", key, Some(&question())).await.status, 200);
    }
    let used = lmo.usage_of(&key, 2).await;
    let spent = used["input_tokens"].as_u64().unwrap() + used["output_tokens"].as_u64().unwrap();
    let quota = quota().await;
    let tokens = &quota["tokens"];
    assert_eq!((&tokens["spent"], &tokens["held"], &quota["requests"]), (&json!(spent), &json!(0), &json!(2)));
    assert_eq!((&tokens["left"], &tokens["percent"]), (&json!(1000 - spent), &json!(spent / 10)));
    assert_eq!(quota["nano_usd"]["spent"], used["cost_nano_usd"]);
    let [one] = quota["keys"].as_array().unwrap().as_slice() else { panic!("{quota}") };
    assert_eq!(
        (&one["requests"], &one["tokens"]["cap"], &one["tokens"]["left"]),
        (&json!(1), &json!(200), &json!(200 - spent / 2))
    );
    assert!(one["nano_usd"].get("cap").is_none());
}

#[tokio::test]
async fn who_may_see_a_quota_may_not_see_what_is_paid() {
    let setup = setup();
    let lmo = setup.start();
    let owner = Account::new(&lmo, &setup, "ada@example.com").await;
    let viewer = owner.invites(&lmo, &setup, "viewer@example.com", "viewer").await;
    for (account, path, status) in
        [(&owner, QUOTA, 200), (&owner, FORECAST, 200), (&viewer, QUOTA, 200), (&viewer, FORECAST, 403)]
    {
        assert_eq!(account.send(&lmo, "GET", path, None).await.status, status, "{path}");
    }
    for (scope, quota, forecast) in
        [("usage:read", 200, 403), ("billing:read", 200, 200), ("tenant:admin", 200, 200), ("query", 403, 403)]
    {
        let made = lmo.post("/api/tenant/keys", &json!({"name": scope, "scopes": [scope]})).await.json();
        let key = made["api_key"].as_str().unwrap();
        for (path, status) in [(QUOTA, quota), (FORECAST, forecast)] {
            assert_eq!(lmo.send("GET", path, key, None).await.status, status, "{scope} {path}");
        }
    }
}

#[tokio::test]
async fn a_forecast_goes_on_from_what_was_used_and_rates_it_as_the_plan_says() {
    let desk = Desk::of(sold()).await;
    let owner = Account::new(desk.lmo(), desk.setup(), "ada@example.com").await;
    let forecast = async || owner.send(desk.lmo(), "GET", FORECAST, None).await;
    let fresh = forecast().await;
    assert_eq!(fresh.status, 200, "{}", fresh.body);
    let fresh = fresh.json();
    assert_eq!(
        (&fresh["so_far"], &fresh["expected"]),
        (&json!({"tokens": 0, "nano_usd": 0}), &json!({"tokens": 0, "nano_usd": 0}))
    );
    assert!(fresh.get("invoice").is_none(), "there is no plan");

    let plan = json!({"name": "fee", "title": "Fee", "currency": "USD", "base_fee": "10", "effective": "2026-01-01"});
    let made = desk.send("PUT", "/api/admin/plans/fee", Some(&plan)).await;
    assert!(made.status < 300, "{}", made.body);
    let chosen = desk
        .send("PUT", &format!("/api/admin/billing/tenants/{}/plan", owner.tenant), Some(&json!({"plan": "fee"})))
        .await;
    assert_eq!(chosen.status, 200, "{}", chosen.body);
    for _ in 0..3 {
        assert_eq!(owner.send(desk.lmo(), "POST", "/api/mcp/query", Some(&question())).await.status, 200);
    }
    desk.lmo().usage_of(&owner.access, 3).await;
    let seen = forecast().await.json();
    let tokens = |name: &str| seen[name]["tokens"].as_u64().unwrap();
    assert!(tokens("so_far") > 0 && tokens("so_far") <= tokens("low"), "{seen:#}");
    assert!(tokens("low") <= tokens("expected") && tokens("expected") <= tokens("high"), "{seen:#}");
    let invoice = &seen["invoice"];
    let amount = |name: &str| invoice[name].as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!((invoice["currency"].as_str(), &invoice["lines"][0]["kind"]), (Some("USD"), &json!("base")), "{seen:#}");
    assert!(amount("so_far") <= amount("low") && amount("low") <= amount("expected"), "{invoice:#}");
    assert!(amount("expected") <= amount("high"), "{invoice:#}");
}

fn sold() -> Setup {
    let setup = deployment();
    setup.write_models(MODELS);
    setup
}

#[tokio::test]
async fn operators_see_revenue_as_json_and_csv_page_by_page() {
    let setup = sold();
    let tenants: Vec<_> = (0..3).map(|_| setup.tenant(&[])).collect();
    let desk = Desk::of(setup).await;
    for (_, key) in &tenants {
        assert_eq!(desk.lmo().send("POST", "/api/mcp/query", key, Some(&question())).await.status, 200);
        desk.lmo().usage_of(key, 1).await;
    }
    let month = Period::month(Clock::System.now()).to_string();
    for (query, field) in [
        ("from=2026", "from"),
        ("from=2026-10&to=2026-09", "to"),
        ("from=2025-01&to=2026-01", "to"),
        ("group_by=colour", "group_by"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=x", "cursor"),
    ] {
        let refused = desk.send("GET", &format!("{REVENUE}?{query}"), None).await;
        refused.assert_error(400, "invalid_request");
        assert_eq!(param(&refused), field, "{query}");
    }
    let (mut cursor, mut rows) = (String::new(), Vec::new());
    loop {
        let page = desk.get(&format!("{REVENUE}?from={month}&limit=2{cursor}")).await;
        rows.extend(page["rows"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(rows.len(), 3, "{rows:#?}");
    for row in &rows {
        assert_eq!(
            (&row["model"], &row["currency"], &row["invoiced"]),
            (&json!("lmo/echo"), &json!("USD"), &json!(false))
        );
        assert_eq!((&row["revenue"], &row["margin"]), (&json!(null), &json!(null)));
        let (list, cost) = (row["list"].as_str().unwrap(), row["cost"].as_str().unwrap());
        let exact = |text: &str| text.parse::<f64>().unwrap();
        assert!((exact(list) - 2.0 * exact(cost)).abs() < 1e-9, "{row}");
    }
    let csv = desk.send("GET", &format!("{REVENUE}?from={month}&format=csv&group_by="), None).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    let lines: Vec<_> = csv.body.split("\r\n").collect();
    assert!(
        lines.len() == 3 && lines[0].starts_with("tenant,month,") && lines[1].starts_with(",,,,false,USD,3,"),
        "{lines:?}"
    );
    let first = desk.send("GET", &format!("{REVENUE}?from={month}&format=csv&limit=1"), None).await;
    assert!(!first.header("x-next-cursor").is_empty());
}

#[tokio::test]
async fn the_command_line_reports_and_exports() {
    let setup = setup();
    let (tenant, key) = setup.tenant(&[]);
    let lmo = setup.start();
    assert_eq!(lmo.send("POST", "/api/mcp/query", &key, Some(&question())).await.status, 200);
    lmo.usage_of(&key, 1).await;
    lmo.stop();
    let month = Period::month(Clock::System.now()).to_string();
    let row = setup.run(&["billing", "report", "--from", &month]);
    assert_eq!((&row["tenant"], &row["what"], &row["month"]), (&json!(tenant), &json!("usage"), &json!(month)));
    let csv = setup.output(&["billing", "report", "--from", &month, "--csv", "--group-by", "month"]);
    let text = String::from_utf8(csv.stdout).unwrap();
    assert!(text.contains(&format!("\r\n,{month},,,false,USD,1,")), "{text}");
    // Today isn't over.
    let dir = setup.data_dir().join("files");
    let today = Period::of(lmo_shared::clock::Granularity::Day, Clock::System.now());
    let (from, to) = (today.to_string(), today.next().to_string());
    let export = ["billing", "export", "--dir", dir.to_str().unwrap(), "--from", &from];
    let waits = setup.output(&[&export[..], &["--to", &to]].concat());
    assert_eq!(waits.status.code(), Some(1), "{waits:?}");
    let nothing = setup.run(&export);
    assert_eq!((&nothing["days"], nothing.get("waiting")), (&json!(0), None));
    for arguments in [&["billing", "export", "--from", "2026-10"][..], &["billing", "report", "--from", "2026-10-01"]] {
        let mut told = String::new();
        setup.output(arguments).stderr.as_slice().read_to_string(&mut told).unwrap();
        assert!(told.contains("--from"), "{told}");
    }
}
