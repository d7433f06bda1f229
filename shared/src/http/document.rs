//! The `OpenAPI` document: what all functions' documents have in common, and the two routes that all of them have.

use std::collections::BTreeMap;

use axum::{Extension, http::header};
use bytes::Bytes;
use serde_json::json;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiVersion, PathItem, Ref, RefOr, Response,
        ResponseBuilder,
        extensions::Extensions,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AnthropicDetails, AnthropicError, AnthropicProblem, OpenAiError, OpenAiProblem, Problem, error::is_anthropics,
};

use crate::auth::Permission;

const PROBLEM: &str = "application/problem+json";

/// The errors that any route may answer with, as problem documents; those of `/v1` are documented in `OpenAI`'s
/// or Anthropic's shape.
pub struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const ALL: [(&str, &str); 16] = [
            (
                "400",
                "`bad_json`, `invalid_request`, `context_length_exceeded`, `unsupported`, `guardrail_blocked`, `exceeds_rate_limit`, `provider_rejected`",
            ),
            (
                "401",
                "`unauthenticated`: no API key or token, or one that is not valid, revoked or expired; `second_factor_required`",
            ),
            ("402", "`quota_exhausted`: the month's cap has less left than the request may cost"),
            (
                "403",
                "`forbidden`, `email_unverified`, `second_factor_missing`, `origin_not_allowed`, `address_not_allowed`, `model_not_allowed`, `tool_not_allowed`, `region_not_allowed`, `tenant_suspended`",
            ),
            ("404", "`not_found`, `model_not_found`, `not_cached`, `no_route`"),
            ("405", "`method_not_allowed`; with `Allow`"),
            ("409", "`conflict`"),
            ("412", "`precondition_failed`: `If-Match` names another version"),
            ("413", "`body_too_large`: more than 6 MiB"),
            ("415", "`unsupported_media_type`: the body is not `application/json`"),
            ("422", "`idempotency_mismatch`: the `Idempotency-Key` came before with another body"),
            (
                "429",
                "`too_many_attempts`, `rate_limited` with `RateLimit`, or `provider_rate_limited`; with `Retry-After`",
            ),
            ("500", "`internal`"),
            ("502", "`provider_credentials`, `provider_cut`, `provider_malformed`, `provider_failed`"),
            (
                "503",
                "`unavailable`, `provider_unavailable`, `provider_unreachable`, `provider_circuit_open`; with `Retry-After`",
            ),
            ("504", "`deadline_exceeded`, `provider_timeout`"),
        ];
        ALL.into_iter()
            .map(|(status, description)| (status.to_owned(), error::<Problem>(description, PROBLEM).into()))
            .collect()
    }
}

fn error<T: ToSchema>(description: &str, content_type: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name(T::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(content_type, content).build()
}

/// The document as it is served.
#[derive(Clone)]
pub(super) struct Text(Bytes);

impl Text {
    pub fn of(document: &OpenApi) -> Self {
        // A document is plain data; there is nothing in it that JSON can't say.
        Self(serde_json::to_vec(document).unwrap_or_default().into())
    }
}

/// The routes that every function has.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(openapi))
}

/// Says that the service runs.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "service",
    security(()),
    responses((status = 200, description = "It runs", body = String, content_type = "text/plain"))
)]
async fn health() -> &'static str {
    "ok"
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "service",
    security(()),
    responses((status = 200, description = "An OpenAPI 3.1 document", body = Object, content_type = "application/json"))
)]
async fn openapi(Extension(Text(text)): Extension<Text>) -> ([(header::HeaderName, &'static str); 1], Bytes) {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// Adds title, licence, security schemes and the error schemas.
#[must_use]
pub fn document(mut paths: OpenApi) -> OpenApi {
    paths.openapi = OpenApiVersion::Version31;
    paths.info = InfoBuilder::new()
        .title("LMO")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Large language models for businesses: metered, capped, billed."))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let items = paths.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/v1/"));
    items.for_each(|(path, item)| {
        if is_anthropics(path) { in_shape::<AnthropicProblem>(item) } else { in_shape::<OpenAiProblem>(item) }
    });
    paths.paths.paths.iter_mut().for_each(|(path, item)| permit(path, item));
    let components = paths.components.get_or_insert_default();
    let errors = [
        (Problem::name(), Problem::schema()),
        (OpenAiProblem::name(), OpenAiProblem::schema()),
        (OpenAiError::name(), OpenAiError::schema()),
        (AnthropicProblem::name(), AnthropicProblem::schema()),
        (AnthropicDetails::name(), AnthropicDetails::schema()),
        (AnthropicError::name(), AnthropicError::schema()),
    ];
    components.schemas.extend(errors.map(|(name, schema)| (name.into_owned(), schema)));
    let header = ApiKey::Header(ApiKeyValue::new("x-api-key"));
    let schemes = [
        ("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))),
        ("header", SecurityScheme::ApiKey(header)),
    ];
    // Either of them will do.
    let either = schemes.iter().map(|(name, _)| SecurityRequirement::new(*name, Vec::<String>::new()));
    paths.security = Some(either.collect());
    components.security_schemes.extend(schemes.map(|(name, scheme)| (name.to_owned(), scheme.into())));
    paths
}

/// Says of each operation which permission opens it, and who has that.
fn permit(path: &str, item: &mut PathItem) {
    let PathItem { get, post, put, patch, delete, .. } = item;
    for (method, operation) in [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)] {
        let Some((operation, permission)) = operation.as_mut().zip(Permission::of_route(method, path)) else {
            continue;
        };
        let roles: Vec<_> = permission.roles().iter().map(|role| role.as_str()).collect();
        let scopes: Vec<_> = permission.scopes().iter().map(|scope| scope.as_str()).collect();
        let value = json!({"name": permission.name(), "roles": roles, "scopes": scopes});
        let extension = Extensions::from_iter([("x-permission", value)]);
        operation.extensions.get_or_insert_default().merge(extension);
    }
}

fn in_shape<T: ToSchema>(item: &mut PathItem) {
    let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    for operation in operations.into_iter().flatten() {
        for response in operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response
                && response.content.contains_key(PROBLEM)
            {
                *response = error::<T>(&response.description, "application/json");
            }
        }
    }
}
