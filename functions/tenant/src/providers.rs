//! `/api/tenant/providers`: keys of providers that the tenant brings.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller},
    clock::Clock,
    error::Error,
    http::{Body, Errors, Handled, Segment, Versioned},
    llm::catalogue::Catalogues,
    outbound::Outbound,
    seal::Seal,
    tenant::{LONGEST_REGION, OwnProvider, Tenants, sealed_for},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the tenant has brought for a provider: never the key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    /// The provider's name in the catalogue.
    pub name: String,
    /// The address that is asked, if not those of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where that is, as the tenant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The key's last four characters; empty for a short one.
    pub hint: String,
    /// Whether the operator's key is used, and charged, where this one fails.
    pub operator_fallback: bool,
    /// When the first key was brought, RFC 3339.
    pub created_at: String,
    /// When it was changed last, RFC 3339.
    pub updated_at: String,
}

/// All that the tenant has brought.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProviderList {
    /// By the providers' names.
    pub providers: Vec<ProviderView>,
}

/// A key of a provider.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderRequest {
    /// The key, 8 to 1,000 visible ASCII characters. It may be absent if there is one already, which then stays; not with
    /// another `base_url`.
    api_key: Option<String>,
    /// The address that is asked with it, as `base_url` in the catalogue; those of the catalogue if absent. Not every
    /// provider may have one.
    base_url: Option<String>,
    /// Where that address is, for the tenant's `regions`.
    region: Option<String>,
    /// Whether the operator's key is used, and charged, where this one fails or is refused; `false` if absent.
    #[serde(default)]
    operator_fallback: bool,
}

fn view(name: &str, own: &OwnProvider) -> ProviderView {
    ProviderView {
        name: name.to_owned(),
        base_url: own.base_url.clone(),
        region: own.region.clone(),
        hint: own.hint.clone(),
        operator_fallback: own.operator_fallback,
        created_at: own.created_at.to_string(),
        updated_at: own.updated_at.to_string(),
    }
}

/// The providers that the tenant has brought keys for.
#[utoipa::path(
    get,
    path = "/api/tenant/providers",
    operation_id = "listProviders",
    tag = "tenant",
    responses((status = 200, description = "The providers", body = ProviderList), Errors)
)]
pub(super) async fn list(caller: Caller, State(tenants): State<Tenants>) -> Handled<Json<ProviderList>> {
    let own = tenants.own_providers(caller.tenant().id).await?;
    Ok(Json(ProviderList { providers: own.providers.iter().map(|(name, own)| view(name, own)).collect() }))
}

