//! The `OpenAPI` document: what it says is pinned by a snapshot, and it is a document that tools can read.

use std::collections::BTreeSet;

use lmo_shared::auth::Permission;

use crate::support::{Setup, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    Setup::new().run(&["openapi"])
}

/// `(route, operation)` of each operation.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| Some((format!("{method} {path}"), item.get(method)?)))
        })
        .collect()
}

/// All values of `$ref` below a value.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_is_as_it_was() {
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&document()).unwrap());
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_printed() {
    let lmo = Setup::new().start();
    let served = lmo.send("GET", "/openapi.json", "", None).await;
    assert_eq!((served.status, served.header("content-type")), (200, "application/json"));
    assert_eq!(served.json(), document());
}

#[test]
fn it_is_of_version_3_1() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    // A word of 3.0 that 3.1 doesn't have.
    assert!(!document.to_string().contains("\"nullable\""));
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is nowhere");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_a_tag() {
    let document = document();
    let mut names = BTreeSet::new();
    for (route, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{route} has another's operationId");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{route}");
        assert!(operation["summary"].is_string(), "{route}");
    }
}

#[test]
fn every_operation_that_needs_a_key_documents_its_errors() {
    const STATUSES: [&str; 14] =
        ["400", "401", "402", "403", "404", "405", "409", "413", "415", "429", "500", "502", "503", "504"];
    let document = document();
    for (route, operation) in operations(&document).iter().filter(|(_, operation)| operation.get("security").is_none())
    {
        let (kind, schema) = if route.contains(" /v1/messages") {
            ("application/json", "#/components/schemas/AnthropicProblem")
        } else if route.contains(" /v1/") {
            ("application/json", "#/components/schemas/OpenAiProblem")
        } else {
            ("application/problem+json", "#/components/schemas/Problem")
        };
        for status in STATUSES {
            let content = &operation["responses"][status]["content"];
            assert_eq!(content[kind]["schema"]["$ref"], schema, "{route} {status}: {content}");
        }
    }
}

#[test]
fn only_what_everybody_may_know_needs_no_key() {
    let document = document();
    let open = operations(&document).into_iter().filter(|(_, operation)| operation.get("security").is_some());
    let expected = [
        "post /api/auth/register",
        "post /api/auth/invites/accept",
        "post /api/auth/verify",
        "post /api/auth/login",
        "post /api/auth/refresh",
        "post /api/auth/logout",
        "post /api/auth/invites/accept",
        "post /api/auth/password/forgot",
        "post /api/auth/password/reset",
        "post /api/auth/token",
        "get /api/auth/oidc/{tenant}",
        "get /api/auth/oidc/{tenant}/callback",
        "get /.well-known/jwks.json",
        "get /.well-known/openid-configuration",
        "get /healthz",
        "get /openapi.json",
        "post /webhooks/stripe",
    ];
    assert_eq!(open.map(|(route, _)| route).collect::<BTreeSet<_>>(), expected.map(str::to_owned).into());
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    for requirement in document["security"].as_array().unwrap() {
        assert!(requirement.as_object().unwrap().keys().all(|name| schemes.contains_key(name)), "{requirement}");
    }
}

#[test]
fn every_variable_of_a_path_is_a_parameter() {
    let document = document();
    for (route, operation) in operations(&document) {
        for variable in route.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let parameters = operation["parameters"].as_array().unwrap();
            let found = parameters.iter().any(|parameter| parameter["name"] == variable && parameter["in"] == "path");
            assert!(found, "{route}: {variable}");
        }
    }
}

#[test]
fn the_document_is_printed_while_the_platform_is_running() {
    let setup = Setup::new();
    let _lmo = setup.start();
    assert_eq!(setup.run(&["openapi"])["openapi"], "3.1.0");
}

/// Whether a path needs no caller, or proves one in another way: people, who have no permissions of their own.
pub fn is_open_path(path: &str) -> bool {
    let open = ["/api/auth/", "/.well-known/", "/api/admin/"];
    matches!(path, "/healthz" | "/openapi.json" | "/webhooks/stripe")
        || open.iter().any(|prefix| path.starts_with(prefix))
}

#[test]
fn every_operation_says_which_permission_opens_it() {
    let document = document();
    for (route, operation) in operations(&document) {
        let (method, path) = route.split_once(' ').unwrap();
        let named = operation["x-permission"]["name"].as_str();
        assert_eq!(named, Permission::of_route(&method.to_uppercase(), path).map(Permission::name), "{route}");
        assert_eq!(named.is_none(), is_open_path(path), "{route}");
    }
}

#[test]
fn every_route_is_open_or_has_a_permission_and_every_permissions_route_exists() {
    let document = document();
    let served = operations(&document).into_iter().map(|(route, _)| {
        let (method, path) = route.split_once(' ').unwrap();
        format!("{} {path}", method.to_uppercase())
    });
    let served: BTreeSet<_> =
        served.filter(|route| !route.split_once(' ').is_some_and(|(_, path)| is_open_path(path))).collect();
    let permitted = Permission::ALL.iter().flat_map(|permission| permission.routes());
    assert_eq!(served, permitted.map(|route| (*route).to_owned()).collect());
}
