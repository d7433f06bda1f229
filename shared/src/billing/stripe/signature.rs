//! Signatures of what Stripe tells (docs.stripe.com/webhooks/signature): `Stripe-Signature: t=<seconds>,v1=<hex>,...` is
//! HMAC-SHA256 over `<seconds>.<body>`, one for each secret that is good at that time.

use std::time::Duration;

use aws_lc_rs::hmac;

use crate::clock::Timestamp;

/// How old a signature may be, or how far ahead: what Stripe's own libraries allow.
pub const TOLERANCE: Duration = Duration::from_mins(5);
/// The most signatures that are looked at: two secrets are good while one replaces the other.
const MOST: usize = 8;

/// Whether a body was signed with the secret, not long before or behind `now`. It takes the same time whatever of a
/// signature is wrong.
#[must_use]
pub fn verify(secret: &str, header: &str, body: &[u8], now: Timestamp) -> bool {
    let mut seconds = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) => seconds = Some(value),
            Some(("v1", value)) if signatures.len() < MOST => signatures.extend(from_hex(value)),
            // v0 is not for this, and what comes later isn't known yet.
            Some(_) | None => {}
        }
    }
    let Some(text) = seconds.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())) else { return false };
    let Some(at) = text.parse::<u64>().ok().and_then(|at| at.checked_mul(1_000)).map(Timestamp) else { return false };
    if now.since(at).max(at.since(now)) > TOLERANCE {
        return false;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [text.as_bytes(), b".", body].concat();
    signatures.iter().fold(false, |good, signature| good | hmac::verify(&key, &signed, signature).is_ok())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    if text.len() != 64 {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn sign(secret: &str, at: u64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = [format!("{at}.").as_bytes(), body].concat();
        let hex: Vec<_> = hmac::sign(&key, &signed).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        hex.concat()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    /// Computed with `openssl dgst -sha256 -hmac whsec_test` over `1700000000.{"id":"evt_1"}`.
    #[test]
    fn a_signature_is_what_it_is_elsewhere() {
        let known = "c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert!(verify(SECRET, &format!("t=1700000000,v1={known}"), BODY, at(1_700_000_000)));
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let (old, new) = (sign("whsec_old", 1_000, BODY), sign(SECRET, 1_000, BODY));
        let header = format!("t=1000,v1={old},v1={new},v0=abc,v2=def");
        assert!(verify(SECRET, &header, BODY, at(1_000)));
        assert!(verify("whsec_old", &header, BODY, at(1_000)));
        assert!(!verify("whsec_other", &header, BODY, at(1_000)));
    }

    #[test]
    fn another_body_time_or_scheme_is_refused() {
        let good = sign(SECRET, 1_000, BODY);
        assert!(verify(SECRET, &format!("t=1000, v1={good}"), BODY, at(1_000)));
        assert!(!verify(SECRET, &format!("t=1000,v1={good}"), b"{}", at(1_000)));
        assert!(!verify(SECRET, &format!("t=1001,v1={good}"), BODY, at(1_000)));
        assert!(!verify(SECRET, &format!("t=1000,v0={good}"), BODY, at(1_000)));
        assert!(!verify(SECRET, &format!("v1={good}"), BODY, at(1_000)));
        for broken in ["", "t=", "t=1000", "t=-1,v1=00", "t=1000,v1=zz", &format!("t=18446744073709551615,v1={good}")] {
            assert!(!verify(SECRET, broken, BODY, at(1_000)), "{broken}");
        }
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        let header = format!("t=1000,v1={}", sign(SECRET, 1_000, BODY));
        assert!(verify(SECRET, &header, BODY, at(1_300)) && verify(SECRET, &header, BODY, at(700)));
        assert!(!verify(SECRET, &header, BODY, at(1_301)) && !verify(SECRET, &header, BODY, at(699)));
    }
}
