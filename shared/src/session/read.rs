//! The turns of a conversation from the newest to the oldest, as far as somebody wants them.

use std::collections::VecDeque;

use super::past::{self, Part, Past};
use crate::{
    clock::Timestamp,
    error::Result,
    id::RequestId,
    store::{Partition, Rows, keys},
};

/// How many items are read at once; `DynamoDB` ends a page at 1 MB anyway.
const PAGE: i32 = 32;

/// A reading. It ends at the first turn that is gone: what is left before it makes no sense without it.
pub(super) struct Backwards {
    rows: Rows<Part>,
    /// Read, and not yet looked at.
    read: VecDeque<Part>,
    /// How many turns are still to come.
    left: u32,
    now: Timestamp,
    /// What was said before this is as good as gone.
    since: Timestamp,
}

impl Backwards {
    /// From the turn before number `end`.
    pub fn from(partition: &Partition, born: RequestId, end: u32, now: Timestamp, since: Timestamp) -> Self {
        let last = keys::turn(born, end.saturating_sub(1), keys::LAST_PART);
        let rows = partition.between(&keys::turn(born, 0, 0), &last).last(PAGE);
        Self { rows, read: VecDeque::new(), left: end, now, since }
    }

    /// The next older turn.
    pub async fn next(&mut self) -> Result<Option<Past>> {
        let Some(number) = self.left.checked_sub(1) else { return Ok(None) };
        // Unless it is found.
        self.left = 0;
        let mut parts = VecDeque::new();
        loop {
            let Some(part) = self.part().await? else { return Ok(None) };
            if part.number != number || part.expires_at <= self.now.seconds() || part.at < self.since {
                return Ok(None);
            }
            let first = part.index == 0;
            parts.push_front(part);
            if first {
                break;
            }
        }
        let turn = past::join(parts.make_contiguous())?;
        if turn.is_some() {
            self.left = number;
        }
        Ok(turn)
    }

    async fn part(&mut self) -> Result<Option<Part>> {
        while self.read.is_empty() {
            let Some(page) = self.rows.page().await? else { return Ok(None) };
            self.read.extend(page);
        }
        Ok(self.read.pop_front())
    }
}
