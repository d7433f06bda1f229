//! The way of a request from CloudFront to a function: by the first behaviour whose pattern matches to an origin, which
//! is a function's URL, the WebSocket API, or the HTTP API, whose most specific route leads to a function.

use std::collections::BTreeMap;

use serde_json::Value;

use super::infrastructure::{Infrastructure, Resource};

/// Where requests go.
pub struct Edge {
    behaviours: Vec<Behaviour>,
    http: Vec<Route>,
    /// Routes of the WebSocket API, and their functions.
    pub sockets: BTreeMap<String, String>,
}

/// What a request goes through, and where it ends.
pub struct Way {
    /// The pattern and the route.
    pub through: Vec<String>,
    /// Who gets it.
    pub target: Target,
}

/// Who gets a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A function.
    Function(String),
    /// The WebSocket API.
    Socket,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Http,
    Socket,
    Function(String),
    /// Files.
    Other,
}

struct Behaviour {
    pattern: String,
    methods: Vec<String>,
    origin: Origin,
}

struct Route {
    method: String,
    path: String,
    function: String,
}

impl Edge {
    /// Of the infrastructure.
    ///
    /// # Errors
    /// Something that points to nothing.
    pub fn of(infrastructure: &Infrastructure) -> Result<Self, String> {
        let api = |protocol: &str| {
            let mut all = infrastructure.all("aws_apigatewayv2_api");
            all.find(|api| api.text("protocol_type") == protocol).map_or("", |api| api.text("id")).to_owned()
        };
        let (http, socket) = (api("HTTP"), api("WEBSOCKET"));
        let routes = |api: &str| -> Result<Vec<Route>, String> {
            let all = infrastructure.all("aws_apigatewayv2_route");
            all.filter(|route| route.text("api_id") == api).map(|route| Route::of(infrastructure, route)).collect()
        };
        let sockets = routes(&socket)?.into_iter().map(|route| (route.path, route.function)).collect();
        let distribution = infrastructure.all("aws_cloudfront_distribution").next();
        let distribution = distribution.ok_or("there is no aws_cloudfront_distribution")?;
        let urls = infrastructure.each("aws_lambda_function_url", "streaming");
        let origin = |id: &Value| -> Result<Origin, String> {
            let origins = list(&distribution.values["origin"]);
            let found = origins.iter().find(|origin| origin["origin_id"] == *id);
            let host = found.and_then(|origin| origin["domain_name"].as_str());
            let host = host.ok_or_else(|| format!("CloudFront has no origin {id}"))?;
            let label = host.split('.').next().unwrap_or_default();
            let url = urls.iter().find(|(_, url)| url.text("url_id") == label);
            Ok(match url {
                Some((function, _)) => Origin::Function((*function).to_owned()),
                None if label == http => Origin::Http,
                None if label == socket => Origin::Socket,
                None => Origin::Other,
            })
        };
        let behaviour = |behaviour: &Value| -> Result<Behaviour, String> {
            let methods = list(&behaviour["allowed_methods"]);
            Ok(Behaviour {
                pattern: behaviour["path_pattern"].as_str().unwrap_or("*").to_owned(),
                methods: methods.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                origin: origin(&behaviour["target_origin_id"])?,
            })
        };
        let ordered = list(&distribution.values["ordered_cache_behavior"]);
        let all = ordered.iter().chain(list(&distribution.values["default_cache_behavior"]));
        Ok(Self { behaviours: all.map(behaviour).collect::<Result<_, _>>()?, http: routes(&http)?, sockets })
    }

    /// The way of a request, whose path may have variables in braces.
    ///
    /// # Errors
    /// Where it ends before it reaches anybody.
    pub fn way(&self, method: &str, path: &str) -> Result<Way, String> {
        let found = self.behaviours.iter().find(|behaviour| matches(&behaviour.pattern, path));
        let behaviour = found.ok_or("no behaviour of CloudFront matches")?;
        let pattern = behaviour.shown();
        if !behaviour.methods.iter().any(|allowed| allowed == method) {
            return Err(format!("{pattern} does not let {method} through"));
        }
        let (through, target) = match &behaviour.origin {
            Origin::Function(function) => (vec![pattern], Target::Function(function.clone())),
            Origin::Socket => (vec![pattern], Target::Socket),
            Origin::Http => {
                let fitting = self.http.iter().filter(|route| route.fits(method, path));
                let route = fitting.min_by_key(|route| route.generality());
                let route = route.ok_or("no route of the HTTP API matches")?;
                (vec![pattern, route.shown()], Target::Function(route.function.clone()))
            }
            Origin::Other => return Err(format!("{pattern} leads to files")),
        };
        Ok(Way { through, target })
    }

