//! Keys of providers that a tenant brings: asked with, counted, and not charged.

use std::time::Duration;

use lmo_bench::standin::{Standin, StandinOptions};

use crate::{
    errors::{CHAT, QUERY, assert_shape, param},
    support::{Response, Running, Setup, Value, chat, eventually, json, models, streamed, with_a_key, with_embeddings},
};

const KEY: &str = "sk-of-the-tenant-0123456789abcd";
const OPERATORS_KEY: &str = "sk-of-the-operator";
const PATH: &str = "/api/tenant/providers/standin";

/// A provider that is asked with the operator's key.
fn run() -> Running {
    with(|catalogue| catalogue)
}

fn with(change: impl FnOnce(String) -> String) -> Running {
    Running::with(|catalogue| with_a_key(&change(catalogue)), |setup| setup.env("OPERATORS_KEY", OPERATORS_KEY))
}

/// A provider that wants a key, and an operator who has none.
fn without_the_operators_key() -> Running {
    let standin = Standin::start(StandinOptions { require_key: true, ..StandinOptions::default() }).unwrap();
    let setup = Setup::with_standin(&standin.base_url());
    setup.write_models(&with_a_key(&with_embeddings(&models(&standin.base_url(), "0.15"))));
    Running { lmo: setup.start(), setup, standin }
}

async fn bring(run: &Running, body: Value) -> Response {
    run.lmo.send("PUT", PATH, &run.lmo.key, Some(&body)).await
}

