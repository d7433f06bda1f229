//! `GET /api/admin/reports/revenue`: what tenants bring in, what they cost, and what is left.

use axum::{
    Json,
    extract::{FromRef, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use lmo_shared::{
    auth::{Authenticator, Operator, Operators},
    billing::{
        Amount,
        revenue::{RevenueRow, Revenues, SplitBy},
    },
    clock::{Clock, Granularity, Period},
    error::Error,
    http::{Errors, Handled, Page, Params},
    platform::Platform,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The most months of a report.
const MOST_MONTHS: usize = 12;
/// The most tenants of a page.
const MOST_TENANTS: u16 = 100;
/// The header field that says how a CSV report goes on.
const NEXT: HeaderName = HeaderName::from_static("x-next-cursor");

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Needs {
    operators: Operators,
    tenants: Tenants,
    revenues: Revenues,
    clock: Clock,
}

pub(crate) fn router(platform: &Platform, authenticator: &Authenticator) -> OpenApiRouter {
    let needs = Needs {
        operators: platform.operators(authenticator),
        tenants: platform.tenants(),
        revenues: platform.revenues(),
        clock: platform.clock().clone(),
    };
    OpenApiRouter::new().routes(routes!(revenue)).with_state(needs)
}

/// A page of a report.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevenueReport {
    /// The first month.
    pub from: String,
    /// The last month.
    pub to: String,
    /// The rows of the page's tenants. Where a report isn't split by tenant, rows of several pages are to be added up.
    pub rows: Vec<RevenueRow>,
    /// If there are more tenants: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The first UTC month, as in `2026-10`; the last one that is over if absent.
    from: Option<String>,
    /// The last month, which is included; `from` if absent. At most 12 months.
    to: Option<String>,
    /// `tenant`, `model`, `month`, or several with commas; `tenant,model,month` if absent.
    group_by: Option<String>,
    /// `json` or `csv`; `json` if absent.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// The most tenants, 1 to 100; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before; of CSV it is in the header field `x-next-cursor`.
    cursor: Option<String>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

/// Revenue, costs and margin by tenant, model and month, of a page of tenants. Sums of `revenue` are those of the final
/// invoices' subtotals, less credit notes.
#[utoipa::path(
    get,
    path = "/api/admin/reports/revenue",
    operation_id = "adminRevenueReport",
    tag = "admin",
    params(Wanted),
    responses(
        (
            status = 200,
            description = "A page of the report",
            content((RevenueReport = "application/json"), (String = "text/csv")),
        ),
        Errors
    )
)]
async fn revenue(
    _: Operator,
    State(tenants): State<Tenants>,
    State(revenues): State<Revenues>,
    State(clock): State<Clock>,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    let (from, to) = wanted.months(Period::month(clock.now()).previous())?;
    let by = split_by(wanted.group_by.as_deref())?;
    let page = Page::of(wanted.limit, wanted.cursor.as_deref(), "", MOST_TENANTS)?;
    let (listed, next) = tenants.page(page.after.as_deref(), page.limit).await?;
    let rows = revenues.of(&listed, from, to, by).await?;
    let next_cursor = next.as_deref().map(Page::cursor);
    if wanted.format == Format::Json {
        let report = RevenueReport { from: from.to_string(), to: to.to_string(), rows, next_cursor };
        return Ok(Json(report).into_response());
    }
    let csv = [(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"))];
    let mut response = (csv, to_csv(&rows)).into_response();
    if let Some(cursor) = next_cursor.and_then(|cursor| HeaderValue::try_from(cursor).ok()) {
        response.headers_mut().insert(NEXT, cursor);
    }
    Ok(response)
}

impl Wanted {
    fn months(&self, usual: Period) -> Result<(Period, Period), Error> {
        let month = |param: &str, text: &Option<String>, usual| match text {
            None => Ok(usual),
            Some(text) => Period::parse(text)
                .filter(|month| month.granularity == Granularity::Month)
                .ok_or_else(|| Error::invalid(param, format!("{param} must be a month, as in 2026-10"))),
        };
        let from = month("from", &self.from, usual)?;
        let to = month("to", &self.to, from)?;
        if to < from {
            return Err(Error::invalid("to", "to must not be before from"));
        }
        let most = std::iter::successors(Some(from), |month| Some(month.next())).nth(MOST_MONTHS - 1);
        if most.is_some_and(|most| most < to) {
            return Err(Error::invalid("to", format!("a report has at most {MOST_MONTHS} months")));
        }
        Ok((from, to))
    }
}

fn split_by(text: Option<&str>) -> Result<SplitBy, Error> {
    let mut by = SplitBy::default();
    for part in text.unwrap_or("tenant,model,month").split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part {
            "tenant" => by.tenant = true,
            "model" => by.model = true,
            "month" => by.month = true,
            other => {
                let problem = format!("`{other}` is none of `tenant`, `model` and `month`");
                return Err(Error::invalid("group_by", problem));
            }
        }
    }
    Ok(by)
}

/// RFC 4180; what isn't known is an empty field.
#[must_use]
pub fn to_csv(rows: &[RevenueRow]) -> String {
    let mut csv = String::from(
        "tenant,month,what,model,invoiced,currency,requests,input_tokens,output_tokens,own_key_tokens,list,revenue,cost,margin,margin_percent\r\n",
    );
    for row in rows {
        csv.push_str(&line(row));
        csv.push_str("\r\n");
    }
    csv
}

fn line(row: &RevenueRow) -> String {
    let amount = |amount: Amount| amount.text(row.currency);
    let maybe = |one: Option<Amount>| one.map(amount).unwrap_or_default();
    [
        row.tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
        row.month.clone().unwrap_or_default(),
        row.what.clone().unwrap_or_default(),
        row.model.as_deref().map(|model| format!("\"{}\"", model.replace('"', "\"\""))).unwrap_or_default(),
        row.invoiced.to_string(),
        row.currency.to_string(),
        row.requests.to_string(),
        row.input_tokens.to_string(),
        row.output_tokens.to_string(),
        row.own_key_tokens.to_string(),
        amount(row.list),
        maybe(row.revenue),
        maybe(row.cost),
        maybe(row.margin),
        row.margin_percent.map(|percent| percent.to_string()).unwrap_or_default(),
    ]
    .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(from: &str, to: &str) -> Wanted {
        let (from, to) = (Some(from.to_owned()), Some(to.to_owned()));
        Wanted { from, to, group_by: None, format: Format::Json, limit: None, cursor: None }
    }

    #[test]
    fn a_report_has_a_year_of_months_at_most() {
        let months = |from, to| wanted(from, to).months(Period::parse("2026-10").unwrap());
        assert!(months("2026-01", "2026-12").is_ok());
        for (from, to) in [("2026-01", "2027-01"), ("2026-02", "2026-01"), ("2026-01-01", "2026-02"), ("2026", "2026")]
        {
            assert!(months(from, to).is_err(), "{from} to {to}");
        }
    }

    #[test]
    fn a_report_is_split_by_what_it_knows() {
        assert_eq!(split_by(Some("month, tenant")).unwrap(), SplitBy { tenant: true, month: true, model: false });
        assert_eq!(split_by(Some("")).unwrap(), SplitBy::default());
        assert!(split_by(Some("colour")).is_err());
    }
}
