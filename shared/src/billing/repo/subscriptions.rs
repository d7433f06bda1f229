//! Which plan a tenant is on: chosen, changed, and what follows from it for the tenant's limits.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{BillingSettings, Grants, Plans, grants};
use crate::{
    audit::{Actor, Deed, IfMatch, Versioned, record},
    billing::{Invoice, InvoiceStatus, Overage, Plan, Segment, Subscription, Term, segments},
    clock::{Clock, Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    llm::catalogue::Catalogues,
    quota::{Limits, Meters},
    store::{Change, Committed, Table, keys, keys::MeterScope},
    tenant::{DELETION_TAKES, Tenant, Tenants},
};

/// How often a change is tried again that somebody else was quicker with.
const TRIES: usize = 10;

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

/// Tenants' subscriptions.
#[derive(Clone)]
pub struct Subscriptions {
    table: Table,
    clock: Clock,
    tenants: Tenants,
    plans: Plans,
    settings: BillingSettings,
    grants: Grants,
    catalogues: Arc<Catalogues>,
    meters: Meters,
}

/// A plan that a tenant is to be on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// Which tenant.
    pub tenant: TenantId,
    /// The plan's name.
    pub plan: &'a str,
    /// From when.
    pub when: When,
    /// Which version of the subscription is changed.
    pub version: IfMatch,
    /// Who chooses.
    pub chooser: Chooser,
    /// Who acts.
    pub actor: &'a Actor,
}

/// From when a plan is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At once.
    #[default]
    Now,
    /// From the end of the month on.
    PeriodEnd,
}

/// Who chooses a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chooser {
    /// The tenant, among those that are public.
    Tenant,
    /// The operator, among all.
    Operator,
}

/// A subscription with the plans that it names.
#[derive(Debug, Clone)]
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
        let Subscription { ended_at, trial_until, .. } = self.subscription;
        segments((month.start(), month.end()), &terms, ended_at, trial_until)
    }

    /// Each term with its plan.
    pub fn terms(&self) -> impl Iterator<Item = (&Term, &Arc<Plan>)> {
        self.subscription.terms.iter().zip(&self.plans)
    }
}

