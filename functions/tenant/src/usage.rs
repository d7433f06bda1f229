//! `GET /api/tenant/usage`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use lmo_shared::{
    auth::Caller,
    clock::{Clock, Granularity, Period, Timestamp},
    error::{Error, Result},
    http::{Errors, Handled, Params},
    id::TenantId,
    usage::{GroupBy, Report, ReportRow, Reports},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which usage.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// From when: a date or a time in RFC 3339; the beginning of this month if absent.
    from: Option<String>,
    /// Until when, not included; now if absent.
    to: Option<String>,
    /// `hour`, `day` or `month`; `day` if absent.
    #[serde(default)]
    #[param(inline)]
    granularity: By,
    /// `model`, `key` or both with a comma.
    group_by: Option<String>,
    /// `json` or `csv`; `json` if absent, unless `Accept` is `text/csv`.
    #[param(inline)]
    format: Option<Format>,
}

/// How long the report's periods are.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    Hour,
    #[default]
    Day,
    Month,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Csv,
}

/// The most periods of one report.
const MOST_PERIODS: u64 = 5_000;

/// What the tenant has used, by period and optionally by model and key. Costs are rated from whole token sums at the
/// prices of their time.
#[utoipa::path(
    get,
    path = "/api/tenant/usage",
    operation_id = "getUsage",
    tag = "tenant",
    params(Wanted),
    responses(
        (status = 200, description = "The usage", content((Report = "application/json"), (String = "text/csv"))),
        Errors
    )
)]
pub(super) async fn report(
    caller: Caller,
    State(reports): State<Reports>,
    State(clock): State<Clock>,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    Ok(wanted.report(&reports, caller.tenant().id, clock.now(), &headers).await?)
}

impl Wanted {
    /// The report of a tenant.
    pub(super) async fn report(
        &self,
        reports: &Reports,
        tenant: TenantId,
        now: Timestamp,
        headers: &HeaderMap,
    ) -> Result<Response> {
        let (from, to) = range(self, now)?;
        let by = group_by(self.group_by.as_deref())?;
        let report = reports.of(tenant, from, to, by).await?;
        if self.format.map_or_else(|| prefers_csv(headers), |format| format == Format::Csv) {
            return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], to_csv(&report)).into_response());
        }
        Ok(Json(report).into_response())
    }
}

/// Whether the first type that the client accepts is CSV.
fn prefers_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split([',', ';']).next().is_some_and(|first| first.trim().eq_ignore_ascii_case("text/csv"))
}

fn range(wanted: &Wanted, now: Timestamp) -> Result<(Period, Timestamp)> {
    let time = |param: &str, text: &Option<String>, default: Timestamp| match text {
        None => Ok(default),
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| Error::invalid(param, format!("{param} must be a date or a time in RFC 3339"))),
    };
    let from = time("from", &wanted.from, Period::month(now).start())?;
    let to = time("to", &wanted.to, now.after(std::time::Duration::from_millis(1)))?;
    if to <= from {
        return Err(Error::invalid("to", "to must be later than from"));
    }
    let (granularity, seconds) = match wanted.granularity {
        By::Hour => (Granularity::Hour, 3_600),
        By::Day => (Granularity::Day, 24 * 3_600),
        By::Month => (Granularity::Month, 31 * 24 * 3_600),
    };
    if to.since(from).as_secs() / seconds > MOST_PERIODS {
        return Err(Error::invalid("from", format!("a report has at most {MOST_PERIODS} periods")));
    }
    Ok((Period::of(granularity, from), to))
}

fn group_by(text: Option<&str>) -> Result<GroupBy> {
    let mut by = GroupBy::default();
    for part in text.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|part| !part.is_empty()) {
        match part {
            "model" => by.model = true,
            "key" => by.key = true,
            other => return Err(Error::invalid("group_by", format!("`{other}` is neither `model` nor `key`"))),
        }
    }
    Ok(by)
}

/// RFC 4180. Names of models come from the operator's catalogue; a quote in one is doubled.
fn to_csv(report: &Report) -> String {
    let mut csv = String::from(
        "period,model,key,requests,failed,estimated,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cache_hit_tokens,cost_nano_usd\r\n",
    );
    for row in &report.rows {
        csv.push_str(&line(row));
        csv.push_str("\r\n");
    }
    csv
}

fn line(row: &ReportRow) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let texts = [
        row.period.clone().unwrap_or_default(),
        row.model.as_deref().map(quoted).unwrap_or_default(),
        row.key.map(|key| key.to_string()).unwrap_or_default(),
    ];
    let numbers = [
        row.requests,
        row.failed,
        row.estimated,
        row.input_tokens,
        row.cached_input_tokens,
        row.cache_write_tokens,
        row.output_tokens,
        row.reasoning_tokens,
        row.cache_hit_tokens,
        row.cost_nano_usd,
    ];
    texts.into_iter().chain(numbers.map(|number| number.to_string())).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_model_name_breaks_no_line() {
        let row = ReportRow { model: Some("a\"b,c".to_owned()), ..ReportRow::default() };
        assert!(line(&row).starts_with(",\"a\"\"b,c\",,0"));
    }

    #[test]
    fn an_unknown_group_is_refused() {
        assert!(group_by(Some("model,colour")).is_err());
        assert_eq!(group_by(Some("key, model")).unwrap(), GroupBy { model: true, key: true });
    }
}
