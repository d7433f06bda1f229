//! The OpenAPI document: what all functions' documents have in common.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema,
    openapi::{
        ContentBuilder, InfoBuilder, OpenApi, OpenApiVersion, Ref, RefOr, Response, ResponseBuilder,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use super::Problem;

/// The errors that any route may answer with, all as problem documents (on `/v1` in `OpenAI`'s shape).
pub struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const ALL: [(&str, &str); 13] = [
            (
                "400",
                "`bad_json`, `invalid_request`, `context_length_exceeded`, `unsupported`, `exceeds_rate_limit`, `provider_rejected`",
            ),
            ("401", "`unauthenticated`: no API key, or one that is not valid, revoked or expired"),
            ("402", "`quota_exhausted`: the month's cap has less left than the request may cost"),
            ("403", "`forbidden`, `origin_not_allowed`, `model_not_allowed`"),
            ("404", "`not_found`, `model_not_found`, `no_route`"),
            ("405", "`method_not_allowed`"),
            ("409", "`conflict`"),
            ("413", "`body_too_large`: more than 6 MiB"),
            ("415", "`unsupported_media_type`: the body is not `application/json`"),
            ("429", "`rate_limited`, or the provider's own limit; with `Retry-After` and `RateLimit`"),
            ("500", "`internal`"),
            ("503", "`unavailable`, or the provider is; with `Retry-After`"),
            ("504", "`deadline_exceeded`, or the provider's time-out"),
        ];
        let response = |description: &str| {
            let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
            let content = ContentBuilder::new().schema(Some(schema)).build();
            ResponseBuilder::new().description(description).content("application/problem+json", content).build()
        };
        ALL.into_iter().map(|(status, description)| (status.to_owned(), response(description).into())).collect()
    }
}

/// Adds title, licence, security scheme and the error schema.
#[must_use]
pub fn document(mut paths: OpenApi) -> OpenApi {
    paths.openapi = OpenApiVersion::Version31;
    paths.info = InfoBuilder::new()
        .title("LMO")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Large language models for businesses: metered, capped, billed."))
        .license(Some(utoipa::openapi::LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let components = paths.components.get_or_insert_default();
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.security_schemes.insert("api_key".to_owned(), bearer.into());
    paths.security = Some(vec![SecurityRequirement::new("api_key", Vec::<String>::new())]);
    paths
}