impl Subscriptions {
    /// The subscriptions in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, plans: Plans, catalogues: Arc<Catalogues>, meters: Meters) -> Self {
        Self {
            tenants: Tenants::new(table.clone()),
            settings: BillingSettings::new(table.clone()),
            grants: Grants::new(table.clone()),
            table,
            clock,
            plans,
            catalogues,
            meters,
        }
    }

    /// The plans.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// What a tenant is subscribed to. One that never chose is on the operator's default plan since it was created; `None`
    /// if there is no such plan. It ends when its deletion was asked for.
    ///
    /// # Errors
    /// `Unavailable`; `NotFound` if a version of a plan is gone.
    pub async fn find(&self, tenant: &Tenant) -> Result<Option<Subscribed>> {
        let kept: Option<Subscription> = self.table.tenant(tenant.id).main().find(keys::SUBSCRIPTION).await?;
        let mut subscription = match kept {
            Some(subscription) => subscription,
            None => match self.by_default(tenant.created_at).await? {
                Some(subscription) => subscription,
                None => return Ok(None),
            },
        };
        let ended = tenant.delete_after.map(|after| after.before(DELETION_TAKES));
        subscription.ended_at = [subscription.ended_at, ended].into_iter().flatten().min();
        let mut plans = Vec::with_capacity(subscription.terms.len());
        for term in &subscription.terms {
            plans.push(self.plans.get(&term.plan, term.effective).await?);
        }
        Ok(Some(Subscribed { subscription, plans }))
    }

    /// Puts a tenant that is about to be made on the operator's default plan, if there is one.
    ///
    /// # Errors
    /// `Unavailable`, or what the plan's limits fail with.
    pub async fn welcome(&self, change: &mut Change, tenant: &mut Tenant) -> Result<()> {
        let Some(mut subscription) = self.by_default(tenant.created_at).await? else { return Ok(()) };
        let Some(term) = subscription.terms.first() else { return Ok(()) };
        let plan = self.plans.get(&term.plan, term.effective).await?;
        tenant.plan = Some(plan.name.clone());
        tenant.limits = plan.capped(&*self.catalogues.current().await?)?;
        subscription.version = 1;
        change.put_new(&self.table.tenant(tenant.id).main(), keys::SUBSCRIPTION, &subscription)?;
        Ok(())
    }

    async fn by_default(&self, from: Timestamp) -> Result<Option<Subscription>> {
        let Some(name) = self.settings.find().await?.and_then(|settings| settings.default_plan) else {
            return Ok(None);
        };
        // A tenant may be older than the plan.
        let plan = match self.plans.find_current(&name, from).await? {
            Some(plan) => plan,
            None => match self.plans.versions(&name).await?.into_iter().next() {
                Some(first) => first,
                None => return Ok(None),
            },
        };
        let mut subscription = Subscription::default();
        subscription.begin(&plan, from);
        Ok(Some(subscription))
    }

    /// Puts a tenant on a plan: its subscription, and with it, if it holds at once, its limits.
    ///
    /// # Errors
    /// `NotFound` if there is no such plan for it; `Conflict` if it is on that version already, or others are quicker;
    /// `Invalid` if the currency would change within a month; `PreconditionFailed`; `Unavailable`.
    pub async fn choose(&self, choice: Choice<'_>) -> Result<(Subscribed, Tenant)> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let tenant = self.tenants.get(choice.tenant).await?;
            let before = self.find(&tenant).await?;
            let kept = before.as_ref().map_or(0, |before| before.subscription.version);
            choice.version.check(kept)?;
            let from = match choice.when {
                When::Now => now,
                When::PeriodEnd => Period::month(now).end(),
            };
            let plan = self.plans.current(choice.plan, from).await?;
            if choice.chooser == Chooser::Tenant && !plan.public {
                return Err(Error::NotFound { kind: "plan", id: choice.plan.to_owned() });
            }
            let mut subscribed =
                before.clone().unwrap_or_else(|| Subscribed { subscription: Subscription::default(), plans: vec![] });
            subscribed.change_to(&plan, from, now)?;
            subscribed.subscription.version = kept + 1;
            let limits = if from <= now { Some(self.limits_of(&tenant, &subscribed, now).await?) } else { None };
            let mut change = Change::new(&self.table);
            let main = self.table.tenant(tenant.id).main();
            change.replace(&main, keys::SUBSCRIPTION, &subscribed.subscription, kept)?;
            let before = before.map_or(Value::Null, |before| before.subscription.shown());
            let deed = Deed {
                action: "plan.choose",
                target: plan.name.clone(),
                before,
                after: subscribed.subscription.shown(),
            };
            record(&mut change, tenant.id, choice.actor, now, deed)?;
            self.watch(&mut change, &tenant, &subscribed, now)?;
            let mut after = tenant.clone();
            if let Some(limits) = limits {
                (after.plan, after.limits) = (Some(plan.name.clone()), limits);
                self.tenants.replace(&mut change, &mut after)?;
            }
            if change.commit().await? == Committed::Yes {
                self.meters.recap(&after).await?;
                return Ok((subscribed, after));
            }
        }
        Err(Error::Conflict("others are changing the subscription at the same time; try again".to_owned()))
    }

    /// Has a tenant looked at when a term of it begins, and with prepaid credit at the month's end, too.
    fn watch(&self, change: &mut Change, tenant: &Tenant, subscribed: &Subscribed, now: Timestamp) -> Result<()> {
        let next = subscribed.subscription.terms.iter().map(|term| term.from).find(|from| *from > now);
        let prepaid = subscribed.plans.iter().any(|plan| plan.overage == Overage::Prepaid);
        let month = prepaid.then(|| Period::month(now).end());
        if let Some(at) = [next, month].into_iter().flatten().min() {
            change.put(&self.table.billing(), &keys::term(at, tenant.id), &json!({"tenant": tenant.id}))?;
        }
        Ok(())
    }

    /// Brings tenants' limits in line with the terms that have begun, until `deadline`. Returns how many were.
    ///
    /// # Errors
    /// `Unavailable`; what was done stays done.
    pub async fn begin_terms(&self, deadline: Timestamp) -> Result<u64> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
        }
        let (first, last) = keys::terms_until(self.clock.now());
        let mut begun = 0;
        for row in self.table.billing().between::<Row>(&first, &last).collect().await? {
            if self.clock.now() >= deadline {
                break;
            }
            let Some((_, id)) = keys::parse_term(&row.sk) else { continue };
            if let Some(tenant) = self.tenants.find(id).await? {
                self.recap(&tenant).await?;
                begun += 1;
            }
            // What is to be looked at later has an item of its own by now.
            self.table.billing().delete_all(&[row.sk]).await?;
        }
        Ok(begun)
    }

    /// Brings a tenant's limits in line with its plan, and with the credit that it has.
    ///
    /// # Errors
    /// `Conflict` if others are quicker again and again; `Unavailable`.
    pub async fn recap(&self, tenant: &Tenant) -> Result<()> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let mut tenant = self.tenants.get(tenant.id).await?;
            let Some(subscribed) = self.find(&tenant).await? else { return Ok(()) };
            let Some(plan) = subscribed.plan_at(now) else { return Ok(()) };
            let (before, limits) = (tenant.shown(), self.limits_of(&tenant, &subscribed, now).await?);
            let mut change = Change::new(&self.table);
            self.watch(&mut change, &tenant, &subscribed, now)?;
            let same = tenant.limits == limits && tenant.plan.as_ref() == Some(&plan.name);
            (tenant.plan, tenant.limits) = (Some(plan.name.clone()), limits);
            if !same {
                self.tenants.replace(&mut change, &mut tenant)?;
                let deed =
                    Deed { action: "tenant.recap", target: tenant.id.to_string(), before, after: tenant.shown() };
                record(&mut change, tenant.id, &Actor::system(), now, deed)?;
            }
            if change.is_empty() || change.commit().await? == Committed::Yes {
                return self.meters.recap(&tenant).await;
            }
        }
        Err(Error::Conflict("others are changing the tenant at the same time; try again".to_owned()))
    }

    /// What a tenant may use by its plan now.
    async fn limits_of(&self, tenant: &Tenant, subscribed: &Subscribed, now: Timestamp) -> Result<Limits> {
        let Some(plan) = subscribed.plan_at(now) else { return Ok(tenant.limits) };
        let catalogue = self.catalogues.current().await?;
        if plan.overage != Overage::Prepaid {
            return plan.capped(&catalogue);
        }
        let month = Period::month(now);
        let left = grants::left(&self.grants.usable(tenant.id, plan.currency, month).await?)?;
        let mut limits = plan.capped_at(left, &catalogue)?;
        // What the month before has used of it, as long as no invoice has taken it off.
        let unbilled = self.unbilled(tenant.id, month.previous()).await?;
        limits.monthly_nano_usd = limits.monthly_nano_usd.map(|most| most.saturating_sub(unbilled));
        Ok(limits)
    }

    /// What a month's meters have spent and hold, at list prices, unless the month's invoice is finalised.
    async fn unbilled(&self, tenant: TenantId, month: Period) -> Result<u64> {
        let sort = keys::invoice(keys::invoice_of(tenant, month));
        let invoice: Option<Invoice> = self.table.tenant(tenant).invoices().find(&sort).await?;
        if invoice.is_some_and(|invoice| invoice.status >= InvoiceStatus::Finalised) {
            return Ok(0);
        }
        let meters: HashMap<_, _> = self.meters.of(tenant, month).await?.into_iter().collect();
        let of_tenant = meters.iter().filter(|(scope, _)| matches!(scope, MeterScope::Tenant(_)));
        let used = |meter: &crate::quota::Meter| {
            let held: u64 = meter.holds.values().map(|hold| hold.cost.0).sum();
            meter.nano_usd_spent.saturating_add(held)
        };
        Ok(of_tenant.map(|(_, meter)| used(meter)).sum())
    }
}

