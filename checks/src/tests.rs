use proptest::{prelude::*, sample::Index};

use super::*;

const KEY: &str = "lmo_01JD8Z0000000000000000000A01JD8Z0000000000000000000B_0123456789ABCDEFGHJKMNPQRS0123456789ABCDEFGHJKMNPQRS00000000";
const TOKEN: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.e30.AAAA";
const CLAIMS: &str = r#"{"iss":"https://lmo.example","aud":"https://lmo.example","sub":"key_01JD8Z0000000000000000000B",
    "tenant":"tnt_01JD8Z0000000000000000000A","roles":["owner"],"scope":"query tenant:admin","client_id":"lmo",
    "sid":"ses_01JD8Z0000000000000000000B","restriction":"email_unverified","jti":"a","iat":1,"exp":2}"#;
const SSE: &str = "\u{7}\u{feff}event: a\r\ndata: {\"b\": 1}\r\n\r\n: comment\ndata\ndata: two\rid: 7\rretry: 10\n\n";
const BODIES: [&str; 4] = [
    r#"{"query": "hi", "messages": [{"role": "user", "content": "hi"}], "context": {"sessionId": "a"}, "stop": ["x"],
        "max_tokens": 5, "temperature": 0.5, "tools": [{"type": "function", "function": {"name": "f"}}]}"#,
    r#"{"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url",
        "image_url": {"url": "data:image/png;base64,AAAA"}}]}], "max_tokens": 9, "n": 1, "stream": true, "tool_choice": "auto"}"#,
    r#"{"model": "m", "max_tokens": 9, "system": [{"type": "text", "text": "s"}], "messages": [{"role": "user", "content":
        [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}], "thinking": {"type": "enabled", "budget_tokens": 1024}}"#,
    r#"{"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}, {"type":
        "function_call_output", "call_id": "c", "output": "o"}], "text": {"format": {"type": "json_object"}}, "store": false}"#,
];

/// Any bytes, or good ones with up to eight of them changed, taken out or repeated.
fn hostile(good: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 0..8);
    let damaged = (prop::sample::select(good), damage).prop_map(|(good, damage)| {
        let mut bytes = good.into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..300), 4 => damaged]
}

fn good(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// With its checksum.
fn a_key() -> String {
    let body = &KEY[..109];
    format!("{body}{:08x}", crc32(body.as_bytes()))
}

/// CRC-32 as zip files have it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn what_the_tests_damage_was_good() {
    assert!(PresentedKey::parse(&a_key()).is_some());
    assert_eq!(signed_by(TOKEN).as_deref(), Some("a"));
    assert!(serde_json::from_str::<AccessClaims>(CLAIMS).is_ok());
    assert_eq!(events(&mut Parser::default(), &[&SSE.as_bytes()[1..]]).len(), 2);
    let id = RequestId::new(Timestamp(0));
    assert!(http::parse::<AskRequest>(BODIES[0].as_bytes()).is_ok());
    assert!(translate::chat_completions(BODIES[1].as_bytes(), id, "m").is_ok());
    assert!(translate::messages(BODIES[2].as_bytes(), id, "m").is_ok());
    assert!(translate::responses(BODIES[3].as_bytes(), id, "m").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn keys(bytes in hostile(vec![a_key()])) {
        key(&bytes);
    }

    #[test]
    fn tokens(bytes in hostile(good(&[TOKEN, CLAIMS]))) {
        token(&bytes);
    }

    #[test]
    fn cursors(bytes in hostile(vec![Page::cursor("KEY#01JD8Z0000000000000000000A")])) {
        cursor(&bytes);
    }

    #[test]
    fn streams_of_events(bytes in hostile(good(&[SSE]))) {
        sse(&bytes);
    }

    #[test]
    fn bodies(bytes in hostile(good(&BODIES))) {
        body(&bytes);
    }
}
