//! Invoices and credit notes, as who pays them and who makes them see them, and their books at the command line.

use lmo_local::resources;
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{Plan, Settings, invoices::Billed},
    clock::Timestamp,
    id::TenantId,
    llm::catalogue::Catalogue,
    quota::Meter,
    store::{keys, keys::MeterScope},
    tenant::Tenant,
    usage::Expired,
};

use crate::{
    billing_runs::seed::{in_place, month},
    cli::assert_one_line,
    month::{MODELS, ask, set},
    operators::{Desk, deployment},
    support::{Lmo, Response, Setup, Value, json},
};

const INVOICES: &str = "/api/billing/invoices";
const NOTES: &str = "/api/billing/credit-notes";

/// A tenant that has one invoice: of 10.00, a million tokens of input at 1.00 and of output at 2.00, with 19 % on top.
struct Customer {
    id: TenantId,
    key: String,
    invoice: String,
}

impl Customer {
    fn path(&self, rest: &str) -> String {
        format!("/api/admin/billing/tenants/{}/invoices/{}{rest}", self.id, self.invoice)
    }
}

/// Two customers with an invoice each, in a data directory that nobody has open.
async fn customers(setup: &Setup) -> [Customer; 2] {
    let mut made = Vec::new();
    in_place(&setup.data_dir(), async |platform| {
        resources::create(platform).await.unwrap();
        let (start, actor) = (month().start(), Actor::command_line());
        let prices = platform.catalogues().apply(Catalogue::from_toml(MODELS, start).unwrap()).await.unwrap();
        let plan = json!({
            "name": "team", "title": "Team", "currency": "EUR", "base_fee": "10", "effective": start.to_string(),
        });
        let plan: Plan = serde_json::from_value(plan).unwrap();
        let catalogue = platform.catalogues().current().await.unwrap();
        platform.plans().apply(plan, &catalogue, &actor, start).await.unwrap();
        let settings = json!({
            "seller": {"name": "LMO GmbH", "address": ["Street 1"], "country": "DE"},
            // Nobody is to be suspended yet.
            "tax": {"DE": {"rate": "19"}}, "default_plan": "team", "payment_days": 90,
        });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        platform.billing_settings().put(settings, IfMatch::Any, &actor, start).await.unwrap();
        for (name, since) in [("First", start), ("Second", start.after(std::time::Duration::from_secs(1)))] {
            set(platform.clock(), since);
            let tenant = Tenant::new(name, since);
            let key = platform.tenants().open(&tenant, &actor).await.unwrap();
            set(platform.clock(), month().end().before(std::time::Duration::from_hours(5)));
            ask(platform, tenant.id, prices.clone(), 1_000_000).await;
            let id = keys::invoice_of(tenant.id, month());
            made.push(Customer { id: tenant.id, key: key.text, invoice: id.to_string() });
        }
        set(platform.clock(), month().end().after(std::time::Duration::from_hours(3)));
        platform.sweeper().sweep(Expired::ByDeadline).await.unwrap();
        let now = month().end().after(std::time::Duration::from_hours(72));
        set(platform.clock(), now);
        for customer in &made {
            let billed = platform.invoices().bill(customer.id, month(), now).await.unwrap();
            assert_eq!(billed, Billed::Finalised { new: true });
        }
    })
    .await;
    made.try_into().unwrap_or_else(|_| panic!("two"))
}

async fn get(lmo: &Lmo, customer: &Customer, path: &str) -> Response {
    lmo.send("GET", path, &customer.key, None).await
}

/// A request of the operator's with one more header.
async fn with(desk: &Desk, path: &str, header: (&str, &str), body: &Value) -> Response {
    let lmo = desk.lmo();
    let request = lmo.client.post(format!("{}{path}", lmo.base)).bearer_auth(desk.token());
    let request = request.header(header.0, header.1).header("content-type", "application/json");
    Response::read(request.body(body.to_string()).send().await.unwrap()).await
}

