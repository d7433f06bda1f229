use super::*;

fn refused(config: Value) -> (String, String) {
    match compile(config) {
        Err(Error::Invalid { param, detail }) => (param, detail),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bad_pattern_is_named_and_explained() {
    let good = json!({"name": "a", "pattern": "a"});
    let (param, detail) = refused(json!({"deny": [good, good, {"name": "b", "pattern": "(b"}]}));
    assert_eq!(param, "guardrails.deny[2].pattern");
    assert_eq!(detail, "not a regular expression: unclosed group");
    assert_eq!(refused(json!({"allow": ["a", "["]})).0, "guardrails.allow[1]");
    assert_eq!(refused(json!({"mask": [{"name": "b", "pattern": "(?=b)"}]})).0, "guardrails.mask[0].pattern");
}

#[test]
fn a_pattern_that_matches_everything_or_nothing_is_a_mistake() {
    for pattern in ["", "a*", "(a|)", r"\b", "^$", "[a&&b]"] {
        let (param, _) = refused(json!({"deny": [{"name": "a", "pattern": pattern}]}));
        assert_eq!(param, "guardrails.deny[0].pattern", "{pattern}");
    }
}

#[test]
fn a_pattern_has_a_longest_length_and_a_largest_size() {
    let rule = |pattern: String| json!({"deny": [{"name": "a", "pattern": pattern}]});
    assert!(compile(rule("a".repeat(1_000))).is_ok());
    assert_eq!(refused(rule("a".repeat(1_001))).0, "guardrails.deny[0].pattern");
    assert!(refused(rule(r"\w{1000}".to_owned())).1.contains("too complex"));
    assert!(refused(rule("((a{100}){100}){100}".to_owned())).1.contains("too complex"));
}

#[test]
fn all_patterns_together_have_a_largest_size() {
    let rules = |count: usize| json!({"deny": vec![json!({"name": "a", "pattern": r"[a-z]{2000}"}); count]});
    assert!(compile(rules(1)).is_ok());
    assert_eq!(refused(rules(25)).1, "up to this pattern, all together are too complex");
}

#[test]
fn there_are_at_most_a_hundred_rules() {
    let rules = |tools: usize| json!({"allow": vec!["a"; 50], "blocked_tools": vec!["t"; tools]});
    assert!(compile(rules(50)).is_ok());
    assert_eq!(refused(rules(51)).0, "guardrails");
}

#[test]
fn a_mask_is_a_kind_or_a_pattern_with_a_name() {
    assert_eq!(refused(json!({"mask": [{}]})).0, "guardrails.mask[0]");
    assert_eq!(refused(json!({"mask": [{"kind": "email", "pattern": "a"}]})).0, "guardrails.mask[0]");
    assert_eq!(refused(json!({"mask": [{"pattern": "a"}]})).0, "guardrails.mask[0].name");
    assert_eq!(refused(json!({"mask": [{"pattern": "a", "name": "a b"}]})).0, "guardrails.mask[0].name");
    assert_eq!(masked(&guard(json!({"mask": [{"kind": "email", "name": "address"}]})), "a@b.cd"), "[ADDRESS]");
}

#[test]
fn names_and_limits_are_checked() {
    assert_eq!(refused(json!({"deny": [{"name": "", "pattern": "a"}]})).0, "guardrails.deny[0].name");
    assert_eq!(refused(json!({"blocked_tools": ["a", "b*c"]})).0, "guardrails.blocked_tools[1]");
    assert_eq!(refused(json!({"blocked_tools": [""]})).0, "guardrails.blocked_tools[0]");
    for limit in ["max_input_bytes", "max_messages", "max_output_bytes"] {
        assert_eq!(refused(json!({limit: 0})).0, format!("guardrails.{limit}"));
    }
}

#[test]
fn a_word_that_is_not_known_is_refused() {
    for config in [json!({"denied": []}), json!({"mask": [{"kind": "name"}]}), json!({"deny": [{"name": "a"}]})] {
        assert!(serde_json::from_value::<Guardrails>(config).is_err());
    }
}

#[test]
fn what_is_not_set_is_not_written() {
    let config = json!({"mask": [{"kind": "email", "on": "output"}], "max_messages": 3});
    let read: Guardrails = serde_json::from_value(config.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), config);
    assert_eq!(serde_json::to_value(Guardrails::default()).unwrap(), json!({}));
}

#[test]
fn a_guard_without_rules_is_empty_and_passes_everything() {
    let guard = guard(json!({}));
    assert!(guard.is_empty() && guard.stream().is_empty());
    let mut chunk = text_chunk("bob@example.com");
    assert_eq!(guard.stream().push(&mut chunk), Verdict::Pass);
    assert_eq!(chunk, text_chunk("bob@example.com"));
}
