//! Conversations on the embedded engine: one turn at a time, for as long as they live, and nobody else's.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use lmo_shared::{
    clock::Timestamp,
    error::{Error, Result},
    id::{RequestId, SessionId, TenantId},
    llm::{
        Fields, Message, Prompt, Role, ToolCall,
        catalogue::{Catalogue, Model},
    },
    money::Tokens,
    session::{Asked, Opening, Past, Reach, Room, Said, Session, Sessions, Summary, Turn},
    tenant::Retention,
};
use rand::{Rng, SeedableRng, distr::Alphanumeric, rngs::StdRng};
use serde_json::json;

use crate::support::Ground;

const TTL: Duration = Duration::from_hours(1);
const DEADLINE: Duration = Duration::from_mins(5);

/// A tenant with a session.
struct Scene {
    ground: Ground,
    sessions: Sessions,
    tenant: TenantId,
    id: SessionId,
    model: Model,
    ttl: Duration,
    retention: Retention,
}

impl Scene {
    async fn new() -> Self {
        const MODELS: &str = "[providers.lmo]\nkind = \"echo\"\n[models.echo]\nprovider = \"lmo\"\n\
            context_window = 100000\nprice = { input = 0, output = 0 }\n";
        let now = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let ground = Ground::at(now).await;
        let model = Catalogue::from_toml(MODELS, now).unwrap().models.remove("echo").unwrap();
        let (sessions, tenant) = (ground.platform.sessions(), TenantId::new(now));
        let id = SessionId::parse("chat-42").unwrap();
        Self { ground, sessions, tenant, id, model, ttl: TTL, retention: Retention::default() }
    }

    fn now(&self) -> Timestamp {
        self.ground.platform.clock().now()
    }

    fn pass(&self, time: Duration) {
        self.ground.platform.clock().advance(time);
    }

    async fn begin(&self) -> Result<Turn> {
        let now = self.now();
        let opening = Opening {
            request: RequestId::new(now),
            until: now.after(DEADLINE),
            ttl: self.ttl,
            retention: self.retention,
        };
        self.sessions.begin(self.tenant, &self.id, opening).await
    }

    /// A whole turn.
    async fn say(&self, text: &str) {
        self.begin().await.unwrap().commit(said(text)).await.unwrap();
    }

    /// What the next turn would be told of those before it.
    async fn history(&self) -> Vec<Past> {
        let mut turn = self.begin().await.unwrap();
        let history = turn.history(&self.room(), Reach::Fitting).await.unwrap();
        turn.abandon().await.unwrap();
        history
    }

    /// The first message of each turn that the next would be told of.
    async fn asked(&self) -> Vec<String> {
        self.history().await.iter().map(|turn| text(&turn.messages[0])).collect()
    }

    fn room(&self) -> Room<'_> {
        Room::beside(&Prompt::default(), "echo", &self.model, Tokens(1))
    }

    async fn get(&self) -> Result<Session> {
        self.sessions.get(self.tenant, &self.id, self.retention, None, 100).await
    }

    async fn delete(&self) -> Result<()> {
        self.sessions.delete(self.tenant, &self.id).await
    }

    /// How many items the session has in the table.
    async fn items(&self) -> usize {
        let partition = self.ground.platform.table().tenant(self.tenant).session(&self.id);
        partition.all::<serde_json::Value>().only("sk").collect().await.unwrap().len()
    }
}

fn said(text: &str) -> Said {
    Said {
        asked: Asked::new(&[Message::text(Role::User, text)]).unwrap(),
        answered: vec![Message::text(Role::Assistant, format!("on {text}"))],
        model: "echo".to_owned(),
        summary: None,
    }
}

/// Text that hardly gets smaller.
fn noise(bytes: usize) -> String {
    StdRng::seed_from_u64(1).sample_iter(Alphanumeric).take(bytes).map(char::from).collect()
}

fn text(message: &Message) -> String {
    message.content.as_ref().unwrap().text()
}

fn is_conflict<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Conflict(_)))
}

