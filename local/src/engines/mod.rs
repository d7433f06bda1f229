//! `lmo engines`: the embedded engines as an AWS endpoint on a local port, for functions in processes of their own.

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use lmo_shared::{config::Config, id::RequestId};

use crate::{
    args::{EnginesArgs, Place},
    backend::Backend,
    banner, discovery,
    engine::Engines,
    mail,
    problem::Problem,
    serve::{Background, listen, prompt, stop_signal},
};

mod calls;
mod capacity;

use calls::{Calls, Scope};

/// Serves until it is told to stop. The functions are taken to be reached on `port`, unless the environment says where.
pub async fn run(place: &Place, port: u16, args: &EnginesArgs) -> Result<ExitCode, Problem> {
    if place.aws {
        return Err(Problem("--aws: the engines that are served are the embedded ones".to_owned()));
    }
    let (listener, address) = listen(args.port).await?;
    let stopped = stop_signal()?;
    let (platform, engines) = Backend::embedded(place, port).await?;
    let catalogue = discovery::catalogue(args.models.as_deref(), platform.clock().now()).await?;
    platform.catalogues().apply(catalogue).await?;
    let key = banner::demo_key(&platform).await?;
    let mailer = mail::folder(&platform, place)?;
    let background = args.aggregate.then(|| Background::start(&platform, Some(&engines), place, &mailer));
    let engines = Arc::new(engines);
    let shared = Shared { engines: Arc::clone(&engines), calls: Arc::default() };
    let routes = Router::new()
        .route("/", post(answer))
        .route("/ping", get(async || "healthy"))
        .route("/_calls", get(report))
        .with_state(shared);
    print(address, platform.config(), &key);
    let server = axum::serve(prompt(listener), routes.layer(DefaultBodyLimit::disable()));
    let ended = server.with_graceful_shutdown(async { drop(stopped.await) }).await;
    if let Some(background) = background {
        background.stop().await;
    }
    engines.shutdown().await;
    ended.map_err(|error| Problem(format!("server: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// What a shell needs in order to run functions on these engines, as lines to paste.
fn print(address: SocketAddr, config: &Config, key: &str) {
    for (name, value) in [
        ("AWS_ENDPOINT_URL", format!("http://{address}").as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "lmo"),
        ("AWS_SECRET_ACCESS_KEY", "embedded"),
        ("LMO_TABLE", &config.table),
        ("LMO_STREAM", &config.stream),
        ("LMO_ISSUER", &config.issuer),
        // Nobody takes the mails.
        ("LMO_MAIL_FROM", "lmo@example.com"),
        ("KEY", key),
    ] {
        println!("export {name}={value}");
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    engines: Arc<Engines>,
    calls: Arc<Mutex<Calls>>,
}

/// One request of an AWS client. Signatures are not checked: the port is this machine's alone.
async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let target = header("x-amz-target");
    let scope = Scope::of(header("authorization"), target);
    let asked = body.len();
    let measured = capacity::ask(target, body);
    let reply = shared.engines.answer(target, header(CONTENT_TYPE.as_str()), measured.body).await;
    let succeeded = reply.is_success();
    let (body, units) = capacity::take(measured.added, reply.body);
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    {
        let mut calls = shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.add(scope, asked, body.len(), succeeded, units);
    }
    let id = RequestId::new(lmo_shared::clock::Clock::System.now()).to_string();
    (status, [("content-type", reply.content_type), ("x-amzn-requestid", id.as_str())], body).into_response()
}

/// `GET /_calls`: what each caller has asked of each service so far.
async fn report(State(shared): State<Shared>) -> Json<Calls> {
    Json(shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone())
}
