//! `GET /api/tenant/audit`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use lmo_shared::{
    audit::{Audit, Entry, Source, Who},
    auth::Caller,
    error::Error,
    http::{Errors, Handled, Page, Params},
    id::{AuditId, TenantId},
    store::{Order, keys::OPERATED_PREFIX},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// An entry of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EntryView {
    /// Its identifier; entries sort by time.
    pub id: AuditId,
    /// When it was done, RFC 3339.
    pub at: String,
    /// By whom.
    pub actor: Who,
    /// The client's IP address, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client said that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The `X-Request-Id` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What was done, as in `key.create`.
    pub action: String,
    /// To what.
    pub target: String,
    /// What it was before; `null` if it was not there. Of objects only what changed.
    pub before: Value,
    /// What it is now; `null` if it is gone. Of objects only what changed.
    pub after: Value,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Source { address, user_agent, request_id } = entry.source;
        Self {
            id: entry.id,
            at: entry.at.to_string(),
            actor: entry.actor,
            address: address.map(|address| address.to_string()),
            user_agent,
            request_id,
            action: entry.action,
            target: entry.target,
            before: entry.before,
            after: entry.after,
        }
    }
}

/// A page of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How entries are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// A JSON object.
    #[default]
    Json,
    /// An entry a line; the cursor is in the `Link` header field.
    Jsonl,
}

/// In which order entries come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sorted {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The most entries, 1 to 1,000; 50 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// `newest` or `oldest` first; `newest` if absent.
    #[serde(default)]
    #[param(inline)]
    order: Sorted,
    /// `json` or `jsonl`; `json` if absent.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// Who changed what, from where.
#[utoipa::path(
    get,
    path = "/api/tenant/audit",
    operation_id = "listAudit",
    tag = "tenant",
    params(Wanted),
    responses(
        (
            status = 200, description = "A page of the audit log; with `format=jsonl` an entry a line",
            content((AuditPage = "application/json"), (String = "application/jsonl")),
        ),
        Errors
    )
)]
pub(super) async fn list(
    caller: Caller,
    State(audit): State<Audit>,
    Params(wanted): Params<Wanted>,
) -> Handled<Response> {
    wanted.page(&audit, Log::Tenant(caller.tenant().id), "/api/tenant/audit").await
}

/// Whose log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Log {
    /// A tenant's.
    Tenant(TenantId),
    /// What those who work for the operator did.
    Operators,
}

impl Wanted {
    /// The page of a log that is shown at `path`.
    pub(super) async fn page(&self, audit: &Audit, log: Log, path: &str) -> Handled<Response> {
        const MOST: u16 = 1_000;
        let order = match self.order {
            Sorted::Newest => Order::Descending,
            Sorted::Oldest => Order::Ascending,
        };
        let page = |prefix| Page::of(self.limit, self.cursor.as_deref(), prefix, MOST);
        let (entries, next) = match log {
            Log::Tenant(id) => {
                let Page { limit, after } = page("aud_")?;
                audit.page(id, after.as_deref(), limit, order).await?
            }
            Log::Operators => {
                let Page { limit, after } = page(OPERATED_PREFIX)?;
                audit.page_of_operators(after.as_deref(), limit, order).await?
            }
        };
        let entries = entries.into_iter().map(EntryView::from);
        let next_cursor = next.as_deref().map(Page::cursor);
        match self.format {
            Format::Json => Ok(Json(AuditPage { entries: entries.collect(), next_cursor }).into_response()),
            Format::Jsonl => Ok(lines(entries, next_cursor.as_deref(), self.order, path)?),
        }
    }
}

fn lines(
    entries: impl Iterator<Item = EntryView>,
    next: Option<&str>,
    order: Sorted,
    path: &str,
) -> Result<Response, Error> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(&entry).map_err(Error::internal)?);
        text.push('\n');
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    if let Some(next) = next {
        let order = if order == Sorted::Oldest { "&order=oldest" } else { "" };
        let link = format!("<{path}?format=jsonl&cursor={next}{order}>; rel=\"next\"");
        headers.insert(header::LINK, HeaderValue::from_str(&link).map_err(Error::internal)?);
    }
    Ok((headers, text).into_response())
}
