//! What a pass makes of a part: pure.

use std::time::Duration;

use super::{Counts, Open, Part, Scope};
use crate::{clock::Timestamp, id::TenantId};

/// The most tenants that a pass keeps in mind for the next one, which else goes through all of the part.
const MOST_LEFT: usize = 200;
/// The most of them that are named in a part.
const MOST_NAMED: usize = 20;
/// When it is tried again where something failed. A schedule that comes once an hour comes as soon as it does.
const RETRY: Duration = Duration::from_mins(5);
/// When drafts are looked at again whose books differ, or that have something open.
const RECHECK: Duration = Duration::from_mins(50);

/// What became of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Finalised,
    Waiting(Timestamp),
    Held(String),
    Failed(&'static str),
}

impl Part {
    /// A part that nobody was at yet.
    pub(super) fn new(number: u16) -> Self {
        Self {
            number,
            passes: 0,
            scope: Scope::All,
            began: None,
            after: None,
            counts: Counts::default(),
            open: Vec::new(),
            left: Scope::These(Vec::new()),
            waits_until: None,
            next_at: None,
            claim: None,
            finished_at: None,
            version: 0,
        }
    }

    /// Whether somebody may work on it now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let may_begin = self.began.is_some() || self.next_at.is_none_or(|at| at <= now);
        self.finished_at.is_none() && may_begin && !self.is_claimed(now)
    }

    /// Whether somebody is at it.
    pub(super) fn is_claimed(&self, now: Timestamp) -> bool {
        self.claim.is_some_and(|claim| claim.until > now)
    }

    /// Begins a pass, unless one is under way. `closes` is when the grace period is over.
    pub(super) fn begin_pass(&mut self, now: Timestamp, closes: Timestamp) {
        if self.began.is_some() {
            return;
        }
        self.passes += 1;
        (self.began, self.after, self.next_at, self.waits_until) = (Some(now), None, None, None);
        self.open.clear();
        self.left = Scope::These(Vec::new());
        match self.scope {
            Scope::All => self.counts = Counts::default(),
            Scope::These(_) => {
                // It is for those that failed, and behind the grace period for all that something was open with.
                self.counts.failed = 0;
                if now >= closes {
                    (self.counts.waiting, self.counts.held) = (0, 0);
                }
            }
        }
    }

    /// Puts down what became of the next tenant.
    pub(super) fn put_down(&mut self, tenant: TenantId, outcome: Outcome, closes: Timestamp) {
        self.after = Some(tenant);
        let is_final = self.began.is_some_and(|began| began >= closes);
        match outcome {
            Outcome::Nothing => self.counts.nothing += 1,
            Outcome::Finalised => self.counts.finalised += 1,
            Outcome::Waiting(until) => {
                self.counts.waiting += 1;
                self.waits_until = Some(self.waits_until.map_or(until, |earlier| earlier.min(until)));
                // The pass that finalises is for all.
                if is_final {
                    self.leave(tenant);
                }
            }
            Outcome::Held(difference) => {
                self.counts.held += 1;
                self.name(Open { tenant, code: "books_differ".to_owned(), difference: Some(difference) });
                self.leave(tenant);
            }
            Outcome::Failed(code) => {
                self.counts.failed += 1;
                self.name(Open { tenant, code: code.to_owned(), difference: None });
                self.leave(tenant);
            }
        }
    }

    fn name(&mut self, open: Open) {
        if self.open.len() < MOST_NAMED {
            self.open.push(open);
        }
    }

    fn leave(&mut self, tenant: TenantId) {
        match &mut self.left {
            Scope::These(left) if left.len() < MOST_LEFT => left.push(tenant),
            Scope::These(_) | Scope::All => self.left = Scope::All,
        }
    }

    /// Ends the pass, and says when the next one is, if there is to be one.
    pub(super) fn end_pass(&mut self, now: Timestamp, closes: Timestamp) {
        let is_final = self.began.take().is_some_and(|began| began >= closes);
        self.after = None;
        let left = std::mem::replace(&mut self.left, Scope::These(Vec::new()));
        let nobody = left == Scope::These(Vec::new());
        let retry = (self.counts.failed > 0).then(|| now.after(RETRY));
        if is_final {
            let recheck = (self.counts.held > 0).then(|| now.after(RECHECK));
            self.next_at = [retry, recheck, self.waits_until].into_iter().flatten().min();
            self.scope = left;
            self.finished_at = nobody.then_some(now);
        } else {
            let retry = retry.filter(|at| *at < closes && !nobody);
            self.scope = if retry.is_some() { left } else { Scope::All };
            self.next_at = Some(retry.unwrap_or(closes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSES: Timestamp = Timestamp(100_000_000);
    const EARLY: Timestamp = Timestamp(10_000_000);
    const LATE: Timestamp = Timestamp(200_000_000);

    fn tenants(count: u64) -> Vec<TenantId> {
        (0..count).map(|at| TenantId::new(Timestamp(at))).collect()
    }

    fn pass(part: &mut Part, at: Timestamp, tenants: &[TenantId], outcome: impl Fn(usize) -> Outcome) {
        part.begin_pass(at, CLOSES);
        for (number, tenant) in tenants.iter().enumerate() {
            part.put_down(*tenant, outcome(number), CLOSES);
        }
        part.end_pass(at, CLOSES);
    }

    #[test]
    fn a_pass_before_the_end_of_the_grace_period_ends_no_part_even_if_there_is_nothing_to_do() {
        let mut part = Part::new(0);
        pass(&mut part, EARLY, &tenants(3), |_| Outcome::Nothing);
        assert_eq!((part.finished_at, &part.scope, part.next_at), (None, &Scope::All, Some(CLOSES)));
        assert!(!part.is_due(EARLY) && part.is_due(CLOSES));
        pass(&mut part, LATE, &tenants(3), |_| Outcome::Nothing);
        assert_eq!((part.finished_at, part.counts.nothing), (Some(LATE), 3));
    }

    #[test]
    fn a_pass_that_began_before_the_end_of_the_grace_period_and_ended_behind_it_ends_no_part() {
        let mut part = Part::new(0);
        part.begin_pass(EARLY, CLOSES);
        part.put_down(tenants(1)[0], Outcome::Finalised, CLOSES);
        part.end_pass(LATE, CLOSES);
        assert_eq!((part.finished_at, &part.scope), (None, &Scope::All));
    }

    #[test]
    fn who_failed_is_tried_again_alone_and_everybody_when_the_grace_period_is_over() {
        let (mut part, all) = (Part::new(0), tenants(4));
        let waits = |_| Outcome::Waiting(CLOSES);
        pass(&mut part, EARLY, &all, |number| if number == 2 { Outcome::Failed("unavailable") } else { waits(0) });
        assert_eq!(part.scope, Scope::These(vec![all[2]]));
        assert_eq!(part.open, [Open { tenant: all[2], code: "unavailable".to_owned(), difference: None }]);
        assert_eq!((part.counts.waiting, part.counts.failed, part.next_at), (3, 1, Some(EARLY.after(RETRY))));
        pass(&mut part, EARLY.after(RETRY), &all[2..3], waits);
        assert_eq!((part.counts.waiting, part.counts.failed, &part.scope), (4, 0, &Scope::All));
        pass(&mut part, LATE, &all, |_| Outcome::Finalised);
        assert_eq!((part.finished_at, part.counts.finalised, part.counts.waiting), (Some(LATE), 4, 0));
    }

    #[test]
    fn what_stays_open_is_gone_on_with_alone() {
        let (mut part, all) = (Part::new(0), tenants(3));
        let differs = || Outcome::Held("requests: 1, 2".to_owned());
        pass(&mut part, LATE, &all, |number| if number == 1 { differs() } else { Outcome::Finalised });
        assert_eq!((&part.scope, part.next_at), (&Scope::These(vec![all[1]]), Some(LATE.after(RECHECK))));
        pass(&mut part, LATE.after(RECHECK), &all[1..2], |_| differs());
        assert_eq!((part.counts.finalised, part.counts.held, part.finished_at), (2, 1, None));
        pass(&mut part, LATE.after(2 * RECHECK), &all[1..2], |_| Outcome::Finalised);
        assert_eq!((part.counts.tenants(), part.counts.open()), (3, 0));
        assert!(part.finished_at.is_some());
    }

    #[test]
    fn where_too_much_is_open_everybody_is_gone_through_again() {
        let (mut part, all) = (Part::new(0), tenants(300));
        pass(&mut part, LATE, &all, |_| Outcome::Failed("unavailable"));
        assert_eq!((&part.scope, part.open.len(), part.counts.failed), (&Scope::All, MOST_NAMED, 300));
        pass(&mut part, LATE, &all, |_| Outcome::Finalised);
        assert_eq!((part.counts.tenants(), part.finished_at), (300, Some(LATE)));
    }
}