/// Brings a key for a provider of the catalogue, or changes it.
///
/// Within 30 s models of this provider are asked with it. Their tokens are counted, hold against caps, and cost nothing. A
/// key that the provider refuses is `403 provider_key_refused`; the operator's is used in its place only with
/// `operator_fallback`. The key is kept encrypted and never shown again.
#[utoipa::path(
    put,
    path = "/api/tenant/providers/{name}",
    operation_id = "putProvider",
    tag = "tenant",
    request_body = ProviderRequest,
    params(
        ("name" = String, Path, description = "The provider's name in the catalogue"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced"),
    ),
    responses((status = 200, description = "What is kept, with its `ETag`", body = ProviderView), Errors)
)]
#[expect(clippy::too_many_arguments, reason = "each is an extractor")]
pub(super) async fn put(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(catalogues): State<Arc<Catalogues>>,
    State(authenticator): State<Authenticator>,
    State(seal): State<Seal>,
    State(outbound): State<Outbound>,
    State(clock): State<Clock>,
    Segment(name): Segment,
    version: IfMatch,
    Body(request): Body<ProviderRequest>,
) -> Handled<Versioned<ProviderView>> {
    let tenant = caller.tenant().id;
    let catalogue = catalogues.current().await?;
    let Some(provider) = catalogue.providers.get(&name) else {
        return Err(Error::NotFound { kind: "provider", id: name }.into());
    };
    if provider.kind.format().is_none() {
        return Err(Error::invalid("api_key", format!("provider `{name}` takes no key")).into());
    }
    if request.region.as_ref().is_some_and(|region| !(1..=LONGEST_REGION).contains(&region.len())) {
        return Err(Error::invalid("region", "a region has 1 to 64 bytes").into());
    }
    let base_url = match &request.base_url {
        None if request.region.is_some() => {
            return Err(Error::invalid("region", "region says where base_url is, and there is none").into());
        }
        None if !provider.endpoints.iter().any(|endpoint| provider.takes_keys(endpoint)) => {
            return Err(Error::invalid("api_key", format!("provider `{name}` is asked without a key")).into());
        }
        None => None,
        Some(_) if !provider.tenant_base_url => {
            let detail = format!("provider `{name}` is asked at the catalogue's address alone");
            return Err(Error::invalid("base_url", detail).into());
        }
        Some(text) => Some(outbound.target("base_url", text)?.as_str().trim_end_matches('/').to_owned()),
    };
    let brought = match &request.api_key {
        None => None,
        Some(key) => {
            check(key)?;
            let sealed = seal.seal(&sealed_for(tenant, &name), key.as_bytes()).await?;
            Some((sealed, hint(key)))
        }
    };
    let now = clock.now();
    let decide = |before: Option<OwnProvider>| {
        if brought.is_none() && before.as_ref().is_some_and(|before| before.base_url != base_url) {
            // Or whoever may never see the key could have it sent to an address of their own.
            return Err(Error::invalid("api_key", "api_key is needed with another base_url than before"));
        }
        let kept = before.as_ref().map(|before| (before.sealed.clone(), before.hint.clone()));
        let needed = || Error::invalid("api_key", "api_key is needed: there is none yet");
        let (sealed, hint) = brought.clone().or(kept).ok_or_else(needed)?;
        let created_at = before.map_or(now, |before| before.created_at);
        let (operator_fallback, base_url, region) =
            (request.operator_fallback, base_url.clone(), request.region.clone());
        Ok(Some(OwnProvider {
            sealed,
            base_url,
            region,
            hint,
            operator_fallback,
            created_at,
            updated_at: now,
            version: 0,
        }))
    };
    let how = (version, "provider.put");
    let own = tenants.edit_provider(tenant, &name, how, (&caller.actor(), now), decide).await?;
    authenticator.forget(tenant);
    let own = own.providers.get(&name).ok_or_else(|| Error::internal("a key that was put is not there"))?;
    Ok(Versioned(own.version, view(&name, own)))
}

/// Takes the tenant's key of a provider away. Within 30 s the operator's is used again, and charged.
#[utoipa::path(
    delete,
    path = "/api/tenant/providers/{name}",
    operation_id = "deleteProvider",
    tag = "tenant",
    params(
        ("name" = String, Path, description = "The provider's name in the catalogue"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is deleted"),
    ),
    responses((status = 204, description = "It is gone"), Errors)
)]
pub(super) async fn delete(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    Segment(name): Segment,
    version: IfMatch,
) -> Handled<StatusCode> {
    let tenant = caller.tenant().id;
    let decide = |before: Option<OwnProvider>| match before {
        Some(_) => Ok(None),
        None => Err(Error::NotFound { kind: "provider", id: name.clone() }),
    };
    let how = (version, "provider.delete");
    tenants.edit_provider(tenant, &name, how, (&caller.actor(), clock.now()), decide).await?;
    authenticator.forget(tenant);
    Ok(StatusCode::NO_CONTENT)
}

fn check(key: &str) -> Result<(), Error> {
    let good = (8..=1_000).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Ok(()) } else { Err(Error::invalid("api_key", "api_key must have 8 to 1,000 visible ASCII characters")) }
}

/// The last characters of a key that is long enough to stay a secret without them.
fn hint(key: &str) -> String {
    const SHORT: usize = 20;
    const SHOWN: usize = 4;
    if key.len() < SHORT { String::new() } else { key[key.len() - SHOWN..].to_owned() }
}
