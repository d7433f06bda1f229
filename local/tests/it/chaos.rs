//! Three providers of different formats that fail at random in all ways: every request ends in an answer or in one clear
//! error within its deadline, nothing is doubled or lost after the first piece, and the books agree to the token.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::support::{Lmo, Response, Setup, Value, json, standin};

const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 48;
const ANSWERED: &str = "answered";
/// The request's own deadline, and what settling and a busy machine may take on top.
const PATIENCE: Duration = Duration::from_secs(10 + 20);

const UPSTREAMS: [(&str, &str); 3] = [("openai", "/v1"), ("anthropic", "/v1"), ("gemini", "/v1beta")];

/// What may go wrong, by the name of the model that has it.
const FAULTS: [(&str, &str); 14] = [
    ("fine", ""),
    ("also-fine", "[[flush]]"),
    ("dripping", "[[drip]]"),
    ("broken", "[[fail=500]]"),
    ("busy", "[[fail=503]]"),
    ("full", "[[fail=429]]"),
    ("locked", "[[fail=401]]"),
    ("gone", "[[fail=404]]"),
    ("late", "[[delay=40ms]]"),
    ("stalling", "[[stall_after=2]] [[flush]]"),
    ("cutting", "[[cut]]"),
    ("cutting-early", "[[cut_after=0]] [[flush]]"),
    ("garbling", "[[malformed_after=2]] [[flush]]"),
    ("failing", "[[error_in_stream]] [[flush]]"),
];

fn catalogue(addresses: &[std::net::SocketAddr]) -> String {
    let provider = |(name, path): &(&str, &str), address: &std::net::SocketAddr| {
        format!(
            "[providers.{name}]\nkind = \"{name}\"\nbase_url = \"http://{address}{path}\"\n\
             breaker = {{ failures = 12, open_ms = 5 }}\nfirst_byte_timeout_ms = 400\nidle_timeout_ms = 300\n"
        )
    };
    let model = |name: &str, (fault, directive): &(&str, &str)| {
        format!(
            "[models.\"{name}/{fault}\"]\nprovider = \"{name}\"\nupstream = '{fault} {directive}'\n\
             context_window = 128000\nmax_output_tokens = 64\ncapabilities = [\"chat\", \"stream\", \"tools\"]\n\
             price = {{ input = 1, output = 2 }}\noverhead_tokens = 8\n"
        )
    };
    let providers: String =
        UPSTREAMS.iter().zip(addresses).map(|(upstream, address)| provider(upstream, address)).collect();
    let models = UPSTREAMS.iter().flat_map(|(name, _)| FAULTS.iter().map(move |fault| model(name, fault)));
    providers + &models.collect::<String>()
}

/// Three models, one of each provider, in any order, each with any fault.
fn models(random: &mut StdRng) -> Vec<String> {
    let mut names: Vec<_> = UPSTREAMS.iter().map(|(name, _)| *name).collect();
    for at in (1..names.len()).rev() {
        names.swap(at, random.random_range(0..=at));
    }
    names.iter().map(|name| format!("{name}/{}", FAULTS.choose(random).unwrap().0)).collect()
}

struct Asked {
    path: &'static str,
    body: Value,
    tokens: u64,
}

fn question(random: &mut StdRng) -> Asked {
    let (models, tokens, streamed) = (models(random), random.random_range(1..20), random.random_bool(0.6));
    let text = format!("[[tokens={tokens}]]");
    let mut body = if streamed || random.random_bool(0.5) {
        json!({"query": text, "max_tokens": 30, "model": models[0], "fallbacks": models[1..]})
    } else {
        json!({"messages": [{"role": "user", "content": text}], "max_tokens": 30, "model": models[0], "fallbacks": models[1..]})
    };
    if random.random_bool(0.1) {
        body["hedge_after_ms"] = 20.into();
    }
    Asked { path: if streamed { "/api/mcp/stream" } else { "/api/mcp/query" }, body, tokens }
}

/// How the answer ended; fails unless it is whole, or ends in one error after a part that is right.
fn end_of(asked: &Asked, answer: &Response) -> String {
    let expected = lmo_bench::standin::text(asked.tokens.try_into().unwrap());
    if answer.status != 200 {
        let code = answer.json()["code"].clone();
        return code.as_str().unwrap_or_else(|| panic!("{} {}", answer.status, answer.body)).to_owned();
    }
    if asked.path == "/api/mcp/query" {
        assert_eq!(answer.json()["content"], expected);
        return ANSWERED.to_owned();
    }
    let events = answer.events();
    let text: String = events.iter().filter_map(|event| event["data"]["text"].as_str()).collect();
    let ends = events.iter().filter(|event| event["event"] == "done" || event["event"] == "error").count();
    assert_eq!(ends, 1, "{}", answer.body);
    let last = events.last().unwrap();
    if last["event"] == "done" {
        assert_eq!(text, expected);
        return ANSWERED.to_owned();
    }
    assert!(expected.starts_with(&text) && answer.whole, "{}", answer.body);
    format!("{} in the stream", last["data"]["code"].as_str().unwrap())
}

async fn ask(lmo: &Lmo, key: &str, asked: &Asked) -> Response {
    let began = Instant::now();
    let answer = lmo.send("POST", asked.path, key, Some(&asked.body)).await;
    assert!(began.elapsed() < PATIENCE, "{:?} for {}", began.elapsed(), asked.body);
    answer
}

#[tokio::test]
async fn whatever_fails_every_request_ends_well_or_in_one_clear_error_and_the_books_agree() {
    let standins = UPSTREAMS.map(|_| standin());
    let setup = Setup::new().env("LMO_REQUEST_DEADLINE_SECONDS", "10");
    setup.write_models(&catalogue(&standins.each_ref().map(lmo_bench::standin::Standin::addr)));
    let (_, key) = setup.tenant(&[]);
    let lmo = setup.start();
    let mut random = StdRng::seed_from_u64(3);
    let questions: Vec<_> = (0..REQUESTS).map(|_| question(&mut random)).collect();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let answers = questions.iter().map(async |asked| (asked, ask(&lmo, &key, asked).await));
    let mut answers = stream::iter(answers).buffer_unordered(AT_ONCE);
    while let Some((asked, answer)) = answers.next().await {
        *ends.entry(end_of(asked, &answer)).or_default() += 1;
    }
    drop(answers);
    assert!((REQUESTS / 4..REQUESTS).contains(&ends[ANSWERED]), "{ends:#?}");
    lmo.stop();
    let books = setup.assert_books_agree();
    assert!(books.iter().any(|book| book["meter"]["requests"] == REQUESTS), "{books:?}");
}