    /// Everything that a request can go through, but for what leads to files.
    pub fn ways(&self) -> impl Iterator<Item = String> {
        // The WebSocket API's path is none of the document's if clients can't ask for it over HTTP.
        let behaviours = self.behaviours.iter().filter(|it| !matches!(it.origin, Origin::Other | Origin::Socket));
        behaviours.map(Behaviour::shown).chain(self.http.iter().map(Route::shown))
    }
}

impl Behaviour {
    fn shown(&self) -> String {
        format!("the behaviour `{}` of CloudFront", self.pattern)
    }
}

impl Route {
    fn of(infrastructure: &Infrastructure, route: &Resource) -> Result<Self, String> {
        let key = route.text("route_key");
        let integration = route.text("target").trim_start_matches("integrations/");
        let mut integrations = infrastructure.all("aws_apigatewayv2_integration");
        let uri = integrations.find(|it| it.text("id") == integration).map_or("", |it| it.text("integration_uri"));
        let aliases = infrastructure.each("aws_lambda_alias", "live");
        let alias = aliases.iter().find(|(_, alias)| !uri.is_empty() && alias.text("invoke_arn") == uri);
        let (function, _) = alias.ok_or_else(|| format!("the route `{key}` leads to no function's alias"))?;
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        Ok(Self { method: method.to_owned(), path: path.to_owned(), function: (*function).to_owned() })
    }

    fn shown(&self) -> String {
        format!("the route `{} {}` of the HTTP API", self.method, self.path)
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        let (own, asked): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let one = |(own, asked): (&&str, &&str)| own.starts_with('{') || own == asked;
        let path = match own.split_last() {
            _ if self.path == "$default" => true,
            Some((last, start)) if last.ends_with("+}") => {
                asked.len() > start.len() && start.iter().zip(&asked).all(one)
            }
            _ => own.len() == asked.len() && own.iter().zip(&asked).all(one),
        };
        path && (self.method == "ANY" || self.method == method)
    }

    /// The route with the least of it is chosen: `$default` and the rest of a path come last, then variables.
    fn generality(&self) -> (bool, bool, usize, bool) {
        let path = &self.path;
        (path == "$default", path.ends_with("+}"), path.matches('{').count(), self.method == "ANY")
    }
}

/// Whether a pattern of CloudFront matches: `*` is any text, `?` any character, and a slash in front goes without saying.
fn matches(pattern: &str, path: &str) -> bool {
    let text = |text: &str| text.strip_prefix('/').unwrap_or(text).as_bytes().to_vec();
    fits(&text(pattern), &text(path))
}