#[tokio::test]
async fn a_tenant_has_its_own_invoices_as_json_and_csv_and_nobody_elses() {
    let setup = deployment();
    let [first, second] = customers(&setup).await;
    let lmo = setup.start();
    let listed = get(&lmo, &first, &format!("{INVOICES}?limit=100")).await.json();
    // Of the month behind it there may be one already.
    let of_month = |list: &Value| {
        let all = list["invoices"].as_array().unwrap().clone();
        all.into_iter().find(|invoice| invoice["period"] == month().to_string()).unwrap()
    };
    let shown = of_month(&listed);
    assert_eq!(
        (&shown["id"], &shown["total"], &shown["lines"]),
        (&json!(first.invoice), &json!("15.47"), &Value::Null)
    );
    let path = format!("{INVOICES}/{}", first.invoice);
    let invoice = get(&lmo, &first, &path).await.json();
    let lines: Vec<_> = invoice["lines"].as_array().unwrap().iter().map(|line| line["amount"].clone()).collect();
    assert_eq!(lines, ["10", "1", "2"], "{invoice:#}");
    let sums = ["subtotal", "total", "from_credit", "due", "paid", "currency", "status"].map(|name| &invoice[name]);
    assert_eq!(sums, ["13", "15.47", "0", "15.47", "0", "EUR", "finalised"], "{invoice:#}");
    assert_eq!((&invoice["tax"]["amount"], &invoice["tax"]["rate"]), (&json!("2.47"), &json!("19")), "{invoice:#}");
    assert_eq!((&invoice["buyer"]["name"], &invoice["requests"]), (&json!("First"), &json!(1)), "{invoice:#}");
    let csv = get(&lmo, &first, &format!("{path}?format=csv")).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").contains(invoice["number"].as_str().unwrap()));
    assert_eq!(csv.body.lines().count(), 1 + 3 + 5, "{}", csv.body);
    let pdf = get(&lmo, &first, &format!("{path}?format=pdf")).await;
    assert_eq!((pdf.status, pdf.header("content-type")), (200, "application/pdf"));
    assert!(pdf.body.starts_with("%PDF-"));
    for (path, status, code) in [
        (format!("{path}?format=xml"), 400, "invalid_request"),
        (format!("{INVOICES}?limit=0"), 400, "invalid_request"),
        (format!("{INVOICES}?cursor=nonsense"), 400, "invalid_request"),
        (format!("{INVOICES}/nonsense"), 404, "not_found"),
        (format!("{INVOICES}/{}", second.invoice), 404, "not_found"),
        (format!("{INVOICES}/{}?format=csv", second.invoice), 404, "not_found"),
        (format!("{NOTES}/nonsense"), 404, "not_found"),
        (first.path(""), 403, "forbidden"),
    ] {
        get(&lmo, &first, &path).await.assert_error(status, code);
    }
    assert_eq!(get(&lmo, &first, NOTES).await.json(), json!({"credit_notes": []}));
    let made = json!({"name": "asks", "scopes": ["query"]});
    let key = lmo.send("POST", "/api/tenant/keys", &first.key, Some(&made)).await;
    assert_eq!(key.status, 201, "{}", key.body);
    lmo.send("GET", &path, key.json()["api_key"].as_str().unwrap(), None).await.assert_error(403, "forbidden");
}

