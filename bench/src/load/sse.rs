//! Takes the content deltas out of a stream of chat completion chunks, wherever the bytes are split.

use serde::Deserialize;

/// What one event of a stream says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Content(String),
    /// A chunk without content: the role, the finish reason, the usage.
    Other,
    Error,
    Malformed,
    Done,
}

/// Bytes in, events out.
#[derive(Debug, Default)]
pub(super) struct Reader {
    rest: Vec<u8>,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

impl Reader {
    /// Calls `on_event` for each event that `bytes` completes.
    pub(super) fn push(&mut self, bytes: &[u8], mut on_event: impl FnMut(Said)) {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = self.rest[start..].iter().position(|byte| *byte == b'\n') {
            let line = self.rest[start..start + length].trim_ascii_end();
            if let Some(data) = line.strip_prefix(b"data:") {
                on_event(said(data.trim_ascii_start()));
            }
            start += length + 1;
        }
        self.rest.drain(..start);
    }
}

fn said(data: &[u8]) -> Said {
    if data == b"[DONE]" {
        return Said::Done;
    }
    let Ok(chunk) = serde_json::from_slice::<Chunk>(data) else {
        return Said::Malformed;
    };
    if chunk.error.is_some() {
        return Said::Error;
    }
    let content = chunk.choices.into_iter().next().and_then(|choice| choice.delta.content);
    content.filter(|content| !content.is_empty()).map_or(Said::Other, Said::Content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        ": a comment\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"grün\"}}]}\r\n\r\n",
        "data: {\"choices\":[],\"usage\":null}\n\n",
        "data: {\"error\":{\"message\":\"no\"}}\n\n",
        "data: {\"id\":\n\n",
        "data: [DONE]\n\n",
    );

    #[test]
    fn events_are_read_wherever_the_bytes_are_split() {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for byte in STREAM.as_bytes() {
            reader.push(std::slice::from_ref(byte), |event| events.push(event));
        }
        let expected =
            [Said::Other, Said::Content("grün".into()), Said::Other, Said::Error, Said::Malformed, Said::Done];
        assert_eq!(events, expected);
    }
}
