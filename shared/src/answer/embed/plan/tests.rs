//! What is held, sent and refused.

use super::*;
use crate::{answer::EmbedInputs, clock::Timestamp};

const CATALOGUE: &str = r#"
[providers.lmo]
kind = "echo"
[providers.standin]
kind = "openai"
base_url = "http://127.0.0.1:9"
[models."lmo/hash-embed"]
provider = "lmo"
context_window = 1_000
capabilities = ["embed"]
dimensions = 64
price = { input = 0 }
[models.small]
provider = "standin"
context_window = 100
capabilities = ["embed"]
dimensions = 8
overhead_tokens = 3
price = { input = 0.02 }
[models.chat]
provider = "standin"
context_window = 100
price = { input = 1, output = 1 }
[aliases]
embed = "small"
"#;

fn plan_of(model: Option<&str>, inputs: Vec<EmbedInput>, dimensions: Option<u32>) -> Result<Plan> {
    let catalogue = Catalogue::from_toml(CATALOGUE, Timestamp(1)).unwrap();
    let inputs = EmbedInputs::new("input", inputs)?;
    plan(
        Access::default(),
        Arc::new(catalogue),
        EmbedAsk { model: model.map(str::to_owned), inputs, dimensions, kind: None, user: None },
    )
}

fn text(text: &str) -> EmbedInput {
    EmbedInput::Text(text.to_owned())
}

fn named(refused: Result<Plan>) -> String {
    match refused.unwrap_err() {
        Error::Invalid { param, .. } => param,
        other => panic!("{other}"),
    }
}

#[test]
fn bytes_marks_and_overhead_are_held_for_a_text_and_the_count_for_tokens() {
    let plan = plan_of(None, vec![text("äb"), EmbedInput::Tokens(vec![1, 2])], None).unwrap();
    assert_eq!(plan.need.input, Tokens((3 + 2 + 3) + (2 + 3)));
    assert_eq!((plan.need.output, plan.need.cost.0), (Tokens::ZERO, 13 * 20));
}

#[test]
fn no_more_than_the_window_is_held_for_each() {
    let plan = plan_of(None, vec![text(&"x".repeat(300)), text(&"y".repeat(300))], None).unwrap();
    assert_eq!(plan.need.input, Tokens(200));
}

#[test]
fn what_can_not_fit_is_refused() {
    assert_eq!(named(plan_of(None, vec![text("a"), text(&"x".repeat(900))], None)), "input");
    assert_eq!(named(plan_of(None, vec![EmbedInput::Tokens(vec![1; 101])], None)), "input");
    assert!(plan_of(None, vec![EmbedInput::Tokens(vec![1; 100])], None).is_ok());
}

#[test]
fn inputs_are_from_1_to_2048_and_not_empty() {
    assert_eq!(named(plan_of(None, vec![], None)), "input");
    assert_eq!(named(plan_of(None, vec![text("a"); 2049], None)), "input");
    assert_eq!(named(plan_of(None, vec![text("")], None)), "input");
    assert_eq!(named(plan_of(None, vec![text("a"), EmbedInput::Tokens(vec![])], None)), "input[1]");
    assert!(plan_of(None, vec![text("a"); 2048], None).is_ok());
}

#[test]
fn a_model_that_does_not_embed_is_refused() {
    let refused = plan_of(Some("chat"), vec![text("a")], None);
    assert!(matches!(refused, Err(Error::Unsupported { feature: "embeddings", .. })));
}

#[test]
fn a_request_without_a_model_needs_the_alias() {
    let text_without = CATALOGUE.replace("embed = \"small\"", "");
    let catalogue = Arc::new(Catalogue::from_toml(&text_without, Timestamp(1)).unwrap());
    let inputs = EmbedInputs::new("input", vec![text("a")]).unwrap();
    assert_eq!(
        named(plan(
            Access::default(),
            catalogue,
            EmbedAsk { model: None, inputs, dimensions: None, kind: None, user: None }
        )),
        "model"
    );
}

#[test]
fn the_length_that_a_model_has_anyway_is_not_sent() {
    let sent = |model, asked| plan_of(Some(model), vec![text("a")], asked).unwrap().dimensions;
    assert_eq!((sent("small", Some(8)), sent("small", Some(4)), sent("small", None)), (None, Some(4), None));
    assert_eq!((sent("lmo/hash-embed", Some(8)), sent("lmo/hash-embed", None)), (Some(8), Some(64)));
    assert_eq!(named(plan_of(None, vec![text("a")], Some(0))), "dimensions");
}

#[test]
fn vectors_of_another_length_than_was_asked_are_refused() {
    let plan = plan_of(None, vec![text("a")], Some(4)).unwrap();
    assert!(matches!(plan.checked(vec![vec![0.5; 8]]), Err(Error::Provider(ProviderError::Unsupported { .. }))));
    assert!(plan.checked(vec![vec![0.5; 4]]).is_ok());
}

#[test]
fn an_estimate_is_no_more_than_what_is_held() {
    let plan = plan_of(None, vec![text(&"x".repeat(799)), text("four"), EmbedInput::Tokens(vec![7])], None).unwrap();
    let (usage, estimated) = plan.usage(&Embedded::default()).unwrap();
    assert_eq!((usage.input_tokens, estimated), (Tokens(100 + 1 + 1), true));
    assert!(usage.input_tokens <= plan.need.input);
}
