//! Which plan a tenant is on, and was: the rules, without a database.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    audit::Versioned,
    billing::{Pause, Plan, Segment, Subscription, Term, segments},
    clock::{Period, Timestamp},
    error::{Error, Result},
};

/// How often a tenant changes its plan by itself in a month.
const MOST_CHANGES: usize = 5;

/// A subscription with the plans that it names.
#[derive(Debug, Clone, Default)]
pub struct Subscribed {
    /// The subscription.
    pub subscription: Subscription,
    /// The version of the plan of each term, in order.
    pub plans: Vec<Arc<Plan>>,
}

impl Subscribed {
    /// The plan that holds at a time.
    #[must_use]
    pub fn plan_at(&self, at: Timestamp) -> Option<&Arc<Plan>> {
        let place = self.subscription.terms.iter().rposition(|term| term.from <= at)?;
        self.plans.get(place)
    }

    /// The parts of a month on one plan each, without seats and usage.
    #[must_use]
    pub fn segments(&self, month: Period) -> Vec<Segment> {
        let terms: Vec<_> = self.terms().map(|(term, plan)| (term.from, (**plan).clone())).collect();
        let Subscription { ended_at, trial_until, pauses, .. } = &self.subscription;
        let whole = segments((month.start(), month.end()), &terms, *ended_at, *trial_until);
        pauses.iter().fold(whole, |segments, pause| segments.into_iter().flat_map(|one| without(one, *pause)).collect())
    }

    /// Each term with its plan.
    pub fn terms(&self) -> impl Iterator<Item = (&Term, &Arc<Plan>)> {
        self.subscription.terms.iter().zip(&self.plans)
    }
}

/// What a pause leaves of a part.
fn without(segment: Segment, pause: Pause) -> impl Iterator<Item = Segment> {
    let before = Segment { to: segment.to.min(pause.from), ..segment.clone() };
    let behind = Segment { from: segment.from.max(pause.to), ..segment };
    [before, behind].into_iter().filter(|part| part.from < part.to)
}

impl Versioned for Subscription {
    const KIND: &'static str = "subscription";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(fields) = shown.as_object_mut() {
            fields.shift_remove("version");
        }
        shown
    }
}

impl Subscription {
    /// Fails if a tenant has changed its plan so often this month that it is no use any more: terms are kept for ever.
    pub(super) fn demand_calm(&self, now: Timestamp) -> Result<()> {
        let since = Period::month(now).start();
        if self.terms.iter().filter(|term| term.from >= since).count() <= MOST_CHANGES {
            return Ok(());
        }
        Err(Error::Conflict(format!("a tenant changes its plan at most {MOST_CHANGES} times a month")))
    }

    /// Begins a term on a plan, and the trial with it if there was none yet.
    pub(super) fn begin(&mut self, plan: &Plan, from: Timestamp) {
        self.terms.push(Term { plan: plan.name.clone(), effective: plan.effective, from });
        if let (None, Some(trial)) = (self.trial_until, &plan.trial) {
            self.trial_until = Some(from.after(Duration::from_hours(24) * trial.days));
        }
    }
}

