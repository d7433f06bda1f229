//! Answers as API Gateway gets them.

use std::time::{Duration, Instant};

use lmo_bench::standin;
use serde_json::{Value, json};

use super::scene::{CONNECTION, Scene, message_event};

const SLOWLY: &str = "[[flush]] [[chunk_delay=10ms]]";

fn text(frames: &[Value]) -> String {
    frames.iter().filter_map(|frame| frame["data"]["text"].as_str()).collect()
}

fn names(frames: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = frames.iter().map(|frame| frame["event"].as_str().unwrap()).collect();
    names.dedup();
    names
}

fn ask(query: &str) -> Value {
    json!({"id": "1", "query": query, "max_tokens": 4000})
}

#[tokio::test]
async fn an_answer_is_posted_in_frames_that_say_whose_they_are_and_count() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.say("m1", &ask("[[tokens=5]]")).await;
    let frames = scene.management.frames();
    assert_eq!((names(&frames), text(&frames)), (vec!["delta", "usage", "done"], standin::text(5)));
    assert!(frames.iter().all(|frame| frame["id"] == "1"));
    let counted: Vec<_> = frames.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect();
    assert_eq!(counted, (0..frames.len() as u64).collect::<Vec<_>>());
    let ledger = scene.ledger(scene.tenant).await;
    assert_eq!((ledger.len(), &ledger[0]["output_tokens"], scene.held().await), (1, &json!(5), 0));
}

#[tokio::test]
async fn posts_are_signed_and_go_to_the_connection() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.say("m1", &json!({"type": "ping"})).await;
    let call = &scene.management.calls()[0];
    assert_eq!(
        (call.path.as_str(), call.body.as_str()),
        ("/live/@connections/UbQwXd7aFiACEzQ%3D", r#"{"event":"pong"}"#)
    );
    let authorization = call.headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=-/20261122/us-east-1/execute-api/aws4_request"));
    assert!(!format!("{:?}", call.headers).contains("lmo_"));
}

#[tokio::test]
async fn pieces_that_arrive_during_a_post_share_the_next_and_keep_their_order() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.management.take(Duration::from_millis(100));
    scene.say("m1", &ask(&format!("{SLOWLY} [[tokens=60]]"))).await;
    let frames = scene.management.frames();
    assert_eq!(text(&frames), standin::text(60));
    assert!(frames.len() < 50, "{} frames", frames.len());
    assert_eq!(scene.management.most_at_once(), 1);
}

#[tokio::test]
async fn a_piece_is_posted_while_the_next_is_not_there_yet() {
    let scene = Scene::new().await;
    scene.open().await;
    let saying = async {
        scene.say("m1", &ask("[[flush]] [[chunk_delay=700ms]] [[tokens=3]]")).await;
    };
    let watching = async {
        let began = Instant::now();
        while scene.management.frames().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scene.management.frames()
    };
    let ((), first) = tokio::join!(saying, watching);
    assert_eq!((first.len(), text(&first)), (1, standin::text(1)));
}

#[tokio::test]
async fn a_client_that_is_gone_ends_the_call_and_pays_for_what_was_received() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.management.answer_next(&[200, 200, 410]);
    scene.say("m1", &ask(&format!("{SLOWLY} [[tokens=2000]]"))).await;
    assert_eq!(scene.management.frames().len(), 2);
    let began = Instant::now();
    while scene.standin.stats().cancelled == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "the provider was not told");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It was settled before the function returned.
    let ledger = scene.ledger(scene.tenant).await;
    assert_eq!((ledger.len(), &ledger[0]["outcome"], scene.held().await), (1, &json!("left"), 0));
    assert!((1..1000).contains(&ledger[0]["output_tokens"].as_u64().unwrap()), "{ledger:?}");
}

