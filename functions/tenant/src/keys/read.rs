//! `GET /api/tenant/keys` and `GET /api/tenant/keys/{id}`.

use axum::{Json, extract::State};
use lmo_shared::{
    auth::Caller,
    clock::Clock,
    http::{Errors, Handled, Page, PageParams, Params, Segment, Versioned},
    store::keys::KEY_PREFIX,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeyView, named};

/// Keys of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    /// The keys, oldest first, revoked ones too.
    pub keys: Vec<KeyView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The tenant's API keys.
#[utoipa::path(
    get,
    path = "/api/tenant/keys",
    operation_id = "listKeys",
    tag = "tenant",
    params(PageParams),
    responses((status = 200, description = "A page of the keys", body = KeyList), Errors)
)]
pub(crate) async fn list(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Params(wanted): Params<PageParams>,
) -> Handled<Json<KeyList>> {
    let page = wanted.page(KEY_PREFIX)?;
    let (keys, next) = tenants.keys(caller.tenant().id, page.after.as_deref(), page.limit).await?;
    let keys = keys.iter().map(|key| KeyView::of(key, clock.now())).collect();
    Ok(Json(KeyList { keys, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// One of the tenant's API keys.
#[utoipa::path(
    get,
    path = "/api/tenant/keys/{id}",
    operation_id = "getKey",
    tag = "tenant",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 200, description = "The key, with its `ETag`", body = KeyView), Errors)
)]
pub(crate) async fn get(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Segment(id): Segment,
) -> Handled<Versioned<KeyView>> {
    let key = tenants.key(caller.tenant().id, named(id)?).await?;
    Ok(Versioned(key.version, KeyView::of(&key, clock.now())))
}
