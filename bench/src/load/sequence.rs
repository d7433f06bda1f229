//! Checks that a stream's deltas are the expected ones, each once, in order.

/// Deltas that were not as expected, in one stream or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Flaws {
    /// Expected and never seen.
    pub lost: u64,
    /// Seen after a later one.
    pub reordered: u64,
    /// Not expected, or seen twice; two deltas in one also count here, and as lost.
    pub foreign: u64,
}

/// The deltas of one stream so far.
#[derive(Debug)]
pub(super) struct Sequence<'a> {
    expected: &'a [String],
    seen: Vec<bool>,
    /// One more than the highest place seen.
    next: usize,
    flaws: Flaws,
}

impl<'a> Sequence<'a> {
    pub(super) fn of(expected: &'a [String]) -> Self {
        Self { expected, seen: vec![false; expected.len()], next: 0, flaws: Flaws::default() }
    }

    pub(super) fn offer(&mut self, delta: &str) {
        if self.expected.is_empty() {
            return;
        }
        let is_next = self.expected.get(self.next).is_some_and(|next| next == delta);
        let place = if is_next { Some(self.next) } else { self.expected.iter().position(|one| one == delta) };
        match place {
            Some(place) if !self.seen[place] => {
                self.seen[place] = true;
                self.flaws.reordered += u64::from(place < self.next);
                self.next = self.next.max(place + 1);
            }
            Some(_) | None => self.flaws.foreign += 1,
        }
    }

    pub(super) fn end(mut self) -> Flaws {
        self.flaws.lost = self.seen.iter().map(|seen| u64::from(!seen)).sum();
        self.flaws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaws_of(deltas: &[&str]) -> Flaws {
        let expected = ["a", "b", "c"].map(str::to_owned);
        let mut sequence = Sequence::of(&expected);
        for delta in deltas {
            sequence.offer(delta);
        }
        sequence.end()
    }

    #[test]
    fn a_complete_stream_has_no_flaws() {
        assert_eq!(flaws_of(&["a", "b", "c"]), Flaws::default());
    }

    #[test]
    fn a_missing_delta_is_lost() {
        assert_eq!(flaws_of(&["a", "c"]), Flaws { lost: 1, ..Flaws::default() });
    }

    #[test]
    fn two_deltas_swapped_are_one_reordered() {
        assert_eq!(flaws_of(&["b", "a", "c"]), Flaws { reordered: 1, ..Flaws::default() });
    }

    #[test]
    fn a_delta_twice_is_foreign() {
        assert_eq!(flaws_of(&["a", "b", "b", "c"]), Flaws { foreign: 1, ..Flaws::default() });
    }

    #[test]
    fn merged_deltas_are_lost_and_foreign() {
        assert_eq!(flaws_of(&["ab", "c"]), Flaws { lost: 2, reordered: 0, foreign: 1 });
    }
}
