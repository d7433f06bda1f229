//! One tenant against another: every route of the `OpenAPI` document is tried, and one that has no check here fails.

use std::collections::BTreeSet;

use lmo_shared::{
    clock::{Period, Timestamp},
    id::TenantId,
    store::keys,
};

use crate::support::{
    Account, Lmo, PASSWORD, Response, Setup, Socket, Value, accept, ask_token, chat, json, key_id, link_token, mails,
    models, standin, with_a_key, with_embeddings,
};

const SECRETS: [&str; 9] = [
    "first's own prompt",
    "first's robot",
    "https://first.example",
    "first's question",
    "first-member@example.com",
    "first-invited@example.com",
    "first's-key-of-the-provider",
    "first's template",
    "first's company",
];

/// A name that both tenants give to a conversation.
const SESSION: &str = "/api/tenant/sessions/chat-1";
/// A name that both give to a template.
const TEMPLATE: &str = "/api/tenant/templates/greet";
/// Who buys.
const COMPANY: &str = "/api/billing/profile";
/// The provider that both have a key of.
const PROVIDER: &str = "/api/tenant/providers/standin";

fn template(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}]})
}

/// Two tenants, of which the first has left something everywhere.
struct World {
    lmo: Lmo,
    standin: lmo_bench::standin::Standin,
    _setup: Setup,
    second: String,
    /// The id of a key of the first.
    key: String,
    /// The id of a member of the first, and of an open invitation.
    member: String,
    invite: String,
    /// The id of a webhook of the first.
    webhook: String,
}

impl World {
    async fn new() -> Self {
        let standin = standin();
        let setup = Setup::with_standin(&standin.base_url()).env("OPERATORS_KEY", "sk-of-the-operator");
        setup.write_models(&with_a_key(&with_embeddings(&models(&standin.base_url(), "0.15"))));
        let (_, second) = setup.tenant(&[]);
        let lmo = setup.start();
        let config = json!({
            "system_prompt": SECRETS[0],
            "default_model": "standin/plain",
            "allowed_models": ["standin/plain"],
            "allowed_origins": [SECRETS[2]],
            "max_tokens": 7,
        });
        assert_eq!(lmo.send("PUT", "/api/tenant/config", &lmo.key, Some(&config)).await.status, 200);
        let key = lmo.post("/api/tenant/keys", &json!({"name": SECRETS[1]})).await.json();
        let key = key["id"].as_str().unwrap().to_owned();
        let company = json!({"name": SECRETS[8]});
        for (path, body) in
            [(PROVIDER, json!({"api_key": SECRETS[6]})), (TEMPLATE, template(SECRETS[7])), (COMPANY, company)]
        {
            assert_eq!(lmo.send("PUT", path, &lmo.key, Some(&body)).await.status, 200);
        }
        let webhook = json!({"url": format!("{}/hook", SECRETS[2]), "description": SECRETS[1]});
        let webhook = lmo.post("/api/tenant/webhooks", &webhook).await.json();
        let webhook = webhook["id"].as_str().unwrap().to_owned();
        let question = json!({"query": SECRETS[3], "model": "standin/plain", "context": {"sessionId": "chat-1"}});
        let asked = lmo.post("/api/mcp/query", &question).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        lmo.usage_of(&lmo.key, 1).await;
        let invite = async |email: &str| {
            let made = lmo.post("/api/tenant/invites", &json!({"email": email, "role": "viewer"})).await;
            assert_eq!(made.status, 201, "{}", made.body);
            made.json()["id"].as_str().unwrap().to_owned()
        };
        invite(SECRETS[4]).await;
        let token = link_token(mails(&setup, SECRETS[4]).last().unwrap());
        let accepted = accept(&lmo, "", &json!({"token": token, "password": PASSWORD})).await;
        assert_eq!(accepted.status, 201, "{}", accepted.body);
        let (member, invite) = (Account::of(&accepted.json()).user, invite(SECRETS[5]).await);
        Self { lmo, standin, _setup: setup, second, key, member, invite, webhook }
    }

    /// What the second tenant gets; fails if anything of the first is in it.
    async fn second(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let response = self.lmo.send(method, path, &self.second, body).await;
        for secret in SECRETS.into_iter().chain([self.key.as_str(), &self.lmo.key]) {
            assert!(!response.body.contains(secret), "{method} {path} shows `{secret}`: {}", response.body);
        }
        response
    }

