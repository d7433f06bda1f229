//! `GET` and `PUT /api/tenant/config`.

use std::sync::Arc;

use axum::extract::State;
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller},
    clock::Clock,
    error::Error,
    http::{Body, Errors, Handled, Versioned},
    llm::catalogue::{Catalogues, Regions},
    tenant::{TenantConfig, Tenants},
};

/// The tenant's configuration.
#[utoipa::path(
    get,
    path = "/api/tenant/config",
    operation_id = "getConfig",
    tag = "tenant",
    responses((status = 200, description = "The configuration, with its `ETag`", body = TenantConfig), Errors)
)]
pub(super) async fn get(caller: Caller, State(tenants): State<Tenants>) -> Handled<Versioned<TenantConfig>> {
    let found = tenants.config(caller.tenant().id).await?;
    Ok(Versioned(found.version, found.config))
}

/// Replaces the tenant's configuration. It takes effect within 30 s.
#[utoipa::path(
    put,
    path = "/api/tenant/config",
    operation_id = "putConfig",
    tag = "tenant",
    request_body = TenantConfig,
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced")),
    responses((status = 200, description = "The configuration as it is now", body = TenantConfig), Errors)
)]
pub(super) async fn put(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(catalogues): State<Arc<Catalogues>>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Body(config): Body<TenantConfig>,
) -> Handled<Versioned<TenantConfig>> {
    config.check()?;
    check_models(&config, &catalogues).await?;
    let put = tenants.put_config(caller.tenant().id, version, &config, &caller.actor(), clock.now()).await?;
    authenticator.forget(caller.tenant().id);
    Ok(Versioned(put.version, put.config))
}

/// A name that the catalogue doesn't have is a mistake, better found now than at the next request.
async fn check_models(config: &TenantConfig, catalogues: &Catalogues) -> Result<(), Error> {
    let catalogue = catalogues.current().await?;
    let default = config.default_model.iter().map(|name| ("default_model".to_owned(), name));
    let allowed = config.allowed_models.iter().flatten().enumerate();
    let allowed = allowed.map(|(index, name)| (format!("allowed_models[{index}]"), name));
    let fallbacks = config.fallbacks.iter().enumerate().map(|(index, name)| (format!("fallbacks[{index}]"), name));
    let embedder = config.cache.semantic.iter().map(|semantic| ("cache.semantic.model".to_owned(), &semantic.model));
    for (param, name) in default.chain(allowed).chain(fallbacks).chain(embedder) {
        if catalogue.model(name).is_err() {
            return Err(Error::invalid(param, format!("model `{name}` does not exist")));
        }
    }
    for (index, region) in config.regions.iter().flatten().enumerate() {
        let alone = Regions(Some(std::slice::from_ref(region)));
        if !catalogue.providers.values().any(|provider| provider.is_in(alone)) {
            let param = format!("regions[{index}]");
            return Err(Error::invalid(param, format!("no provider of the catalogue is in region `{region}`")));
        }
    }
    Ok(())
}
