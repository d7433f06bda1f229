//! What credit notes give back, and that a power cut at any moment makes no second invoice.

use futures_util::future::join_all;
use lmo_shared::{
    audit::{Actor, Deed, IfMatch, record},
    auth::Role,
    billing::{
        Amount, CreditNote, CreditSettlement, Invoice,
        invoices::{Billed, NewCreditNote},
    },
    error::{Error, Result},
    id::UserId,
    store::{Change, keys},
    tenant::Member,
};
use serde_json::{Value, json};

use super::{
    amount,
    scene::{Scene, lines, month},
};

async fn pay(scene: &Scene, invoice: &Invoice, text: &str) {
    let mut change = scene.platform().tenants().change();
    let actor = Actor::command_line();
    scene.payments().note(&mut change, scene.tenant, invoice.id, amount(text), "transfer 1", &actor).await.unwrap();
    change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
}

async fn credit(
    scene: &Scene,
    invoice: &Invoice,
    text: Option<&str>,
    settlement: CreditSettlement,
) -> Result<CreditNote> {
    let new = NewCreditNote {
        invoice: invoice.id,
        amount: text.map(amount),
        reason: "down for a day".to_owned(),
        settlement,
    };
    scene.invoices().make_credit_note(scene.tenant, &new, &scene.payments(), &Actor::command_line()).await
}

#[tokio::test]
async fn what_was_paid_goes_back_in_any_way_and_only_once() {
    use CreditSettlement::{Credit, Due, Refund};
    let scene = Scene::on(json!({"base_fee": "100"})).await;
    let invoice = scene.finalise("2035-10").await;
    pay(&scene, &invoice, "119").await;
    assert!(matches!(credit(&scene, &invoice, Some("1"), Due).await, Err(Error::Conflict(_))), "nothing is open");
    let mut back = Vec::new();
    for (text, settlement) in [(Some("20"), Refund), (Some("30"), Credit), (None, Refund)] {
        back.push(credit(&scene, &invoice, text, settlement).await.unwrap().total);
    }
    assert_eq!(back, ["23.80", "35.70", "59.50"].map(amount));
    assert!(credit(&scene, &invoice, Some("0.01"), Refund).await.is_err());
    let after = scene.invoice("2035-10").await;
    assert_eq!((after.refunded, after.credited, after.open().unwrap()), (amount("83.30"), amount("119"), Amount::ZERO));
    let november = scene.finalise("2035-11").await;
    assert_eq!((november.from_credit, november.due), (amount("35.70"), amount("83.30")));
}

#[tokio::test]
async fn what_is_open_is_taken_back_before_what_was_paid() {
    use CreditSettlement::{Credit, Due, Refund};
    let scene = Scene::on(json!({"base_fee": "100"})).await;
    let invoice = scene.finalise("2035-10").await;
    pay(&scene, &invoice, "50").await;
    for settlement in [Refund, Credit] {
        assert!(matches!(credit(&scene, &invoice, Some("1"), settlement).await, Err(Error::Conflict(_))));
    }
    assert!(matches!(credit(&scene, &invoice, Some("58"), Due).await, Err(Error::Conflict(_))), "more than is open");
    assert_eq!(credit(&scene, &invoice, Some("57.98"), Due).await.unwrap().total, amount("69"));
    assert_eq!(credit(&scene, &invoice, None, Refund).await.unwrap().total, amount("50"));
    let after = scene.invoice("2035-10").await;
    assert_eq!((after.credited, after.refunded, after.open().unwrap()), (amount("119"), amount("50"), Amount::ZERO));
}

