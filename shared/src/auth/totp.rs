//! Codes of an authenticator app as second factor: RFC 6238 with SHA-1, six digits and 30 seconds, which is what all
//! apps know. HMAC comes from the crypto library that TLS uses; what is left are these few lines, for which a crate
//! would bring a second SHA-1, base 32 and a URL parser.

use std::fmt::{self, Write};

use aws_lc_rs::{constant_time, hmac};
use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, mail::EmailAddress};

/// How long a code is shown, in seconds.
const PERIOD: u64 = 30;
/// The digits of a code, as a power of ten.
const MODULUS: u32 = 1_000_000;
/// How many steps a code may be early or late: for clocks that are wrong, and people who type slowly.
const WINDOW: u64 = 1;

/// What an authenticator app and LMO share: 160 bits, as RFC 4226 recommends. It is kept sealed, and never shown again
/// once it is confirmed.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret([u8; 20]);

/// The number of a code since 1970. The one that was used last is kept with the secret, and moved on in the same
/// conditional write that lets somebody in, so that a code is good once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TotpStep(pub u64);

impl TotpSecret {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The one that was kept; `None` if these bytes are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What is to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text for people who type it into an app: 32 characters of RFC 4648's base 32.
    #[must_use]
    pub fn text(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // Five bytes are eight characters of five bits.
        let groups = self.0.chunks(5).flat_map(|five| {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            (0..8).rev().map(move |place| ALPHABET[(bits >> (5 * place) & 31) as usize] as char)
        });
        groups.collect()
    }

    /// What apps read from a QR code ("Key Uri Format" of Google Authenticator). `issuer` is the service's name.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &EmailAddress) -> String {
        let (issuer, account) = (encoded(issuer), encoded(account.as_str()));
        let secret = self.text();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period={PERIOD}"
        )
    }

    /// The step that a code belongs to, if it is one of now, the one before or the next, and later than the `last` that
    /// was used. Takes the same time for all codes.
    #[must_use]
    pub fn check(&self, code: TotpCode, now: Timestamp, last: Option<TotpStep>) -> Option<TotpStep> {
        let current = now.seconds() / PERIOD;
        let mut found = None;
        for step in current.saturating_sub(WINDOW)..=current + WINDOW {
            let right = constant_time::verify_slices_are_equal(&self.code(step).to_be_bytes(), &code.0.to_be_bytes());
            if right.is_ok() && last.is_none_or(|last| last < TotpStep(step)) {
                found = found.or(Some(TotpStep(step)));
            }
        }
        found
    }

    /// RFC 4226 section 5.3.
    fn code(&self, step: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 15);
        let bits = tag[offset..offset + 4].iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        (bits & 0x7fff_ffff) % MODULUS
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(***)")
    }
}

/// A code as somebody types it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TotpCode(u32);

impl TotpCode {
    /// Six digits; spaces between them don't matter. `None` if it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ' ').take(7).collect();
        let good = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| digits.parse().ok().map(Self)).flatten()
    }
}

impl fmt::Debug for TotpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpCode(***)")
    }
}

/// Percent-encoded but for RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            // A string takes whatever is written.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret(*b"12345678901234567890")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    fn code(text: &str) -> TotpCode {
        TotpCode::parse(text).unwrap()
    }

    /// RFC 6238 appendix B, SHA-1; its codes have eight digits, of which six are the last.
    const VECTORS: [(u64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, eight) in VECTORS {
            assert_eq!(secret().check(code(&eight[2..]), at(seconds), None), Some(TotpStep(seconds / 30)), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late_and_no_more() {
        let (seconds, eight) = VECTORS[3];
        let (step, code) = (seconds / 30, code(&eight[2..]));
        let accepted = (step - 3..=step + 3).filter(|now| secret().check(code, at(now * 30), None).is_some());
        assert_eq!(accepted.collect::<Vec<_>>(), [step - 1, step, step + 1]);
    }

    #[test]
    fn a_used_code_and_those_before_it_are_refused() {
        let now = at(1_234_567_890);
        let step = TotpStep(1_234_567_890 / 30);
        let of = |step: u64| TotpCode(secret().code(step));
        assert_eq!(secret().check(of(step.0), now, Some(TotpStep(step.0 - 1))), Some(step));
        assert_eq!(secret().check(of(step.0), now, Some(step)), None);
        assert_eq!(secret().check(of(step.0 - 1), now, Some(step)), None);
        assert_eq!(secret().check(of(step.0 + 1), now, Some(step)), Some(TotpStep(step.0 + 1)));
    }

    #[test]
    fn only_six_digits_are_a_code() {
        assert_eq!(TotpCode::parse("005 924"), Some(TotpCode(5924)));
        for bad in ["", "12345", "1234567", "12345a", "+12345", "-12345", "١٢٣٤٥٦", "123 456 7"] {
            assert_eq!(TotpCode::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_secrets_text_is_base_32() {
        assert_eq!(secret().text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_uri_says_what_apps_need() {
        let uri = secret().uri("LMO & friends", &EmailAddress::parse("a+b@example.com").unwrap());
        assert_eq!(
            uri,
            "otpauth://totp/LMO%20%26%20friends:a%2Bb%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=LMO%20%26%20friends&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn secrets_read_back_and_are_not_shown() {
        let made = TotpSecret::random();
        assert_eq!(TotpSecret::from_bytes(made.as_bytes()), Some(made.clone()));
        assert_eq!(TotpSecret::from_bytes(&[0; 19]), None);
        assert_eq!(format!("{made:?} {:?}", code("123456")), "TotpSecret(***) TotpCode(***)");
    }
}
