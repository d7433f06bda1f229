//! Webhooks: events are posted, signed, and posted again until somebody says 2xx (docs.stripe.com/webhooks).

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;

use super::faults::{Fault, Rule};
use super::state::Shared;

/// Waits before an event is posted again. Stripe's go on for three days.
const PAUSES_MS: [u64; 10] = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 10_000, 10_000, 10_000];
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is told, and the secret that it knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// An `http://` address.
    pub url: String,
    /// `whsec_...`
    pub secret: String,
}

/// How an event is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// As it should be.
    #[default]
    Right,
    /// By another secret.
    Wrong,
    /// Ten minutes ago.
    Old,
    /// Not at all.
    Missing,
}

/// `Stripe-Signature` of a body at a time, in seconds since the epoch (docs.stripe.com/webhooks/signature).
#[must_use]
pub fn sign(secret: &str, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut header = format!("t={at},v1=");
    for byte in hmac::sign(&key, format!("{at}.{body}").as_bytes()).as_ref() {
        // A string takes whatever is written.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// Posts events as the fault has them come. Those that fail are tried again by themselves.
pub(super) async fn tell(shared: &Arc<Shared>, mut events: Vec<String>, fault: Option<&Rule>) {
    if shared.hook().is_none() || events.is_empty() {
        return;
    }
    let (mut times, mut first) = (1, None);
    match fault.map(|rule| (rule.fault, rule.ms)) {
        Some((Fault::WebhookDropped, _)) => return,
        Some((Fault::WebhookDelayed, ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some((Fault::WebhookReversed, _)) => events.reverse(),
        Some((Fault::WebhookDuplicated, _)) => times = 2,
        Some((Fault::WebhookForged, _)) => first = Some(Signature::Wrong),
        Some((Fault::WebhookOld, _)) => first = Some(Signature::Old),
        Some(_) | None => {}
    }
    for event in events {
        if let Some(signature) = first {
            let _ = deliver(shared, &event, signature).await;
        }
        for _ in 0..times {
            if !matches!(deliver(shared, &event, Signature::Right).await, Ok(200..=299)) {
                tokio::spawn(insist(Arc::clone(shared), event.clone()));
            }
        }
    }
}

async fn insist(shared: Arc<Shared>, event: String) {
    for pause in PAUSES_MS {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if matches!(deliver(&shared, &event, Signature::Right).await, Ok(200..=299)) {
            return;
        }
    }
}

/// Posts an event once; the status that is answered.
pub(super) async fn deliver(shared: &Shared, event: &str, signature: Signature) -> io::Result<u16> {
    let missing = || io::Error::other("there is no such event, or nobody to be told");
    let hook = shared.hook().ok_or_else(missing)?;
    let (object, now) = shared.with(|state| (state.world.find(event).cloned(), state.world.now()));
    let body = pretty(&object.ok_or_else(missing)?);
    let header = match signature {
        Signature::Right => sign(&hook.secret, now, &body),
        Signature::Wrong => sign("whsec_somebody_else", now, &body),
        Signature::Old => sign(&hook.secret, now - 600, &body),
        Signature::Missing => String::new(),
    };
    let posted = tokio::time::timeout(PATIENCE, post(&hook.url, &header, body)).await;
    let status = posted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if (200..300).contains(&status) {
        shared.with(|state| {
            if let Some(mut told) = state.world.find(event).cloned() {
                told["pending_webhooks"] = json!(0);
                state.world.put(&told);
            }
        });
    }
    Ok(status)
}

/// JSON as Stripe writes it, in answers and in events.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    // A tree of values can always be written.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

async fn post(url: &str, signature: &str, body: String) -> io::Result<u16> {
    let uri: Uri = url.parse().map_err(io::Error::other)?;
    let authority = uri.authority().ok_or_else(|| io::Error::other("the address has no host"))?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header("host", authority.as_str())
        .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .header("accept", "*/*; q=0.5, application/xml")
        .header("cache-control", "no-cache")
        .header("content-type", "application/json; charset=utf-8");
    if !signature.is_empty() {
        request = request.header("stripe-signature", signature);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    // What it says besides is nobody's business.
    let _ = response.into_body().collect().await;
    connection.abort();
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `openssl dgst -sha256 -hmac whsec_test` over `1700000000.{"id":"evt_1"}`.
    #[test]
    fn a_signature_is_what_it_is_elsewhere() {
        let known = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert_eq!(sign("whsec_test", 1_700_000_000, r#"{"id":"evt_1"}"#), known);
    }
}
