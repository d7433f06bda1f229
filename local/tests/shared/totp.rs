//! An authenticator app.

use aws_lc_rs::hmac;

/// The code of a secret at a time, in seconds since the epoch, as an app computes it (RFC 6238).
pub fn code(secret: &str, at: u64) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = secret.chars().fold(String::new(), |bits, c| format!("{bits}{:05b}", ALPHABET.find(c).unwrap()));
    let byte = |at: usize| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).unwrap();
    let key: Vec<u8> = (0..bits.len() / 8).map(byte).collect();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &(at / 30).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
