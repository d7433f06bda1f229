//! The `stream` function: answers piece by piece, as LMO's own server-sent events, as `OpenAI`'s chat completions and as
//! Anthropic's Messages.

use axum::extract::FromRef;
use lmo_shared::{answer::Answers, auth::Authenticator, clock::Clock};
use utoipa_axum::{router::OpenApiRouter, routes};

mod chat_completions;
mod events;
mod messages;
mod responses;

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
        .routes(routes!(events::get, events::post))
        .routes(routes!(chat_completions::create))
        .routes(routes!(messages::create))
        .routes(routes!(messages::count::count_tokens))
        .routes(routes!(responses::create))
        .with_state(State { authenticator, answers, clock })
}