#[tokio::test]
async fn a_client_that_leaves_in_silence_is_missed() {
    for query in ["[[stall]]", "[[stall_after=2]]"] {
        let scene = Scene::asking_after(Duration::from_millis(50)).await;
        scene.open().await;
        let leaving = async {
            let began = Instant::now();
            while scene.standin.stats().in_flight == 0 {
                assert!(began.elapsed() < Duration::from_secs(20));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            scene.management.close();
        };
        let question = ask(query);
        tokio::join!(scene.say("m1", &question), leaving);
        assert!(scene.management.calls().iter().any(|call| call.method == "GET"));
        let ledger = scene.ledger(scene.tenant).await;
        assert_eq!((ledger.len(), &ledger[0]["outcome"], scene.held().await), (1, &json!("left"), 0), "{query}");
    }
}

#[tokio::test]
async fn a_post_that_is_refused_for_now_is_tried_again_before_the_next() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.management.answer_next(&[429, 503, 200, 500, 429, 429]);
    scene.say("m1", &ask(&format!("{SLOWLY} [[tokens=30]]"))).await;
    let frames = scene.management.frames();
    assert_eq!((names(&frames), text(&frames)), (vec!["delta", "usage", "done"], standin::text(30)));
    let counted: Vec<_> = frames.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect();
    assert_eq!(counted, (0..frames.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn posts_that_are_refused_for_good_end_the_call() {
    for statuses in [&[403][..], &[500; 8]] {
        let scene = Scene::new().await;
        scene.open().await;
        scene.management.answer_next(statuses);
        scene.say("m1", &ask(&format!("{SLOWLY} [[tokens=2000]]"))).await;
        let ledger = scene.ledger(scene.tenant).await;
        assert_eq!((ledger.len(), &ledger[0]["outcome"], scene.held().await), (1, &json!("left"), 0));
    }
}

#[tokio::test]
async fn a_message_that_comes_twice_is_answered_and_charged_once() {
    let scene = Scene::new().await;
    scene.open().await;
    let question = ask("[[tokens=5]]");
    scene.say("m1", &question).await;
    let heard = scene.management.frames();
    scene.say("m1", &question).await;
    let again = message_event(CONNECTION, "m1", &question.to_string());
    scene.another_instance().handle(again).await.unwrap();
    assert_eq!(scene.management.frames(), heard);
    assert_eq!((scene.standin.stats().requests, scene.ledger(scene.tenant).await.len()), (1, 1));
    // The same words in another message are another question.
    scene.say("m2", &question).await;
    assert_eq!(scene.ledger(scene.tenant).await.len(), 2);
}

#[tokio::test]
async fn deliveries_of_a_message_at_the_same_time_are_answered_once() {
    let scene = Scene::new().await;
    scene.open().await;
    let question = ask("[[tokens=5]]");
    let instances: Vec<_> = (0..8).map(|_| scene.another_instance()).collect();
    let deliver = |instance: &lmo_websocket::Function| {
        let (instance, event) = (instance.clone(), message_event(CONNECTION, "m1", &question.to_string()));
        Box::pin(async move { instance.handle(event).await.unwrap() })
    };
    futures_util::future::join_all(instances.iter().map(deliver)).await;
    assert_eq!((scene.standin.stats().requests, scene.ledger(scene.tenant).await.len()), (1, 1));
    assert_eq!(text(&scene.management.frames()), standin::text(5));
}

#[tokio::test]
async fn answers_at_the_same_time_are_told_apart_by_their_ids() {
    let scene = Scene::new().await;
    scene.open().await;
    let asking = ["a", "b", "c"].map(|id| {
        let body = json!({"id": id, "query": format!("{SLOWLY} [[tokens=20]]"), "cache": "no-store"});
        let scene = &scene;
        async move { scene.say(id, &body).await }
    });
    futures_util::future::join_all(asking).await;
    let frames = scene.management.frames();
    for id in ["a", "b", "c"] {
        let own: Vec<_> = frames.iter().filter(|frame| frame["id"] == id).cloned().collect();
        assert_eq!((names(&own), text(&own)), (vec!["delta", "usage", "done"], standin::text(20)));
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_comes_in_frames_that_api_gateway_takes() {
    let scene = Scene::new().await;
    scene.open().await;
    let said = "grün ".repeat(20_000);
    scene.say("m1", &json!({"model": "whole", "query": format!("[[say={said}]]")})).await;
    let (calls, frames) = (scene.management.calls(), scene.management.frames());
    assert!(calls.len() > 3 && calls.iter().all(|call| call.body.len() <= 32 * 1024));
    assert_eq!((names(&frames), text(&frames)), (vec!["delta", "usage", "done"], said));
}

#[tokio::test]
async fn a_provider_that_breaks_off_is_an_error_at_the_end() {
    let scene = Scene::new().await;
    scene.open().await;
    scene.say("m1", &ask("[[cut_after=3]]")).await;
    let frames = scene.management.frames();
    assert_eq!((names(&frames), text(&frames)), (vec!["delta", "error"], standin::text(3)));
    let error = &frames.last().unwrap()["data"];
    assert_eq!(
        (&error["code"], &error["status"], &error["retryable"]),
        (&json!("provider_cut"), &json!(502), &json!(false))
    );
}