#[tokio::test]
async fn an_operator_finds_a_months_invoices_and_declares_one_void() {
    let setup = deployment();
    let [first, second] = customers(&setup).await;
    let desk = Desk::of(setup).await;
    let list = async |query: &str| {
        let path = format!("/api/admin/invoices?period={}{query}", month());
        let listed = desk.get(&path).await["invoices"].clone();
        let ids: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        ids
    };
    let both = [first.invoice.clone(), second.invoice.clone()];
    assert_eq!(list("").await, both);
    assert_eq!(list("&status=finalised&payment=pending").await, both);
    assert!(list("&status=void").await.is_empty() && list("&payment=paid").await.is_empty());
    for query in ["period=October", "period=2026", "status=lost", "payment=x", "limit=101", "cursor=!"] {
        desk.send("GET", &format!("/api/admin/invoices?{query}"), None).await.assert_error(400, "invalid_request");
    }
    let books = desk.get(&first.path("/books")).await;
    assert_eq!((&books["agree"], &books["ledger"]), (&json!(true), &json!([1, 2_000_000, 3_000_000_000_u64])));
    let (void, body) = (first.path("/void"), json!({"reason": "wrong address"}));
    desk.send("POST", &void, Some(&json!({"reason": ""}))).await.assert_error(400, "invalid_request");
    desk.send("POST", &void, Some(&json!({}))).await.assert_error(400, "invalid_request");
    with(&desk, &void, ("if-match", "\"9999\""), &body).await.assert_error(412, "precondition_failed");
    let done = desk.send("POST", &void, Some(&body)).await;
    let after = done.json();
    assert_eq!((done.status, &after["status"], &after["void_for"]), (200, &json!("void"), &json!("wrong address")));
    desk.send("POST", &void, Some(&body)).await.assert_error(409, "conflict");
    assert_eq!(list("&status=void").await, std::slice::from_ref(&first.invoice));
    // Its number stays used, and it stays for whoever had it.
    let seen = get(desk.lmo(), &first, &format!("{INVOICES}/{}", first.invoice)).await.json();
    assert_eq!((&seen["status"], seen["number"].is_string()), (&json!("void"), true));
    let elsewhere = format!("/api/admin/billing/tenants/{}/invoices/{}", second.id, first.invoice);
    desk.send("GET", &elsewhere, None).await.assert_error(404, "not_found");
    for action in ["/void", "/credit-notes"] {
        let body = json!({"reason": "-", "settlement": "due"});
        let body = if action == "/void" { json!({"reason": "-"}) } else { body };
        desk.send("POST", &format!("{elsewhere}{action}"), Some(&body)).await.assert_error(404, "not_found");
    }
    let audit = get(desk.lmo(), &first, "/api/tenant/audit?limit=5").await.json();
    let noted = audit["entries"].as_array().unwrap().iter().any(|entry| entry["action"] == "invoice.void");
    assert!(noted, "{audit:#}");
}

