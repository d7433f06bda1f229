//! The passwords that guessers try first.

/// Whether a password is one of them.
pub(super) fn contains(_password: &str) -> bool {
    false
}
