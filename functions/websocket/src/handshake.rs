//! Who opens a connection: a key in header fields, as with every request, or as a subprotocol, because browsers let a
//! page set nothing else. Never in the address, which ends up in logs.

use axum::http::{HeaderMap, HeaderValue, header};
use lmo_shared::{
    audit::Source,
    auth::{Authenticator, Permission, Proved},
    error::Result,
    http::{admit, api_key},
};

/// The subprotocol that is spoken. An answer to a handshake that offers it selects it, and never the key beside it.
pub const PROTOCOL: &str = "lmo";
/// What stands before a key that is offered as a subprotocol.
const KEY: &str = "lmo.key.";

/// Who opens a connection with these header fields from there.
///
/// # Errors
/// `Unauthenticated`, `TenantSuspended`, `AddressNotAllowed`, `OriginNotAllowed`, `Forbidden` without the scope `query`;
/// `Unavailable`.
pub async fn admitted(authenticator: &Authenticator, headers: &HeaderMap, source: Source) -> Result<Proved> {
    let key = api_key(headers).or_else(|| offered(headers).find_map(|protocol| protocol.strip_prefix(KEY)));
    let caller = admit(authenticator, headers, source, key).await?;
    caller.require(Permission::Query)?;
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    Ok(caller.proved(origin.map(|origin| String::from_utf8_lossy(origin).into_owned())))
}

/// Whether the client offers the subprotocol.
pub fn offers_protocol(headers: &HeaderMap) -> bool {
    offered(headers).any(|protocol| protocol == PROTOCOL)
}

/// RFC 6455 section 11.3.4: a list, in one header field or in several.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_read_from_one_field_and_from_several() {
        for fields in [&["lmo, lmo.key.abc"][..], &["lmo", "lmo.key.abc"], &[" lmo.key.abc ,lmo"]] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(field));
            }
            assert!(offers_protocol(&headers));
            assert_eq!(offered(&headers).find_map(|protocol| protocol.strip_prefix(KEY)), Some("abc"));
        }
        assert!(!offers_protocol(&HeaderMap::new()));
    }
}