impl Subscribed {
    /// Changes to another plan, or another version of it. What was to come is given up.
    pub(super) fn change_to(&mut self, plan: &Arc<Plan>, from: Timestamp, now: Timestamp) -> Result<()> {
        // A trial that was only to come is given up with its term.
        if self.subscription.terms.iter().zip(&self.plans).all(|(term, plan)| term.from > now || plan.trial.is_none()) {
            self.subscription.trial_until = None;
        }
        let holds = self.subscription.terms.iter().take_while(|term| term.from <= now && term.from < from).count();
        self.subscription.terms.truncate(holds);
        self.plans.truncate(holds);
        if let (Some(term), Some(current)) = (self.subscription.terms.last(), self.plans.last()) {
            if (&term.plan, term.effective) == (&plan.name, plan.effective) {
                return Ok(());
            }
            if current.currency != plan.currency && from != Period::month(from).start() {
                let detail = "a plan in another currency begins with a month: choose it for the period's end";
                return Err(Error::invalid("when", detail));
            }
        }
        self.subscription.begin(plan, from);
        self.plans.push(Arc::clone(plan));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::billing::plans_from_toml;

    fn plans() -> HashMap<String, Arc<Plan>> {
        let plans = plans_from_toml(include_str!("../../../../plans.toml"), Timestamp(1)).unwrap();
        plans.into_iter().map(|plan| (plan.name.clone(), Arc::new(plan))).collect()
    }

    fn nobody() -> Subscribed {
        Subscribed { subscription: Subscription::default(), plans: vec![] }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn names(subscribed: &Subscribed) -> Vec<&str> {
        subscribed.subscription.terms.iter().map(|term| term.plan.as_str()).collect()
    }

    #[test]
    fn a_trial_begins_with_the_first_plan_that_has_one_and_is_given_once() {
        let plans = plans();
        let mut tenant = nobody();
        tenant.change_to(&plans["free"], at("2026-10-01"), at("2026-10-01")).unwrap();
        assert_eq!(tenant.subscription.trial_until, None);
        let chosen = at("2026-11-02T10:00:00Z");
        tenant.change_to(&plans["prepaid"], chosen, chosen).unwrap();
        tenant.change_to(&plans["team"], at("2026-11-03"), at("2026-11-03")).unwrap();
        assert_eq!(tenant.subscription.trial_until, Some(at("2026-11-17")));
        tenant.change_to(&plans["free"], at("2026-11-20"), at("2026-11-20")).unwrap();
        tenant.change_to(&plans["team"], at("2026-12-20"), at("2026-12-20")).unwrap();
        assert_eq!(tenant.subscription.trial_until, Some(at("2026-11-17")));
    }

    #[test]
    fn a_change_that_is_to_come_is_replaced_by_the_next_choice() {
        let plans = plans();
        let mut tenant = nobody();
        let now = at("2026-11-10");
        tenant.change_to(&plans["free"], at("2026-10-01"), at("2026-10-01")).unwrap();
        tenant.change_to(&plans["team"], at("2026-12-01"), now).unwrap();
        assert_eq!((names(&tenant), tenant.subscription.trial_until), (vec!["free", "team"], Some(at("2026-12-15"))));
        tenant.change_to(&plans["prepaid"], now, now).unwrap();
        assert_eq!((names(&tenant), tenant.subscription.trial_until), (vec!["free", "prepaid"], None));
    }

    #[test]
    fn a_currency_changes_at_the_beginning_of_a_month_alone() {
        let plans = plans();
        let mut tenant = nobody();
        let now = at("2026-11-10");
        tenant.change_to(&plans["free"], at("2026-10-01"), at("2026-10-01")).unwrap();
        let dollars = Arc::new(Plan { currency: crate::billing::Currency::USD, ..(*plans["team"]).clone() });
        assert!(matches!(tenant.clone().change_to(&dollars, now, now), Err(Error::Invalid { .. })));
        assert!(tenant.change_to(&dollars, at("2026-12-01"), now).is_ok());
    }

    #[test]
    fn choosing_what_holds_gives_up_what_was_to_come() {
        let plans = plans();
        let mut tenant = nobody();
        let now = at("2026-11-10");
        tenant.change_to(&plans["free"], at("2026-10-01"), at("2026-10-01")).unwrap();
        let before = tenant.subscription.clone();
        tenant.change_to(&plans["team"], at("2026-12-01"), now).unwrap();
        tenant.change_to(&plans["free"], now, now).unwrap();
        assert_eq!(tenant.subscription, before);
    }

    #[test]
    fn a_pause_is_left_out_of_the_month() {
        let plans = plans();
        let mut tenant = nobody();
        tenant.change_to(&plans["free"], at("2026-10-01"), at("2026-10-01")).unwrap();
        tenant.change_to(&plans["prepaid"], at("2026-11-15"), at("2026-11-15")).unwrap();
        tenant.subscription.pauses = vec![
            Pause { from: at("2026-10-20"), to: at("2026-11-03") },
            Pause { from: at("2026-11-10"), to: at("2026-11-20") },
            Pause { from: at("2026-11-25"), to: at("2026-11-26") },
        ];
        let segments = tenant.segments(Period::parse("2026-11").unwrap());
        let parts: Vec<_> = segments.iter().map(|one| (one.plan.name.as_str(), one.from, one.to)).collect();
        let wanted = [
            ("free", at("2026-11-03"), at("2026-11-10")),
            ("prepaid", at("2026-11-20"), at("2026-11-25")),
            ("prepaid", at("2026-11-26"), at("2026-12-01")),
        ];
        assert_eq!(parts, wanted);
    }

    #[test]
    fn nobody_changes_without_end() {
        let mut subscription = Subscription::default();
        let of = |from| Term { plan: "free".to_owned(), effective: Timestamp(0), from };
        let now = at("2026-11-10");
        subscription.terms = vec![of(at("2026-10-01")); 50];
        subscription.terms.extend(vec![of(now); MOST_CHANGES]);
        assert!(subscription.demand_calm(now).is_ok());
        subscription.terms.push(of(now));
        assert!(matches!(subscription.demand_calm(now), Err(Error::Conflict(_))));
    }
}
