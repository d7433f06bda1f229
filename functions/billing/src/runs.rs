//! `/api/admin/runs`: billing runs.

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
};
use lmo_shared::{
    auth::{Authenticator, Operator, Operators},
    billing::run::{Begin, RunProgress, RunSummary, Runs},
    clock::{Clock, Granularity, Period},
    error::Error,
    http::{Body, Errors, Handled, Page, PageParams, Params, Segment},
    platform::Platform,
    store::keys,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers need.
#[derive(Clone, FromRef)]
struct Needs {
    operators: Operators,
    runs: Runs,
    clock: Clock,
}

pub(crate) fn router(platform: &Platform, authenticator: &Authenticator) -> OpenApiRouter {
    let needs =
        Needs { operators: platform.operators(authenticator), runs: platform.runs(), clock: platform.clock().clone() };
    OpenApiRouter::new().routes(routes!(list, begin)).routes(routes!(get)).with_state(needs)
}

/// A page of billing runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The runs, the latest month first.
    pub runs: Vec<RunSummary>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A billing run to be begun, or to be gone on with.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// A UTC month that is over, as in `2026-10`; the last one if absent.
    pub period: Option<String>,
    /// In how many parts at most it is worked off, if it begins; by the number of tenants if absent.
    #[schema(minimum = 1, maximum = 256)]
    pub parts: Option<u16>,
    /// Whether all tenants are gone through once more if it is finished.
    #[serde(default)]
    pub again: bool,
}

fn month(param: &str, text: &str) -> Result<Period, Error> {
    let month = Period::parse(text).filter(|month| month.granularity == Granularity::Month);
    month.ok_or_else(|| Error::invalid(param, format!("{param} must be a month, as in 2026-10")))
}

/// The billing runs.
#[utoipa::path(
    get,
    path = "/api/admin/runs",
    operation_id = "adminListRuns",
    tag = "admin",
    params(PageParams),
    responses((status = 200, description = "A page of runs", body = RunList), Errors)
)]
async fn list(_: Operator, State(runs): State<Runs>, Params(params): Params<PageParams>) -> Handled<Json<RunList>> {
    let page = params.page(keys::RUN_PREFIX)?;
    let (runs, next) = runs.page(page.after.as_deref(), page.limit).await?;
    Ok(Json(RunList { runs, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// Begins the billing run of a month, or goes on at once with one that waits. A schedule does so by itself. It may be sent
/// as often as one likes: there is one invoice of a tenant and a month.
#[utoipa::path(
    post,
    path = "/api/admin/runs",
    operation_id = "adminBeginRun",
    tag = "admin",
    request_body = RunRequest,
    responses((status = 202, description = "The run, which goes on by itself", body = RunProgress), Errors)
)]
async fn begin(
    operator: Operator,
    State(runs): State<Runs>,
    State(clock): State<Clock>,
    Body(body): Body<RunRequest>,
) -> Handled<(StatusCode, Json<RunProgress>)> {
    let RunRequest { period, parts, again } = body;
    let last = || Period::month(clock.now()).previous();
    let month = period.map_or_else(|| Ok(last()), |text| month("period", &text))?;
    runs.begin(month, Begin { parts, again }, &operator.actor()).await?;
    runs.set_off(month).await?;
    Ok((StatusCode::ACCEPTED, Json(runs.progress(month).await?)))
}

/// How far a billing run is.
#[utoipa::path(
    get,
    path = "/api/admin/runs/{period}",
    operation_id = "adminGetRun",
    tag = "admin",
    params(("period" = String, Path, description = "The UTC month, as in `2026-10`")),
    responses((status = 200, description = "The run", body = RunProgress), Errors)
)]
async fn get(_: Operator, State(runs): State<Runs>, Segment(period): Segment) -> Handled<Json<RunProgress>> {
    // What is no month has no run.
    let month = month("period", &period).map_err(|_| Error::NotFound { kind: "billing run", id: period })?;
    Ok(Json(runs.progress(month).await?))
}
