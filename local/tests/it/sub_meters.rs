//! A tenant whose month is split into sub-meters is admitted as if it were not.

use crate::{
    burst::{ask, book_of, burst, flood, mixed, with_status, worst_case},
    support::{Setup, Value, chat, standin},
};

const TEXT: &str = "[[tokens=8]]";

fn spent(book: &Value) -> u64 {
    book["meter"]["tokens"].as_u64().unwrap()
}

#[tokio::test]
async fn the_cap_of_a_split_meter_is_a_cap() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, key) = setup.tenant(&["--monthly-tokens", "1000", "--meter-shards", "8"]);
    let lmo = setup.start();
    for _ in 0..3 {
        burst(&lmo, &key, (0..100).map(mixed).collect()).await;
    }
    lmo.stop();
    let book = book_of(&setup.assert_books_agree(), &tenant);
    assert!(spent(&book) <= 1000 && book["meter"]["requests"].as_u64().unwrap() > 10, "{book:#}");
}

#[tokio::test]
async fn scattered_remainders_are_gathered_to_the_last_token() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    // 19 answers take 12 each; the last may need all that is left, of which no sub-meter has more than an eighth.
    let cap = 19 * 12 + worst_case(TEXT, 40);
    let (tenant, key) = setup.tenant(&["--monthly-tokens", &cap.to_string(), "--meter-shards", "8"]);
    let lmo = setup.start();
    for count in 0..20 {
        let answer = ask(&lmo, &key, &chat(TEXT, 40)).await;
        assert_eq!(answer.status, 200, "after {count}: {}", answer.body);
        // What was not used is given back behind the answer.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    ask(&lmo, &key, &chat(TEXT, 40)).await.assert_error(402, "quota_exhausted");
    lmo.stop();
    assert_eq!(spent(&book_of(&setup.assert_books_agree(), &tenant)), 20 * 12);
}

#[tokio::test]
async fn concurrent_requests_that_all_fit_are_all_admitted() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let cap = 100 * worst_case(TEXT, 40);
    let (tenant, key) = setup.tenant(&["--monthly-tokens", &cap.to_string(), "--meter-shards", "8"]);
    let lmo = setup.start();
    let answers = flood(&lmo, &key, &chat(TEXT, 40), 100).await;
    assert_eq!(with_status(&answers, 200), 100);
    lmo.stop();
    assert_eq!(spent(&book_of(&setup.assert_books_agree(), &tenant)), 100 * 12);
}

#[tokio::test]
async fn concurrent_refusals_by_a_split_meter_are_none_but_of_the_cap() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--monthly-tokens", "500", "--meter-shards", "8"]);
    let lmo = setup.start();
    let answers = flood(&lmo, &key, &chat(TEXT, 40), 100).await;
    assert_eq!(with_status(&answers, 200) + with_status(&answers, 402), 100);
}

#[tokio::test]
async fn a_split_meter_can_be_lowered_after_its_parts_lent_each_other() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, key) = setup.tenant(&["--monthly-tokens", "200", "--meter-shards", "8"]);
    let lmo = setup.start();
    assert_eq!(ask(&lmo, &key, &chat(TEXT, 100)).await.status, 200);
    lmo.stop();
    setup.run(&["tenant", "limits", &tenant, "--monthly-tokens", "100"]);
    let lmo = setup.start();
    // 12 are spent, so 88 are left.
    let statuses =
        [ask(&lmo, &key, &chat(TEXT, 88 - 28 + 1)).await.status, ask(&lmo, &key, &chat(TEXT, 88 - 28)).await.status];
    assert_eq!(statuses, [402, 200]);
    lmo.stop();
    setup.assert_books_agree();
}

#[tokio::test]
async fn a_split_meters_limit_of_tokens_a_minute_admits_what_a_whole_one_would() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let limit = worst_case(TEXT, 40);
    let (_, key) = setup.tenant(&["--tokens-per-minute", &limit.to_string(), "--meter-shards", "8"]);
    let lmo = setup.start();
    assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
}
