use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    clock::Timestamp,
    id::RequestId,
    llm::{Role, ToolCall},
};

/// A turn of so many estimated tokens, which begins with a tool's result if it continues the one before.
fn turn(number: usize, tokens: u64, continues: bool) -> Past {
    let role = if continues { Role::Tool } else { Role::User };
    Past {
        number: u32::try_from(number).unwrap(),
        request: RequestId::from_ulid(ulid::Ulid::nil()),
        at: Timestamp(1),
        weight: Weight { tokens: Tokens(tokens), ..Weight::default() },
        messages: vec![Message::text(role, "asked"), Message::text(Role::Assistant, "answered")],
        bytes: 0,
        parts: 1,
        expires_at: 1,
    }
}

fn turns(sizes: &[(u64, bool)]) -> Vec<Past> {
    sizes.iter().enumerate().map(|(number, (tokens, continues))| turn(number, *tokens, *continues)).collect()
}

fn model(window: u64) -> Model {
    Model { context_window: window, overhead_tokens: 0, ..Model::example() }
}

fn room(model: &Model) -> Room<'_> {
    Room { name: "small", model, taken: 0 }
}

fn numbers(turns: &[Past]) -> Vec<u32> {
    turns.iter().map(|turn| turn.number).collect()
}

fn sum(room: &Room<'_>, turns: &[Past]) -> u64 {
    turns.iter().map(|turn| room.tokens(&turn.weight)).sum()
}

fn history() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((0..50_u64, prop::bool::weighted(0.3)), 0..20)
}

proptest! {
    #[test]
    fn what_is_kept_is_never_over_the_room(sizes in history(), window in 0..1_000_u64) {
        let model = model(window);
        let trimmed = trim(turns(&sizes), &room(&model), &[]).unwrap();
        prop_assert!(sum(&room(&model), &trimmed.kept) <= window);
    }

    #[test]
    fn every_turn_is_kept_or_dropped_whole_and_in_its_order(sizes in history(), window in 0..1_000_u64) {
        let model = model(window);
        let trimmed = trim(turns(&sizes), &room(&model), &[]).unwrap();
        let together: Vec<_> = trimmed.dropped.into_iter().chain(trimmed.kept).collect();
        prop_assert_eq!(together, turns(&sizes));
    }

    #[test]
    fn what_is_kept_never_begins_with_a_tools_result(sizes in history(), window in 0..1_000_u64) {
        let model = model(window);
        let trimmed = trim(turns(&sizes), &room(&model), &[]).unwrap();
        prop_assert!(trimmed.kept.first().is_none_or(|first| !first.continues()));
    }

    #[test]
    fn no_more_could_have_been_kept(sizes in history(), window in 0..1_000_u64) {
        let model = model(window);
        let trimmed = trim(turns(&sizes), &room(&model), &[]).unwrap();
        let next = trimmed.dropped.iter().rposition(|turn| !turn.continues());
        if let Some(next) = next {
            let more = sum(&room(&model), &trimmed.dropped[next..]) + sum(&room(&model), &trimmed.kept);
            prop_assert!(more > window);
        }
    }

    #[test]
    fn the_newest_turn_is_kept_if_it_fits(sizes in history(), tokens in 0..50_u64, window in 100..1_000_u64) {
        let model = model(window);
        let sizes = [sizes, vec![(tokens, false)]].concat();
        let trimmed = trim(turns(&sizes), &room(&model), &[]).unwrap();
        prop_assert_eq!(trimmed.kept.last().map(|turn| turn.number as usize), Some(sizes.len() - 1));
    }
}

#[test]
fn a_call_and_its_result_are_dropped_together() {
    let model = model(60);
    let sizes = [(5, false), (10, false), (10, true), (10, true), (5, false)];
    let trimmed = trim(turns(&sizes), &room(&model), &[]).unwrap();
    assert_eq!((numbers(&trimmed.dropped), numbers(&trimmed.kept)), (vec![0, 1, 2, 3], vec![4]));
}

#[test]
fn a_result_whose_call_does_not_fit_is_an_error() {
    let model = model(60);
    let result = [Message::text(Role::Tool, "sunny")];
    let refused = trim(turns(&[(5, false), (40, false)]), &room(&model), &result);
    assert!(matches!(refused, Err(Error::ContextTooLong { needed: 80, window: 60, .. })), "{refused:?}");
    assert_eq!(trim(turns(&[(40, false), (30, false)]), &room(&model), &result).unwrap().kept.len(), 1);
    assert!(trim(Vec::new(), &room(&model), &result).is_ok());
}

#[test]
fn what_is_needed_is_the_call_and_all_that_hangs_on_it() {
    let model = model(60);
    let result = [Message::text(Role::Tool, "sunny")];
    let refused = trim(turns(&[(5, false), (20, false), (20, true)]), &room(&model), &result);
    assert!(matches!(refused, Err(Error::ContextTooLong { needed: 80, .. })), "{refused:?}");
}

#[test]
fn the_request_its_answer_and_the_models_own_take_room() {
    let model = Model { context_window: 1_000, overhead_tokens: 8, ..Model::example() };
    let mut request = Prompt::new(vec![Message::text(Role::User, "x".repeat(392))]);
    // Eight bytes of markers make it 400.
    assert_eq!(Room::beside(&request, "small", &model, Tokens(4_000)).left(), 1_000 - 200 - 250 - 8);
    assert_eq!(Room::beside(&request, "small", &model, Tokens(50)).left(), 1_000 - 200 - 50 - 8);
    request.max_output = Some(100);
    let room = Room::beside(&request, "small", &model, Tokens(4_000));
    assert_eq!((room.left(), room.without(Tokens(92)).left()), (692, 600));
    request.max_output = Some(u64::MAX);
    assert_eq!(Room::beside(&request, "small", &model, Tokens(u64::MAX)).left(), 0);
}

#[test]
fn images_and_documents_weigh_what_the_model_makes_of_them() {
    let prompt: Prompt = serde_json::from_value(json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "x".repeat(400)}},
        {"type": "file", "file": {"file_url": "https://example.com/a.pdf"}},
    ]}]}))
    .unwrap();
    let weight = Weight::of(&prompt);
    assert_eq!((weight.images, &weight.documents), (1, &vec![Tokens(100), Tokens(u64::MAX)]));
    let text = weight.tokens.0 * SAFETY;
    let model = Model { document_tokens: 5_000, ..Model::example() };
    assert_eq!(room(&model).tokens(&weight), text + 1_000 + 200 + 5_000);
    // One that nobody knows the length of takes the window.
    assert_eq!(room(&Model::example()).tokens(&weight), text + 1_000 + 200 + 128_000);
}

#[test]
fn a_call_of_a_tool_weighs_its_arguments() {
    let mut message = Message::text(Role::Assistant, "");
    let empty = Weight::of(&Prompt::new(vec![message.clone()])).tokens;
    message.tool_calls = vec![ToolCall::function("call_1", "weather", "x".repeat(400))];
    assert!(Weight::of(&Prompt::new(vec![message])).tokens.0 >= empty.0 + 100);
}