#[tokio::test]
async fn a_power_cut_at_any_moment_makes_neither_a_second_invoice_nor_a_gap() {
    let scene = Scene::on(json!({"base_fee": "40", "seats": {"fee": "1"}})).await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    scene.set("2035-11-01T03:00:00Z");
    scene.sweep().await;
    scene.set("2035-11-04T00:00:00Z");
    let mut cuts = 0;
    let billed = loop {
        scene.cut_after(Some(cuts));
        let billed = scene.invoices().bill(scene.tenant, month("2035-10"), scene.now()).await;
        scene.cut_after(None);
        match billed {
            Ok(billed) => break billed,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
        cuts += 1;
        assert!(cuts < 200, "it never comes to an end");
    };
    assert!(cuts > 5 && matches!(billed, Billed::Finalised { .. }), "{cuts} cuts, {billed:?}");
    let october = scene.invoice("2035-10").await;
    let november = scene.finalise("2035-11").await;
    let numbers = [october, november].map(|invoice| invoice.number.unwrap());
    assert_eq!(numbers, ["LMO-2035-000001", "LMO-2035-000002"]);
    let collected: Vec<Value> = scene.platform().table().collect().all().collect().await.unwrap();
    assert_eq!(collected.len(), 2, "{collected:?}");
    let finalised = scene.actions().await.into_iter().filter(|action| action == "invoice.finalise").count();
    assert_eq!(finalised, 2);
}

#[tokio::test]
async fn whoever_bills_the_same_month_at_once_in_one_process_makes_one_invoice() {
    let scene = Scene::on(json!({"base_fee": "40"})).await;
    scene.set("2035-11-04T00:00:00Z");
    let (invoices, now) = (scene.invoices(), scene.now());
    let billed = join_all((0..12).map(|_| invoices.bill(scene.tenant, month("2035-10"), now))).await;
    let new = billed.iter().filter(|billed| matches!(billed, Ok(Billed::Finalised { new: true }))).count();
    assert!(new == 1 && billed.iter().all(Result::is_ok), "{billed:?}");
    assert_eq!(scene.invoice("2035-10").await.number.as_deref(), Some("LMO-2035-000001"));
}

#[tokio::test]
async fn a_seat_is_paid_for_who_was_a_member_at_any_moment_but_not_for_who_followed_another() {
    let scene = Scene::on(json!({"seats": {"fee": "1"}})).await;
    let table = scene.platform().table();
    let main = table.tenant(scene.tenant).main();
    let note = async |time: &str, action: &'static str, user: UserId| {
        scene.set(time);
        let mut change = Change::new(table);
        match action {
            "member.add" => {
                let (email, added_at) = ("someone@example.com".to_owned(), scene.now());
                let member = Member { user, email, name: None, role: Role::Viewer, added_at, version: 1 };
                change.put_new(&main, &keys::member(user), &member).map(drop).unwrap();
            }
            _ => change.delete(&main, &keys::member(user)).map(drop).unwrap(),
        }
        let deed = Deed { action, target: user.to_string(), ..Deed::default() };
        record(&mut change, scene.tenant, &Actor::command_line(), scene.now(), deed).unwrap();
        change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
    };
    let [one, two, three] = [(); 3].map(|()| UserId::new(scene.now()));
    note("2035-10-05T00:00:00Z", "member.add", one).await;
    note("2035-10-06T00:00:00Z", "member.add", two).await;
    note("2035-10-20T00:00:00Z", "member.leave", two).await;
    note("2035-10-21T00:00:00Z", "member.add", three).await;
    let october = scene.finalise("2035-10").await;
    assert_eq!(october.subtotal, amount("2"), "{:?}", lines(&october));
    // Who leaves at the month's end was a member in it, and isn't in the next.
    note("2035-12-01T00:00:00Z", "member.remove", three).await;
    assert_eq!(scene.finalise("2035-11").await.subtotal, amount("2"));
    assert_eq!(scene.finalise("2035-12").await.subtotal, amount("1"));
    // A version that is meant is a version that is there.
    let (invoices, actor) = (scene.invoices(), Actor::command_line());
    let void = invoices.void(scene.tenant, october.id, IfMatch::Version(october.version + 7), "-", &actor).await;
    assert!(matches!(void, Err(Error::PreconditionFailed)), "{void:?}");
}