#[tokio::test]
async fn a_credit_note_is_made_once_and_bounded_and_seen_by_its_tenant_alone() {
    let setup = deployment();
    let [first, second] = customers(&setup).await;
    let desk = Desk::of(setup).await;
    let path = first.path("/credit-notes");
    for (body, status, code) in [
        (json!({"reason": "down", "settlement": "due", "amount": "13.01"}), 400, "invalid_request"),
        (json!({"reason": "down", "settlement": "due", "amount": "0"}), 400, "invalid_request"),
        (json!({"reason": "down", "settlement": "due", "amount": "-1"}), 400, "invalid_request"),
        (json!({"reason": "down", "settlement": "due", "amount": "0.001"}), 400, "invalid_request"),
        (json!({"reason": "down", "settlement": "due", "amount": "1e3"}), 400, "invalid_request"),
        (json!({"reason": "down", "settlement": "gift"}), 400, "invalid_request"),
        (json!({"reason": "", "settlement": "due"}), 400, "invalid_request"),
        (json!({"reason": "down", "settlement": "refund", "amount": "1"}), 409, "conflict"),
    ] {
        desk.send("POST", &path, Some(&body)).await.assert_error(status, code);
    }
    let body = json!({"reason": "down for a day", "settlement": "due", "amount": "3.33"});
    let (made, again) = tokio::join!(
        with(&desk, &path, ("idempotency-key", "one"), &body),
        with(&desk, &path, ("idempotency-key", "one"), &body),
    );
    let third = with(&desk, &path, ("idempotency-key", "one"), &body).await;
    let made = if made.status == 201 { made } else { again };
    let note = made.json();
    assert_eq!((made.status, &third.json()), (201, &note), "{note:#}");
    let sums = ["subtotal", "total", "currency", "settlement", "invoice"].map(|name| note[name].clone());
    assert_eq!(sums.to_vec(), ["3.33", "3.96", "EUR", "due", &first.invoice]);
    assert!(note["number"].as_str().unwrap().ends_with("-000001"), "{note:#}");
    let rest = desk.send("POST", &path, Some(&json!({"reason": "closed", "settlement": "due"}))).await.json();
    assert_eq!((&rest["subtotal"], &rest["total"]), (&json!("9.67"), &json!("11.51")), "{rest:#}");
    let invoice = desk.get(&first.path("")).await;
    assert_eq!((&invoice["credited"], &invoice["due"]), (&json!("15.47"), &json!("15.47")));
    let listed = get(desk.lmo(), &first, NOTES).await.json()["credit_notes"].clone();
    assert_eq!(listed, json!([rest, note]));
    let page = get(desk.lmo(), &first, &format!("{NOTES}?limit=1")).await.json();
    let next = format!("{NOTES}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(get(desk.lmo(), &first, &next).await.json()["credit_notes"], json!([note]));
    let one = format!("{NOTES}/{}", note["id"].as_str().unwrap());
    assert_eq!(get(desk.lmo(), &first, &one).await.json(), note);
    get(desk.lmo(), &second, &one).await.assert_error(404, "not_found");
    assert_eq!(get(desk.lmo(), &second, NOTES).await.json(), json!({"credit_notes": []}));
    let of_tenant = format!("/api/admin/billing/tenants/{}/credit-notes", first.id);
    assert_eq!(desk.get(&of_tenant).await["credit_notes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_command_line_says_where_books_differ_and_puts_them_right() {
    let setup = deployment();
    let [first, _] = customers(&setup).await;
    let (id, period) = (first.id.to_string(), month().to_string());
    let reconcile = |more: &[&str]| {
        let output = setup.output(&[&["billing", "reconcile", "--tenant", &id, "--period", &period], more].concat());
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), said)
    };
    let (code, said) = reconcile(&[]);
    assert_eq!((code, &said["agree"], &said["rows"]), (Some(0), &json!(true), &json!([])), "{said:#}");
    in_place(&setup.data_dir(), async |platform| {
        let tenant = platform.table().tenant(first.id);
        tenant.totals().delete_all(&[keys::total(month())]).await.unwrap();
        let sort = keys::meter(month(), MeterScope::Tenant(0));
        let mut meter: Meter = tenant.main().find(&sort).await.unwrap().unwrap();
        meter.tokens_spent += 7;
        tenant.main().put(&sort, &meter).await.unwrap();
    })
    .await;
    let (code, said) = reconcile(&[]);
    assert_eq!((code, &said["agree"]), (Some(1), &json!(false)), "{said:#}");
    let difference = said["difference"].as_str().unwrap();
    assert!(difference.contains("tokens: meter 2000007, totals 0, ledger 2000000"), "{difference}");
    let row = &said["rows"][0];
    assert_eq!(
        (&row["model"], &row["totals"], &row["ledger"]["requests"]),
        (&json!("lmo/echo"), &Value::Null, &json!(1))
    );
    let (code, said) = reconcile(&["--repair"]);
    assert_eq!((code, &said["agree"], &said["rows"]), (Some(0), &json!(true), &json!([])), "{said:#}");
    assert_eq!(reconcile(&[]).0, Some(0));
    let nobody = TenantId::new(Timestamp(1)).to_string();
    for (tenant, month, words) in [
        (nobody.as_str(), period.as_str(), [nobody.as_str(), "tenant"]),
        ("acme", period.as_str(), ["acme", "does not exist"]),
        (id.as_str(), "October", ["--period", "October"]),
    ] {
        let output = setup.output(&["billing", "reconcile", "--tenant", tenant, "--period", month]);
        assert_one_line(&output, &words);
    }
    let this = lmo_shared::clock::Period::month(lmo_shared::clock::Clock::System.now()).to_string();
    let early = setup.output(&["billing", "reconcile", "--tenant", &id, "--period", &this, "--repair"]);
    assert_one_line(&early, &["over"]);
}
