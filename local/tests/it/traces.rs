//! Which trace a request belongs to: told by its caller, told to the provider, and sent to a collector.

use reqwest::header::HeaderMap;

use crate::support::{Collector, Lmo, Setup, attribute, chat, hex, standin, streamed};

const ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const CHAT: &str = "/v1/chat/completions";

async fn ask(lmo: &Lmo, fields: &[(&str, &str)], body: &serde_json::Value) {
    let request = lmo.client.post(format!("{}{CHAT}", lmo.base)).bearer_auth(&lmo.key).body(body.to_string());
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap();
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_provider_is_told_of_the_callers_trace() {
    let standin = standin();
    let lmo = Setup::with_standin(&standin.base_url()).start();
    let parent = format!("00-{ID}-{PARENT}-01");
    let from_amazon = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    ask(&lmo, &[("traceparent", &parent), ("tracestate", "congo=t61rcWkgMzE")], &chat("one", 20)).await;
    ask(&lmo, &[("x-amzn-trace-id", from_amazon)], &chat("two", 20)).await;
    ask(&lmo, &[("traceparent", "00-nonsense"), ("tracestate", "congo=1")], &chat("three", 20)).await;
    let heard = standin.stats().recent;
    let parents: Vec<_> = heard.iter().map(|seen| field(&seen.headers, "traceparent")).collect();
    assert!(parents[0].starts_with(&format!("00-{ID}-")) && parents[0].ends_with("-01"), "{parents:?}");
    assert!(!parents[0].contains(PARENT), "the call is a span of its own");
    assert!(parents[1].starts_with("00-5759e988bd862e3fe1be46a994272793-"), "{parents:?}");
    assert!(parents[2].len() == 55 && !parents[2].contains("nonsense"), "{parents:?}");
    assert!(
        heard.iter().all(|seen| seen.headers.get("tracestate").is_none()),
        "it is between the caller and its tools"
    );
}

#[tokio::test]
async fn a_collector_gets_the_request_and_its_steps() {
    let (standin, collector) = (standin(), Collector::start().await);
    let lmo = Setup::with_standin(&standin.base_url()).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url).start();
    let parent = format!("00-{ID}-{PARENT}-01");
    ask(&lmo, &[("traceparent", &parent)], &streamed("[[tokens=5]] hi", 20)).await;
    let spans = collector.trace(ID).await;

    let request = &spans[&format!("POST {CHAT}")];
    assert_eq!(hex(&request.parent_span_id), PARENT);
    assert_eq!(attribute(request, "http.route").as_deref(), Some(CHAT));
    assert_eq!(attribute(request, "http.response.status_code").as_deref(), Some("200"));
    for name in ["admit", "chat small", "record", "settle"] {
        assert_eq!(spans[name].parent_span_id, request.span_id, "{name}");
    }
    let model = &spans["chat small"];
    assert_eq!(attribute(model, "gen_ai.operation.name").as_deref(), Some("chat"));
    assert_eq!(attribute(model, "gen_ai.provider.name").as_deref(), Some("openai"));
    assert_eq!(attribute(model, "gen_ai.request.model").as_deref(), Some("small"));
    assert_eq!(attribute(model, "gen_ai.usage.output_tokens").as_deref(), Some("5"));
    // The provider's own spans hang on the call's.
    let seen = standin.stats().recent;
    assert_eq!(field(&seen[0].headers, "traceparent"), format!("00-{ID}-{}-01", hex(&model.span_id)));
}

#[tokio::test]
async fn a_trace_that_begins_here_has_the_id_that_is_logged() {
    let (standin, collector) = (standin(), Collector::start().await);
    let setup = Setup::with_standin(&standin.base_url()).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    let lmo = setup.start();
    let body = chat("[[tokens=5]] hi", 20);
    let zero_temperature = {
        let mut body = body.clone();
        body["temperature"] = 0.into();
        body
    };
    ask(&lmo, &[("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793")], &zero_temperature).await;
    let spans = collector.trace("5759e988bd862e3fe1be46a994272793").await;
    let request = &spans[&format!("POST {CHAT}")];
    assert!(request.parent_span_id.is_empty());
    assert_eq!(spans["cache"].parent_span_id, request.span_id);
}

#[tokio::test]
async fn what_the_caller_does_not_sample_is_not_sent() {
    let (standin, collector) = (standin(), Collector::start().await);
    let lmo = Setup::with_standin(&standin.base_url()).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url).start();
    let other = "1af7651916cd43dd8448eb211c80319c";
    ask(&lmo, &[("traceparent", &format!("00-{other}-{PARENT}-00"))], &chat("one", 20)).await;
    ask(&lmo, &[("traceparent", &format!("00-{ID}-{PARENT}-01"))], &chat("two", 20)).await;
    collector.trace(ID).await;
    assert!(!collector.knows(other));
    let seen = standin.stats().recent;
    assert!(field(&seen[0].headers, "traceparent").ends_with("-00"), "the provider is told so too");
}

#[tokio::test]
async fn a_collector_that_is_down_or_silent_is_not_waited_for() {
    let standin = standin();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for collector in ["http://127.0.0.1:9".to_owned(), format!("http://{}", silent.local_addr().unwrap())] {
        let lmo = Setup::with_standin(&standin.base_url()).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector).start();
        ask(&lmo, &[], &chat("one", 20)).await;
        ask(&lmo, &[], &streamed("two", 20)).await;
        lmo.stop();
    }
}

#[test]
fn a_collector_that_is_no_url_ends_the_start_in_one_line() {
    let output = Setup::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318").output(&[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.starts_with("lmo: OTEL_EXPORTER_OTLP_ENDPOINT: must be an http or https URL"), "{error}");
    assert_eq!(error.lines().count(), 1);
}
