//! Wire texts against the events, errors and requests that they stand for. `goldens/openai/README.md` says after what
//! each was modelled.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{prelude::*, sample::Index};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{StreamDecoder, request, response};
use crate::{
    llm::{Call, Event, Prompt, ProviderError, provider::OutputLimitField},
    money::Tokens,
};

/// What a golden stands for.
#[derive(Debug, PartialEq, Serialize)]
struct Outcome {
    events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// An error as a tenant sees it, and whole.
#[derive(Debug, PartialEq, Serialize)]
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

/// The goldens of a folder by name, with their text.
fn goldens(folder: &str, extension: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/openai").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    assert!(!paths.is_empty());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn matches(name: &str, outcome: &impl Serialize) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../goldens/openai/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(name, outcome));
}

/// Decodes a stream whose bytes come in these pieces.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut events = Vec::new();
    let error = decode_into(&mut events, pieces).err().map(Failure::from);
    Outcome { events, error }
}

fn decode_into<'a>(events: &mut Vec<Event>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), ProviderError> {
    let mut decoder = StreamDecoder::default();
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next_event()? {
            events.push(event);
        }
    }
    events.extend(decoder.finish()?);
    Ok(())
}

#[test]
fn streams_are_decoded() {
    for (name, text) in goldens("", "sse") {
        matches(&name, &decode([text.as_bytes()]));
    }
}

#[test]
fn a_stream_is_decoded_alike_wherever_it_is_cut_in_two() {
    for (name, text) in goldens("", "sse") {
        let whole = decode([text.as_bytes()]);
        for cut in 0..=text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            assert_eq!(decode([head, tail]), whole, "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_stream_is_decoded_alike_byte_by_byte() {
    for (name, text) in goldens("", "sse") {
        assert_eq!(decode(text.as_bytes().chunks(1)), decode([text.as_bytes()]), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_stream_is_decoded_alike_in_any_pieces(cuts in prop::collection::vec(any::<Index>(), 0..12)) {
        for (name, text) in goldens("", "sse") {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]);
            prop_assert_eq!(decode(pieces), decode([text.as_bytes()]), "{}", name);
        }
    }
}

#[test]
fn a_cut_stream_is_an_error_at_every_byte_before_its_end() {
    let (_, text) = goldens("", "sse").into_iter().find(|(name, _)| name == "openai_chat.sse").unwrap();
    let end = text.find(r#""finish_reason":"stop""#).unwrap();
    for cut in 0..=end {
        assert_eq!(decode([&text.as_bytes()[..cut]]).error.unwrap().code, "provider_cut", "cut at {cut}");
    }
}

#[test]
fn whole_answers_are_decoded() {
    for (name, text) in goldens("", "json") {
        let outcome = match response::events(text.as_bytes()) {
            Ok(events) => Outcome { events, error: None },
            Err(error) => Outcome { events: Vec::new(), error: Some(error.into()) },
        };
        matches(&name, &outcome);
    }
}

#[test]
fn refusals_are_errors() {
    for (name, text) in goldens("", "http") {
        let (head, body) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HeaderMap = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        matches(&name, &Failure::from(response::failure(status, &headers, body.as_bytes())));
    }
}

#[test]
fn prompts_are_encoded() {
    #[derive(Deserialize)]
    struct Golden {
        model: String,
        output_limit_field: OutputLimitField,
        max_output: Tokens,
        stream: bool,
        prompt: Prompt,
    }
    for (name, text) in goldens("requests", "json") {
        let golden: Golden = serde_json::from_str(&text).unwrap();
        let call = Call {
            model: &golden.model,
            prompt: &golden.prompt,
            max_output: golden.max_output,
            stream: golden.stream,
            time_left: Duration::ZERO,
        };
        let body = request::body(&call, golden.output_limit_field).unwrap();
        matches(&format!("request_{name}"), &serde_json::from_slice::<Value>(&body).unwrap());
    }
}
