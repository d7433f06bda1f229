//! The `websocket` function, fed with API Gateway's own events.

mod answers;
mod handshakes;
mod management;
mod messages;
mod scene;
