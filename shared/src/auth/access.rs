//! What the settings of a tenant and of its key let a caller ask. Pure.

use crate::{
    error::{Error, Result},
    guard,
    id::TenantId,
    llm::{
        OwnKey, Prompt,
        catalogue::{Catalogue, Model, Regions},
    },
    tenant::OwnProviders,
};

/// What a caller may ask. What is not limited is allowed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Access<'a> {
    /// The models of the tenant's list, by name or alias.
    pub tenant_models: Option<&'a [String]>,
    /// Those of the key's.
    pub key_models: Option<&'a [String]>,
    /// The tools that the key's requests may bring.
    pub tools: Option<&'a [String]>,
    /// The tokens that a minute allows the tenant or the key, whichever are fewer.
    pub tokens_per_minute: Option<u64>,
    /// Where the tenant's requests may be sent.
    pub regions: Regions<'a>,
    /// The keys of providers that the tenant has brought, and whose they are.
    pub own: Option<(TenantId, &'a OwnProviders)>,
}

impl<'a> Access<'a> {
    /// The model of a name or alias, with its own name, if the caller may ask it.
    ///
    /// # Errors
    /// `ModelNotFound`, `ModelNotAllowed`, `RegionNotAllowed`.
    pub fn model<'c>(&self, catalogue: &'c Catalogue, name: &str) -> Result<(&'c str, &'c Model)> {
        let (own, model) = catalogue.model(name)?;
        let lists = [self.tenant_models, self.key_models];
        if !lists.into_iter().flatten().all(|listed| catalogue.lists(listed, own)) {
            return Err(Error::ModelNotAllowed(name.to_owned()));
        }
        self.in_region(catalogue, name, model)?;
        Ok((own, model))
    }

    /// Fails if the model that is called `name` is asked nowhere where it may be.
    ///
    /// # Errors
    /// `RegionNotAllowed`.
    pub fn in_region(&self, catalogue: &Catalogue, name: &str, model: &Model) -> Result<()> {
        let there = match self.own.and_then(|(_, own)| own.elsewhere(&model.provider)) {
            Some(region) => self.regions.have(region),
            None => catalogue.provider_of(model)?.is_in(self.regions),
        };
        if there { Ok(()) } else { Err(Error::RegionNotAllowed(name.to_owned())) }
    }

    /// The key that a model is asked with, if the tenant has brought one.
    #[must_use]
    pub fn own_key(&self, model: &Model) -> Option<OwnKey> {
        let (tenant, own) = self.own?;
        own.key(tenant, &model.provider)
    }

    /// Whether a model is asked with the operator's key, and charged, where the tenant's own has failed.
    #[must_use]
    pub fn falls_back(&self, model: &Model) -> bool {
        self.own.is_some_and(|(_, own)| own.falls_back(&model.provider))
    }

    /// Fails if a request brings a tool that the key doesn't allow.
    ///
    /// # Errors
    /// `ToolNotAllowed`.
    pub fn check_tools(&self, prompt: &Prompt) -> Result<()> {
        self.tools.map_or(Ok(()), |listed| guard::check_allowed_tools(listed, prompt))
    }

    /// All models that the caller may ask: what a request may call it, its own name, and its entry; aliases last.
    pub fn models<'c>(&self, catalogue: &'c Catalogue) -> impl Iterator<Item = (&'c str, &'c Model)> + use<'a, 'c> {
        let access = *self;
        let names = catalogue.models.keys().chain(catalogue.aliases.keys());
        names.filter_map(move |name| Some((name.as_str(), access.model(catalogue, name).ok()?.1)))
    }
}
