use proptest::prelude::*;

use super::*;
use crate::{
    clock::Timestamp,
    id::RequestId,
    llm::ToolCall,
    session::{Room, Weight, trim},
};

fn turn(number: u32, said: &str) -> Past {
    Past {
        number,
        request: RequestId::from_ulid(ulid::Ulid::nil()),
        at: Timestamp(1),
        weight: Weight::default(),
        messages: vec![Message::text(Role::User, said), Message::text(Role::Assistant, format!("on {said}"))],
        bytes: 0,
        parts: 1,
        expires_at: 1,
    }
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.content.as_ref().unwrap().text()).collect()
}

fn material(prompt: &Prompt) -> String {
    prompt.messages[1].content.as_ref().unwrap().text()
}

#[test]
fn system_prompt_summary_turns_and_question_come_in_that_order() {
    let new = vec![Message::text(Role::System, "Be brief."), Message::text(Role::User, "now")];
    let summary = Summary { text: "They met.".to_owned(), turns: 1, since: Timestamp(0) };
    let whole = assemble(new, Some(&summary), vec![turn(1, "one"), turn(2, "two")]);
    let labelled = format!("{LABEL}They met.");
    assert_eq!(texts(&whole), ["Be brief.", &labelled, "one", "on one", "two", "on two", "now"]);
    assert_eq!(whole[1].role, Role::System);
}

#[test]
fn a_conversation_that_is_there_from_its_beginning_needs_no_summary() {
    let summary = Summary { text: "They met.".to_owned(), turns: 1, since: Timestamp(0) };
    let whole = assemble(vec![Message::text(Role::User, "now")], Some(&summary), vec![turn(0, "one")]);
    assert_eq!(texts(&whole), ["one", "on one", "now"]);
    let alone = assemble(vec![Message::text(Role::User, "now")], Some(&summary), Vec::new());
    assert_eq!(alone.len(), 2);
}

#[test]
fn a_system_message_behind_the_question_stays_where_it_is() {
    let new = vec![Message::text(Role::User, "now"), Message::text(Role::System, "Be brief.")];
    assert_eq!(texts(&assemble(new, None, vec![turn(3, "one")])), ["one", "on one", "now", "Be brief."]);
}

proptest! {
    #[test]
    fn everything_that_is_given_is_in_the_conversation_once(kept in 0..5_u32, systems in 0..3_usize, new in 0..4_usize) {
        let system = (0..systems).map(|_| Message::text(Role::System, "s"));
        let messages: Vec<_> = system.chain((0..new).map(|_| Message::text(Role::User, "u"))).collect();
        let turns: Vec<_> = (0..kept).map(|number| turn(number, "t")).collect();
        let whole = assemble(messages.clone(), None, turns.clone());
        let expected: Vec<_> = messages[..systems]
            .iter()
            .chain(turns.iter().flat_map(|turn| &turn.messages))
            .chain(&messages[systems..])
            .cloned()
            .collect();
        prop_assert_eq!(whole, expected);
    }
}

#[test]
fn only_turns_that_are_in_no_summary_yet_are_summed_up() {
    let previous = Summary { text: "They met.".to_owned(), turns: 2, since: Timestamp(0) };
    let dropped = [turn(1, "one"), turn(2, "two")];
    let said = material(&summary_prompt(Some(&previous), &dropped, Tokens(8_000)).unwrap());
    assert_eq!(said, "Summary so far:\nThey met.\n\nMessages:\nuser: two\nassistant: on two\n");
    assert_eq!(summary_prompt(Some(&previous), &dropped[..1], Tokens(8_000)), None);
    assert_eq!(summary_prompt(None, &[], Tokens(8_000)), None);
}

#[test]
fn a_call_of_a_tool_is_told_in_words() {
    let mut turn = turn(0, "weather?");
    turn.messages[1].content = None;
    turn.messages[1].tool_calls = vec![ToolCall::function("call_1", "weather", "{\"city\":\"Paris\"}")];
    let said = material(&summary_prompt(None, &[turn], Tokens(8_000)).unwrap());
    assert!(said.ends_with("assistant: [calls weather with {\"city\":\"Paris\"}]\n"), "{said}");
}

#[test]
fn a_transcript_is_cut_at_its_beginning_and_between_characters() {
    let prompt = summary_prompt(None, &[turn(0, &"日本".repeat(1_000)), turn(1, "the end")], Tokens(100)).unwrap();
    let said = material(&prompt);
    assert!(said.len() <= 100 + "Messages:\n".len() && said.ends_with("on the end\n"), "{said}");
}

#[test]
fn a_summary_covers_all_that_was_dropped_and_fits_into_its_room() {
    let dropped = [turn(3, "three"), turn(4, "four")];
    assert_eq!(
        Summary::new(" They met. ", None, &dropped),
        Some(Summary { text: "They met.".to_owned(), turns: 5, since: Timestamp(1) })
    );
    let long = Summary::new(&"日".repeat(10_000), None, &dropped).unwrap();
    let model = crate::llm::catalogue::Model::example();
    let whole = Prompt::new(assemble(Vec::new(), Some(&long), Vec::new()));
    let room = Room::beside(&Prompt::default(), "small", &model, Tokens(1));
    assert!(room.tokens(&Weight::of(&whole)) <= SUMMARY_TOKENS.0);
}

#[test]
fn an_empty_summary_is_none() {
    assert_eq!(Summary::new(" \n", None, &[turn(0, "one")]), None);
    assert_eq!(Summary::new("They met.", None, &[]), None);
}

#[test]
fn what_is_dropped_and_summed_up_is_not_kept_too() {
    let model = crate::llm::catalogue::Model::example();
    let mut old = turn(0, "old");
    old.weight.tokens = Tokens(1_000_000);
    let room = Room::beside(&Prompt::default(), "small", &model, Tokens(1));
    let trimmed = trim(vec![old, turn(1, "new")], &room, &[]).unwrap();
    let said = material(&summary_prompt(None, &trimmed.dropped, Tokens(8_000)).unwrap());
    assert!(said.contains("old") && !said.contains("new"));
}