    /// All that the first can see of itself.
    async fn first(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let usage = "/api/tenant/usage?granularity=month&group_by=model,key";
        let members = ["/api/tenant/members", "/api/tenant/invites"];
        let own = ["/api/tenant/providers", TEMPLATE, COMPANY, "/api/billing/plan", "/api/billing/credits"];
        let rest = ["/api/tenant", "/api/tenant/config", "/api/tenant/keys", "/api/tenant/webhooks", usage, SESSION];
        for path in rest.into_iter().chain(members).chain(own) {
            let seen = self.lmo.get(path).await;
            assert_eq!(seen.status, 200, "{path}: {}", seen.body);
            all.push(seen.json());
        }
        all
    }

    /// Fails unless the second's answer came from the second's own default model, without the first's prompt.
    fn assert_asked_as_second(&self, response: &Response) {
        assert_eq!(response.status, 200, "{}", response.body);
        let seen = self.standin.stats().recent.last().unwrap().clone();
        let key = seen.headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
        assert!(key.is_none_or(|key| !key.contains(SECRETS[6])));
        let seen = seen.body;
        assert_eq!((&seen["model"], seen["messages"].as_array().unwrap().len()), (&json!("small"), 1), "{seen:#}");
        assert_ne!(seen["max_tokens"], 7);
    }

    /// Fails unless the second's key gets nowhere.
    async fn assert_nobody(&self, method: &str, path: &str) {
        let refused = self.second(method, path, Some(&json!({}))).await;
        assert!(matches!(refused.status, 400 | 401), "{method} {path}: {}", refused.body);
    }

