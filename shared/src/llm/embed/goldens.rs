//! Wire texts against the calls and vectors that they stand for. `goldens/embed/README.md` says after what each was
//! modelled.
//!
//! `<name>.call.json` is a call, and `<name>.http` what the provider answers, if it is asked at all. What both stand for
//! is `<name>` in `snapshots/`.

use std::{fs, path::PathBuf, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EmbedCall, EmbedFormat, EmbedInput, EmbedKind, Embedded};
use crate::llm::{ProviderError, WireFormat};

#[derive(Deserialize)]
struct Golden {
    format: WireFormat,
    model: String,
    inputs: Vec<Value>,
    dimensions: Option<u32>,
    kind: Option<EmbedKind>,
    user: Option<String>,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedded: Option<Embedded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
struct Request {
    path: Vec<String>,
    body: Value,
}

/// An error as a tenant sees it, and whole.
#[derive(Serialize)]
struct Failure {
    code: &'static str,
    shown: String,
    whole: String,
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self { code: error.code(), shown: error.to_string(), whole: format!("{error:?}") }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("goldens/embed")
}

fn input(value: &Value) -> EmbedInput {
    match value.as_str() {
        Some(text) => EmbedInput::Text(text.to_owned()),
        None => EmbedInput::Tokens(serde_json::from_value(value.clone()).unwrap()),
    }
}

/// Status, header fields and body of an answer.
fn answer(text: &str) -> (u16, HeaderMap, &str) {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let fields = lines.map(|line| line.split_once(": ").unwrap());
    let field =
        |(name, value): (&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    (status, fields.map(field).collect(), body)
}

fn outcome(golden: &Golden, received: Option<&str>) -> Outcome {
    let mut outcome = Outcome { request: None, embedded: None, error: None };
    let found = (|| {
        let inputs: Vec<_> = golden.inputs.iter().map(input).collect();
        let call = EmbedCall {
            model: &golden.model,
            inputs: &inputs,
            dimensions: golden.dimensions,
            kind: golden.kind,
            user: golden.user.as_deref(),
            time_left: Duration::ZERO,
        };
        let format = EmbedFormat::of(golden.format, call.model)?;
        let request = format.request(&call)?;
        let body = serde_json::from_slice(&request.body).unwrap();
        outcome.request = Some(Request { path: request.path, body });
        let Some(received) = received else { return Ok(None) };
        let (status, headers, body) = answer(received);
        if status != 200 {
            return Err(golden.format.failure(status, &headers, body.as_bytes()));
        }
        format.read(inputs.len(), &headers, body.as_bytes()).map(Some)
    })();
    match found {
        Ok(embedded) => outcome.embedded = embedded,
        Err(error) => outcome.error = Some(error.into()),
    }
    outcome
}

#[test]
fn calls_are_written_and_answers_are_read() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".call.json")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let call = fs::read_to_string(folder().join(format!("{name}.call.json"))).unwrap();
        let golden: Golden = serde_json::from_str(&call).unwrap();
        let received = fs::read_to_string(folder().join(format!("{name}.http"))).ok();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder().join("snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_json_snapshot!(name, outcome(&golden, received.as_deref())));
    }
}

#[test]
fn every_answer_belongs_to_a_call() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "http") {
            assert!(path.with_extension("call.json").exists(), "{}", path.display());
        }
    }
}
