//! `POST /api/tenant/keys`.

use std::{collections::BTreeSet, sync::Arc};

use axum::{extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::{Caller, NewKey},
    clock::Clock,
    http::{Create, Created, Errors, Handled},
    llm::catalogue::Catalogues,
    store::Change,
    tenant::{ApiKey, Tenants},
};

use super::{KeyCreated, KeyRequest, KeyView, rules};

/// Makes an API key. The whole key is in this answer and nowhere else. Nobody gives a key more than they may do
/// themselves.
#[utoipa::path(
    post,
    path = "/api/tenant/keys",
    operation_id = "createKey",
    tag = "tenant",
    request_body = KeyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes one key, however often it is sent")),
    responses((status = 201, description = "The key", body = KeyCreated), Errors)
)]
pub(crate) async fn create(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(catalogues): State<Arc<Catalogues>>,
    State(clock): State<Clock>,
    Create { body: request, once }: Create<KeyRequest>,
) -> Handled<Response> {
    let (tenant, now) = (caller.tenant().id, clock.now());
    let catalogue = rules::catalogue(&catalogues, request.allowed_models.is_some()).await?;
    let work = async |change: &mut Change| {
        let new = NewKey::make(tenant, now);
        let mut key = ApiKey::of(&new, "", BTreeSet::new(), now);
        rules::set(&mut key, request, catalogue.as_deref(), now)?;
        rules::may_give(&caller, &key)?;
        tenants.add_key(change, tenant, &key, &caller.actor())?;
        let body = KeyCreated { api_key: new.text, key: KeyView::of(&key, now) };
        Ok(Created { status: StatusCode::CREATED, body, refused: Tenants::too_many_keys() })
    };
    once.run(&tenants.of(tenant).main(), &caller.metered_as().to_string(), now, work).await
}
