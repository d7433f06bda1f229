//! What bites billing systems, one case a test.

mod late;
mod money;
mod revenue;
mod scene;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{
        Amount, CreditSettlement, InvoiceStatus, LineKind, PaymentStatus,
        invoices::{Billed, NewCreditNote},
        repo::{Grants, When, grants},
        sum,
    },
    clock::Period,
    error::Error,
    id::{AdjustmentId, KeyId, RequestId},
    money::{NanoUsd, Tokens},
    quota::{Account, Hold, Limits},
    store::{Change, keys},
    tenant::Tenant,
};
use serde_json::{Value, json};

use scene::{Scene, at, lines, month, plan};

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

#[tokio::test]
async fn two_requests_across_midnight_are_in_two_invoices() {
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-31T23:59:59.999Z", 1_000_000).await;
    scene.ask("2035-11-01T00:00:00Z", 2_000_000).await;
    let october = scene.finalise("2035-10").await;
    let november = scene.finalise("2035-11").await;
    assert_eq!(lines(&october), ["lmo/echo, input tokens: 1.00", "lmo/echo, output tokens: 2.00"]);
    assert_eq!(lines(&november), ["lmo/echo, input tokens: 2.00", "lmo/echo, output tokens: 4.00"]);
    assert_eq!((october.entries, november.entries), (1, 1));
    assert_eq!(
        (october.number.as_deref(), november.number.as_deref()),
        (Some("LMO-2035-000001"), Some("LMO-2035-000002"))
    );
}

#[tokio::test]
async fn a_hold_open_over_the_end_of_the_period_keeps_its_invoice_a_draft_until_it_is_settled() {
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    scene.set("2035-10-31T23:59:00Z");
    let (key, request) = (KeyId::new(scene.now()), RequestId::new(scene.now()));
    let account =
        Account { tenant: scene.tenant, limits: Limits::default(), shards: 1, key, key_limits: Limits::default() };
    let hold = Hold {
        input: Tokens(1_000_000),
        output: Tokens(0),
        cost: NanoUsd(1_000_000_000),
        deadline: at("2035-11-05T00:00:00Z"),
        key,
        model: "lmo/echo".to_owned(),
        prices: keys::catalogue_version(at("2035-01-01")),
        byok: false,
    };
    scene.platform().meters().hold(&account, request, hold).await.unwrap();
    scene.set("2035-11-03T00:00:00Z");
    scene.sweep().await;
    let Billed::Draft { why } = scene.bill("2035-10").await else { panic!("it is held") };
    assert!(why.contains("not counted to their end"), "{why}");
    // Nobody ever settles it: behind its deadline it is charged as it was held.
    scene.set("2035-11-05T00:01:00Z");
    scene.sweep().await;
    assert_eq!(scene.bill("2035-10").await, Billed::Finalised { new: true });
    assert_eq!(
        lines(&scene.invoice("2035-10").await),
        ["lmo/echo, input tokens: 2.00", "lmo/echo, output tokens: 2.00"]
    );
}

