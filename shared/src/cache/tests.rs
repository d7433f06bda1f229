//! What makes two requests the same, and what a request may do with the cache.

use super::*;
use crate::llm::{Message, Role};

fn prompt(extra: &Value) -> Prompt {
    let extra = extra.as_object().unwrap().clone();
    Prompt { temperature: Some(0.0), extra, ..Prompt::new(vec![Message::text(Role::User, "hi")]) }
}

fn key(model: &str, prompt: &Prompt) -> CacheKey {
    CacheKey::of(model, &Model::example(), &Asked { prompt, max_output: Tokens(9) })
}

fn policy(mode: Option<CacheMode>, settings: &CacheSettings, temperature: Option<f64>) -> Option<(bool, bool, bool)> {
    let prompt = Prompt { temperature, ..prompt(&json!({})) };
    let asked = Asked { prompt: &prompt, max_output: Tokens(9) };
    let control = CacheControl { mode, max_age: None };
    let policy = Policy::of(control, settings, Retention::default(), "m", &Model::example(), &asked)?;
    Some((policy.reads, policy.writes, policy.only))
}

#[test]
fn the_order_of_fields_and_mere_hints_make_no_other_request() {
    let one = prompt(&json!({"seed": 1, "top_p": 0.5, "user": "a"}));
    let other = prompt(&json!({"user": "b", "top_p": 0.5, "seed": 1, "metadata": {"x": 1}, "logprobs": null}));
    assert_eq!(key("m", &one), key("m", &other));
}

#[test]
fn whatever_changes_the_answer_makes_another_request() {
    let base = prompt(&json!({}));
    let mut system = base.clone();
    system.messages.insert(0, Message::text(Role::System, "Be brief."));
    let mut tools = base.clone();
    tools.tools.push(json!({"type": "function", "function": {"name": "f"}}));
    let others = [prompt(&json!({"seed": 2})), system, tools];
    assert!(others.iter().all(|other| key("m", other) != key("m", &base)));
    assert_ne!(key("m", &base), key("n", &base));
}

#[test]
fn only_deterministic_requests_are_cached_unasked() {
    let settings = CacheSettings::default();
    assert_eq!(policy(None, &settings, Some(0.0)), Some((true, true, false)));
    assert_eq!(policy(None, &settings, Some(0.1)), None);
    assert_eq!(policy(None, &settings, None), None);
    let off = CacheSettings { automatic: Some(false), ..settings };
    assert_eq!(policy(None, &off, Some(0.0)), None);
}

#[test]
fn a_request_that_says_what_it_wants_gets_it() {
    let settings = CacheSettings::default();
    assert_eq!(policy(Some(CacheMode::Default), &settings, None), Some((true, true, false)));
    assert_eq!(policy(Some(CacheMode::NoStore), &settings, Some(0.0)), None);
    assert_eq!(policy(Some(CacheMode::Refresh), &settings, None), Some((false, true, false)));
    assert_eq!(policy(Some(CacheMode::OnlyIfCached), &settings, None), Some((true, false, true)));
}

#[test]
fn a_hit_counts_as_a_hit_and_as_nothing_else() {
    let usage = Usage { input_tokens: Tokens(7), output_tokens: Tokens(5), ..Usage::default() };
    let reported = Reported { usage, native: None };
    let kept = Kept { model: "m".to_owned(), stream: false, chunks: Vec::new(), reported };
    let counted = kept.replay(true).1.usage;
    assert_eq!(counted, Usage { cache_hit_tokens: Tokens(12), ..Usage::default() });
}

#[test]
fn no_answer_is_kept_or_given_for_longer_than_it_may_be() {
    let day = Duration::from_hours(24);
    let settings = CacheSettings { ttl_seconds: Some(1_000_000), ..CacheSettings::default() };
    let said = prompt(&json!({}));
    let policy = |retention, control| {
        let asked = Asked { prompt: &said, max_output: Tokens(5) };
        Policy::of(control, &settings, Retention(retention), "m", &Model::example(), &asked)
    };
    let kept = policy(Some(day), CacheControl::default()).unwrap();
    assert_eq!((kept.ttl, kept.max_age), (day, Some(day)));
    let younger = CacheControl { max_age: Some(day / 2), ..CacheControl::default() };
    assert_eq!(policy(Some(day), younger).unwrap().max_age, Some(day / 2));
    assert_eq!(policy(None, CacheControl::default()).unwrap().max_age, None);
    assert_eq!(policy(Some(Duration::ZERO), CacheControl::default()), None);
    let only = CacheControl { mode: Some(CacheMode::OnlyIfCached), ..CacheControl::default() };
    assert!(policy(Some(Duration::ZERO), only).unwrap().only);
}
