//! `GET /api/billing/quota` and `GET /api/billing/forecast`: how much of what a tenant may is used, and what the month will
//! come to.

use axum::{
    Json,
    extract::{FromRef, State},
};
use lmo_shared::{
    auth::{Authenticator, Caller},
    billing::{
        Amount, Currency, Statement,
        document::LineView,
        forecast::{DAYS, Past},
        invoices::Invoices,
        repo::Grants,
    },
    clock::{Clock, Granularity, Period, Timestamp},
    error::Error,
    http::{Errors, Handled},
    id::KeyId,
    platform::Platform,
    quota::{Limits, Meter, Meters},
    store::keys::MeterScope,
    tenant::Tenants,
    usage::{Aggregator, TotalRow},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::plans::CreditLeft;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Needs {
    authenticator: Authenticator,
    tenants: Tenants,
    meters: Meters,
    grants: Grants,
    aggregator: Aggregator,
    invoices: Invoices,
    clock: Clock,
}

pub(crate) fn router(platform: &Platform, authenticator: &Authenticator) -> OpenApiRouter {
    let needs = Needs {
        authenticator: authenticator.clone(),
        tenants: platform.tenants(),
        meters: platform.meters(),
        grants: platform.grants(),
        aggregator: platform.aggregator(),
        invoices: platform.invoices(),
        clock: platform.clock().clone(),
    };
    OpenApiRouter::new().routes(routes!(quota)).routes(routes!(forecast)).with_state(needs)
}

/// How much of what a tenant may is used this month.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QuotaView {
    /// The UTC month, as in `2026-11`.
    pub period: String,
    /// When it ends and all caps are whole again, RFC 3339.
    pub resets_at: String,
    /// Requests that have ended.
    pub requests: u64,
    /// The tokens of the month, input and output together.
    pub tokens: Used,
    /// The money of the month, in nano-USD at the catalogue's prices.
    pub nano_usd: Used,
    /// Requests in a minute; absent: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens in a minute; absent: not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// The keys with limits of their own that were used this month.
    pub keys: Vec<KeyQuota>,
    /// Prepaid credit that this month can use, by currency: what no invoice has used yet.
    pub credit: Vec<CreditLeft>,
}

/// How much of a cap is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Used {
    /// The cap; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u64>,
    /// What requests that have ended used.
    pub spent: u64,
    /// What requests under way may use at most.
    pub held: u64,
    /// What further requests may use; absent without a cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// How much of the cap is spent, rounded down; above 100 after the cap was lowered; absent without a cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u64>,
}

/// How much of a key's own caps is used this month.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyQuota {
    /// The key.
    pub key: KeyId,
    /// Its requests that have ended.
    pub requests: u64,
    /// Its tokens.
    pub tokens: Used,
    /// Its money, in nano-USD at the catalogue's prices.
    pub nano_usd: Used,
}

impl Used {
    fn of(cap: Option<u64>, spent: u64, held: u64) -> Self {
        let left = cap.map(|cap| cap.saturating_sub(spent).saturating_sub(held));
        // Of a cap of nothing all is spent.
        let percent = cap.map(|cap| (u128::from(spent) * 100).checked_div(u128::from(cap)).unwrap_or(100));
        let percent = percent.map(|percent| u64::try_from(percent).unwrap_or(u64::MAX));
        Self { cap, spent, held, left, percent }
    }
}

/// What is spent and held on some meters.
#[derive(Default)]
struct Sum {
    requests: u64,
    spent: (u64, u64),
    held: (u64, u64),
}

impl Sum {
    fn of<'a>(meters: impl Iterator<Item = &'a Meter>) -> Self {
        let mut sum = Self::default();
        for meter in meters {
            let (tokens, nano_usd) = meter.held();
            sum.requests += meter.requests;
            sum.spent = (sum.spent.0 + meter.tokens_spent, sum.spent.1 + meter.nano_usd_spent);
            sum.held = (sum.held.0 + tokens, sum.held.1 + nano_usd);
        }
        sum
    }

    fn under(&self, tokens: Option<u64>, nano_usd: Option<u64>) -> (Used, Used) {
        (Used::of(tokens, self.spent.0, self.held.0), Used::of(nano_usd, self.spent.1, self.held.1))
    }
}

/// How much of its caps the tenant has used this month, at this moment, what its keys with limits of their own have, and
/// what is left.
#[utoipa::path(
    get,
    path = "/api/billing/quota",
    operation_id = "getQuota",
    tag = "billing",
    responses((status = 200, description = "The quota", body = QuotaView), Errors)
)]
async fn quota(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(meters): State<Meters>,
    State(all): State<Grants>,
    State(clock): State<Clock>,
) -> Handled<Json<QuotaView>> {
    let month = Period::month(clock.now());
    let id = caller.tenant().id;
    let (tenant, meters, all) = tokio::try_join!(tenants.get(id), meters.of(id, month), all.of(id))?;
    let limits = tenant.limits;
    let of_tenant = meters.iter().filter(|(scope, _)| matches!(scope, MeterScope::Tenant(_))).map(|(_, meter)| meter);
    let sum = Sum::of(of_tenant);
    let (tokens, nano_usd) = sum.under(limits.monthly_tokens, limits.monthly_nano_usd);
    let keys = meters.iter().filter_map(|(scope, meter)| match scope {
        MeterScope::Tenant(_) => None,
        MeterScope::Key(key) => {
            let Limits { monthly_tokens, monthly_nano_usd, .. } = meter.monthly();
            let sum = Sum::of(std::iter::once(meter));
            let (tokens, nano_usd) = sum.under(monthly_tokens, monthly_nano_usd);
            Some(KeyQuota { key: *key, requests: sum.requests, tokens, nano_usd })
        }
    });
    Ok(Json(QuotaView {
        period: month.to_string(),
        resets_at: month.end().to_string(),
        requests: sum.requests,
        tokens,
        nano_usd,
        requests_per_minute: limits.requests_per_minute,
        tokens_per_minute: limits.tokens_per_minute,
        keys: keys.collect(),
        credit: CreditLeft::of(&all, month)?,
    }))
}

