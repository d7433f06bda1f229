//! Which function serves an operation of the API, and which one a request for it reaches: both must be the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::edge::{Edge, Target};

/// An operation of the `OpenAPI` document.
#[derive(Debug, Clone)]
pub struct Operation {
    /// As in HTTP: `POST`.
    pub method: String,
    /// As in the document: `/api/tenant/keys/{id}`.
    pub path: String,
    /// One sentence, which every function that serves it has in the document that it serves itself.
    pub summary: String,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// What a client first asks for on a socket, what it then sends, and that it has gone.
const SOCKET_ROUTES: [&str; 3] = ["$connect", "$default", "$disconnect"];

/// The operations of a document.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let summary = operation["summary"].as_str().unwrap_or_default().to_owned();
            found.push(Operation { method: method.to_ascii_uppercase(), path: path.clone(), summary });
        }
    }
    found
}

/// What stands between the document and the infrastructure. `serving` tells the functions that serve an operation, and
/// `socket` is the function that answers on sockets, if there is one.
pub fn compare(
    edge: &Edge,
    operations: &[Operation],
    serving: impl Fn(&Operation) -> BTreeSet<String>,
    socket: Option<&str>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for operation in operations {
        let shown = format!("{} {}", operation.method, operation.path);
        let way = match edge.way(&operation.method, &operation.path) {
            Ok(way) => way,
            Err(problem) => {
                problems.push(format!("{shown}: {problem}"));
                continue;
            }
        };
        let expected = match way.target {
            Target::Socket => socket.map(str::to_owned).into_iter().collect(),
            Target::Function(_) => serving(operation),
        };
        let reached = match &way.target {
            Target::Socket => socket.unwrap_or("the WebSocket API"),
            Target::Function(function) => function,
        };
        if !expected.contains(reached) {
            let expected = expected.into_iter().collect::<Vec<_>>().join(" or ");
            problems.push(format!("{shown}: reaches {reached}, but is served by {expected}"));
        }
        used.extend(way.through);
    }
    let unused = edge.ways().filter(|way| !used.contains(way));
    problems.extend(unused.map(|way| format!("{way} leads to no operation of the document")));
    problems.extend(sockets(edge, socket));
    problems
}

fn sockets(edge: &Edge, socket: Option<&str>) -> Vec<String> {
    let expected: BTreeSet<_> = socket.into_iter().flat_map(|to| SOCKET_ROUTES.map(|key| (key, to))).collect();
    let there: BTreeSet<_> = edge.sockets.iter().map(|(key, to)| (key.as_str(), to.as_str())).collect();
    let shown = |(key, to): &(&str, &str)| format!("{key} to {to}");
    let missing = expected.difference(&there).map(|route| format!("WebSocket API: no route {}", shown(route)));
    let surplus = there
        .difference(&expected)
        .map(|route| format!("WebSocket API: a route {}, which nobody serves", shown(route)));
    missing.chain(surplus).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::edge::tests::edge, *};

    fn problems(change: impl FnOnce(&mut Value), paths: &Value) -> Vec<String> {
        let document = json!({"paths": paths});
        let serving = |operation: &Operation| BTreeSet::from([operation.summary.clone()]);
        compare(&edge(change).unwrap(), &operations(&document), serving, Some("websocket"))
    }

    /// Each operation's summary is the function that serves it.
    fn document() -> Value {
        json!({
            "/api/mcp/stream": {"get": {"summary": "stream"}, "post": {"summary": "stream"}},
            "/api/keys/{id}": {"delete": {"summary": "query"}},
        })
    }

    fn with(path: &str, item: Value) -> Value {
        let mut document = document();
        document[path] = item;
        document
    }

    #[test]
    fn the_operations_of_a_document_are_read() {
        let found = operations(&json!({"paths": document()}));
        let shown: Vec<_> = found.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
        assert_eq!(shown, ["GET /api/mcp/stream", "POST /api/mcp/stream", "DELETE /api/keys/{id}"]);
    }

    #[test]
    fn what_fits_has_no_problems() {
        assert!(problems(|_| (), &document()).is_empty());
        assert!(problems(|_| (), &with("/api/mcp/ws", json!({"get": {"summary": "unlinked"}}))).is_empty());
    }

    #[test]
    fn an_operation_without_a_route_is_found() {
        let found = problems(|_| (), &with("/api/new", json!({"get": {"summary": "query"}})));
        assert_eq!(found, ["GET /api/new: no route of the HTTP API matches"]);
    }

    #[test]
    fn an_operation_that_reaches_another_function_is_found() {
        let found = problems(|_| (), &with("/api/keys/{id}", json!({"get": {"summary": "tenant"}})));
        assert_eq!(found, ["GET /api/keys/{id}: reaches query, but is served by tenant"]);
    }

    #[test]
    fn a_route_without_an_operation_is_found() {
        let route = json!(["aws_apigatewayv2_route", "http", "x", {
            "api_id": "h1", "route_key": "ANY /api/old", "target": "integrations/i1",
        }]);
        let found = problems(|all| all.as_array_mut().unwrap().push(route), &document());
        assert_eq!(found, ["the route `ANY /api/old` of the HTTP API leads to no operation of the document"]);
    }

    #[test]
    fn a_behaviour_without_an_operation_is_found() {
        let behaviour = json!({"path_pattern": "/old/*", "target_origin_id": "stream", "allowed_methods": ["GET"]});
        let add = |all: &mut Value| {
            all[11][3]["ordered_cache_behavior"].as_array_mut().unwrap().push(behaviour);
        };
        let found = problems(add, &document());
        assert_eq!(found, ["the behaviour `/old/*` of CloudFront leads to no operation of the document"]);
    }

    #[test]
    fn a_missing_route_of_the_socket_is_found() {
        let found = problems(|all| all[9][3]["route_key"] = json!("gone"), &document());
        assert_eq!(
            found,
            [
                "WebSocket API: no route $disconnect to websocket",
                "WebSocket API: a route gone to websocket, which nobody serves",
            ]
        );
    }

    #[test]
    fn a_socket_that_no_function_serves_is_found() {
        let document = json!({"paths": document()});
        let serving = |operation: &Operation| BTreeSet::from([operation.summary.clone()]);
        assert_eq!(compare(&edge(|_| ()).unwrap(), &operations(&document), serving, None).len(), 3);
    }
}
