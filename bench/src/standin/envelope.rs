//! What all parts of one answer repeat, whatever the wire format.

use super::conversation::Conversation;

/// What all parts of one answer repeat.
pub(super) struct Envelope<'a> {
    /// The request's number, which ids are made of.
    pub number: u64,
    /// Seconds since 1970.
    pub created: u64,
    pub asked: &'a Conversation,
    /// Whether a usage is sent.
    pub usage: bool,
    pub unknown: bool,
}
