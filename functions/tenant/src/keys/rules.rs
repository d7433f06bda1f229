//! What a key may be, and who may give it.

use std::{collections::BTreeSet, sync::Arc};

use lmo_shared::{
    auth::{Caller, Permission},
    clock::Timestamp,
    error::Error,
    http,
    llm::catalogue::{Catalogue, Catalogues},
    tenant::{ApiKey, KeyScope},
};

use super::KeyRequest;

const LONGEST_TOOL: usize = 128;
const MOST_LISTED: usize = 1_000;
const MOST_ADDRESSES: usize = 100;

/// The catalogue, if models are to be looked up: there may be none yet where keys are made.
///
/// # Errors
/// `Unavailable`, `Internal` if there is none.
pub async fn catalogue(catalogues: &Catalogues, names_models: bool) -> Result<Option<Arc<Catalogue>>, Error> {
    if names_models { catalogues.current().await.map(Some) } else { Ok(None) }
}

/// Makes a key what is asked for. What may be wrong only because time went on is looked at only if it changes; models
/// are looked up in the catalogue, if it is given.
///
/// # Errors
/// `Invalid`, naming the field.
pub fn set(key: &mut ApiKey, request: KeyRequest, catalogue: Option<&Catalogue>, now: Timestamp) -> Result<(), Error> {
    let KeyRequest { name, scopes, limits, allowed_models, allowed_tools, allowed_addresses, expires_at } = request;
    let name = http::name("name", 1, &name)?;
    let usual = [KeyScope::Query, KeyScope::Embed, KeyScope::UsageRead];
    let scopes = scopes.unwrap_or_else(|| BTreeSet::from(usual));
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "a key needs at least one scope"));
    }
    if allowed_models != key.allowed_models
        && let Some(catalogue) = catalogue
    {
        check_models(allowed_models.as_deref().unwrap_or_default(), catalogue)?;
    }
    check_tools(allowed_tools.as_deref().unwrap_or_default())?;
    if allowed_addresses.as_ref().is_some_and(|ranges| !(1..=MOST_ADDRESSES).contains(&ranges.len())) {
        return Err(Error::invalid("allowed_addresses", "allowed_addresses must list 1 to 100 addresses or blocks"));
    }
    let bad = || Error::invalid("expires_at", "expires_at must be a future time in RFC 3339");
    let expires_at = expires_at.map(|text| Timestamp::parse(&text).ok_or_else(bad)).transpose()?;
    if expires_at != key.expires_at && expires_at.is_some_and(|at| at <= now) {
        return Err(bad());
    }
    *key = ApiKey { name, scopes, limits, allowed_models, allowed_tools, allowed_addresses, expires_at, ..key.clone() };
    Ok(())
}

fn check_models(models: &[String], catalogue: &Catalogue) -> Result<(), Error> {
    if models.len() > MOST_LISTED {
        return Err(Error::invalid("allowed_models", "allowed_models must list at most 1,000 models"));
    }
    match models.iter().position(|name| catalogue.model(name).is_err()) {
        Some(index) => {
            let detail = format!("model `{}` does not exist", models[index]);
            Err(Error::invalid(format!("allowed_models[{index}]"), detail))
        }
        None => Ok(()),
    }
}

fn check_tools(tools: &[String]) -> Result<(), Error> {
    if tools.len() > MOST_LISTED {
        return Err(Error::invalid("allowed_tools", "allowed_tools must list at most 1,000 tools"));
    }
    let good = |tool: &String| {
        (1..=LONGEST_TOOL).contains(&tool.len()) && !tool.strip_suffix('*').unwrap_or(tool).contains('*')
    };
    match tools.iter().position(|tool| !good(tool)) {
        Some(index) => {
            let detail = "this must be the name of a tool, or the beginning of one with a * behind it";
            Err(Error::invalid(format!("allowed_tools[{index}]"), detail))
        }
        None => Ok(()),
    }
}

/// Nobody gives a key more than they may do themselves, or touches one that has more: no scope that opens what is closed to them, and, if they are a
/// key, nothing beyond its own limits, lists and end.
///
/// # Errors
/// `Forbidden`, which says what is too much.
pub fn may_give(caller: &Caller, key: &ApiKey) -> Result<(), Error> {
    for &scope in &key.scopes {
        let gives = |permission: &&Permission| permission.scopes().contains(&scope);
        if let Some(lacking) = Permission::ALL.iter().filter(gives).find(|permission| !caller.may(**permission)) {
            let (scope, lacking) = (scope.as_str(), lacking.name());
            let detail = format!("a key with the scope `{scope}` may do `{lacking}`, which you may not");
            return Err(Error::Forbidden(detail));
        }
    }
    match caller.key().and_then(|own| own.exceeded_by(key)) {
        Some(field) => Err(Error::Forbidden(format!("the `{field}` of your own key allow less than this key's"))),
        None => Ok(()),
    }
}
