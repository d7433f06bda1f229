//! Limits for a minute, of tenants and of keys.

use crate::{
    burst::{ask, flood, fresh_minute, limited_key, with_status, worst_case},
    support::{Response, Setup, chat, json, standin, streamed},
};

const TEXT: &str = "[[tokens=8]]";
/// What a question of `TEXT` takes: four of the prompt and eight of the answer.
const TAKES: u64 = 12;

/// The number behind `name` in a member of a structured field.
fn number(field: &str, member: &str, name: &str) -> u64 {
    let found = field.split(", ").find(|part| part.starts_with(&format!("\"{member}\"")));
    let value = found.and_then(|found| found.split(';').find_map(|part| part.strip_prefix(&format!("{name}="))));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {member}, {name} in `{field}`"))
}

fn assert_tells_to_wait(response: &Response, member: &str, limit: u64) {
    response.assert_error(429, "rate_limited");
    let seconds: u64 = response.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(response.header("ratelimit-policy"), format!("\"{member}\";q={limit};w=60"));
    assert_eq!(number(response.header("ratelimit"), member, "r"), 0);
    assert!((1..=60).contains(&number(response.header("ratelimit"), member, "t")));
}

#[tokio::test]
async fn a_tenants_requests_in_a_minute_are_exactly_as_many_as_its_limit() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--requests-per-minute", "20"]);
    let lmo = setup.start();
    fresh_minute().await;
    let answers = flood(&lmo, &key, &chat(TEXT, 40), 60).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (20, 40));
}

#[tokio::test]
async fn a_keys_requests_in_a_minute_are_exactly_as_many_as_its_limit() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let lmo = setup.start();
    let key = limited_key(&lmo, &lmo.key, &json!({"requests_per_minute": 20})).await;
    fresh_minute().await;
    let answers = flood(&lmo, &key, &chat(TEXT, 40), 60).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (20, 40));
}

#[tokio::test]
async fn a_refusal_by_requests_says_when_to_come_again() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--requests-per-minute", "1"]);
    let lmo = setup.start();
    fresh_minute().await;
    assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
    assert_tells_to_wait(&ask(&lmo, &key, &chat(TEXT, 40)).await, "requests", 1);
}

#[tokio::test]
async fn a_refusal_by_tokens_says_when_to_come_again() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let limit = worst_case(TEXT, 40);
    let (_, key) = setup.tenant(&["--tokens-per-minute", &limit.to_string()]);
    let lmo = setup.start();
    fresh_minute().await;
    assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
    assert_tells_to_wait(&ask(&lmo, &key, &chat(TEXT, 40)).await, "tokens", limit);
}

#[tokio::test]
async fn concurrent_requests_take_no_more_tokens_in_a_minute_than_the_limit() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--tokens-per-minute", "500"]);
    let lmo = setup.start();
    fresh_minute().await;
    let mut admitted = 0;
    for _ in 0..3 {
        admitted += with_status(&flood(&lmo, &key, &chat(TEXT, 40), 100).await, 200) as u64;
    }
    assert!((500 / worst_case(TEXT, 40)..=500 / TAKES).contains(&admitted), "{admitted}");
}

#[tokio::test]
async fn tokens_that_were_not_used_are_given_back_to_the_minute() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--tokens-per-minute", "500"]);
    let lmo = setup.start();
    fresh_minute().await;
    // At their worst case, 7 would fit.
    for _ in 0..30 {
        assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let last = ask(&lmo, &key, &chat(TEXT, 40)).await;
    let left = number(last.header("ratelimit"), "tokens", "r");
    assert_eq!(left, 500 - 30 * TAKES - worst_case(TEXT, 40));
}

#[tokio::test]
async fn tokens_that_a_key_did_not_use_are_given_back_to_its_minute() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let lmo = setup.start();
    let key = limited_key(&lmo, &lmo.key, &json!({"tokens_per_minute": 200})).await;
    fresh_minute().await;
    for _ in 0..10 {
        assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_request_that_never_fits_is_told_so() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--tokens-per-minute", "50"]);
    let lmo = setup.start();
    ask(&lmo, &key, &chat(TEXT, 40)).await.assert_error(400, "exceeds_rate_limit");
}

#[tokio::test]
async fn a_whole_answer_says_what_is_left_of_the_minute() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--tokens-per-minute", "500", "--requests-per-minute", "10"]);
    let lmo = setup.start();
    let answer = ask(&lmo, &key, &chat(TEXT, 40)).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"requests\";q=10;w=60, \"tokens\";q=500;w=60");
    assert_eq!(number(answer.header("ratelimit"), "requests", "r"), 9);
}

#[tokio::test]
async fn a_stream_says_what_is_left_of_the_minute() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--tokens-per-minute", "500", "--requests-per-minute", "10"]);
    let lmo = setup.start();
    let answer = ask(&lmo, &key, &streamed(TEXT, 40)).await;
    assert_eq!(number(answer.header("ratelimit"), "tokens", "r"), 500 - worst_case(TEXT, 40));
}

#[tokio::test]
async fn the_tighter_of_a_keys_and_its_tenants_limits_is_told() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, admin) = setup.tenant(&["--requests-per-minute", "10", "--tokens-per-minute", "10000"]);
    let lmo = setup.start();
    let key = limited_key(&lmo, &admin, &json!({"requests_per_minute": 100, "tokens_per_minute": 500})).await;
    let answer = ask(&lmo, &key, &chat(TEXT, 40)).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"requests\";q=10;w=60, \"tokens\";q=500;w=60");
}