async fn brought(body: Value) -> Running {
    let run = run();
    let answer = bring(&run, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    run
}

fn keys_seen(run: &Running) -> Vec<String> {
    let recent = run.standin.stats().recent;
    let key = |name| move |seen: &lmo_bench::standin::Seen| Some(seen.headers.get(name)?.to_str().ok()?.to_owned());
    recent.iter().map(|seen| key("authorization")(seen).unwrap_or_default()).collect()
}

#[tokio::test]
async fn the_tenants_key_goes_out_and_costs_nothing_but_counts() {
    let mut run = without_the_operators_key();
    let (_, other) = run.with_another_tenant();
    run.lmo.post(CHAT, &chat("hi", 20)).await.assert_error(503, "provider_unavailable");
    assert_eq!(bring(&run, json!({"api_key": KEY})).await.status, 200);
    for body in [chat("[[tokens=3]]", 20), streamed("[[tokens=3]]", 20)] {
        assert_eq!(run.lmo.post(CHAT, &body).await.status, 200);
    }
    let answer = run.lmo.post(QUERY, &json!({"query": "[[tokens=3]]", "max_tokens": 20})).await.json();
    assert_eq!((&answer["cost"]["nano_usd"], &answer["usage"]["output_tokens"]), (&json!(0), &json!(3)));
    let expected = format!("Bearer {KEY}");
    assert_eq!(keys_seen(&run).iter().filter(|key| **key == expected).count(), 3);
    // It is nobody else's.
    run.lmo.send("POST", CHAT, &other, Some(&chat("hi", 20))).await.assert_error(503, "provider_unavailable");
    let usage = run.lmo.usage_of(&run.lmo.key, 4).await;
    assert_eq!((&usage["cost_nano_usd"], &usage["output_tokens"]), (&json!(0), &json!(9)), "{usage}");
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn what_is_asked_with_either_key_is_told_apart_in_the_books() {
    let run = run();
    let ask = async || run.lmo.post(QUERY, &json!({"query": "[[tokens=5]]", "max_tokens": 20})).await.json();
    let paid = ask().await["cost"]["nano_usd"].as_u64().unwrap();
    assert!(paid > 0);
    bring(&run, json!({"api_key": KEY})).await;
    assert_eq!(ask().await["cost"]["nano_usd"], 0);
    assert_eq!(run.lmo.send("DELETE", PATH, &run.lmo.key, None).await.status, 204);
    assert_eq!(ask().await["cost"]["nano_usd"], paid);
    let usage = run.lmo.usage_of(&run.lmo.key, 3).await;
    assert_eq!((&usage["cost_nano_usd"], &usage["output_tokens"]), (&json!(2 * paid), &json!(15)), "{usage}");
    run.lmo.stop();
    let books = run.setup.assert_books_agree();
    assert!(books.iter().any(|book| book["books"]["meter"]["nano_usd"] == 2 * paid), "{books:?}");
}

#[tokio::test]
async fn caps_of_money_allow_what_costs_nothing_and_caps_of_tokens_hold() {
    let standin = crate::support::standin();
    let setup = Setup::with_standin(&standin.base_url()).env("OPERATORS_KEY", OPERATORS_KEY);
    setup.write_models(&with_a_key(&models(&standin.base_url(), "0.15")));
    let (_, key) = setup.tenant(&["--monthly-tokens", "60", "--monthly-nano-usd", "1"]);
    let lmo = setup.start();
    let ask = async || lmo.send("POST", CHAT, &key, Some(&chat("[[tokens=5]]", 10))).await;
    ask().await.assert_error(402, "quota_exhausted");
    let answer = lmo.send("PUT", PATH, &key, Some(&json!({"api_key": KEY}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(ask().await.status, 200);
    let mut last = ask().await;
    for _ in 0..10 {
        last = ask().await;
    }
    last.assert_error(402, "quota_exhausted");
    lmo.stop();
    setup.assert_books_agree();
}

#[tokio::test]
async fn vectors_are_made_with_the_tenants_key_too() {
    let run = without_the_operators_key();
    let embedder = "[models.\"standin/embed\"]\nprovider = \"standin\"\nupstream = \"embed\"\ncontext_window = 8192\n\
                    capabilities = [\"embed\"]\nprice = { input = 5 }\n";
    let Running { lmo, setup, standin } = run;
    lmo.stop();
    setup.write_models(&with_a_key(&format!("{embedder}{}", models(&standin.base_url(), "0.15"))));
    let run = Running { lmo: setup.start(), setup, standin };
    bring(&run, json!({"api_key": KEY})).await;
    let answer = run.lmo.post("/api/mcp/embed", &json!({"model": "standin/embed", "input": "hi"})).await;
    assert_eq!((answer.status, &answer.json()["cost"]["nano_usd"]), (200, &json!(0)), "{}", answer.body);
    run.lmo.usage_of(&run.lmo.key, 1).await;
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_key_that_the_provider_refuses_is_the_tenants_error_in_every_shape() {
    let run = brought(json!({"api_key": KEY})).await;
    for path in [CHAT, QUERY] {
        let body =
            if path == CHAT { chat("[[fail=401]]", 20) } else { json!({"query": "[[fail=401]]", "max_tokens": 20}) };
        assert_shape(path, &run.lmo.post(path, &body).await, 403, "provider_key_refused");
    }
    let messages = json!([{"role": "user", "content": "[[fail=401]]"}]);
    let body = json!({"model": "default", "max_tokens": 20, "messages": messages});
    let refused = run.lmo.post("/v1/messages", &body).await;
    let error = &refused.json()["error"];
    assert_eq!(
        (refused.status, &error["type"], &error["code"]),
        (403, &json!("permission_error"), &json!("provider_key_refused"))
    );
    let body = json!({"input": "[[fail=401]]", "max_output_tokens": 20});
    run.lmo.post("/v1/responses", &body).await.assert_error(403, "provider_key_refused");
    let streamed = run.lmo.post("/api/mcp/stream", &json!({"query": "[[fail=401]]", "max_tokens": 20})).await;
    streamed.assert_error(403, "provider_key_refused");
    // Once each: it is not tried again, and not with another key.
    assert_eq!(run.standin.stats().requests, 5);
    run.lmo.usage_of(&run.lmo.key, 5).await;
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn the_operators_key_is_used_and_charged_only_where_the_tenant_allows_it() {
    let run = brought(json!({"api_key": KEY, "operator_fallback": true})).await;
    let answer = run.lmo.post(QUERY, &json!({"query": "[[fail=401 times=1 id=a]]", "max_tokens": 20})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cost = answer.json()["cost"]["nano_usd"].as_u64().unwrap();
    assert!(cost > 0);
    assert_eq!(keys_seen(&run), [format!("Bearer {KEY}"), format!("Bearer {OPERATORS_KEY}")]);
    let free = run.lmo.post(QUERY, &json!({"query": "hi", "max_tokens": 20})).await;
    assert_eq!(free.json()["cost"]["nano_usd"], 0);
    assert_eq!(run.lmo.usage_of(&run.lmo.key, 2).await["cost_nano_usd"], cost);
    run.lmo.stop();
    run.setup.assert_books_agree();
}

#[tokio::test]
async fn a_hedge_goes_from_the_tenants_key_to_none_of_the_operators() {
    let run = brought(json!({"api_key": KEY, "operator_fallback": true})).await;
    for fallbacks in [json!([]), json!(["lmo/echo"])] {
        let body = json!({"query": "[[delay=300ms]]", "max_tokens": 20, "hedge_after_ms": 1, "fallbacks": fallbacks});
        let answer = run.lmo.post(QUERY, &body).await.json();
        assert_eq!((&answer["model"], &answer["cost"]["nano_usd"]), (&json!("standin/small"), &json!(0)), "{answer}");
    }
    assert_eq!(keys_seen(&run), vec![format!("Bearer {KEY}"); 4]);
}

#[tokio::test]
async fn a_hedge_goes_from_the_operators_key_to_none_of_the_tenants() {
    let run = with(|catalogue| {
        let provider = "[providers.other]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n[models.\"other/small\"]\n\
                        provider = \"other\"\nupstream = \"small\"\ncontext_window = 128000\nprice = { input = 1, output = 2 }\n";
        let base_url = catalogue.lines().find_map(|line| line.strip_prefix("base_url = ")).unwrap().to_owned();
        format!("{catalogue}\n{}", provider.replace("\"http://127.0.0.1:9/v1\"", &base_url))
    });
    bring(&run, json!({"api_key": KEY})).await;
    let body = json!({"query": "[[delay=300ms]]", "model": "other/small", "max_tokens": 20, "hedge_after_ms": 1,
        "fallbacks": ["standin/small"]});
    let answer = run.lmo.post(QUERY, &body).await.json();
    assert_eq!(answer["model"], "other/small", "{answer}");
    assert_eq!(keys_seen(&run), vec![String::new(); 2]);
}

#[tokio::test]
async fn a_key_makes_nothing_free_that_needs_none() {
    let keyless = Running::start();
    let refused = bring(&keyless, json!({"api_key": KEY})).await;
    assert_shape(PATH, &refused, 400, "invalid_request");
    assert_eq!(param(&refused), "api_key");
    // Nor one that was brought before.
    let Running { lmo, setup, standin } = brought(json!({"api_key": KEY})).await;
    let (key, models) = (lmo.key.clone(), models(&standin.base_url(), "0.15"));
    lmo.stop();
    setup.write_models(&models);
    let lmo = setup.start();
    let ask = async || lmo.send("POST", CHAT, &key, Some(&chat("hi", 20))).await;
    ask().await.assert_error(502, "provider_credentials");
    assert_eq!(standin.stats().requests, 0);
    assert_eq!(lmo.send("DELETE", PATH, &key, None).await.status, 204);
    assert_eq!(ask().await.status, 200);
}

#[tokio::test]
async fn a_named_fallback_answers_for_a_refused_key() {
    let run = brought(json!({"api_key": KEY})).await;
    let body = json!({"query": "[[fail=401]]", "max_tokens": 20, "fallbacks": ["lmo/echo"]});
    assert_eq!(run.lmo.post(QUERY, &body).await.json()["model"], "lmo/echo");
}

#[tokio::test]
async fn what_a_tenants_key_fails_with_opens_no_breaker_of_the_operators() {
    let mut run = with(|catalogue| {
        catalogue.replacen("idle_timeout_ms", "breaker = { failures = 3, open_ms = 60000 }\nidle_timeout_ms", 1)
    });
    let (_, other) = run.with_another_tenant();
    bring(&run, json!({"api_key": KEY})).await;
    for _ in 0..5 {
        run.lmo.post(CHAT, &chat("[[fail=401]]", 20)).await.assert_error(403, "provider_key_refused");
    }
    run.lmo.post(CHAT, &chat("[[fail=500]]", 20)).await.assert_error(503, "provider_unavailable");
    run.lmo.post(CHAT, &chat("hi", 20)).await.assert_error(503, "provider_circuit_open");
    assert_eq!(run.lmo.send("POST", CHAT, &other, Some(&chat("hi", 20))).await.status, 200);
    // A new key begins anew.
    bring(&run, json!({"api_key": format!("{KEY}-2")})).await;
    assert_eq!(run.lmo.post(CHAT, &chat("hi", 20)).await.status, 200);
}

#[tokio::test]
async fn a_key_is_never_shown_again() {
    let run = brought(json!({"api_key": KEY})).await;
    let put = bring(&run, json!({"api_key": KEY})).await;
    let listed = run.lmo.get("/api/tenant/providers").await;
    let audit = run.lmo.get("/api/tenant/audit").await;
    assert_eq!((&put.json()["hint"], &listed.json()["providers"][0]["hint"]), (&json!("abcd"), &json!("abcd")));
    let actions: Vec<_> =
        audit.json()["entries"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "provider.put").count(), 2, "{actions:?}");
    for answer in [&put, &listed, &audit] {
        assert!(!answer.body.contains(KEY) && !answer.body.contains("sealed"), "{}", answer.body);
    }
    let short = bring(&run, json!({"api_key": "12345678"})).await;
    assert_eq!(short.json()["hint"], "");
    run.lmo.post(CHAT, &chat("[[fail=401]]", 20)).await;
    run.lmo.signal("TERM");
    eventually(Duration::from_secs(30), "the end", || {
        run.lmo.client.get(&run.lmo.base).build().is_ok()
            && std::net::TcpStream::connect(run.lmo.base.trim_start_matches("http://")).is_err()
    })
    .await;
    assert!(!run.lmo.output.lock().unwrap().contains(KEY));
    // Neither is it in the table in plain.
    for file in std::fs::read_dir(run.setup.data_dir()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_key_is_changed_and_deleted_in_the_version_that_was_read() {
    let run = run();
    let send = async |method: &str, tag: Option<&str>, body: Option<Value>| {
        let request = run.lmo.client.request(method.parse().unwrap(), format!("{}{PATH}", run.lmo.base));
        let mut request = request.bearer_auth(&run.lmo.key).header("content-type", "application/json");
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        Response::read(request.body(body).send().await.unwrap()).await
    };
    send("PUT", None, Some(json!({"operator_fallback": true}))).await.assert_error(400, "invalid_request");
    send("PUT", Some("\"1\""), Some(json!({"api_key": KEY}))).await.assert_error(412, "precondition_failed");
    let first = send("PUT", None, Some(json!({"api_key": KEY}))).await;
    let tag = first.header("etag").to_owned();
    // The key stays if none is brought.
    let second = send("PUT", Some(&tag), Some(json!({"operator_fallback": true}))).await;
    assert_eq!(
        (second.status, &second.json()["hint"], &second.json()["operator_fallback"]),
        (200, &json!("abcd"), &json!(true))
    );
    assert_eq!(second.json()["created_at"], first.json()["created_at"]);
    send("PUT", Some(&tag), Some(json!({"api_key": KEY}))).await.assert_error(412, "precondition_failed");
    send("DELETE", Some(&tag), None).await.assert_error(412, "precondition_failed");
    assert_eq!(send("DELETE", Some(second.header("etag")), None).await.status, 204);
    send("DELETE", None, None).await.assert_error(404, "not_found");
    let again = send("PUT", None, Some(json!({"api_key": KEY}))).await;
    assert!(![first.header("etag"), second.header("etag")].contains(&again.header("etag")));
}

#[tokio::test]
async fn only_keys_that_can_be_one_are_taken_for_providers_that_there_are() {
    let run = run();
    for (name, status, code) in
        [("nobody", 404, "not_found"), ("lmo", 400, "invalid_request"), ("%2F", 404, "not_found")]
    {
        let path = format!("/api/tenant/providers/{name}");
        let refused = run.lmo.send("PUT", &path, &run.lmo.key, Some(&json!({"api_key": KEY}))).await;
        assert_shape(&path, &refused, status, code);
    }
    for (body, named) in [
        (json!({"api_key": ""}), "api_key"),
        (json!({"api_key": "with a space in it"}), "api_key"),
        (json!({"api_key": "line\nfeed-0123456789"}), "api_key"),
        (json!({"api_key": "x".repeat(1_001)}), "api_key"),
        (json!({"api_key": 5}), "api_key"),
        (json!({"api_key": KEY, "base_url": "https://api.example.com/v1"}), "base_url"),
        (json!({}), "api_key"),
    ] {
        let refused = bring(&run, body).await;
        assert_shape(PATH, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
}

/// The tests' catalogue, in which the provider's own address is dead and a tenant may bring another one.
fn with_another_address() -> Running {
    with(|catalogue| {
        let dead = catalogue.find("base_url").unwrap();
        let end = dead + catalogue[dead..].find('\n').unwrap();
        format!(
            "{}base_url = \"http://127.0.0.1:9/v1\"\ntenant_base_url = true\nregion = \"us\"{}",
            &catalogue[..dead],
            &catalogue[end..]
        )
    })
}

#[tokio::test]
async fn a_tenant_brings_an_address_where_the_operator_lets_it() {
    let run = with_another_address();
    run.lmo.post(CHAT, &chat("hi", 20)).await.assert_error(503, "provider_unreachable");
    let base_url = run.standin.base_url();
    let put = bring(&run, json!({"api_key": KEY, "base_url": base_url})).await;
    assert_eq!((put.status, &put.json()["base_url"]), (200, &json!(base_url)), "{}", put.body);
    assert_eq!(run.lmo.post(CHAT, &chat("[[tokens=3]]", 20)).await.status, 200);
    let streamed = run.lmo.post(CHAT, &streamed("[[tokens=3]]", 20)).await;
    assert_eq!(streamed.streamed_text(), lmo_bench::standin::text(3));
    assert_eq!(keys_seen(&run), vec![format!("Bearer {KEY}"); 2]);
    // Where it is the catalogue can't know.
    let regions = async |regions: Value| {
        let set = run.lmo.send("PUT", "/api/tenant/config", &run.lmo.key, Some(&json!({"regions": regions}))).await;
        assert_eq!(set.status, 200, "{}", set.body);
        run.lmo.post(CHAT, &chat("hi", 20)).await
    };
    regions(json!(["us"])).await.assert_error(403, "region_not_allowed");
    assert_eq!(bring(&run, json!({"base_url": base_url, "region": "us-east-1"})).await.status, 200);
    assert_eq!(run.lmo.post(CHAT, &chat("hi", 20)).await.status, 200);
    // Without an address it is the catalogue's again.
    assert_eq!(bring(&run, json!({"api_key": KEY})).await.status, 200);
    run.lmo.post(CHAT, &chat("hi", 20)).await.assert_error(503, "provider_unreachable");
}

#[tokio::test]
async fn a_kept_key_goes_to_no_other_address() {
    let run = with_another_address();
    let base_url = run.standin.base_url();
    assert_eq!(bring(&run, json!({"api_key": KEY, "base_url": base_url})).await.status, 200);
    for other in [json!({"base_url": "http://127.0.0.1:9/v1"}), json!({"base_url": null}), json!({})] {
        let refused = bring(&run, other).await;
        assert_shape(PATH, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), "api_key", "{}", refused.body);
    }
    assert_eq!(run.lmo.post(CHAT, &chat("hi", 20)).await.status, 200);
    // The same one with a slash is no other.
    assert_eq!(bring(&run, json!({"base_url": format!("{base_url}/")})).await.status, 200);
}

#[tokio::test]
async fn an_address_that_must_not_be_called_is_refused() {
    let run = with_another_address();
    let standin = run.standin.base_url();
    let with_user = standin.replace("http://", "http://user:password@");
    for (body, named) in [
        (json!({"base_url": "http://169.254.169.254/latest"}), "base_url"),
        (json!({"base_url": "http://10.0.0.1/v1"}), "base_url"),
        (json!({"base_url": "file:///etc/passwd"}), "base_url"),
        (json!({"base_url": with_user}), "base_url"),
        (json!({"base_url": "nonsense"}), "base_url"),
        (json!({"region": "eu"}), "region"),
        (json!({"base_url": standin, "region": ""}), "region"),
        (json!({"base_url": standin, "region": "x".repeat(65)}), "region"),
    ] {
        let mut request = json!({"api_key": KEY});
        request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let refused = bring(&run, request).await;
        assert_shape(PATH, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
}
