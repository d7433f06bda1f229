//! The result of a stream doesn't depend on where it was cut, and is that of the `regex` crate.

use proptest::{collection::vec, prelude::*, sample::select};
use regex::Regex;

use super::*;

/// They grow, give way to each other, look around, overlap and nest.
const PATTERNS: [&str; 18] = [
    "secret",
    r"(?i)projekt\s+falke",
    r"\bab+\b",
    "(?s)a.*?b",
    "[0-9]{3}-[0-9]{2}",
    "x+y",
    "(x+x+)+y",
    "é.",
    "^b",
    "b$",
    "(?m)^a",
    "a(.*z)?",
    "foo|foobar",
    r"\w+@",
    r"\B1",
    "(foo|secret)+x",
    r"(?-u:\b)é",
    "日本?",
];

const KINDS: [&str; 8] = ["url", "email", "api_key", "iban", "credit_card", "ip_address", "ssn", "phone"];

/// Whole matches, parts of them, and what stands between.
const WORDS: [&str; 30] = [
    "secret",
    "sec",
    "ret",
    "Projekt ",
    " falke",
    "a",
    "b",
    "bb",
    "x",
    "xx",
    "y",
    "z",
    "1",
    "12",
    "123-45-6789",
    "é",
    "日",
    "本",
    "\n",
    " ",
    " ",
    "foo",
    "foobar",
    "@",
    "bob@example.com",
    ".",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "https://x.y/z",
    "+49 30 1234567",
];

fn texts() -> impl Strategy<Value = String> {
    vec(select(&WORDS[..]), 0..25).prop_map(|words| words.concat())
}

/// The text in pieces of these lengths in characters, and the rest.
fn cut<'a>(text: &'a str, lengths: &[usize]) -> Vec<&'a str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    for length in lengths {
        let at = rest.char_indices().nth(*length).map_or(rest.len(), |(at, _)| at);
        let (piece, more) = rest.split_at(at);
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

fn rules(patterns: &[&str]) -> Vec<Value> {
    let rule = |(index, pattern)| json!({"name": format!("p{index}"), "pattern": pattern});
    patterns.iter().enumerate().map(rule).collect()
}

/// One pattern after the other over the whole text.
fn expected(patterns: &[&str], text: &str) -> String {
    patterns.iter().enumerate().fold(text.to_owned(), |text, (index, pattern)| {
        Regex::new(pattern).unwrap().replace_all(&text, format!("[P{index}]")).into_owned()
    })
}

proptest! {
    #[test]
    fn patterns_mask_a_stream_as_they_mask_the_whole(
        text in texts(), patterns in vec(select(&PATTERNS[..]), 1..4), lengths in vec(0_usize..6, 0..40),
    ) {
        let guard = guard(json!({"mask": rules(&patterns)}));
        let expected = expected(&patterns, &text);
        prop_assert_eq!(answer(&guard, &cut(&text, &lengths)), (expected.clone(), None));
        prop_assert_eq!(masked(&guard, &text), expected);
    }

    #[test]
    fn kinds_mask_a_stream_as_they_mask_the_whole(
        text in texts(), kinds in vec(select(&KINDS[..]), 1..4), lengths in vec(0_usize..6, 0..40),
    ) {
        let masks: Vec<_> = kinds.iter().map(|kind| json!({"kind": kind})).collect();
        let guard = guard(json!({"mask": masks}));
        let streamed = answer(&guard, &cut(&text, &lengths));
        prop_assert_eq!(&streamed, &answer(&guard, &[&text]));
        prop_assert_eq!(streamed.0, masked(&guard, &text));
    }

    #[test]
    fn a_denied_stream_ends_where_the_whole_does_and_before_its_match(
        text in texts(), patterns in vec(select(&PATTERNS[..]), 1..4), lengths in vec(0_usize..6, 0..40),
    ) {
        let guard = guard(json!({"deny": rules(&patterns), "mask": [{"kind": "email"}]}));
        let streamed = answer(&guard, &cut(&text, &lengths));
        prop_assert_eq!(&streamed, &answer(&guard, &[&text]));
        let matches = |pattern: &&str| Regex::new(pattern).unwrap().is_match(&text);
        prop_assert_eq!(streamed.1.is_some(), patterns.iter().any(matches));
        if let Some(rule) = &streamed.1 {
            let index: usize = rule.trim_start_matches('p').parse().unwrap();
            prop_assert!(matches(&patterns[index]));
        }
        let (out, _) = answer(&super::guard(json!({"deny": rules(&patterns)})), &cut(&text, &lengths));
        prop_assert!(text.starts_with(&out));
        for pattern in &patterns {
            let ends = |found: regex::Match<'_>| found.end() <= out.len();
            prop_assert!(!Regex::new(pattern).unwrap().find_iter(&text).any(ends), "{} of {}", pattern, out);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn what_is_longer_than_the_longest_match_does_not_depend_on_cuts_either(
        lengths in vec(0_usize..4_000, 0..12), filling in 4_000_usize..9_000, denied in any::<bool>(),
    ) {
        let rules = [json!({"name": "open", "pattern": "(?s)BEGIN.*END"}), json!({"name": "run", "pattern": "é+"})];
        let guard = guard(if denied { json!({"deny": rules}) } else { json!({"mask": rules}) });
        let text = format!("so BEGIN{}END {} on", "x ".repeat(filling / 2), "é".repeat(filling));
        prop_assert_eq!(answer(&guard, &cut(&text, &lengths)), answer(&guard, &[&text]));
    }
}
