//! Guardrails as tenants meet them: what they forbid, hide and limit, in every client format over every provider's.

use std::time::{Duration, Instant};

use crate::{
    matrix::{Matrix, client::Client},
    support::{Lmo, Response, Value, json},
};

mod answers;
mod kept;
mod requests;

const CONFIG: &str = "/api/tenant/config";
const CLIENTS: [Client; 5] = [Client::Query, Client::Stream, Client::Chat, Client::Messages, Client::Responses];

/// Gives the demo tenant these guardrails and nothing else.
async fn set(lmo: &Lmo, guardrails: Value) {
    let changed = lmo.send("PUT", CONFIG, &lmo.key, Some(&json!({"guardrails": guardrails}))).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
}

/// A model for each provider, and these guardrails.
async fn guarded(guardrails: Value) -> Matrix {
    let matrix = Matrix::start();
    set(&matrix.lmo, guardrails).await;
    matrix
}

/// Each client format and each way in which it can be answered.
fn ways() -> impl Iterator<Item = (Client, bool)> {
    CLIENTS.into_iter().flat_map(|client| client.modes().iter().map(move |stream| (client, *stream)))
}

/// How long after a request is sent its answer holds this text.
async fn time_to(lmo: &Lmo, client: Client, body: &Value, text: &str) -> Duration {
    let began = Instant::now();
    let mut response = lmo.open("POST", client.path(), &lmo.key, Some(body)).await;
    let mut seen = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        seen.extend_from_slice(&piece);
        if String::from_utf8_lossy(&seen).contains(text) {
            return began.elapsed();
        }
    }
    panic!("{client:?}: no `{text}` in {}", String::from_utf8_lossy(&seen));
}

/// Fails if a body holds any of these.
fn assert_hidden(answer: &Response, hidden: &[&str], about: &str) {
    for text in hidden {
        assert!(!answer.body.contains(text), "`{text}` in {about}: {}", answer.body);
    }
}
