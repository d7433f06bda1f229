//! Where a tenant has its models asked.

use crate::{
    errors::{CHAT, QUERY, assert_shape, param},
    support::{Response, Running, Value, chat, json, models, with_embeddings},
};

const CONFIG: &str = "/api/tenant/config";

/// The tests' catalogue, with the provider in Frankfurt, another one nobody knows where, and one with an endpoint in
/// either part of the world, of which the one that has nearly all the weight is dead.
fn run() -> Running {
    let run = Running::with_models(|catalogue| with_embeddings(&catalogue));
    let base = run.standin.base_url();
    let catalogue = with_embeddings(&models(&base, "0.15"));
    let catalogue = catalogue.replacen("kind = \"openai\"", "kind = \"openai\"\nregion = \"eu-central-1\"", 1);
    let both = format!(
        "[providers.both]\nkind = \"openai\"\nendpoints = [\n\
         {{ base_url = \"http://127.0.0.1:9/v1\", weight = 1000000, region = \"us\" }},\n\
         {{ base_url = \"{base}\", region = \"eu\" }}]\n\
         [providers.elsewhere]\nkind = \"openai\"\nbase_url = \"{base}\"\n"
    );
    let model = |provider: &str| {
        format!(
            "[models.\"{provider}/m\"]\nprovider = \"{provider}\"\ncontext_window = 128000\nprice = {{ input = 1, output = 2 }}\n"
        )
    };
    let Running { lmo, setup, standin } = run;
    lmo.stop();
    setup.write_models(&format!("{both}{}{}{catalogue}", model("both"), model("elsewhere")));
    Running { lmo: setup.start(), setup, standin }
}

async fn allow(run: &Running, config: Value) -> Response {
    run.lmo.send("PUT", CONFIG, &run.lmo.key, Some(&config)).await
}

async fn names(run: &Running) -> Vec<String> {
    let models = run.lmo.get("/v1/models").await.json();
    let mut names: Vec<_> =
        models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn only_what_is_in_the_tenants_regions_is_asked_and_listed() {
    let run = run();
    assert!(names(&run).await.contains(&"elsewhere/m".to_owned()));
    assert_eq!(allow(&run, json!({"regions": ["eu"]})).await.status, 200);
    let expected = ["both/m", "default", "fast", "standin/plain", "standin/small", "standin/tiny"];
    assert_eq!(names(&run).await, expected);
    for (path, body) in [
        (QUERY, json!({"query": "hi", "model": "elsewhere/m"})),
        (CHAT, {
            let mut body = chat("hi", 5);
            body["model"] = "elsewhere/m".into();
            body
        }),
    ] {
        let refused = run.lmo.post(path, &body).await;
        assert_shape(path, &refused, 403, "region_not_allowed");
        assert_eq!(param(&refused), "model");
    }
    // Texts are turned into vectors in the process itself, of which nobody has said where it is.
    run.lmo
        .post("/v1/embeddings", &json!({"model": "embed", "input": "hi"}))
        .await
        .assert_error(403, "region_not_allowed");
    assert_eq!(run.lmo.post(QUERY, &json!({"query": "hi", "max_tokens": 5})).await.status, 200);
}

#[tokio::test]
async fn endpoints_elsewhere_are_never_asked() {
    let run = run();
    assert_eq!(allow(&run, json!({"regions": ["eu"]})).await.status, 200);
    // The other endpoint would fail first, and its failure would show.
    for stream in [false, true] {
        let body = json!({"model": "both/m", "stream": stream, "max_tokens": 20,
            "messages": [{"role": "user", "content": "[[tokens=3]]"}]});
        assert_eq!(run.lmo.post(CHAT, &body).await.status, 200);
    }
    let requests = run.lmo.get("/metrics").await.body;
    assert!(!requests.contains("lmo_retries_total{"), "{requests}");
    assert_eq!(allow(&run, json!({"regions": ["us"]})).await.status, 200);
    run.lmo.post(QUERY, &json!({"query": "hi", "model": "both/m"})).await.assert_error(503, "provider_unreachable");
}

#[tokio::test]
async fn fallbacks_stay_in_the_regions_too() {
    let run = run();
    let config = json!({"regions": ["eu"], "fallbacks": ["elsewhere/m", "standin/plain"]});
    assert_eq!(allow(&run, config).await.status, 200);
    let down = json!({"query": "[[fail=500]]", "model": "standin/small", "max_tokens": 5});
    let before = run.standin.stats().requests;
    run.lmo.post(QUERY, &down).await.assert_error(503, "provider_unavailable");
    assert!(run.standin.stats().requests > before);
    assert!(run.standin.stats().recent.iter().all(|request| request.body["model"] != "elsewhere/m"));
    let own = json!({"query": "hi", "fallbacks": ["elsewhere/m"]});
    run.lmo.post(QUERY, &own).await.assert_error(403, "region_not_allowed");
}

#[tokio::test]
async fn a_region_that_nobody_is_in_is_refused_when_it_is_set() {
    let run = run();
    for (regions, named) in
        [(json!(["eu", "moon"]), "regions[1]"), (json!([""]), "regions[0]"), (json!("eu"), "regions")]
    {
        let refused = allow(&run, json!({"regions": regions})).await;
        assert_shape(CONFIG, &refused, 400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    assert_eq!(allow(&run, json!({"regions": []})).await.status, 200);
    run.lmo.post(QUERY, &json!({"query": "hi"})).await.assert_error(403, "region_not_allowed");
}
