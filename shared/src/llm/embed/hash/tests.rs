//! What the vectors of `lmo/hash-embed` have in common.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Vec<f32> {
    vector(&EmbedInput::Text(text.to_owned()), DIMENSIONS)
}

fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|number| number * number).sum::<f32>().sqrt()
}

fn similarity(one: &str, other: &str) -> f32 {
    text(one).iter().zip(text(other)).map(|(one, other)| one * other).sum()
}

async fn embedded(inputs: &[EmbedInput], dimensions: Option<u32>) -> Result<Embedded, ProviderError> {
    let (model, time_left) = ("lmo/hash-embed", Duration::ZERO);
    embed(EmbedCall { model, inputs, dimensions, kind: None, user: None, time_left }).await
}

#[test]
fn the_hash_is_fnv1a() {
    // From the authors' list of test vectors (draft-eastlake-fnv, appendix C).
    for (text, expected) in
        [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
    {
        assert_eq!(fnv1a(text.bytes()), expected, "{text}");
    }
}

#[test]
fn a_stored_vector_stays_comparable() {
    let places: Vec<_> = vector(&EmbedInput::Text("ab".to_owned()), 64)
        .into_iter()
        .enumerate()
        .filter(|(_, number)| *number != 0.0)
        .map(|(place, number)| (place, number > 0.0))
        .collect();
    assert_eq!(places, [(8, false), (14, false), (36, false)]);
}

#[test]
fn the_same_in_other_letters_and_spaces_is_close() {
    assert!(similarity("What is the capital of France?", "what is  the capital of france") > 0.9);
}

#[test]
fn the_more_is_shared_the_closer_they_are() {
    let question = "How do I reset my password?";
    let (same, related, other) = (
        similarity(question, "how can I reset my password"),
        similarity(question, "my password is too long"),
        similarity(question, "Bread is baked from flour, water and yeast."),
    );
    assert!(same > 0.7 && same > related + 0.2 && related > other + 0.1, "{same} {related} {other}");
    assert!(other.abs() < 0.25, "{other}");
}

#[test]
fn the_order_of_words_counts() {
    assert!(similarity("dog bites man", "man bites dog") < 0.95);
}

#[test]
fn nothing_is_the_zero_vector() {
    for nothing in ["", "  \n\t "] {
        assert!(text(nothing).iter().all(|number| *number == 0.0));
    }
}

#[test]
fn tokens_are_embedded_too() {
    let tokens = |list: &[u32]| vector(&EmbedInput::Tokens(list.to_vec()), DIMENSIONS);
    assert!((norm(&tokens(&[9906, 1917])) - 1.0).abs() < 1e-5);
    assert_ne!(tokens(&[9906, 1917]), tokens(&[1917, 9906]));
}

#[tokio::test]
async fn words_and_tokens_are_counted() {
    let inputs = [EmbedInput::Text("two words".to_owned()), EmbedInput::Tokens(vec![1, 2, 3])];
    assert_eq!(embedded(&inputs, None).await.unwrap().input_tokens, Some(Tokens(5)));
}

#[tokio::test]
async fn dimensions_have_bounds() {
    for (dimensions, good) in [(0, false), (1, true), (4096, true), (4097, false)] {
        let found = embedded(&[EmbedInput::Text("a".to_owned())], Some(dimensions)).await;
        assert_eq!(found.is_ok(), good, "{dimensions}");
    }
}

proptest! {
    #[test]
    fn a_vector_has_length_one_and_is_the_same_again(input in "\\PC*[a-z]\\PC*", dimensions in 1..=4096_u32) {
        let input = EmbedInput::Text(input);
        let made = vector(&input, dimensions);
        prop_assert_eq!(made.len(), usize::try_from(dimensions).unwrap());
        prop_assert!((norm(&made) - 1.0).abs() < 1e-4);
        prop_assert_eq!(made, vector(&input, dimensions));
    }

    #[test]
    fn no_more_tokens_are_counted_than_are_held(text in "\\PC*") {
        let input = EmbedInput::Text(text);
        prop_assert!(count(&input) <= input.upper_bound().0);
    }
}