    /// What proves that a route keeps the tenants apart.
    #[expect(clippy::too_many_lines, reason = "a case for each route")]
    async fn check(&self, route: &str) {
        let (method, path) = route.split_once(' ').unwrap();
        let question = json!({"query": "hi"});
        match route {
            // They know no tenant.
            "GET /healthz"
            | "GET /openapi.json"
            | "GET /.well-known/jwks.json"
            | "GET /.well-known/openid-configuration" => {
                self.second(method, path, None).await;
            }
            // What there is to see of them is in `invoices`.
            "GET /api/billing/invoices" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"invoices": []}));
            }
            "GET /api/billing/credit-notes" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"credit_notes": []}));
            }
            "GET /api/billing/invoices/{id}" | "GET /api/billing/credit-notes/{id}" => {
                let month = Period::month(Timestamp::parse("2026-10-01").unwrap());
                let invoice = keys::invoice_of(TenantId::parse(&tenant_of(&self.lmo.key)).unwrap(), month);
                let path = path.replace("{id}", &invoice.to_string());
                self.second(method, &path, None).await.assert_error(404, "not_found");
            }
            "POST /api/mcp/query" | "POST /api/mcp/stream" => {
                self.assert_asked_as_second(&self.second(method, path, Some(&question)).await);
            }
            "GET /api/mcp/stream" => {
                self.assert_asked_as_second(&self.second(method, "/api/mcp/stream?query=hi", None).await);
            }
            "GET /api/mcp/ws" => {
                let frames = Socket::with_key(&self.lmo, &self.second).await.ask(&question).await;
                let body = frames.iter().map(Value::to_string).collect();
                self.assert_asked_as_second(&Response::whole(200, body));
            }
            "POST /v1/chat/completions" | "POST /v1/messages" => {
                self.assert_asked_as_second(&self.second(method, path, Some(&chat("hi", 20))).await);
            }
            "POST /v1/responses" => {
                let body = json!({"input": "hi", "max_output_tokens": 20});
                self.assert_asked_as_second(&self.second(method, path, Some(&body)).await);
            }
            // The first may not embed, the second may.
            "POST /api/mcp/embed" | "POST /v1/embeddings" => {
                let body = json!({"model": "lmo/hash-embed", "input": "hi"});
                self.lmo.send(method, path, &self.lmo.key, Some(&body)).await.assert_error(403, "model_not_allowed");
                assert_eq!(self.second(method, path, Some(&body)).await.status, 200);
            }
            "POST /v1/messages/count_tokens" => {
                let body = json!({"model": "standin/small", "messages": [{"role": "user", "content": "hi"}]});
                assert_eq!(self.lmo.post(path, &body).await.status, 403);
                assert_eq!(self.second(method, path, Some(&body)).await.status, 200);
            }
            "GET /v1/models" => {
                let models = self.second(method, path, None).await.json();
                assert_eq!(models["data"].as_array().unwrap().len(), 8, "the first's list of models is applied");
            }
            // A key gets a token of its own tenant, whatever it calls itself.
            "POST /api/auth/token" => {
                let (mine, theirs) = (key_id(&self.second), key_id(&self.lmo.key));
                let grant = "grant_type=client_credentials";
                assert_eq!(ask_token(&self.lmo, grant, Some((&theirs, &self.second))).await.status, 401);
                let issued = ask_token(&self.lmo, grant, Some((&mine, &self.second))).await.json();
                let token = issued["access_token"].as_str().unwrap();
                assert_eq!(self.lmo.send("GET", "/api/tenant/config", token, None).await.json(), json!({}));
            }
            "GET /api/tenant/config" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({}));
            }
            "PUT /api/tenant/config" => {
                let config = json!({"temperature": 0.9, "max_tokens": 9});
                assert_eq!(self.second(method, path, Some(&config)).await.json(), config);
                assert_eq!(self.second(method, path, Some(&json!({}))).await.status, 200);
            }
            "GET /api/tenant/keys" => {
                let keys = self.second(method, path, None).await.json();
                let names: BTreeSet<_> =
                    keys["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str()).collect();
                assert!(names.is_subset(&BTreeSet::from([Some("first"), Some("second's")])), "{names:?}");
            }
            "POST /api/tenant/keys" => {
                assert_eq!(self.second(method, path, Some(&json!({"name": "second's"}))).await.status, 201);
            }
            "GET /api/tenant/keys/{id}"
            | "PATCH /api/tenant/keys/{id}"
            | "DELETE /api/tenant/keys/{id}"
            | "POST /api/tenant/keys/{id}/rotate" => {
                let body = (method != "GET").then(|| json!({}));
                let of = |id: &str| path.replace("{id}", id);
                // It names what was asked for, and nothing else of it.
                let theirs = self.lmo.send(method, &of(&self.key), &self.second, body.as_ref()).await;
                theirs.assert_error(404, "not_found");
                assert!(!SECRETS.iter().any(|secret| theirs.body.contains(secret)), "{}", theirs.body);
                let nobodys = self.second(method, &of("key_01ARZ3NDEKTSV4RRFFQ69G5FAV"), body.as_ref()).await;
                nobodys.assert_error(404, "not_found");
            }
            "GET /api/tenant" => {
                assert_eq!(self.second(method, path, None).await.json()["name"], "test");
            }
            "PATCH /api/tenant" => {
                let change = json!({"name": "second"});
                assert_eq!(self.second(method, path, Some(&change)).await.json()["name"], "second");
                assert_eq!(self.second(method, path, Some(&json!({"name": "test"}))).await.status, 200);
            }
            "GET /api/tenant/sign-in" => {
                self.second(method, path, None).await.assert_error(404, "not_found");
            }
            // They are for owners alone; no key may.
            "DELETE /api/tenant/sign-in" => {
                self.second(method, path, None).await.assert_error(403, "forbidden");
            }
            "PUT /api/tenant/sign-in" => {
                let rules = json!({"issuer": "http://127.0.0.1:1", "client_id": "second"});
                self.second(method, path, Some(&rules)).await.assert_error(403, "forbidden");
            }
            _ if is_about_people(route) => self.check_people(route).await,
            "GET /api/tenant/audit" => {
                // All that the second did itself.
                let entries = self.second(method, path, None).await.json()["entries"].as_array().unwrap().len();
                assert!(entries >= 2, "its own creation and its first key");
            }
            "GET /api/tenant/providers" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"providers": []}));
            }
            "PUT /api/tenant/providers/{name}" => {
                let body = json!({"api_key": "second's-key-of-the-provider"});
                assert_eq!(self.second(method, PROVIDER, Some(&body)).await.json()["hint"], "ider");
                assert_eq!(self.second("DELETE", PROVIDER, None).await.status, 204);
            }
            "DELETE /api/tenant/providers/{name}" => {
                self.second(method, PROVIDER, None).await.assert_error(404, "not_found");
            }
            "GET /api/tenant/templates" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"templates": []}));
            }
            "GET /api/tenant/templates/{name}" | "DELETE /api/tenant/templates/{name}" => {
                self.second(method, TEMPLATE, None).await.assert_error(404, "not_found");
            }
            "PUT /api/tenant/templates/{name}" => {
                let (own, body) = (template("hi"), json!({"template": {"name": "greet"}}));
                assert_eq!(self.second(method, TEMPLATE, Some(&own)).await.json()["version"], 1);
                self.assert_asked_as_second(&self.second("POST", "/api/mcp/query", Some(&body)).await);
                assert_eq!(self.second("DELETE", TEMPLATE, None).await.status, 204);
            }
            "GET /api/tenant/sessions/{id}" => {
                self.second(method, SESSION, None).await.assert_error(404, "not_found");
                // One of the same name is another's.
                let question = json!({"query": "hi", "context": {"sessionId": "chat-1"}});
                self.assert_asked_as_second(&self.second("POST", "/api/mcp/query", Some(&question)).await);
                assert_eq!(self.second(method, SESSION, None).await.json()["turns"], 1);
            }
            "DELETE /api/tenant/sessions/{id}" => {
                // Its own, if it has one by now.
                self.second(method, SESSION, None).await;
                self.second(method, SESSION, None).await.assert_error(404, "not_found");
            }
            "GET /api/tenant/usage" => {
                for group in ["key", "model"] {
                    let path = format!("{path}?granularity=month&group_by={group}");
                    let usage = self.second(method, &path, None).await;
                    assert!(!usage.body.contains("standin/plain"), "{}", usage.body);
                }
            }
            // They send browsers away, or wait for them, and know no key.
            "GET /api/auth/oidc/{tenant}" => {
                self.second(method, path, None).await.assert_error(404, "not_found");
            }
            "GET /api/auth/oidc/{tenant}/callback" => {
                let path = path.replace("{tenant}", &tenant_of(&self.lmo.key));
                self.second(method, &format!("{path}?state=x&code=x"), None).await.assert_error(403, "forbidden");
            }
            "GET /api/tenant/webhooks" => {
                let webhooks = self.second(method, path, None).await.json();
                assert!(webhooks["webhooks"].as_array().unwrap().len() <= 1, "{webhooks}");
            }
            "POST /api/tenant/webhooks" => {
                let body = json!({"url": "https://second.example/hook"});
                assert_eq!(self.second(method, path, Some(&body)).await.status, 201);
            }
            route if route.contains("/api/tenant/webhooks/{id}") => {
                let path = path.replace("{id}", &self.webhook).replace("{message}", "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV");
                let body = match method {
                    "PATCH" => Some(json!({"enabled": false})),
                    "POST" if path.ends_with("/replay") && !path.contains("msg_") => {
                        Some(json!({"since": "2026-01-01"}))
                    }
                    _ => None,
                };
                self.second(method, &path, body.as_ref()).await.assert_error(404, "not_found");
            }
            // What is paid with is in `payments`, where there is something to pay with.
            "GET /api/billing/payment-method" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({}));
            }
            "DELETE /api/billing/payment-method" => {
                assert_eq!(self.second(method, path, None).await.status, 204);
            }
            "POST /api/billing/payment-method" => {
                self.second(method, path, Some(&json!({}))).await.assert_error(409, "conflict");
            }
            "POST /api/billing/credits" => {
                let body = json!({"amount": "10", "currency": "EUR"});
                self.second(method, path, Some(&body)).await.assert_error(409, "conflict");
            }
            "POST /api/billing/invoices/{id}/pay" => {
                let path = path.replace("{id}", "inv_01ARZ3NDEKTSV4RRFFQ69G5FAV");
                self.second(method, &path, None).await.assert_error(404, "not_found");
            }
            // Only Stripe can sign, and there is no account.
            "POST /webhooks/stripe" => {
                self.second(method, path, Some(&json!({"id": "evt_1"}))).await.assert_error(404, "no_route");
            }
            "GET /api/billing/plan" => {
                let none = json!({"coupons": [], "credit": [], "limits": {}});
                assert_eq!(self.second(method, path, None).await.json(), none);
            }
            "GET /api/billing/quota" | "GET /api/billing/forecast" => {
                let own = self.second(method, path, None).await.json();
                let spent = own.pointer("/tokens/spent").or_else(|| own.pointer("/so_far/tokens"));
                let of_second = self.lmo.send("GET", "/api/tenant/usage?granularity=month", &self.second, None).await;
                let total = &of_second.json()["total"];
                let used = total["input_tokens"].as_u64().unwrap() + total["output_tokens"].as_u64().unwrap();
                assert!(spent.and_then(Value::as_u64).is_some_and(|spent| spent >= used), "{own}");
                assert_eq!(own.get("keys").unwrap_or(&json!([])), &json!([]));
            }
            "GET /api/billing/plans" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"plans": []}));
            }
            "GET /api/billing/credits" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"credits": []}));
            }
            "PUT /api/billing/plan" => {
                self.second(method, path, Some(&json!({"plan": "free"}))).await.assert_error(404, "not_found");
            }
            "POST /api/billing/coupons" => {
                self.second(method, path, Some(&json!({"code": "WELCOME"}))).await.assert_error(409, "conflict");
            }
            "GET /api/billing/profile" | "PUT /api/billing/profile" => {
                let own = json!({"name": "second's company", "address": []});
                assert_eq!(self.second("PUT", path, Some(&own)).await.json(), own);
                assert_eq!(self.second("GET", path, None).await.json(), own);
            }
            // They know people, who are held apart in `accounts`; a key is nobody.
            _ if path.starts_with("/api/auth/") => self.assert_nobody(method, path).await,
            // Those who work for the operator alone.
            route if route.contains(" /api/admin/") => {
                let body = (method != "GET").then(|| json!({}));
                let path = path.replace("{id}", &tenant_of(&self.lmo.key));
                self.second(method, &path, body.as_ref()).await.assert_error(403, "forbidden");
            }
            other => panic!("there is no isolation check for {other}"),
        }
    }

    /// The same of a route about members, invitations and the tenant itself.
    async fn check_people(&self, route: &str) {
        let (method, path) = route.split_once(' ').unwrap();
        match route {
            "GET /api/tenant/members" => {
                assert_eq!(self.second(method, path, None).await.json(), json!({"members": []}));
            }
            "GET /api/tenant/members/{id}" | "PATCH /api/tenant/members/{id}" | "DELETE /api/tenant/members/{id}" => {
                let path = path.replace("{id}", &self.member);
                let body = (method == "PATCH").then(|| json!({"role": "admin"}));
                self.second(method, &path, body.as_ref()).await.assert_error(404, "not_found");
            }
            "GET /api/tenant/invites" => {
                assert_eq!(self.second(method, path, None).await.json()["invites"], json!([]));
            }
            // Whoever another tenant has invited is nothing to this one.
            "POST /api/tenant/invites" => {
                let body = json!({"email": SECRETS[5], "role": "viewer"});
                let made = self.lmo.send(method, path, &self.second, Some(&body)).await;
                assert_eq!(made.status, 201, "{}", made.body);
                let made = format!("{path}/{}", made.json()["id"].as_str().unwrap());
                assert_eq!(self.second("DELETE", &made, None).await.status, 204);
            }
            "DELETE /api/tenant/invites/{id}" | "POST /api/tenant/invites/{id}/resend" => {
                let path = path.replace("{id}", &self.invite);
                self.second(method, &path, None).await.assert_error(404, "not_found");
            }
            // They are for members, whose tenant is the one of their token: see `deletion` and `members`.
            _ if !path.contains("/members") && !path.contains("/invites") => {
                self.second(method, path, Some(&json!({}))).await.assert_error(403, "forbidden");
            }
            other => panic!("there is no isolation check for {other}"),
        }
    }
}

