//! The `query` function: a question answered in one piece, texts turned into vectors, and the list of models.

use axum::extract::FromRef;
use lmo_shared::{answer::Answers, auth::Authenticator, clock::Clock};
use utoipa_axum::{router::OpenApiRouter, routes};

mod ask;
mod embed;
mod embeddings;
mod models;

pub use ask::QueryResponse;

/// What the handlers need.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    answers: Answers,
    clock: Clock,
}

/// The function's routes.
pub fn router(authenticator: Authenticator, answers: Answers, clock: Clock) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(ask::ask))
        .routes(routes!(embed::embed))
        .routes(routes!(embeddings::create))
        .routes(routes!(models::list))
        .with_state(State { authenticator, answers, clock })
}
