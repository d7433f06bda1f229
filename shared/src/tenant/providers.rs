//! Keys of providers that a tenant brings: models of these providers are asked with them, are metered, and cost nothing.
//! All of a tenant's are one item, which is read together with its configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{audit::Versioned, clock::Timestamp, id::TenantId, llm::OwnKey};

/// What a tenant has brought for one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnProvider {
    /// The key, sealed for [`sealed_for`] this tenant and provider.
    pub sealed: String,
    /// The address that is asked, if not those of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where that is, as the tenant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The key's last four characters; nothing of a short one.
    pub hint: String,
    /// Whether the operator's key is used, and charged, where this one fails.
    #[serde(default)]
    pub operator_fallback: bool,
    /// When the provider's first key was brought.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// The number of its version.
    pub version: u64,
}

/// All that a tenant has brought, by the catalogue's names of the providers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnProviders {
    /// By provider.
    pub providers: BTreeMap<String, OwnProvider>,
    /// The number of the version of all of them.
    pub version: u64,
}

impl OwnProviders {
    /// The key of `tenant`, whose all this is, for a provider.
    #[must_use]
    pub fn key(&self, tenant: TenantId, provider: &str) -> Option<OwnKey> {
        let own = self.providers.get(provider)?;
        let (sealed, base_url) = (own.sealed.clone(), own.base_url.clone());
        Some(OwnKey { context: sealed_for(tenant, provider), sealed, base_url })
    }

    /// Where a provider is asked, if that is an address of the tenant's own: `None` if it isn't, or nobody has said.
    #[must_use]
    pub fn elsewhere(&self, provider: &str) -> Option<Option<&str>> {
        let own = self.providers.get(provider).filter(|own| own.base_url.is_some())?;
        Some(own.region.as_deref())
    }

    /// Whether the operator's key is used where the tenant's own for a provider fails.
    #[must_use]
    pub fn falls_back(&self, provider: &str) -> bool {
        self.providers.get(provider).is_some_and(|own| own.operator_fallback)
    }
}

impl Versioned for OwnProviders {
    const KIND: &'static str = "provider";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        let shown = |own: &OwnProvider| {
            let OwnProvider { base_url, region, hint, operator_fallback, created_at, updated_at, .. } = own;
            json!({"base_url": base_url, "region": region, "hint": hint, "operator_fallback": operator_fallback, "created_at": created_at, "updated_at": updated_at})
        };
        self.providers.iter().map(|(name, own)| (name.clone(), shown(own))).collect()
    }
}

/// What a tenant's key of a provider is sealed for: no other tenant, and no other provider.
#[must_use]
pub fn sealed_for(tenant: TenantId, provider: &str) -> String {
    format!("provider {tenant} {provider}")
}