fn fits(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((b'*', after)), _) if fits(after, path) => true,
        (Some((b'*', _)), Some((_, after))) => fits(pattern, after),
        (Some((own, pattern)), Some((asked, path))) if *own == b'?' || own == asked => fits(pattern, path),
        _ => false,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::{super::infrastructure::tests::built, *};

    /// `query` behind the HTTP API, `stream` behind its URL, `websocket` behind the WebSocket API.
    pub fn edge(change: impl FnOnce(&mut Value)) -> Result<Edge, String> {
        let mut all = json!([
            ["aws_apigatewayv2_api", "http", "", {"id": "h1", "protocol_type": "HTTP"}],
            ["aws_apigatewayv2_api", "socket", "", {"id": "s1", "protocol_type": "WEBSOCKET"}],
            ["aws_lambda_alias", "live", "query", {"invoke_arn": "invoke-query"}],
            ["aws_lambda_alias", "live", "websocket", {"invoke_arn": "invoke-websocket"}],
            ["aws_apigatewayv2_integration", "http", "query", {"id": "i1", "integration_uri": "invoke-query"}],
            ["aws_apigatewayv2_integration", "socket", "", {"id": "i2", "integration_uri": "invoke-websocket"}],
            ["aws_apigatewayv2_route", "http", "a", {"api_id": "h1", "route_key": "ANY /api/keys/{id}", "target": "integrations/i1"}],
            ["aws_apigatewayv2_route", "socket", "b", {"api_id": "s1", "route_key": "$connect", "target": "integrations/i2"}],
            ["aws_apigatewayv2_route", "socket", "c", {"api_id": "s1", "route_key": "$default", "target": "integrations/i2"}],
            ["aws_apigatewayv2_route", "socket", "d", {"api_id": "s1", "route_key": "$disconnect", "target": "integrations/i2"}],
            ["aws_lambda_function_url", "streaming", "stream", {"url_id": "u1"}],
            ["aws_cloudfront_distribution", "this", "", {
                "origin": [
                    {"origin_id": "api", "domain_name": "h1.execute-api.x"},
                    {"origin_id": "socket", "domain_name": "s1.execute-api.x"},
                    {"origin_id": "stream", "domain_name": "u1.lambda-url.x"},
                    {"origin_id": "files", "domain_name": "bucket.s3"},
                ],
                "default_cache_behavior": [{"target_origin_id": "files", "allowed_methods": ["GET"]}],
                "ordered_cache_behavior": [
                    {"path_pattern": "/api/mcp/stream", "target_origin_id": "stream", "allowed_methods": ["GET", "POST"]},
                    {"path_pattern": "/api/mcp/ws", "target_origin_id": "socket", "allowed_methods": ["GET"]},
                    {"path_pattern": "/api/*", "target_origin_id": "api", "allowed_methods": ["GET", "DELETE"]},
                ],
            }],
        ]);
        change(&mut all);
        let text = |resource: &Value, at: usize| resource[at].as_str().unwrap().to_owned();
        let all: Vec<_> =
            all.as_array().unwrap().iter().map(|it| (text(it, 0), text(it, 1), text(it, 2), it[3].clone())).collect();
        let all: Vec<_> = all.iter().map(|(kind, name, key, it)| (&**kind, &**name, &**key, it.clone())).collect();
        Edge::of(&built(&all))
    }

    fn target(method: &str, path: &str) -> Result<Target, String> {
        edge(|_| ()).unwrap().way(method, path).map(|way| way.target)
    }

    #[test]
    fn the_first_behaviour_that_matches_decides() {
        assert_eq!(target("POST", "/api/mcp/stream"), Ok(Target::Function("stream".to_owned())));
        assert_eq!(target("GET", "/api/mcp/ws"), Ok(Target::Socket));
        assert_eq!(target("DELETE", "/api/keys/{id}"), Ok(Target::Function("query".to_owned())));
    }

    #[test]
    fn requests_that_reach_nobody_say_where_they_end() {
        assert_eq!(target("GET", "/healthz").unwrap_err(), "the behaviour `*` of CloudFront leads to files");
        assert_eq!(target("GET", "/api/keys").unwrap_err(), "no route of the HTTP API matches");
        let refused = target("PUT", "/api/keys/{id}").unwrap_err();
        assert_eq!(refused, "the behaviour `/api/*` of CloudFront does not let PUT through");
    }

    #[test]
    fn an_integration_with_no_function_is_an_error() {
        let problem = edge(|all| all[4][3]["integration_uri"] = json!("invoke-quarry")).err().unwrap();
        assert_eq!(problem, "the route `ANY /api/keys/{id}` leads to no function's alias");
    }

    #[test]
    fn patterns_match_like_those_of_cloudfront() {
        assert!(
            matches("*", "/a/b") && matches("/a/*", "/a/b/c") && matches("/a/?", "/a/b") && matches("/*.js", "/a/b.js")
        );
        assert!(!matches("/a/*", "/b/a/") && !matches("/a/?", "/a/bc") && !matches("/a", "/a/"));
    }

    #[test]
    fn the_most_specific_route_is_taken() {
        let route = |key: &str| {
            let (method, path) = key.split_once(' ').unwrap();
            Route { method: method.to_owned(), path: path.to_owned(), function: key.to_owned() }
        };
        let keys = ["ANY $default", "ANY /a/{rest+}", "ANY /a/{id}", "ANY /a/b", "GET /a/b"];
        let chosen = |method, path| {
            let routes = keys.map(route);
            routes
                .iter()
                .filter(|it| it.fits(method, path))
                .min_by_key(|it| it.generality())
                .map(|it| it.function.clone())
        };
        assert_eq!(chosen("GET", "/a/b").unwrap(), "GET /a/b");
        assert_eq!(chosen("PUT", "/a/b").unwrap(), "ANY /a/b");
        assert_eq!(chosen("GET", "/a/c").unwrap(), "ANY /a/{id}");
        assert_eq!(chosen("GET", "/a/c/d").unwrap(), "ANY /a/{rest+}");
        assert_eq!(chosen("GET", "/b").unwrap(), "ANY $default");
    }
}
