//! What the tests share: a running `lmo`, a caller, and the stand-in behind it.

mod account;
mod collector;
mod forge;
mod identity_provider;
mod lmo;
mod response;
mod running;
mod socket;

pub use account::{Account, PASSWORD, accept, link_token, login, mails, refresh};
pub use collector::{Collector, attribute, hex};
pub use forge::{Forge, ask_token, key_id, part, token_of};
pub use identity_provider::{CLIENT, IdentityProvider, Signing};
pub use lmo::{Lmo, Setup, models, with_a_key, with_embeddings};
pub use response::{Response, events};
pub use running::{Running, eventually};
pub use serde_json::{Value, json};
pub use socket::Socket;

use lmo_bench::standin::{Standin, StandinOptions};

/// A provider's stand-in on a free port.
pub fn standin() -> Standin {
    Standin::start(StandinOptions::default()).unwrap()
}

/// A question to the stand-in: directives and text in one message, in `OpenAI`'s format.
pub fn chat(text: &str, max_tokens: u64) -> Value {
    json!({"model": "standin/small", "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]})
}

/// The same, to be streamed.
pub fn streamed(text: &str, max_tokens: u64) -> Value {
    let mut body = chat(text, max_tokens);
    body["stream"] = true.into();
    body
}

/// What a tenant says of a provider: whoever has an address of `example.com` becomes a developer.
pub fn sign_in_rules(provider: &IdentityProvider) -> Value {
    let (id, secret) = CLIENT;
    json!({
        "issuer": provider.issuer,
        "client_id": id,
        "client_secret": secret,
        "allowed_domains": ["example.com"],
        "default_role": "developer",
    })
}
