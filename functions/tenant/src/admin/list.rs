//! `GET /api/admin/tenants`.

use axum::{Json, extract::State};
use lmo_shared::{
    auth::Operator,
    http::{Errors, Handled, Page, Params},
    id::TenantId,
    store::keys,
    tenant::{Listed, Status, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A tenant in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ListedTenant {
    /// Its identifier.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Whether it may do anything.
    pub status: Status,
    /// What the operator calls its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// When it was created, RFC 3339.
    pub created_at: String,
}

impl From<Listed> for ListedTenant {
    fn from(listed: Listed) -> Self {
        let Listed { id, name, status, plan, created_at, .. } = listed;
        Self { id, name, status, plan, created_at: created_at.to_string() }
    }
}

/// A page of tenants.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TenantList {
    /// The tenants, oldest first.
    pub tenants: Vec<ListedTenant>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which tenants.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The most tenants, 1 to 100; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that are `active`, `suspended` or `deleting`.
    #[param(inline)]
    status: Option<Status>,
    /// Only those whose names begin so, whatever the case.
    name: Option<String>,
}

impl Wanted {
    fn fits(&self, tenant: &Listed) -> bool {
        let name = self.name.as_ref().map(|name| name.to_lowercase());
        self.status.is_none_or(|status| status == tenant.status)
            && name.is_none_or(|name| tenant.name.to_lowercase().starts_with(&name))
    }
}

/// All tenants. A page may have fewer than there are, and even none, while there are more.
#[utoipa::path(
    get,
    path = "/api/admin/tenants",
    operation_id = "adminListTenants",
    tag = "admin",
    params(Wanted),
    responses((status = 200, description = "A page of tenants", body = TenantList), Errors)
)]
pub(crate) async fn list(
    _: Operator,
    State(tenants): State<Tenants>,
    Params(wanted): Params<Wanted>,
) -> Handled<Json<TenantList>> {
    const MOST: u16 = 100;
    const READ_AT_ONCE: u16 = 500;
    const READINGS: u8 = 10;
    let page = Page::of(wanted.limit, wanted.cursor.as_deref(), "tnt_", MOST)?;
    let limit = usize::from(page.limit);
    let (mut found, mut after) = (Vec::new(), page.after);
    for _ in 0..READINGS {
        let (read, next) = tenants.page(after.as_deref(), READ_AT_ONCE).await?;
        for tenant in read {
            if found.len() == limit {
                // Behind the last that is shown.
                return Ok(Json(TenantList { tenants: found, next_cursor: after.as_deref().map(Page::cursor) }));
            }
            after = Some(keys::listed(tenant.id));
            if wanted.fits(&tenant) {
                found.push(ListedTenant::from(tenant));
            }
        }
        if next.is_none() {
            return Ok(Json(TenantList { tenants: found, next_cursor: None }));
        }
        after = next;
    }
    Ok(Json(TenantList { tenants: found, next_cursor: after.as_deref().map(Page::cursor) }))
}
