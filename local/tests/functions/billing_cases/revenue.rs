//! What tenants bring in, what they cost, and what is left.

use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{
        Amount, Percent,
        revenue::{RevenueRow, SplitBy},
    },
    llm::catalogue::Catalogue,
    tenant::Listed,
};
use serde_json::json;

use super::{amount, scene::*};

const ALL: SplitBy = SplitBy { tenant: true, model: true, month: true };

/// Prices of 1 and 2 USD, of which the provider takes 0.5 and 1.
const COSTED: &str = "[providers.lmo]\nkind = \"echo\"\n[models.\"lmo/echo\"]\nprovider = \"lmo\"\n\
                      context_window = 100000\nprice = { input = 1, output = 2 }\ncost = { input = 0.5, output = 1 }\n";

impl Scene {
    async fn revenue(&self, from: &str, to: &str, by: SplitBy) -> Vec<RevenueRow> {
        let tenant = self.platform().tenants().get(self.tenant).await.unwrap();
        self.platform().revenues().of(&[Listed::from(&tenant)], month(from), month(to), by).await.unwrap()
    }

    /// Has the catalogue know what the provider takes, from now on.
    async fn costed(&mut self) {
        let catalogue = Catalogue::from_toml(COSTED, self.now()).unwrap();
        self.prices = self.platform().catalogues().apply(catalogue).await.unwrap();
    }
}

fn sum(rows: &[RevenueRow]) -> Amount {
    lmo_shared::billing::sum(rows.iter().filter_map(|row| row.revenue)).unwrap()
}

#[tokio::test]
async fn rows_add_up_to_the_invoice_with_fees_and_discounts_beside_models() {
    let mut scene = Scene::on(json!({"base_fee": "10", "included_credit": "1", "markup": "50", "usd": "0.8"})).await;
    scene.costed().await;
    scene.ask("2035-10-20T10:00:00Z", 1_000_000).await;
    let invoice = scene.finalise("2035-10").await;
    let rows = scene.revenue("2035-10", "2035-10", ALL).await;
    assert_eq!(sum(&rows), invoice.subtotal);
    let whats: Vec<_> = rows.iter().map(|row| (row.what.as_deref().unwrap(), row.revenue.unwrap())).collect();
    let usage = amount("3.6");
    assert_eq!(whats, [("base", amount("10")), ("included", amount("-1")), ("usage", usage)]);
    let used = &rows[2];
    assert_eq!((used.model.as_deref(), used.requests, used.input_tokens), (Some("lmo/echo"), 1, 1_000_000));
    assert!(rows.iter().all(|row| row.invoiced && row.currency.code() == "EUR" && row.tenant == Some(scene.tenant)));
    // 3 USD and 1.5 USD, at 0.8 EUR.
    assert_eq!((used.list, used.cost, used.margin), (amount("2.4"), Some(amount("1.2")), Some(amount("2.4"))));
    assert_eq!(used.margin_percent, Percent::parse("66.6666"));

    let [whole] = scene.revenue("2035-10", "2035-10", SplitBy::default()).await.try_into().unwrap();
    assert_eq!((whole.revenue, whole.cost), (Some(invoice.subtotal), Some(amount("1.2"))));
    assert_eq!(whole.margin, Some(invoice.subtotal.minus(amount("1.2")).unwrap()));
}

#[tokio::test]
async fn what_the_catalogue_does_not_know_is_null() {
    let mut scene = Scene::on(json!({})).await;
    scene.ask("2035-10-10T10:00:00Z", 1_000_000).await;
    scene.event("2035-10-10T10:00:00Z").await;
    let october = scene.revenue("2035-10", "2035-10", ALL).await;
    assert_eq!(october.len(), 1, "before the run comes by");
    let row = &october[0];
    assert_eq!((row.invoiced, row.currency.code(), row.revenue, row.cost), (false, "USD", None, None));
    assert_eq!(serde_json::to_value(row).unwrap()["cost"], json!(null));
    scene.finalise("2035-10").await;
    let row = &scene.revenue("2035-10", "2035-10", ALL).await[0];
    assert_eq!((row.invoiced, row.revenue, row.cost, row.margin), (true, Some(amount("3")), None, None));
    // Within a month that has both, the sum isn't known.
    scene.ask("2035-11-10T10:00:00Z", 1_000_000).await;
    scene.set("2035-11-11T00:00:00Z");
    scene.costed().await;
    scene.ask("2035-11-12T10:00:00Z", 1_000_000).await;
    scene.finalise("2035-11").await;
    scene.ask("2035-12-10T10:00:00Z", 1_000_000).await;
    scene.finalise("2035-12").await;
    let costs: Vec<_> = scene.revenue("2035-10", "2035-12", ALL).await.iter().map(|row| row.cost).collect();
    assert_eq!(costs, [None, None, Some(amount("1.5"))]);
    let [sum] = scene.revenue("2035-10", "2035-12", SplitBy::default()).await.try_into().unwrap();
    assert_eq!((sum.revenue, sum.cost, sum.margin), (Some(amount("12")), None, None));
}

#[tokio::test]
async fn what_nobody_paid_for_brings_nothing_in() {
    let scene = Scene::on(json!({"base_fee": "10"})).await;
    let invoice = scene.finalise("2035-10").await;
    let actor = Actor::command_line();
    scene.invoices().void(scene.tenant, invoice.id, IfMatch::Any, "by mistake", &actor).await.unwrap();
    assert_eq!(scene.revenue("2035-10", "2035-10", ALL).await, []);
}
