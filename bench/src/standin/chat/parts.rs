//! What a streamed and a buffered chat completion have in common on the wire.

use std::io::Write as _;

use crate::standin::answer::Usage;
use crate::standin::envelope::Envelope;

/// The object up to its choices.
pub(super) fn write_envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>, object: &str) {
    let Envelope { number, created, asked, .. } = envelope;
    let model = json(&asked.model);
    put(
        out,
        format_args!(r#"{{"id":"chatcmpl-{number:029}","object":"{object}","created":{created},"model":{model},"#),
    );
    out.extend_from_slice(br#""service_tier":"default","system_fingerprint":"fp_57a4d1f0e2","#);
    if envelope.unknown {
        out.extend_from_slice(br#""x_envelope":{"later":[1,null,"two"]},"#);
    }
}

pub(super) fn write_usage(out: &mut Vec<u8>, usage: Usage, unknown: bool) {
    let Usage { prompt, cached, completion, reasoning, .. } = usage;
    let total = prompt + completion;
    put(out, format_args!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total},"#));
    put(out, format_args!(r#""prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"#));
    put(out, format_args!(r#""completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"#));
    out.extend_from_slice(br#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}"#);
    out.extend_from_slice(if unknown { br#","x_usage":{"later":0}}"# } else { b"}" });
}

pub(super) fn call_id(number: u64, index: usize) -> String {
    format!("call_{number:020}{index:04}")
}

pub(super) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into a `Vec` cannot fail.
    let _ = out.write_fmt(text);
}