/// What a month will come to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ForecastView {
    /// The UTC month, as in `2026-11`.
    pub period: String,
    /// What it has used so far.
    pub so_far: Figures,
    /// What it will have used when it is over.
    pub expected: Figures,
    /// A low figure: in four of five months it is between this and `high`.
    pub low: Figures,
    /// A high figure.
    pub high: Figures,
    /// On how many whole days before today that is based: at most 28.
    pub days: u64,
    /// Its invoice; absent without a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceForecast>,
}

/// What a month uses.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Tokens, input and output together.
    pub tokens: u64,
    /// Money, in nano-USD at the catalogue's prices.
    pub nano_usd: u64,
}

/// What a month's invoice will come to, before tax and before credit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InvoiceForecast {
    /// The currency.
    pub currency: Currency,
    /// The lines that it would have if nothing more were used: fees of the whole month, and usage so far.
    pub lines: Vec<LineView>,
    /// Their sum.
    pub so_far: Amount,
    /// What the sum will be.
    pub expected: Amount,
    /// What it will be if as little is used as `low` says.
    pub low: Amount,
    /// What it will be if as much is used as `high` says.
    pub high: Amount,
}

/// What this month will come to: days to come are taken to be like those of their weekday in the last 28 days, and never
/// more than the caps allow. It follows from totals, which are minutes behind; no invoice follows from it.
#[utoipa::path(
    get,
    path = "/api/billing/forecast",
    operation_id = "getForecast",
    tag = "billing",
    responses((status = 200, description = "The forecast", body = ForecastView), Errors)
)]
async fn forecast(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(aggregator): State<Aggregator>,
    State(invoices): State<Invoices>,
    State(clock): State<Clock>,
) -> Handled<Json<ForecastView>> {
    let now = clock.now();
    let (id, month, today) = (caller.tenant().id, Period::month(now), Period::of(Granularity::Day, now));
    let first = Period::of(Granularity::Day, Timestamp(today.start().0.saturating_sub(DAYS * 24 * 3_600_000)));
    let (tenant, days, total) =
        tokio::try_join!(tenants.get(id), aggregator.totals(id, first, today), aggregator.total(id, month))?;
    let past = Past::of(&days, tenant.created_at, now)?;
    let spent = total.unwrap_or_default().sum()?;
    let rest = past.rest(now, month.end()).within(past.allowed(&tenant.limits, &spent)?);
    let [nothing, expected, low, high] =
        [past.more(0)?, past.more(rest.expected)?, past.more(rest.low)?, past.more(rest.high)?];
    let more = [&nothing.0, &expected.0, &low.0, &high.0];
    let statements = invoices.preview(&tenant, month, &more).await?;
    let figures = |tokens, nano_usd| Figures::of(&spent, tokens, nano_usd);
    Ok(Json(ForecastView {
        period: month.to_string(),
        so_far: figures(0, 0)?,
        expected: figures(rest.expected, expected.1)?,
        low: figures(rest.low, low.1)?,
        high: figures(rest.high, high.1)?,
        days: past.days.len() as u64,
        invoice: statements.as_deref().and_then(InvoiceForecast::of),
    }))
}

impl Figures {
    fn of(spent: &TotalRow, tokens: u64, nano_usd: u64) -> Result<Self, Error> {
        Ok(Self {
            tokens: spent.tokens()?.0.saturating_add(tokens),
            nano_usd: spent.nano_usd.0.saturating_add(nano_usd),
        })
    }
}

impl InvoiceForecast {
    fn of(statements: &[Statement]) -> Option<Self> {
        let [so_far, expected, low, high] = statements else { return None };
        Some(Self {
            currency: so_far.currency,
            lines: so_far.lines.iter().cloned().map(LineView::from).collect(),
            so_far: so_far.subtotal,
            expected: expected.subtotal,
            low: low.subtotal,
            high: high.subtotal,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_below_nothing_and_the_part_says_so() {
        assert_eq!(
            Used::of(Some(100), 120, 5),
            Used { cap: Some(100), spent: 120, held: 5, left: Some(0), percent: Some(120) }
        );
        assert_eq!(Used::of(Some(3), 2, 1), Used { cap: Some(3), spent: 2, held: 1, left: Some(0), percent: Some(66) });
        assert_eq!(Used::of(Some(0), 0, 0).percent, Some(100));
        assert_eq!(Used::of(None, 7, 0), Used { cap: None, spent: 7, held: 0, left: None, percent: None });
    }
}
