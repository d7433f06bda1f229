//! Wire texts against the events, errors and requests that they stand for, for every wire format. The `README.md` of a
//! format's folder in `goldens/` says after what each was modelled.
//!
//! `*.sse` (or `*.eventstream`, as base64 text) is a stream, `*.json` a whole answer, `*.http` a refusal, and
//! `requests/*.json` a prompt.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{prelude::*, sample::Index};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    llm::{Call, Event, Prompt, ProviderError, WireFormat, provider::OutputLimitField},
    money::Tokens,
};

/// Makes the tests of a format's goldens.
macro_rules! goldens {
    ($format:expr) => {
        mod goldens {
            use crate::llm::goldens;

            #[test]
            fn streams_are_decoded() {
                goldens::streams_are_decoded($format);
            }

            #[test]
            fn a_stream_is_decoded_alike_wherever_it_is_cut() {
                goldens::a_stream_is_decoded_alike_wherever_it_is_cut($format);
            }

            #[test]
            fn whole_answers_are_decoded() {
                goldens::whole_answers_are_decoded($format);
            }

            #[test]
            fn refusals_are_errors() {
                goldens::refusals_are_errors($format);
            }

            #[test]
            fn prompts_are_encoded() {
                goldens::prompts_are_encoded($format);
            }
        }
    };
}
pub(super) use goldens;

fn folder(format: WireFormat) -> &'static str {
    match format {
        WireFormat::ChatCompletions => "openai",
        WireFormat::Messages => "anthropic",
        WireFormat::Responses => "responses",
        WireFormat::Gemini => "gemini",
        WireFormat::Converse => "bedrock",
    }
}

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
fn files(format: WireFormat, within: &str, extension: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(folder(format)).join(within);
    let mut paths: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The streams of a format, as bytes.
pub(super) fn streams(format: WireFormat) -> Vec<(String, Vec<u8>)> {
    let text = files(format, "", "sse").into_iter().map(|(name, text)| (name, text.into_bytes()));
    let binary = files(format, "", "eventstream").into_iter().map(|(name, text)| {
        let joined: String = text.split_whitespace().collect();
        (name, BASE64_STANDARD.decode(joined).unwrap())
    });
    let streams: Vec<_> = text.chain(binary).collect();
    assert!(!streams.is_empty());
    streams
}

fn matches(format: WireFormat, name: &str, outcome: &impl Serialize) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../../goldens/{}/snapshots", folder(format)));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_json_snapshot!(name, outcome));
}

/// Decodes a stream whose bytes come in these pieces.
fn decode<'a>(format: WireFormat, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut events = Vec::new();
    let error = decode_into(format, &mut events, pieces).err().map(Failure::from);
    Outcome { events, error }
}

fn decode_into<'a>(
    format: WireFormat,
    events: &mut Vec<Event>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), ProviderError> {
    let mut decoder = format.decoder();
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next_event()? {
            events.push(event);
        }
    }
    events.extend(decoder.finish()?);
    Ok(())
}

pub(super) fn streams_are_decoded(format: WireFormat) {
    for (name, bytes) in streams(format) {
        matches(format, &name, &decode(format, [bytes.as_slice()]));
    }
}

/// In two at every byte, byte by byte, and in random pieces.
pub(super) fn a_stream_is_decoded_alike_wherever_it_is_cut(format: WireFormat) {
    for (name, bytes) in streams(format) {
        let whole = decode(format, [bytes.as_slice()]);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(decode(format, [head, tail]), whole, "{name} cut at {cut}");
        }
        assert_eq!(decode(format, bytes.chunks(1)), whole, "{name}");
        proptest!(ProptestConfig::with_cases(16), |(cuts in prop::collection::vec(any::<Index>(), 0..12))| {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(&decode(format, pieces), &whole, "{}", &name);
        });
    }
}

pub(super) fn whole_answers_are_decoded(format: WireFormat) {
    let goldens = files(format, "", "json");
    assert!(!goldens.is_empty());
    for (name, text) in goldens {
        let outcome = match format.whole(text.as_bytes()) {
            Ok(events) => Outcome { events, error: None },
            Err(error) => Outcome { events: Vec::new(), error: Some(error.into()) },
        };
        matches(format, &name, &outcome);
    }
}

pub(super) fn refusals_are_errors(format: WireFormat) {
    let goldens = files(format, "", "http");
    assert!(!goldens.is_empty());
    for (name, text) in goldens {
        let (head, body) = text.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HeaderMap = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        matches(format, &name, &Failure::from(format.failure(status, &headers, body.as_bytes())));
    }
}

/// A golden whose prompt can't be said has the error as its snapshot.
pub(super) fn prompts_are_encoded(format: WireFormat) {
    #[derive(Deserialize)]
    struct Golden {
        model: String,
        #[serde(default)]
        output_limit_field: OutputLimitField,
        max_output: Tokens,
        stream: bool,
        prompt: Prompt,
    }
    let goldens = files(format, "requests", "json");
    assert!(!goldens.is_empty());
    for (name, text) in goldens {
        let golden: Golden = serde_json::from_str(&text).unwrap();
        let call = Call {
            model: &golden.model,
            prompt: &golden.prompt,
            max_output: golden.max_output,
            stream: golden.stream,
            time_left: Duration::ZERO,
        };
        let name = format!("request_{name}");
        match format.request(&call, golden.output_limit_field) {
            Ok(request) => matches(format, &name, &serde_json::from_slice::<Value>(&request.body).unwrap()),
            Err(error) => matches(format, &name, &Failure::from(error)),
        }
    }
}

#[test]
fn a_cut_stream_is_an_error_at_every_byte_before_its_end() {
    let format = WireFormat::ChatCompletions;
    let (_, text) = files(format, "", "sse").into_iter().find(|(name, _)| name == "openai_chat.sse").unwrap();
    let end = text.find(r#""finish_reason":"stop""#).unwrap();
    for cut in 0..=end {
        assert_eq!(decode(format, [&text.as_bytes()[..cut]]).error.unwrap().code, "provider_cut", "cut at {cut}");
    }
}
