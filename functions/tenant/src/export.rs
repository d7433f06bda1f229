//! `/api/tenant/export`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use lmo_shared::{
    auth::Caller,
    error::Error,
    http::{Errors, Handled, Page, Params, read_cursor},
    tenant::{Authority, ExportPosition, Exports},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An export that has begun.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExportBegun {
    /// Where its first page is.
    pub next: String,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// As it is in `next`, or in the page before in the header field `Link`.
    cursor: String,
}

/// Begins an export of all that there is of the tenant. Its pages are to be fetched within a day.
#[utoipa::path(
    post,
    path = "/api/tenant/export",
    operation_id = "beginExport",
    tag = "tenant",
    responses((status = 201, description = "Where the first page is, also in `Link`", body = ExportBegun), Errors)
)]
pub(super) async fn begin(
    caller: Caller,
    State(exports): State<Exports>,
) -> Handled<(StatusCode, HeaderMap, Json<ExportBegun>)> {
    let position = exports.begin(caller.tenant().id, &Authority::from(&caller)).await?;
    let next = address(&position)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::LINK, link(&next)?);
    Ok((StatusCode::CREATED, headers, Json(ExportBegun { next })))
}

/// A page of an export, a JSON object a line: `kind`, `id` and `data`. Times are in milliseconds since 1970. Without
/// `Link` it is the last one; a page may be empty.
#[utoipa::path(
    get,
    path = "/api/tenant/export",
    operation_id = "getExport",
    tag = "tenant",
    params(Wanted),
    responses(
        (
            status = 200, description = "A page, with the next one in `Link`",
            body = String, content_type = "application/jsonl",
        ),
        Errors
    )
)]
pub(super) async fn page(
    caller: Caller,
    State(exports): State<Exports>,
    Params(Wanted { cursor }): Params<Wanted>,
) -> Handled<(HeaderMap, String)> {
    let bad = || Error::invalid("cursor", "cursor must be one of an export, which `POST /api/tenant/export` begins");
    let position = read_cursor(&cursor).and_then(|text| serde_json::from_str(&text).ok()).ok_or_else(bad)?;
    let (lines, next) = exports.page(caller.tenant(), caller.config().retention(), position).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    if let Some(next) = next {
        headers.insert(header::LINK, link(&address(&next)?)?);
    }
    Ok((headers, lines))
}

fn address(position: &ExportPosition) -> Result<String, Error> {
    let text = serde_json::to_string(position).map_err(Error::internal)?;
    Ok(format!("/api/tenant/export?cursor={}", Page::cursor(&text)))
}

fn link(address: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(&format!("<{address}>; rel=\"next\"")).map_err(Error::internal)
}
