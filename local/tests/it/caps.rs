//! A cap is a cap, for a tenant and for a key, in tokens and in money, whatever goes wrong at the provider.

use std::time::Duration;

use crate::{
    burst::{ask, book_of, burst, flood, limited_key, mixed, with_status, worst_case},
    support::{Lmo, Setup, chat, json, standin},
};

const TEXT: &str = "[[tokens=8]]";

/// Asks one after the other until two in a row are refused for the cap, a while after each other.
async fn use_up(lmo: &Lmo, key: &str) {
    let mut refused = 0;
    for _ in 0..500 {
        let answer = ask(lmo, key, &chat(TEXT, 40)).await;
        match answer.status {
            200 => refused = 0,
            402 => {
                refused += 1;
                if refused == 2 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            _ => panic!("{} {}", answer.status, answer.body),
        }
    }
    panic!("the cap was never reached");
}

#[tokio::test]
async fn concurrent_requests_never_spend_a_token_over_the_cap() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, key) = setup.tenant(&["--monthly-tokens", "1000"]);
    let lmo = setup.start();
    for _ in 0..3 {
        burst(&lmo, &key, (0..200).map(mixed).collect()).await;
    }
    lmo.stop();
    let book = book_of(&setup.assert_books_agree(), &tenant);
    let (requests, spent) = (book["meter"]["requests"].as_u64().unwrap(), book["meter"]["tokens"].as_u64().unwrap());
    assert!(spent <= 1000 && requests > 10, "{book:#}");
}

#[tokio::test]
async fn a_refusal_by_the_cap_says_what_is_left_and_when_it_is_fresh() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (_, key) = setup.tenant(&["--monthly-tokens", "50"]);
    let lmo = setup.start();
    let refused = ask(&lmo, &key, &chat(TEXT, 40)).await;
    refused.assert_error(402, "quota_exhausted");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=31 * 86_400).contains(&seconds), "{seconds}");
    assert!(refused.header("ratelimit").starts_with("\"monthly-tokens\";r=50;t="), "{}", refused.header("ratelimit"));
}

#[tokio::test]
async fn what_was_not_used_is_given_back() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, key) = setup.tenant(&["--monthly-tokens", "1000"]);
    let lmo = setup.start();
    burst(&lmo, &key, (0..200).map(mixed).collect()).await;
    use_up(&lmo, &key).await;
    lmo.stop();
    let book = book_of(&setup.assert_books_agree(), &tenant);
    let left = 1000 - book["meter"]["tokens"].as_u64().unwrap();
    assert!(left < worst_case(TEXT, 40), "{left} are left: {book:#}");
}

#[tokio::test]
async fn the_last_token_is_admitted_and_one_more_is_not() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let need = worst_case(TEXT, 40);
    let (_, enough) = setup.tenant(&["--monthly-tokens", &need.to_string()]);
    let (_, too_little) = setup.tenant(&["--monthly-tokens", &(need - 1).to_string()]);
    let lmo = setup.start();
    let statuses =
        [ask(&lmo, &enough, &chat(TEXT, 40)).await.status, ask(&lmo, &too_little, &chat(TEXT, 40)).await.status];
    assert_eq!(statuses, [200, 402]);
}

#[tokio::test]
async fn concurrent_requests_never_spend_a_nano_dollar_over_the_cap() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    // An answer of TEXT costs 4 * 0.15 + 8 * 0.6 USD per million, and may cost 28 * 0.15 + 40 * 0.6.
    let (tenant, key) = setup.tenant(&["--monthly-nano-usd", "250000"]);
    let lmo = setup.start();
    for _ in 0..2 {
        burst(&lmo, &key, (0..200).map(mixed).collect()).await;
    }
    use_up(&lmo, &key).await;
    lmo.stop();
    let book = book_of(&setup.assert_books_agree(), &tenant);
    let spent = book["meter"]["nano_usd"].as_u64().unwrap();
    assert!((250_000 - 28_200..=250_000).contains(&spent), "{book:#}");
}

#[tokio::test]
async fn a_keys_own_cap_holds_beneath_an_unlimited_tenant() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, admin) = setup.tenant(&[]);
    let lmo = setup.start();
    let key = limited_key(&lmo, &admin, &json!({"monthly_tokens": 1000})).await;
    for _ in 0..2 {
        burst(&lmo, &key, (0..200).map(mixed).collect()).await;
    }
    use_up(&lmo, &key).await;
    assert_eq!(ask(&lmo, &admin, &chat(TEXT, 40)).await.status, 200);
    lmo.stop();
    let book = book_of(&setup.assert_books_agree(), &tenant);
    // The other key's answer took 12.
    let spent = book["meter"]["tokens"].as_u64().unwrap() - 12;
    assert!((1000 - worst_case(TEXT, 40) + 1..=1000).contains(&spent), "{book:#}");
}

#[tokio::test]
async fn a_key_that_is_refused_leaves_the_tenants_meter_untouched() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, admin) = setup.tenant(&["--monthly-tokens", "1000"]);
    let lmo = setup.start();
    let key = limited_key(&lmo, &admin, &json!({"monthly_tokens": 10})).await;
    let refused = flood(&lmo, &key, &chat(TEXT, 40), 50).await;
    assert_eq!(with_status(&refused, 402), 50);
    lmo.stop();
    let books = setup.assert_books_agree();
    let spent = books.iter().find(|book| book["tenant"] == tenant.as_str()).map(|book| book["books"]["meter"].clone());
    assert_eq!(spent, Some(json!({"requests": 0, "tokens": 0, "nano_usd": 0})));
}

#[tokio::test]
async fn a_refusal_by_the_tenant_gives_the_keys_hold_back() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, admin) = setup.tenant(&["--monthly-tokens", "10"]);
    let lmo = setup.start();
    let need = worst_case(TEXT, 40);
    let key = limited_key(&lmo, &admin, &json!({"monthly_tokens": need})).await;
    let refused = flood(&lmo, &key, &chat(TEXT, 40), 50).await;
    assert_eq!(with_status(&refused, 402), 50);
    lmo.stop();
    setup.run(&["tenant", "limits", &tenant, "--monthly-tokens", "1000"]);
    let lmo = setup.start();
    assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
}

#[tokio::test]
async fn a_raised_cap_takes_effect() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, key) = setup.tenant(&["--monthly-tokens", "100"]);
    let lmo = setup.start();
    use_up(&lmo, &key).await;
    lmo.stop();
    setup.run(&["tenant", "limits", &tenant, "--monthly-tokens", "200"]);
    let lmo = setup.start();
    use_up(&lmo, &key).await;
    lmo.stop();
    let spent = book_of(&setup.assert_books_agree(), &tenant)["meter"]["tokens"].as_u64().unwrap();
    assert!((200 - worst_case(TEXT, 40) + 1..=200).contains(&spent), "{spent}");
}

#[tokio::test]
async fn a_lowered_cap_takes_effect() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let (tenant, key) = setup.tenant(&["--monthly-tokens", "1000"]);
    let lmo = setup.start();
    assert_eq!(ask(&lmo, &key, &chat(TEXT, 40)).await.status, 200);
    lmo.stop();
    setup.run(&["tenant", "limits", &tenant, "--monthly-tokens", &(worst_case(TEXT, 40) + 11).to_string()]);
    let lmo = setup.start();
    // The first answer took 12, so one token is missing.
    ask(&lmo, &key, &chat(TEXT, 40)).await.assert_error(402, "quota_exhausted");
    lmo.stop();
    setup.assert_books_agree();
}
