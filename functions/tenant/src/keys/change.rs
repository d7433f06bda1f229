//! `PATCH /api/tenant/keys/{id}`.

use std::sync::Arc;

use axum::extract::State;
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller},
    clock::Clock,
    http::{Errors, Handled, Patch, Segment, Versioned},
    llm::catalogue::Catalogues,
    quota::Meters,
    tenant::{ApiKey, Tenants},
};

use super::{KeyRequest, KeyView, named, rules};

/// What is to change of a key.
type KeyPatch = Patch<KeyRequest>;

/// Changes an API key by a JSON Merge Patch: what is absent stays, `null` takes the default. It takes effect within 30 s,
/// a cap at the next request. Nobody gives a key more than they may do themselves, or changes one that may do more.
#[utoipa::path(
    patch,
    path = "/api/tenant/keys/{id}",
    operation_id = "changeKey",
    tag = "tenant",
    request_body = KeyPatch,
    params(
        ("id" = String, Path, description = "The key's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is changed"),
    ),
    responses((status = 200, description = "The key as it is now", body = KeyView), Errors)
)]
#[expect(clippy::too_many_arguments, reason = "extractors")]
pub(crate) async fn change(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(catalogues): State<Arc<Catalogues>>,
    State(authenticator): State<Authenticator>,
    State(meters): State<Meters>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    patch: KeyPatch,
) -> Handled<Versioned<KeyView>> {
    let (tenant, now) = (caller.tenant().id, clock.now());
    let catalogue = rules::catalogue(&catalogues, patch.names("allowed_models")).await?;
    let decide = |key: &mut ApiKey| {
        rules::may_give(&caller, key)?;
        rules::set(key, patch.apply(&KeyRequest::from(&*key))?, catalogue.as_deref(), now)?;
        rules::may_give(&caller, key)
    };
    let key = tenants.change_key(tenant, named(id)?, version, &caller.actor(), now, decide).await?;
    authenticator.forget(tenant);
    meters.recap_key(tenant, &key).await?;
    Ok(Versioned(key.version, KeyView::of(&key, now)))
}