fn is_not_found<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::NotFound { kind: "session", .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_begin_at_once_one_is_admitted() {
    let scene = Arc::new(Scene::new().await);
    for round in 0..3 {
        let begin = |_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.begin().await })
        };
        let all = join_all((0..20).map(begin)).await.into_iter().map(|ended| ended.unwrap());
        let (mut won, lost): (Vec<_>, Vec<_>) = all.partition(Result::is_ok);
        assert_eq!((won.len(), lost.iter().filter(|lost| is_conflict(lost)).count()), (1, 19));
        let turn = won.remove(0).unwrap();
        assert_eq!(turn.number(), round);
        tokio::spawn(turn.commit(said("hi"))).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_was_said_is_told_to_the_next_turn_as_it_was() {
    let scene = Scene::new().await;
    let mut answer = Message::text(Role::Assistant, "Let me see. 日本");
    answer.tool_calls = vec![ToolCall::function("call_1", "weather", "{\"city\":\"Paris\"}")];
    let thinking = json!({"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]});
    answer.extra = serde_json::from_value::<Fields>(thinking).unwrap();
    let first = Said { answered: vec![answer.clone()], ..said("weather?") };
    scene.begin().await.unwrap().commit(first).await.unwrap();
    scene.say("and tomorrow?").await;
    let history = scene.history().await;
    assert_eq!(history.iter().map(|turn| turn.number).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(history[0].messages, [Message::text(Role::User, "weather?"), answer]);
    assert_eq!(text(&history[1].messages[1]), "on and tomorrow?");
}

#[tokio::test]
async fn a_turn_that_lost_its_lock_adds_nothing() {
    let scene = Scene::new().await;
    let stale = scene.begin().await.unwrap();
    scene.pass(Duration::from_millis(299_999));
    assert!(is_conflict(&scene.begin().await));
    scene.pass(Duration::from_millis(1));
    let next = scene.begin().await.unwrap();
    assert!(is_conflict(&stale.commit(said("stale")).await));
    // It doesn't take the lock away from the one that has it either.
    assert!(is_conflict(&scene.begin().await));
    next.commit(said("next")).await.unwrap();
    assert_eq!(scene.asked().await, ["next"]);
}

#[tokio::test]
async fn a_turn_that_is_late_but_alone_is_added() {
    let scene = Scene::new().await;
    let late = scene.begin().await.unwrap();
    scene.pass(DEADLINE * 2);
    late.commit(said("late")).await.unwrap();
    assert_eq!(scene.asked().await, ["late"]);
}

#[tokio::test]
async fn an_abandoned_turn_leaves_the_conversation_as_it_was() {
    let scene = Scene::new().await;
    scene.say("one").await;
    scene.begin().await.unwrap().abandon().await.unwrap();
    assert_eq!((scene.asked().await, scene.get().await.unwrap().turns), (vec!["one".to_owned()], 1));
}

#[tokio::test]
async fn a_turn_that_can_not_be_added_gives_the_lock_back() {
    let scene = Scene::new().await;
    let turn = scene.begin().await.unwrap();
    *scene.ground.cut.lock().unwrap() = Some("TURN#".to_owned());
    assert!(matches!(turn.commit(said("lost")).await, Err(Error::Unavailable(_))));
    *scene.ground.cut.lock().unwrap() = None;
    assert!(scene.asked().await.is_empty());
}

#[tokio::test]
async fn a_session_that_is_deleted_during_a_turn_stays_deleted() {
    let scene = Scene::new().await;
    scene.say("one").await;
    let running = scene.begin().await.unwrap();
    scene.delete().await.unwrap();
    assert!(is_conflict(&running.commit(said("two")).await));
    assert!(is_not_found(&scene.get().await));
    assert!(is_not_found(&scene.delete().await));
    assert_eq!(scene.items().await, 0);
}

#[tokio::test]
async fn a_turn_of_a_deleted_session_does_not_disturb_its_successor() {
    let scene = Scene::new().await;
    let running = scene.begin().await.unwrap();
    scene.delete().await.unwrap();
    let next = scene.begin().await.unwrap();
    assert!(is_conflict(&running.commit(said("old")).await));
    next.commit(said("new")).await.unwrap();
    assert_eq!(scene.asked().await, ["new"]);
}

#[tokio::test]
async fn a_deletion_takes_all_items_whatever_their_number() {
    let scene = Scene::new().await;
    for turn in 0..40 {
        scene.say(&turn.to_string()).await;
    }
    let large = Said { answered: vec![Message::text(Role::Assistant, noise(1_000_000))], ..said("large") };
    scene.begin().await.unwrap().commit(large).await.unwrap();
    assert!(scene.items().await > 42);
    scene.delete().await.unwrap();
    assert_eq!(scene.items().await, 0);
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_is_finished_by_the_next() {
    let scene = Scene::new().await;
    scene.say("one").await;
    *scene.ground.cut.lock().unwrap() = Some("DeleteRequest".to_owned());
    assert!(matches!(scene.delete().await, Err(Error::Unavailable(_))));
    assert!(is_not_found(&scene.get().await));
    *scene.ground.cut.lock().unwrap() = None;
    assert!(is_not_found(&scene.delete().await));
    assert_eq!(scene.items().await, 0);
}

#[tokio::test]
async fn what_is_expired_is_absent_though_it_is_still_in_the_table() {
    let scene = Scene::new().await;
    scene.say("old").await;
    scene.pass(Duration::from_secs(3_599));
    assert_eq!(scene.get().await.unwrap().turns, 1);
    scene.pass(Duration::from_secs(1));
    assert!(scene.items().await > 0);
    assert!(is_not_found(&scene.get().await));
    let turn = scene.begin().await.unwrap();
    assert_eq!(turn.number(), 0);
    turn.commit(said("new")).await.unwrap();
    assert_eq!((scene.asked().await, scene.get().await.unwrap().turns), (vec!["new".to_owned()], 1));
}

#[tokio::test]
async fn every_turn_renews_the_whole_conversation() {
    let scene = Scene::new().await;
    for turn in ["one", "two", "three", "four", "five"] {
        let mut begun = scene.begin().await.unwrap();
        begun.history(&scene.room(), Reach::Fitting).await.unwrap();
        begun.commit(said(turn)).await.unwrap();
        scene.pass(TTL / 10 * 9);
    }
    assert_eq!(scene.asked().await, ["one", "two", "three", "four", "five"]);
    let expires = scene.get().await.unwrap().expires_at;
    assert!(expires >= scene.now().after(TTL) && expires <= scene.now().after(TTL + Duration::from_secs(1)));
}

#[tokio::test]
async fn a_conversation_does_not_go_further_back_than_the_first_turn_that_is_gone() {
    let scene = Scene::new().await;
    for turn in ["one", "two", "three"] {
        scene.say(turn).await;
    }
    let partition = scene.ground.platform.table().tenant(scene.tenant).session(&scene.id);
    let rows = partition.begins_with::<serde_json::Value>("TURN#").only("sk").collect().await.unwrap();
    partition.delete_all(&[rows[1]["sk"].as_str().unwrap().to_owned()]).await.unwrap();
    assert_eq!(scene.asked().await, ["three"]);
    let seen = scene.get().await.unwrap();
    assert_eq!((seen.turns, seen.messages.len(), seen.before), (3, 2, None));
}

#[tokio::test]
async fn an_answer_larger_than_an_item_comes_back_whole() {
    let scene = Scene::new().await;
    let answer = Message::text(Role::Assistant, noise(3_000_000));
    let large = Said { answered: vec![answer.clone()], ..said("tell me all") };
    scene.begin().await.unwrap().commit(large).await.unwrap();
    scene.say("thanks").await;
    let seen = scene.get().await.unwrap();
    assert_eq!((seen.messages.len(), &seen.messages[1]), (4, &answer));
}

#[tokio::test]
async fn an_answer_larger_than_a_session_keeps_is_refused_and_the_session_goes_on() {
    let scene = Scene::new().await;
    let large = Said { answered: vec![Message::text(Role::Assistant, noise(3_500_000))], ..said("tell me all") };
    let refused = scene.begin().await.unwrap().commit(large).await;
    assert!(matches!(refused, Err(Error::Invalid { param, .. }) if param == "context.sessionId"));
    scene.say("next").await;
    assert_eq!(scene.asked().await, ["next"]);
}

#[tokio::test]
async fn another_tenants_session_of_the_same_name_is_another() {
    let mut scene = Scene::new().await;
    scene.say("secret").await;
    let first = scene.tenant;
    scene.tenant = TenantId::new(scene.now().after(Duration::from_secs(1)));
    assert!(is_not_found(&scene.get().await));
    assert!(is_not_found(&scene.delete().await));
    assert!(scene.asked().await.is_empty());
    scene.say("own").await;
    scene.delete().await.unwrap();
    scene.tenant = first;
    assert_eq!(scene.asked().await, ["secret"]);
}

/// Ten turns of about 4,000 estimated tokens each; the room of a turn is counted twice as large.
async fn long_conversation(scene: &Scene) {
    for turn in 0..10 {
        scene.say(&turn.to_string().repeat(8_000)).await;
    }
}

#[tokio::test]
async fn a_history_is_read_as_far_as_it_fits_and_one_turn_further() {
    let scene = Scene::new().await;
    long_conversation(&scene).await;
    let narrow = scene.room().without(Tokens(scene.room().left() - 20_000));
    let mut turn = scene.begin().await.unwrap();
    let read = turn.history(&narrow, Reach::Fitting).await.unwrap();
    assert_eq!(read.iter().map(|turn| turn.number).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(turn.history(&scene.room(), Reach::Fitting).await.unwrap().len(), 10);
}

#[tokio::test]
async fn what_is_to_be_summarised_is_read_back_to_the_summary() {
    let scene = Scene::new().await;
    long_conversation(&scene).await;
    let narrow = scene.room().without(Tokens(scene.room().left() - 20_000));
    let mut turn = scene.begin().await.unwrap();
    let all = turn.history(&narrow, Reach::Unsummarised).await.unwrap();
    assert_eq!(all.len(), 10);
    let summary = Summary::new("They counted.", None, &all[..5]).unwrap();
    turn.commit(Said { summary: Some(summary.clone()), ..said("go on") }).await.unwrap();
    let mut turn = scene.begin().await.unwrap();
    assert_eq!(turn.summary(), Some(&summary));
    let read = turn.history(&narrow, Reach::Unsummarised).await.unwrap();
    assert_eq!(read.iter().map(|turn| turn.number).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10]);
    turn.commit(said("and on")).await.unwrap();
    assert_eq!(scene.get().await.unwrap().summary.as_deref(), Some("They counted."));
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn what_is_older_than_it_may_be_is_told_to_nobody_however_long_the_session_lives() {
    let mut scene = Scene::new().await;
    scene.ttl = DAY * 10;
    scene.say("old").await;
    scene.pass(DAY * 2);
    scene.say("new").await;
    assert_eq!(scene.asked().await, ["old", "new"]);
    scene.retention = Retention(Some(DAY));
    assert_eq!(scene.asked().await, ["new"]);
    assert_eq!(scene.get().await.unwrap().messages.len(), 2);
    scene.pass(DAY + Duration::from_secs(1));
    assert!(scene.asked().await.is_empty());
    assert!(is_not_found(&scene.get().await));
}

#[tokio::test]
async fn a_turn_is_renewed_for_no_longer_than_it_may_be_kept() {
    #[derive(serde::Deserialize)]
    struct Row {
        expires_at: u64,
    }

    let mut scene = Scene::new().await;
    (scene.ttl, scene.retention) = (DAY, Retention(Some(DAY * 2)));
    let began = scene.now();
    scene.say("one").await;
    scene.pass(Duration::from_hours(20));
    let mut turn = scene.begin().await.unwrap();
    assert_eq!(turn.history(&scene.room(), Reach::Fitting).await.unwrap().len(), 1);
    turn.commit(said("two")).await.unwrap();
    let partition = scene.ground.platform.table().tenant(scene.tenant).session(&scene.id);
    let turns = partition.begins_with::<Row>("TURN#").collect().await.unwrap();
    let ends: Vec<_> = turns.iter().map(|turn| turn.expires_at).collect();
    let second = began.after(Duration::from_hours(20 + 30)).seconds();
    assert_eq!(ends, [began.after(DAY * 2).seconds(), second]);
}

#[tokio::test]
async fn a_summary_goes_with_the_oldest_of_what_it_tells() {
    let mut scene = Scene::new().await;
    scene.ttl = DAY * 10;
    scene.say("one").await;
    scene.pass(DAY);
    let all = scene.history().await;
    let first = Summary::new("They began.", None, &all).unwrap();
    // One that goes on from it tells of no later time.
    let summary = Summary::new("They went on.", Some(&first), &all).unwrap();
    scene.begin().await.unwrap().commit(Said { summary: Some(summary.clone()), ..said("two") }).await.unwrap();
    scene.retention = Retention(Some(DAY * 2));
    let turn = scene.begin().await.unwrap();
    assert_eq!(turn.summary(), Some(&summary));
    turn.abandon().await.unwrap();
    scene.pass(DAY + Duration::from_secs(1));
    let turn = scene.begin().await.unwrap();
    assert_eq!(turn.summary(), None);
    turn.abandon().await.unwrap();
    assert_eq!(scene.get().await.unwrap().summary, None);
}
