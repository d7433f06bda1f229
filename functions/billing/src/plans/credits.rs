//! `GET /api/billing/credits`.

use axum::{Json, extract::State};
use lmo_shared::{
    auth::Caller,
    billing::{Amount, Currency, Grant, repo::Grants},
    error::Error,
    http::{Errors, Handled, Page, PageParams, Params},
    id::{GrantId, TenantId},
    store::keys,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Prepaid credit. The one that expires first is used first, then the oldest.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditView {
    /// Its identifier.
    pub id: GrantId,
    /// The currency.
    pub currency: Currency,
    /// How much it was.
    pub amount: Amount,
    /// How much of it no invoice has used yet.
    pub left: Amount,
    /// Where it comes from.
    pub reason: String,
    /// When it was given, RFC 3339.
    pub granted_at: String,
    /// When it expires, RFC 3339: it pays for months that begin before; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl From<&Grant> for CreditView {
    fn from(grant: &Grant) -> Self {
        let Grant { id, currency, amount, left, reason, granted_at, expires_at, .. } = grant.clone();
        let (granted_at, expires_at) = (granted_at.to_string(), expires_at.map(|at| at.to_string()));
        Self { id, currency, amount, left, reason, granted_at, expires_at }
    }
}

/// A page of prepaid credit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditList {
    /// The credit, the latest first.
    pub credits: Vec<CreditView>,
    /// If there is more: what to give as `cursor` to get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A page of a tenant's credit.
pub(super) async fn page(grants: &Grants, tenant: TenantId, params: &PageParams) -> Result<Json<CreditList>, Error> {
    let page = params.page(keys::GRANT_PREFIX)?;
    let (found, next) = grants.page(tenant, page.after.as_deref(), page.limit).await?;
    let credits = found.iter().map(CreditView::from).collect();
    Ok(Json(CreditList { credits, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// The tenant's prepaid credit, also what is used up.
#[utoipa::path(
    get,
    path = "/api/billing/credits",
    operation_id = "listCredits",
    tag = "billing",
    params(PageParams),
    responses((status = 200, description = "A page of credit", body = CreditList), Errors)
)]
pub(super) async fn list(
    caller: Caller,
    State(grants): State<Grants>,
    Params(params): Params<PageParams>,
) -> Handled<Json<CreditList>> {
    Ok(page(&grants, caller.tenant().id, &params).await?)
}
