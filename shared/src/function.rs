//! What a Lambda function does around its handlers: it fails its start in one line, opens connections while that still
//! counts as its start, and settles what is open when its environment ends.

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use tokio::signal::unix::{SignalKind, signal};

use crate::{answer::Tasks, config, telemetry};

mod event;
mod serving;

pub use event::HttpEvent;
pub use serving::{serve, serve_with_tasks, stream};

/// What a function can fail with before it serves.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a start waits for the connections that it opens; the first request waits for the rest.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lambda kills an environment 500 ms after it told it to end.
const LAST_WORDS: Duration = Duration::from_millis(400);

/// Runs a function to its end. What keeps it from starting is logged in one line, and told to Lambda, which shows it to
/// whoever invoked the function.
pub async fn run(function: impl Future<Output = Result<(), Error>>) -> ExitCode {
    let Err(error) = function.await else { return ExitCode::SUCCESS };
    let message = with_causes(&*error);
    tracing::error!("{message}");
    if let Err(error) = report(message).await {
        tracing::warn!(%error, "Lambda was not told");
    }
    ExitCode::FAILURE
}

/// `POST /runtime/init/error` (AWS Lambda developer guide, custom runtimes).
async fn report(message: String) -> Result<(), Error> {
    if config::variable(config::RUNTIME_API).is_none() {
        return Ok(());
    }
    let error = Diagnostic { error_type: "Runtime.InitError".to_owned(), error_message: message };
    let request = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", &error.error_type)
        .body(Body::from(serde_json::to_vec(&error)?))?;
    PooledClient::builder().build().call(request).await?;
    Ok(())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// Settles whatever is being answered when Lambda ends the environment. Must be called before the runtime is run.
///
/// # Errors
/// The signal can't be waited for.
pub async fn settle_at_the_end(tasks: Tasks) -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    match register().await {
        // It asks for an event that never comes, as Lambda wants it of every extension before it goes on.
        Ok(next) => drop(tokio::spawn(next)),
        Err(error) => tracing::debug!(%error, "no extensions here"),
    }
    tokio::spawn(async move {
        terminated.recv().await;
        let settle = async {
            tasks.finish(Duration::ZERO).await;
            telemetry::flush().await;
        };
        if tokio::time::timeout(LAST_WORDS, settle).await.is_err() {
            tracing::error!("not everything was settled in time; the sweep will");
        }
        std::process::exit(0);
    });
    Ok(())
}

/// Registers an extension inside of the function: Lambda signals its end to no function without one (AWS Lambda
/// developer guide, Extensions API). Returns the request for its next event.
async fn register() -> Result<impl Future<Output = ()>, Error> {
    let client = PooledClient::builder().build();
    let request = build_request()
        .method("POST")
        .uri("/2020-01-01/extension/register")
        .header("lambda-extension-name", "lmo-settles-at-the-end")
        .body(Body::from(r#"{"events":[]}"#))?;
    let registered = client.call(request).await?;
    let id = registered.headers().get("lambda-extension-identifier").ok_or("extensions are not known")?.clone();
    let request = build_request()
        .uri("/2020-01-01/extension/event/next")
        .header("lambda-extension-identifier", id)
        .body(Body::empty())?;
    Ok(async move { drop(client.call(request).await) })
}

/// Waits for connections to open, not for ever: what fails here fails again, and is told, where it is needed.
pub fn ready(opening: impl Future<Output = ()>) -> impl Future<Output = ()> {
    // Some of the SDK's futures together are too large for a stack.
    let opening = Box::pin(opening);
    async move {
        if tokio::time::timeout(PATIENCE, opening).await.is_err() {
            tracing::warn!("connections are slow to open");
        }
    }
}

/// Makes any call of an AWS client a `GET /ping`: its answer doesn't matter, it takes no permission, and the connection
/// is there for the next call.
pub fn ping(request: &mut HttpRequest) {
    let uri = request.uri().to_owned();
    let origin = uri.find("://").and_then(|at| uri[at + 3..].find('/').map(|end| &uri[..at + 3 + end]));
    let _ = request.set_uri(format!("{}/ping", origin.unwrap_or(&uri)));
    let _ = request.set_method("GET");
    request.headers_mut().remove("content-length");
    request.headers_mut().remove("content-type");
    request.headers_mut().remove("x-amz-target");
    *request.body_mut() = SdkBody::empty();
}
