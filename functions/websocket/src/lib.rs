//! The `websocket` function: answers piece by piece over a WebSocket. A message asks what a body of
//! `POST /api/mcp/stream` asks, and what comes back are frames with the same events.
//!
//! [`Function`] takes the events of API Gateway, which keeps the connections, and posts frames to it; [`router`] keeps
//! them itself. Between a message's text and the frames of its answer both are the same code (`reply`).

use axum::extract::FromRef;
use lmo_shared::{
    answer::{Answers, Tasks},
    auth::Authenticator,
    clock::Clock,
};
use utoipa_axum::{router::OpenApiRouter, routes};

mod frame;
mod function;
mod handshake;
mod message;
mod posts;
mod reply;
mod socket;

pub use function::Function;
pub use posts::{Posts, SILENCE};
use reply::Replies;

/// What the handler needs.
#[derive(Clone, FromRef)]
struct State {
    authenticator: Authenticator,
    replies: Replies,
    tasks: Tasks,
}

/// The route of a process that keeps connections itself. They are among `tasks`, and end when those are closed.
pub fn router(authenticator: Authenticator, answers: Answers, clock: Clock, tasks: Tasks) -> OpenApiRouter {
    let replies = Replies::new(authenticator.clone(), answers, clock);
    OpenApiRouter::new().routes(routes!(socket::connect)).with_state(State { authenticator, replies, tasks })
}