impl Subscription {
    fn begin(&mut self, plan: &Plan, from: Timestamp) {
        self.terms.push(Term { plan: plan.name.clone(), effective: plan.effective, from });
        if let (None, Some(trial)) = (self.trial_until, &plan.trial) {
            self.trial_until = Some(from.after(Duration::from_hours(24) * trial.days));
        }
    }
}

impl Subscribed {
    /// Changes to another plan, or another version of it. What was to come is given up.
    fn change_to(&mut self, plan: &Arc<Plan>, from: Timestamp, now: Timestamp) -> Result<()> {
        // A trial that was only to come is given up with its term.
        if self.subscription.terms.iter().zip(&self.plans).all(|(term, plan)| term.from > now || plan.trial.is_none()) {
            self.subscription.trial_until = None;
        }
        let holds = self.subscription.terms.iter().take_while(|term| term.from <= now && term.from < from).count();
        self.subscription.terms.truncate(holds);
        self.plans.truncate(holds);
        if let (Some(term), Some(current)) = (self.subscription.terms.last(), self.plans.last()) {
            if (&term.plan, term.effective) == (&plan.name, plan.effective) {
                return Err(Error::Conflict(format!("the tenant is on this version of {} already", plan.name)));
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
        let mut euro = (*plans["team"]).clone();
        euro.currency = crate::billing::Currency::USD;
        let team = Arc::new(euro);
        tenant.change_to(&team, at("2026-11-03"), at("2026-11-03")).unwrap();
        assert_eq!(tenant.subscription.trial_until, Some(at("2026-11-17")));
        tenant.change_to(&plans["free"], at("2026-11-20"), at("2026-11-20")).unwrap();
        tenant.change_to(&team, at("2026-12-20"), at("2026-12-20")).unwrap();
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
        assert!(matches!(tenant.clone().change_to(&plans["team"], now, now), Err(Error::Invalid { .. })));
        assert!(tenant.change_to(&plans["team"], at("2026-12-01"), now).is_ok());
    }

    #[test]
    fn nobody_changes_to_where_it_is() {
        let plans = plans();
        let mut tenant = nobody();
        tenant.change_to(&plans["free"], at("2026-10-01"), at("2026-10-01")).unwrap();
        let again = tenant.change_to(&plans["free"], at("2026-11-10"), at("2026-11-10"));
        assert!(matches!(again, Err(Error::Conflict(_))));
    }
}