/// Whether a route is about members, invitations or the end of the tenant.
fn is_about_people(route: &str) -> bool {
    const ENDS: [&str; 6] = [
        "POST /api/tenant/leave",
        "POST /api/tenant/transfer",
        "DELETE /api/tenant",
        "POST /api/tenant/restore",
        "POST /api/tenant/export",
        "GET /api/tenant/export",
    ];
    let lists = [" /api/tenant/members", " /api/tenant/invites"];
    ENDS.contains(&route) || lists.iter().any(|list| route.contains(list))
}

/// The tenant that a key is of.
fn tenant_of(key: &str) -> String {
    format!("tnt_{}", &key[4..30])
}

fn routes(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

#[tokio::test]
async fn no_route_shows_or_changes_anything_of_another_tenant() {
    let world = World::new().await;
    let before = world.first().await;
    let document = world.lmo.get("/openapi.json").await.json();
    let routes = routes(&document);
    assert!(routes.len() >= 15, "{routes:?}");
    for route in &routes {
        world.check(route).await;
    }
    // Those of the stand-in but the first's, and two that LMO embeds itself.
    let asked = world.standin.stats().requests - 1 + 2;
    world.lmo.usage_of(&world.second, asked).await;
    assert_eq!(world.first().await, before);
}

#[tokio::test]
async fn a_key_with_another_tenants_id_in_it_opens_nothing() {
    let world = World::new().await;
    // Tenant and key are both named in a key; each tenant's key is put under the other's name.
    let swapped = format!("{}{}", &world.second[..30], &world.lmo.key[30..world.lmo.key.len() - 8]);
    let swapped = format!("{swapped}{:08x}", crc32fast::hash(swapped.as_bytes()));
    let refused = world.lmo.send("GET", "/api/tenant/config", &swapped, None).await;
    refused.assert_error(401, "unauthenticated");
}