#[tokio::test]
async fn an_event_later_than_the_grace_period_is_on_the_next_invoice_once() {
    let scene = Scene::on(json!({"included_credit": "2.50"})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    let october = scene.finalise("2035-10").await;
    assert_eq!(october.subtotal, amount("0.50"));
    // The clock of an instance was off by weeks.
    scene.plant_entry("2035-10-21T10:00:00Z", 4_000_000).await;
    scene.event("2035-10-21T10:00:00Z").await;
    scene.plant_entry("2035-10-20T10:00:01Z", 1_000_000).await;
    scene.event("2035-10-20T10:00:01Z").await;
    let november = scene.finalise("2035-11").await;
    // Two events in hours that had none: one was counted to its end, the other never was.
    assert_eq!(
        lines(&november).iter().filter(|line| line.starts_with("Late usage of 2035-10")).count(),
        1,
        "{november:?}"
    );
    scene.event("2035-10-20T10:00:01Z").await;
    let december = scene.finalise("2035-12").await;
    assert_eq!(lines(&december), [""; 0]);
    assert_eq!(scene.invoice("2035-10").await.lines, october.lines);
}

#[tokio::test]
async fn a_plan_that_changes_in_the_last_second_costs_a_second() {
    let scene = Scene::on(json!({"base_fee": "31"})).await;
    scene.ask("2035-10-31T23:59:58.999Z", 1_000_000).await;
    scene.set("2035-10-31T23:59:59Z");
    scene.choose(plan("second", json!({"base_fee": "2678400", "markup": "100"})), When::Now).await;
    scene.ask("2035-10-31T23:59:59Z", 1_000_000).await;
    let october = scene.finalise("2035-10").await;
    // 31 days have 2,678,400 seconds.
    let expected = [
        "first: 31.00",
        "lmo/echo, input tokens: 1.00",
        "lmo/echo, output tokens: 2.00",
        "second: 1.00",
        "lmo/echo, input tokens: 2.00",
        "lmo/echo, output tokens: 4.00",
    ];
    assert_eq!(lines(&october), expected);
    assert_eq!(lines(&scene.finalise("2035-11").await), ["second: 2678400.00"]);
}

#[tokio::test]
async fn yen_have_no_digits_and_dinars_three() {
    let yen = Scene::on(json!({"currency": "JPY", "usd": "149.55", "base_fee": "980.4"})).await;
    yen.buys(json!({"name": "株式会社テスト", "country": "JP"})).await;
    yen.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    let invoice = yen.finalise("2035-10").await;
    assert_eq!(lines(&invoice), ["first: 980", "lmo/echo, input tokens: 150", "lmo/echo, output tokens: 299"]);
    assert_eq!((invoice.tax.amount, invoice.total), (amount("143"), amount("1572")));
    let dinars = Scene::on(json!({"currency": "KWD", "usd": "0.3065", "base_fee": "1.5005"})).await;
    dinars.buys(json!({"name": "شركة", "country": "KW"})).await;
    dinars.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    let invoice = dinars.finalise("2035-10").await;
    assert_eq!(lines(&invoice), ["first: 1.501", "lmo/echo, input tokens: 0.307", "lmo/echo, output tokens: 0.613"]);
    assert_eq!((invoice.tax.amount, invoice.total), (Amount::ZERO, amount("2.421")));
}

#[tokio::test]
async fn a_negative_adjustment_larger_than_the_invoice_goes_on_to_the_next() {
    let scene = Scene::on(json!({"base_fee": "40"})).await;
    let id = AdjustmentId::new(scene.now());
    let waiting = json!({"id": id, "currency": "EUR", "text": "Goodwill", "amount": "-100"});
    scene.platform().table().tenant(scene.tenant).main().put(&keys::adjustment(id), &waiting).await.unwrap();
    let mut left = Vec::new();
    for period in ["2035-10", "2035-11", "2035-12", "2036-01"] {
        let invoice = scene.finalise(period).await;
        assert!(invoice.total >= Amount::ZERO);
        left.push((invoice.subtotal.to_string(), invoice.carried.to_string(), invoice.payment));
    }
    let expected = [
        ("0", "-60", PaymentStatus::Paid),
        ("0", "-20", PaymentStatus::Paid),
        ("20", "0", PaymentStatus::Pending),
        ("40", "0", PaymentStatus::Pending),
    ];
    assert_eq!(left, expected.map(|(subtotal, carried, payment)| (subtotal.to_owned(), carried.to_owned(), payment)));
}

#[tokio::test]
async fn tax_is_rounded_once_and_the_invoice_says_what_lines_would_have_made() {
    let scene = Scene::on(json!({"base_fee": "0.03", "seats": {"fee": "0.03"}, "minimum": "0.09"})).await;
    let invoice = scene.finalise("2035-10").await;
    assert_eq!(invoice.subtotal, amount("0.09"));
    // 0.0171 on the whole of it; a line of 0.03 has 0.0057, one of 0.06 has 0.0114.
    assert_eq!(invoice.tax.amount, amount("0.02"));
    assert_eq!(invoice.tax.per_line_difference, amount("0"));
    let scene = Scene::on(json!({})).await;
    for hour in 1..=3 {
        scene.ask(&format!("2035-10-20T0{hour}:00:00Z"), 5_000).await;
    }
    let invoice = scene.finalise("2035-10").await;
    assert_eq!(lines(&invoice), ["lmo/echo, input tokens: 0.02", "lmo/echo, output tokens: 0.03"]);
    assert_eq!((invoice.tax.amount, invoice.tax.per_line_difference), (amount("0.01"), amount("0")));
}

#[tokio::test]
async fn a_tenant_deleted_in_mid_period_is_charged_until_then() {
    let scene = Scene::on(json!({"base_fee": "31"})).await;
    scene.ask("2035-10-05T10:00:00Z", 1_000_000).await;
    scene.set("2035-10-11T00:00:00Z");
    let end = |tenant: &mut Tenant, _: &mut Change| {
        tenant.status = lmo_shared::tenant::Status::Deleting;
        tenant.delete_after = Some(at("2035-10-11T00:00:00Z").after(lmo_shared::tenant::DELETION_TAKES));
        Ok(())
    };
    let operation = lmo_shared::tenant::Operation {
        tenant: scene.tenant,
        version: IfMatch::Any,
        actor: &Actor::command_line(),
        at: scene.now(),
    };
    scene.platform().tenants().operate(operation, "tenant.delete", end).await.unwrap();
    let october = scene.finalise("2035-10").await;
    assert_eq!(lines(&october), ["first: 10.00", "lmo/echo, input tokens: 1.00", "lmo/echo, output tokens: 2.00"]);
    scene.set("2035-12-05T00:00:00Z");
    assert_eq!(scene.bill("2035-11").await, Billed::Nothing);
}

#[tokio::test]
async fn what_a_clock_that_is_late_dates_into_a_closed_hour_is_counted_before_the_invoice() {
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-31T20:00:00Z", 1_000_000).await;
    scene.set("2035-11-01T03:00:00Z");
    scene.sweep().await;
    // Its machine believes that it is still October.
    scene.ask("2035-10-31T20:30:00Z", 1_000_000).await;
    scene.set("2035-11-03T00:00:00Z");
    scene.event("2035-10-31T20:30:00Z").await;
    assert!(matches!(scene.bill("2035-10").await, Billed::Draft { .. }));
    scene.platform().books().reconcile().await.unwrap();
    assert_eq!(scene.bill("2035-10").await, Billed::Finalised { new: true });
    assert_eq!(
        lines(&scene.invoice("2035-10").await),
        ["lmo/echo, input tokens: 2.00", "lmo/echo, output tokens: 4.00"]
    );
    // The mark that it left is no reason for an adjustment.
    assert_eq!(lines(&scene.finalise("2035-11").await), [""; 0]);
}

#[tokio::test]
async fn books_that_differ_hold_the_invoice_back_and_say_by_how_much() {
    let scene = Scene::on(json!({})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    scene.set("2035-11-01T03:00:00Z");
    scene.sweep().await;
    let table = scene.platform().table().tenant(scene.tenant);
    let hour = Period::of(lmo_shared::clock::Granularity::Hour, at("2035-10-20T10:00:00Z"));
    let right: Value = table.totals().find(&keys::total(month("2035-10"))).await.unwrap().unwrap();
    let spoil = async |kind: &str| match kind {
        "a lost total" => table.totals().delete_all(&[keys::total(hour), keys::total(month("2035-10"))]).await.unwrap(),
        "a doubled total" => {
            let mut doubled = right.clone();
            doubled["n"] = json!(2);
            table.totals().put(&keys::total(month("2035-10")), &doubled).await.unwrap();
        }
        "a wrong meter" => {
            let sort = keys::meter(month("2035-10"), keys::MeterScope::Tenant(0));
            let mut meter: lmo_shared::quota::Meter = table.main().find(&sort).await.unwrap().unwrap();
            meter.tokens_spent += 7;
            table.main().put(&sort, &meter).await.unwrap();
        }
        "a missing entry" => {
            let entries: Vec<Value> = table.ledger(hour).all().collect().await.unwrap();
            let sort = entries[0]["sk"].as_str().unwrap().to_owned();
            table.ledger(hour).delete_all(&[sort]).await.unwrap();
        }
        _ => unreachable!(),
    };
    scene.set("2035-11-03T00:00:00Z");
    for kind in ["a lost total", "a doubled total", "a wrong meter", "a missing entry"] {
        spoil(kind).await;
        let Billed::Draft { why } = scene.bill("2035-10").await else { panic!("{kind}") };
        let holds = scene.actions().await.iter().filter(|action| *action == "invoice.hold").count();
        scene.bill("2035-10").await;
        let again = scene.actions().await.iter().filter(|action| *action == "invoice.hold").count();
        assert_eq!(holds, again, "{kind}: said once");
        let found = scene.invoices().reconcile(scene.tenant, month("2035-10")).await.unwrap();
        assert!(!found.agree && !why.is_empty(), "{kind}: {found:?}");
        let repaired = scene.invoices().repair(scene.tenant, month("2035-10"), &Actor::command_line()).await.unwrap();
        assert!(repaired.agree, "{kind}: {repaired:?}");
    }
    assert_eq!(scene.bill("2035-10").await, Billed::Finalised { new: true });
    assert_eq!(scene.invoice("2035-10").await.entries, 0, "by the ledger, which lost its entry");
    assert!(scene.actions().await.contains(&"books.repair".to_owned()));
}

#[tokio::test]
async fn before_the_grace_period_is_over_there_is_a_draft_without_a_number() {
    let scene = Scene::on(json!({"base_fee": "10"})).await;
    scene.set("2035-10-31T23:59:59Z");
    assert_eq!(scene.bill("2035-10").await, Billed::Waiting { until: at("2035-11-01") });
    scene.set("2035-11-01T03:00:00Z");
    scene.sweep().await;
    assert_eq!(scene.bill("2035-10").await, Billed::Waiting { until: at("2035-11-02") });
    let draft = scene.invoice("2035-10").await;
    assert_eq!((draft.status, draft.number, draft.payment), (InvoiceStatus::Draft, None, PaymentStatus::None));
    assert_eq!((draft.subtotal, draft.total), (amount("10"), amount("11.90")));
    scene.bill("2035-10").await;
    assert_eq!(scene.invoice("2035-10").await.version, draft.version, "nothing new is not written");
}

#[tokio::test]
async fn numbers_have_no_gaps_whoever_finalises_at_once() {
    let scene = Scene::on(json!({"base_fee": "1"})).await;
    let mut tenants = vec![scene.tenant];
    for number in 0..40 {
        let tenant = Tenant::new(format!("Tenant {number}"), scene.now());
        scene.platform().tenants().open(&tenant, &Actor::command_line()).await.unwrap();
        tenants.push(tenant.id);
    }
    let settings = scene.platform().billing_settings().get().await.unwrap();
    let settings = lmo_shared::billing::Settings { default_plan: Some("first".to_owned()), ..settings };
    scene.platform().billing_settings().put(settings, IfMatch::Any, &Actor::command_line(), scene.now()).await.unwrap();
    scene.set("2035-11-03T00:00:00Z");
    // Two processes, each with all of them at once.
    let (one, other) = (scene.invoices(), scene.invoices());
    let both = [&one, &other].into_iter().flat_map(|invoices| tenants.iter().map(move |tenant| (invoices, *tenant)));
    let now = scene.now();
    let billed = join_all(both.map(|(invoices, tenant)| invoices.bill(tenant, month("2035-10"), now))).await;
    let new = billed.iter().filter(|billed| matches!(billed, Ok(Billed::Finalised { new: true }))).count();
    assert_eq!(new, 41, "{billed:?}");
    let mut numbers = BTreeSet::new();
    for tenant in &tenants {
        let invoice = one.get(*tenant, keys::invoice_of(*tenant, month("2035-10"))).await.unwrap();
        numbers.insert(invoice.number.unwrap());
    }
    let expected: BTreeSet<_> = (1..=41).map(|number| format!("LMO-2035-{number:06}")).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn credit_pays_and_is_given_back_by_who_declares_the_invoice_void() {
    let scene = Scene::on(json!({"base_fee": "10"})).await;
    let give = async |text: &str| {
        let now = scene.now();
        let grant = grants::grant(amount(text), lmo_shared::billing::Currency::EUR, "gift".to_owned(), None, now);
        let mut change = scene.platform().tenants().change();
        Grants::give(&mut change, scene.tenant, &grant, &Actor::command_line()).unwrap();
        change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
    };
    give("5").await;
    let invoice = scene.finalise("2035-10").await;
    assert_eq!((invoice.total, invoice.from_credit, invoice.due), (amount("11.90"), amount("5"), amount("6.90")));
    let (invoices, actor) = (scene.invoices(), Actor::command_line());
    let void = invoices.void(scene.tenant, invoice.id, IfMatch::Any, "wrong address", &actor).await.unwrap();
    assert_eq!((void.status, void.payment), (InvoiceStatus::Void, PaymentStatus::None));
    assert!(matches!(invoices.void(scene.tenant, invoice.id, IfMatch::Any, "", &actor).await, Err(Error::Conflict(_))));
    assert_eq!(scene.bill("2035-10").await, Billed::Finalised { new: false }, "it isn't billed again");
    let november = scene.finalise("2035-11").await;
    assert_eq!((november.from_credit, november.due), (amount("5"), amount("6.90")));
}

#[tokio::test]
async fn credit_notes_take_back_exactly_what_there_is() {
    let scene = Scene::on(json!({"base_fee": "10.01"})).await;
    let invoice = scene.finalise("2035-10").await;
    assert_eq!((invoice.tax.amount, invoice.total), (amount("1.90"), amount("11.91")));
    let payments = scene.payments();
    let (invoices, actor) = (scene.invoices(), Actor::command_line());
    let new = |text: Option<&str>, settlement| NewCreditNote {
        invoice: invoice.id,
        amount: text.map(amount),
        reason: "down for a day".to_owned(),
        settlement,
    };
    let make = async |new: NewCreditNote| invoices.make_credit_note(scene.tenant, &new, &payments, &actor).await;
    assert!(matches!(make(new(Some("10.02"), CreditSettlement::Due)).await, Err(Error::Invalid { .. })));
    assert!(
        matches!(make(new(Some("1"), CreditSettlement::Refund)).await, Err(Error::Conflict(_))),
        "nothing was paid"
    );
    let first = make(new(Some("3.33"), CreditSettlement::Due)).await.unwrap();
    let second = make(new(Some("3.33"), CreditSettlement::Due)).await.unwrap();
    let rest = make(new(None, CreditSettlement::Due)).await.unwrap();
    let all = [&first, &second, &rest]
        .map(|note| note.total)
        .into_iter()
        .fold(Amount::ZERO, |sum, one| sum.plus(one).unwrap());
    assert_eq!(all, invoice.total, "to the cent, tax and all");
    let numbers = [&first, &second, &rest].map(|note| note.number.as_str());
    assert_eq!(numbers, ["LMO-CN-2035-000001", "LMO-CN-2035-000002", "LMO-CN-2035-000003"]);
    assert!(make(new(Some("0.01"), CreditSettlement::Due)).await.is_err());
    assert_eq!(scene.invoice("2035-10").await.open().unwrap(), Amount::ZERO);
}

#[tokio::test]
async fn credit_notes_at_once_never_take_back_more_than_there_is() {
    let scene = Scene::on(json!({"base_fee": "10"})).await;
    let invoice = scene.finalise("2035-10").await;
    let payments = scene.payments();
    let (invoices, actor) = (scene.invoices(), Actor::command_line());
    let new = NewCreditNote {
        invoice: invoice.id,
        amount: Some(amount("3")),
        reason: "down for a day".to_owned(),
        settlement: CreditSettlement::Due,
    };
    let made = join_all((0..8).map(|_| invoices.make_credit_note(scene.tenant, &new, &payments, &actor))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3, "{made:?}");
    assert_eq!(scene.invoice("2035-10").await.credited_subtotal, amount("9"));
}

/// Others let a tenant through for a moment that is to be deleted since.
#[tokio::test]
async fn what_is_used_while_a_deletion_waits_is_charged_and_only_fees_pause() {
    let scene = Scene::on(json!({"base_fee": "31"})).await;
    let by = scene.owner().await;
    let tenants = scene.platform().tenants();
    scene.set("2035-10-11T00:00:00Z");
    tenants.announce_deletion(scene.tenant, "Acme", IfMatch::Any, &by, scene.now()).await.unwrap();
    scene.ask("2035-10-11T00:00:20Z", 1_000_000).await;
    scene.set("2035-10-21T00:00:00Z");
    tenants.restore(scene.tenant, &by, scene.now()).await.unwrap();
    let october = scene.finalise("2035-10").await;
    let of = |usage: bool| {
        let lines = october.lines.iter().filter(|line| matches!(line.kind, LineKind::Usage { .. }) == usage);
        sum(lines.map(|line| line.amount)).unwrap()
    };
    assert_eq!((of(true), of(false)), (amount("3"), amount("21")), "{:?}", lines(&october));
}
