//! What signing up and in costs, with the parameters of production, over the routers and the embedded engines: one after
//! the other, and 500 sign-ins a minute beside other traffic, none of which may be refused. Prints one line of JSON;
//! `--quick` measures less.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

#[path = "support/platform.rs"]
mod platform;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use futures_util::{StreamExt, future::join_all, stream};
use http_body_util::BodyExt;
use lmo_local::{engine::Engines, resources};
use lmo_shared::{
    audit::Actor,
    clock::Clock,
    http,
    mail::{EmailAddress, Folder, Mailer},
    platform::Platform,
    tenant::Tenant,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

/// 500 a minute.
const BETWEEN_LOGINS: Duration = Duration::from_millis(120);

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (people, seconds) = if quick { (10, 2) } else { (100, 30) };
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder");
    let engines = Engines::open(dir.path()).await.expect("engines");
    let platform = platform::on(&engines, Clock::System);
    resources::create(&platform).await.expect("a table");
    let other = Tenant::new("other", platform.clock().now());
    let key = platform.tenants().open(&other, &Actor::system()).await.expect("a key").text;
    let service = service(&platform, dir.path());

    let mut registered = Vec::new();
    for person in 0..people {
        let mut body = credentials(person);
        body["tenant_name"] = json!("Engines");
        let (status, took) = send(&service, "POST", "/api/auth/register", "", &body).await;
        assert_eq!(status, 201);
        registered.push(took);
    }
    let alone = traffic(&service, &key, &AtomicBool::new(false), Duration::from_secs(seconds)).await;
    let (over, began) = (AtomicBool::new(false), Instant::now());
    let logins = async {
        let count = Duration::from_secs(seconds).as_millis() / BETWEEN_LOGINS.as_millis();
        let all = stream::iter(0..u32::try_from(count).expect("few")).map(|number| {
            let service = &service;
            async move {
                tokio::time::sleep_until((began + BETWEEN_LOGINS * number).into()).await;
                send(service, "POST", "/api/auth/login", "", &credentials(number % people)).await
            }
        });
        let done: Vec<_> = all.buffer_unordered(256).collect().await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let (logins, beside) = tokio::join!(logins, traffic(&service, &key, &over, Duration::from_mins(10)));
    let elapsed = began.elapsed();
    // A machine that is too slow says 503 to sign-ins, and to nothing else.
    let refused = logins.iter().filter(|(status, _)| *status != 200).count();
    let logins: Vec<_> = logins.into_iter().filter(|(status, _)| *status == 200).map(|(_, took)| took).collect();
    let per_minute = 60.0 * f64::from(u32::try_from(logins.len()).expect("few")) / elapsed.as_secs_f64();
    println!(
        "{}",
        json!({
            "bench": "accounts",
            "register": figures(registered),
            "login": figures(logins),
            "logins_per_minute": per_minute.round(),
            "logins_refused": refused,
            "other_traffic_alone": figures(alone),
            "other_traffic_beside": figures(beside),
        })
    );
    drop(service);
    engines.shutdown().await;
}

fn service(platform: &Platform, dir: &Path) -> Router {
    let from = EmailAddress::parse("lmo@example.com").expect("an address");
    let mailer = Mailer::Folder(Folder::new(dir.join("mail"), from, platform.clock().clone()));
    let authenticator = platform.authenticator();
    let routes = lmo_auth::router(platform, authenticator.clone(), mailer.clone());
    let routes = routes.merge(lmo_tenant::router(platform, authenticator, platform.catalogues(), mailer));
    http::serve(routes, platform.clock().clone(), None)
}

fn credentials(person: u32) -> Value {
    json!({"email": format!("person{person}@example.com"), "password": "seven green umbrellas dance"})
}

/// The status of the answer, and how long it took to its end.
async fn send(service: &Router, method: &str, path: &str, token: &str, body: &Value) -> (u16, Duration) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {token}")).body(Body::from(body.to_string()));
    let began = Instant::now();
    let response = service.clone().oneshot(request.expect("a request")).await.expect("an answer");
    let status = response.status().as_u16();
    response.into_body().collect().await.expect("a body");
    (status, began.elapsed())
}

/// Four clients that ask one thing after the other until it is over; none of their requests may be refused.
async fn traffic(service: &Router, key: &str, over: &AtomicBool, at_most: Duration) -> Vec<Duration> {
    let began = Instant::now();
    let client = async || {
        let mut all = Vec::new();
        while !over.load(Ordering::Relaxed) && began.elapsed() < at_most {
            let (status, took) = send(service, "GET", "/api/tenant/config", key, &Value::Null).await;
            assert_eq!(status, 200, "a request was refused");
            all.push(took);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        all
    };
    join_all((0..4).map(|_| client())).await.concat()
}

fn figures(mut took: Vec<Duration>) -> Value {
    took.sort_unstable();
    let at = |percent: usize| (took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e5).round() / 100.0;
    json!({"n": took.len(), "p50_ms": at(50), "p99_ms": at(99)})
}
