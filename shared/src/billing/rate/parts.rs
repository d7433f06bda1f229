//! Which plan a tenant was on when: the parts of a period that are rated each by itself.

use std::collections::BTreeMap;

use crate::{
    billing::{Plan, Segment},
    clock::Timestamp,
};

/// The parts of the period from `from` until `to` on one plan each, in order, without seats and usage. `terms` are the plans
/// since when each holds, in order. Nothing lies behind `ended_at`; a plan with a trial is cut where the tenant's ends.
#[must_use]
pub fn segments(
    (from, to): (Timestamp, Timestamp),
    terms: &[(Timestamp, Plan)],
    ended_at: Option<Timestamp>,
    trial_until: Option<Timestamp>,
) -> Vec<Segment> {
    let to = ended_at.map_or(to, |ended| ended.min(to));
    let mut segments = Vec::new();
    for (place, (since, plan)) in terms.iter().enumerate() {
        let next = terms.get(place + 1).map_or(to, |(next, _)| *next);
        let (since, next) = ((*since).max(from), next.min(to));
        let segment = |from, to| {
            let (usage, list) = (BTreeMap::new(), BTreeMap::new());
            Segment { plan: plan.clone(), from, to, trial_until, seats: 0, usage, list }
        };
        match trial_until.filter(|until| plan.trial.is_some() && since < *until && *until < next) {
            Some(until) => segments.extend([segment(since, until), segment(until, next)]),
            None if since < next => segments.push(segment(since, next)),
            None => {}
        }
    }
    segments
}
