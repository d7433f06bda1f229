//! `/api/tenant/templates`.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    audit::IfMatch,
    auth::Caller,
    clock::Clock,
    error::Error,
    http::{Body, Errors, Handled, Page, PageParams, Params, Segment, Versioned},
    llm::catalogue::Catalogues,
    store::keys,
    template::{Stored, Template, TemplateName, Templates},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A version of a template.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TemplateView {
    /// Its name.
    pub name: String,
    /// The number of the version.
    pub version: u64,
    /// When this version was put, RFC 3339.
    pub updated_at: String,
    /// The names of its variables.
    pub variables: Vec<String>,
    /// What it says.
    #[serde(flatten)]
    pub template: Template,
}

/// A template in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TemplateEntry {
    /// Its name.
    pub name: String,
    /// The number of its latest version; those before are kept.
    pub version: u64,
    /// When that was put, RFC 3339.
    pub updated_at: String,
    /// The names of its variables.
    pub variables: Vec<String>,
}

/// A page of a tenant's templates.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TemplateList {
    /// The templates, by name.
    pub templates: Vec<TemplateEntry>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// The number of a version; the latest if absent.
    #[param(minimum = 1)]
    version: Option<u64>,
}

fn variables(stored: &Stored) -> Vec<String> {
    stored.template.variables().into_iter().map(str::to_owned).collect()
}

fn view(name: TemplateName, stored: Stored) -> Versioned<TemplateView> {
    let (version, updated_at, variables) = (stored.version, stored.at.to_string(), variables(&stored));
    Versioned(version, TemplateView { name: name.into(), version, updated_at, variables, template: stored.template })
}

/// The tenant's templates.
#[utoipa::path(
    get,
    path = "/api/tenant/templates",
    operation_id = "listTemplates",
    tag = "tenant",
    params(PageParams),
    responses((status = 200, description = "The templates", body = TemplateList), Errors)
)]
pub(super) async fn list(
    caller: Caller,
    State(templates): State<Templates>,
    Params(wanted): Params<PageParams>,
) -> Handled<Json<TemplateList>> {
    let page = wanted.page(keys::TEMPLATE_PREFIX)?;
    let (found, next) = templates.page(caller.tenant().id, page.after.as_deref(), page.limit).await?;
    let entry = |(name, stored): (String, Stored)| TemplateEntry {
        name,
        version: stored.version,
        updated_at: stored.at.to_string(),
        variables: variables(&stored),
    };
    let next_cursor = next.as_deref().map(Page::cursor);
    Ok(Json(TemplateList { templates: found.into_iter().map(entry).collect(), next_cursor }))
}

/// A template, in its latest version or an older one.
#[utoipa::path(
    get,
    path = "/api/tenant/templates/{name}",
    operation_id = "getTemplate",
    tag = "tenant",
    params(("name" = TemplateName, Path, description = "The template's name"), Which),
    responses((status = 200, description = "The template, with its `ETag`", body = TemplateView), Errors)
)]
pub(super) async fn get(
    caller: Caller,
    State(templates): State<Templates>,
    Segment(name): Segment,
    Params(which): Params<Which>,
) -> Handled<Versioned<TemplateView>> {
    let name = parse(name)?;
    let stored = templates.get(caller.tenant().id, &name, which.version).await?;
    Ok(view(name, stored))
}

/// Makes a template, or a new version of one. Older versions are kept and never change.
#[utoipa::path(
    put,
    path = "/api/tenant/templates/{name}",
    operation_id = "putTemplate",
    tag = "tenant",
    request_body = Template,
    params(
        ("name" = TemplateName, Path, description = "The template's name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced"),
    ),
    responses((status = 200, description = "The template as it is now", body = TemplateView), Errors)
)]
pub(super) async fn put(
    caller: Caller,
    State(templates): State<Templates>,
    State(catalogues): State<Arc<Catalogues>>,
    State(clock): State<Clock>,
    Segment(name): Segment,
    version: IfMatch,
    Body(template): Body<Template>,
) -> Handled<Versioned<TemplateView>> {
    let named = TemplateName::try_from(name).map_err(|detail| Error::invalid("name", detail))?;
    template.check()?;
    if let Some(model) = &template.model
        && catalogues.current().await?.model(model).is_err()
    {
        return Err(Error::invalid("model", format!("model `{model}` does not exist")).into());
    }
    let (tenant, actor) = (caller.tenant().id, caller.actor());
    let stored = templates.put(tenant, &named, version, &template, &actor, clock.now()).await?;
    Ok(view(named, stored))
}

/// Deletes a template with all its versions.
#[utoipa::path(
    delete,
    path = "/api/tenant/templates/{name}",
    operation_id = "deleteTemplate",
    tag = "tenant",
    params(
        ("name" = TemplateName, Path, description = "The template's name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is deleted"),
    ),
    responses((status = 204, description = "It is deleted"), Errors)
)]
pub(super) async fn delete(
    caller: Caller,
    State(templates): State<Templates>,
    State(clock): State<Clock>,
    Segment(name): Segment,
    version: IfMatch,
) -> Handled<StatusCode> {
    templates.delete(caller.tenant().id, &parse(name)?, version, &caller.actor(), clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What can be no template's name names none.
fn parse(name: String) -> Result<TemplateName, Error> {
    TemplateName::parse(&name).ok_or(Error::NotFound { kind: "template", id: name })
}
