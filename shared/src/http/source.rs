//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};

use super::{Failure, RequestLabel};
use crate::audit::Source;

/// In which header field whatever stands in front of the functions says who its client is.
const VIEWER: &str = "x-lmo-viewer";

/// Where `request` comes from. What stands in front of the functions is believed only if there is such a thing.
pub(super) fn of(request: &Request, label: &RequestLabel, behind_an_origin: bool) -> Source {
    let extensions = request.extensions();
    let peer = || extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    source(request.headers(), label.as_str(), peer, behind_an_origin)
}

/// Where a request with these header fields comes from; `peer` is who is connected, if nothing stands in front.
pub fn source(
    headers: &HeaderMap,
    request_id: &str,
    peer: impl FnOnce() -> Option<IpAddr>,
    behind_an_origin: bool,
) -> Source {
    const LONGEST: usize = 200;
    let viewer = behind_an_origin.then(|| viewer(headers)).flatten();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Source {
        address: viewer.or_else(peer).map(|address: IpAddr| address.to_canonical()),
        user_agent: agent.map(|agent| agent.chars().take(LONGEST).collect()),
        request_id: Some(request_id.to_owned()),
    }
}

fn viewer(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(VIEWER)?.to_str().ok()?.parse().ok()
}

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
