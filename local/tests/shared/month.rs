//! A month of tenants that have used something and were counted, put straight into the table: what billing begins with.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{StreamExt, stream};
use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::{Invoice, InvoiceStatus, Settings, plans_from_toml},
    clock::{Clock, Period, Timestamp},
    id::{KeyId, RequestId, TenantId},
    llm::{Usage, catalogue::Catalogue},
    money::{NanoUsd, Tokens},
    platform::Platform,
    quota::{Account, Hold, Limits},
    store::keys,
    tenant::{Listed, Tenant},
    usage::{Entry, Expired, Ledger, Outcome, expires_at},
};

/// How many tenants are put in at once.
const AT_ONCE: usize = 64;
pub const MODELS: &str = "[providers.lmo]\nkind = \"echo\"\n[models.\"lmo/echo\"]\nprovider = \"lmo\"\n\
                      context_window = 100000\nprice = { input = 1, output = 2 }\n";

/// By usage alone, so that each pays something else.
const PLAN: &str = "[[plans]]\nname = \"metered\"\ntitle = \"Metered\"\ncurrency = \"EUR\"\nbase_fee = \"5\"\n\
                    usd = \"0.9\"\neffective = \"2020-01-01\"\n";
const SETTINGS: &str = "default_plan = \"metered\"\n[seller]\nname = \"LMO\"\naddress = [\"Street 1\"]\ncountry = \"DE\"\n\
                        [tax.DE]\nrate = \"19\"\n";

/// Says who sells what.
pub async fn open_shop(platform: &Platform) {
    let (actor, now) = (Actor::command_line(), platform.clock().now());
    let catalogue = Catalogue::from_toml(MODELS, now).unwrap();
    for plan in plans_from_toml(PLAN, now).unwrap() {
        platform.plans().apply(plan, &catalogue, &actor, now).await.unwrap();
    }
    let settings = Settings::from_toml(SETTINGS).unwrap();
    platform.billing_settings().put(settings, IfMatch::Any, &actor, now).await.unwrap();
}

/// Tenants that ask once in the last minutes of a month, and are counted a few hours later. The platform's clock is one that
/// tests set; it stands at that time then.
pub async fn plant(platform: &Platform, month: Period, count: usize) -> Vec<TenantId> {
    plant_busy(platform, month, count, 1).await
}

/// The same of tenants that ask so many times.
pub async fn plant_busy(platform: &Platform, month: Period, count: usize, requests: usize) -> Vec<TenantId> {
    let made = month.start().after(Duration::from_hours(24));
    let asked = month.end().before(Duration::from_mins(20));
    set(platform.clock(), made);
    let models = Catalogue::from_toml(MODELS, month.start()).unwrap();
    let prices = platform.catalogues().apply(models).await.unwrap();
    let tenants: Vec<Tenant> = (0..count).map(|number| Tenant::new(format!("Tenant {number}"), made)).collect();
    set(platform.clock(), asked);
    let one = |(number, tenant): (usize, &Tenant)| {
        let (tenant, prices) = (tenant.clone(), prices.clone());
        async move {
            let mut change = platform.tenants().change();
            platform.tenants().create(&mut change, &tenant, &Actor::command_line()).unwrap();
            change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
            let key = KeyId::new(platform.clock().now());
            for _ in 0..requests {
                ask_with(platform, tenant.id, key, prices.clone(), 1_000 + number as u64).await;
            }
        }
    };
    stream::iter(tenants.iter().enumerate().map(one)).buffer_unordered(AT_ONCE).for_each(async |()| {}).await;
    set(platform.clock(), month.end().after(Duration::from_hours(3)));
    platform.sweeper().sweep(Expired::ByDeadline).await.unwrap();
    let mut ids: Vec<_> = tenants.into_iter().map(|tenant| tenant.id).collect();
    ids.sort_unstable();
    ids
}

/// Fails unless every tenant that there was in a month has one invoice for it, finalised, and their numbers have no gaps.
/// There is no other month with invoices.
pub async fn assert_everybody_has_one_invoice(platform: &Platform, month: Period) {
    let tenants = platform.table().tenants().all::<Listed>().collect().await.unwrap();
    let mut numbers = Vec::new();
    for tenant in tenants.into_iter().filter(|tenant| tenant.created_at < month.end()) {
        let invoices = platform.table().tenant(tenant.id).invoices();
        let mut found = invoices.begins_with::<Invoice>(keys::INVOICE_PREFIX).collect().await.unwrap();
        assert_eq!(found.len(), 1, "{}: {found:?}", tenant.id);
        let invoice = found.remove(0);
        assert_eq!((invoice.status, invoice.period), (InvoiceStatus::Finalised, month.to_string()), "{}", tenant.id);
        numbers.push(invoice.number.unwrap().rsplit('-').next().unwrap().parse::<usize>().unwrap());
    }
    numbers.sort_unstable();
    assert!(!numbers.is_empty() && numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
}

/// One request, in the books as if it had been answered.
pub async fn ask(platform: &Platform, tenant: TenantId, prices: String, tokens: u64) {
    ask_with(platform, tenant, KeyId::new(platform.clock().now()), prices, tokens).await;
}

async fn ask_with(platform: &Platform, tenant: TenantId, key: KeyId, prices: String, tokens: u64) {
    let now = platform.clock().now();
    let request = RequestId::new(now);
    let account = Account { tenant, limits: Limits::default(), shards: 1, key, key_limits: Limits::default() };
    let usage = Usage { input_tokens: Tokens(tokens), output_tokens: Tokens(tokens), ..Usage::default() };
    let cost = NanoUsd(tokens * 3_000);
    let model = "lmo/echo".to_owned();
    let deadline = now.after(Duration::from_mins(5));
    let hold = Hold {
        input: usage.input_tokens,
        output: usage.output_tokens,
        cost,
        deadline,
        key,
        model: model.clone(),
        prices: prices.clone(),
        byok: false,
    };
    let meters = platform.meters();
    let grant = meters.hold(&account, request, hold).await.unwrap();
    let entry = Entry {
        key,
        model,
        prices,
        usage,
        nano_usd: cost,
        byok: false,
        estimated: false,
        unbilled: Tokens::ZERO,
        outcome: Outcome::Answered,
        attempts: 1,
        failed_attempts: Vec::new(),
        first_ms: None,
        total_ms: 1,
        expires_at: expires_at(request),
    };
    Ledger::new(platform.table().clone()).record(tenant, request, entry).await.unwrap();
    meters.settle(&account, &grant, Tokens(2 * tokens), cost).await.unwrap();
}

/// Sets a clock that tests set.
pub fn set(clock: &Clock, to: Timestamp) {
    match clock {
        Clock::Manual(now) => now.store(to.0, Ordering::SeqCst),
        Clock::System => panic!("nobody sets the machine's clock"),
    }
}
