//! Which plan a tenant is on: chosen, changed, and what follows from it for the tenant's limits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{BillingSettings, Grants, Plans, Subscribed, grants};
use crate::{
    audit::{Actor, Deed, IfMatch, Versioned, record, record_for_operators},
    billing::{Invoice, InvoiceStatus, Overage, Plan, Subscription},
    clock::{Clock, Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    llm::catalogue::Catalogues,
    quota::Meters,
    store::{Change, Committed, Table, keys},
    tenant::{DELETION_TAKES, Tenant, Tenants},
};

/// How often a change is tried again that somebody else was quicker with.
const TRIES: usize = 10;
/// How many months are looked back on for what no invoice has taken off of credit yet.
const MOST_UNBILLED: usize = 12;

/// What begun terms have brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Begun {
    /// Tenants whose limits are those of their plan now.
    pub tenants: u64,
    /// Tenants of which that can't be said; they are tried again.
    pub failed: u64,
    /// Whether there is more to do, for which there was no time.
    pub unfinished: bool,
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

impl Subscriptions {
    /// The subscriptions in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, catalogues: Arc<Catalogues>, meters: Meters) -> Self {
        Self {
            plans: Plans::new(table.clone()),
            tenants: Tenants::new(table.clone()),
            settings: BillingSettings::new(table.clone()),
            grants: Grants::new(table.clone()),
            table,
            clock,
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
        let mut subscription = kept.unwrap_or_default();
        if subscription.terms.is_empty() {
            let Some(plan) = self.by_default(tenant.created_at).await? else { return Ok(None) };
            subscription.begin(&plan, tenant.created_at);
        }
        subscription.ended_at = tenant.delete_after.map(|after| after.before(DELETION_TAKES));
        let mut plans = Vec::with_capacity(subscription.terms.len());
        for term in &subscription.terms {
            plans.push(self.plans.get(&term.plan, term.effective).await?);
        }
        Ok(Some(Subscribed { subscription, plans }))
    }

    /// Puts a tenant that is about to be made on the operator's default plan, if there is one. It gets that plan's limits,
    /// unless it has some already.
    ///
    /// # Errors
    /// `Unavailable`, or what the plan's limits fail with.
    pub async fn welcome(&self, change: &mut Change, tenant: &mut Tenant) -> Result<()> {
        let Some(plan) = self.by_default(tenant.created_at).await? else { return Ok(()) };
        let mut subscription = Subscription { version: 1, ..Subscription::default() };
        subscription.begin(&plan, tenant.created_at);
        change.put_new(&self.table.tenant(tenant.id).main(), keys::SUBSCRIPTION, &subscription)?;
        let subscribed = Subscribed { subscription, plans: vec![plan] };
        if tenant.plan.is_none() && tenant.limits.is_unlimited() {
            self.limit(tenant, &subscribed, tenant.created_at).await?;
        }
        self.watch(change, tenant.id, &subscribed, tenant.created_at)
    }

    /// The default plan for tenants that were created at a time.
    async fn by_default(&self, at: Timestamp) -> Result<Option<Arc<Plan>>> {
        let Some(name) = self.settings.find().await?.and_then(|settings| settings.default_plan) else {
            return Ok(None);
        };
        // A tenant may be older than the plan.
        match self.plans.find_current(&name, at).await? {
            Some(plan) => Ok(Some(plan)),
            None => Ok(self.plans.versions(&name).await?.into_iter().next()),
        }
    }

    /// Puts a tenant on a plan: its subscription, and with it, if it holds at once, its limits. What was to come is given up;
    /// choosing what holds already changes nothing else.
    ///
    /// # Errors
    /// `NotFound` if there is no such plan for it; `Invalid` if the currency would change within a month; `PreconditionFailed`;
    /// `Conflict` if others are quicker, or the tenant has changed too often; `Unavailable`.
    pub async fn choose(&self, choice: Choice<'_>) -> Result<(Subscribed, Tenant)> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let tenant = self.tenants.get(choice.tenant).await?;
            let before = self.find(&tenant).await?.unwrap_or_default();
            let kept = before.subscription.version;
            choice.version.check(kept)?;
            let from = match choice.when {
                When::Now => now,
                When::PeriodEnd => Period::month(now).end(),
            };
            let plan = self.plans.current(choice.plan, from).await?;
            if choice.chooser == Chooser::Tenant && !plan.public {
                return Err(Error::NotFound { kind: "plan", id: choice.plan.to_owned() });
            }
            let mut after = before.clone();
            after.change_to(&plan, from, now)?;
            if after.subscription == before.subscription && kept > 0 {
                return Ok((after, tenant));
            }
            if choice.chooser == Chooser::Tenant {
                after.subscription.demand_calm(now)?;
            }
            after.subscription.version = kept + 1;
            let mut limited = tenant.clone();
            if from <= now {
                self.limit(&mut limited, &after, now).await?;
            }
            let mut change = Change::new(&self.table);
            change.replace(&self.table.tenant(tenant.id).main(), keys::SUBSCRIPTION, &after.subscription, kept)?;
            let shown = |subscribed: &Subscribed, tenant: &Tenant| {
                let Subscription { terms, trial_until, .. } = &subscribed.subscription;
                json!({"terms": terms, "trial_until": trial_until, "limits": tenant.limits})
            };
            let deed = |target: String| {
                let (before, after) = (shown(&before, &tenant), shown(&after, &limited));
                Deed { action: "plan.choose", target, before, after }
            };
            record(&mut change, tenant.id, choice.actor, now, deed(plan.name.clone()))?;
            if choice.chooser == Chooser::Operator {
                record_for_operators(&mut change, choice.actor, now, deed(tenant.id.to_string()))?;
            }
            self.watch(&mut change, tenant.id, &after, now)?;
            if limited != tenant {
                self.tenants.replace(&mut change, &mut limited)?;
            }
            if change.commit().await? == Committed::Yes {
                self.meters.recap(&limited).await?;
                return Ok((after, limited));
            }
        }
        Err(Error::Conflict("others are changing the subscription at the same time; try again".to_owned()))
    }

    /// Has a tenant looked at when a term of it begins, and with prepaid credit at the month's end, too.
    fn watch(&self, change: &mut Change, tenant: TenantId, subscribed: &Subscribed, now: Timestamp) -> Result<()> {
        let next = subscribed.subscription.terms.iter().map(|term| term.from).find(|from| *from > now);
        let is_prepaid = subscribed.plan_at(now).is_some_and(|plan| plan.overage == Overage::Prepaid);
        let month = is_prepaid.then(|| Period::month(now).end());
        if let Some(at) = [next, month].into_iter().flatten().min() {
            change.put(&self.table.billing(), &keys::term(at, tenant), &json!({"tenant": tenant}))?;
        }
        Ok(())
    }

    /// Brings tenants' limits in line with the terms that have begun, until `deadline`.
    ///
    /// # Errors
    /// `Unavailable`; what was done stays done.
    pub async fn begin_terms(&self, deadline: Timestamp) -> Result<Begun> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
        }
        let (first, last) = keys::terms_until(self.clock.now());
        let partition = self.table.billing();
        let mut rows = partition.between::<Row>(&first, &last);
        let mut begun = Begun::default();
        while let Some(page) = rows.page().await? {
            for Row { sk } in page {
                if self.clock.now() >= deadline {
                    return Ok(Begun { unfinished: true, ..begun });
                }
                let Some((_, id)) = keys::parse_term(&sk) else { continue };
                // One tenant whose plan can't be kept must not hold up the others. It is tried again.
                if let Err(error) = self.recap(id).await {
                    tracing::error!(error = ?error, tenant = %id, "a tenant's limits are not those of its plan");
                    begun.failed += 1;
                    continue;
                }
                begun.tenants += 1;
                // What is to be looked at later has an item of its own by now.
                partition.delete_all(&[sk]).await?;
            }
        }
        Ok(begun)
    }

    /// Brings a tenant's limits in line with its plan, and with the credit that it has. To be called whenever credit was given
    /// or used. A tenant that is gone needs none.
    ///
    /// # Errors
    /// `Conflict` if others are quicker again and again; `Invalid` if the plan has no limits by today's catalogue;
    /// `Unavailable`.
    pub async fn recap(&self, tenant: TenantId) -> Result<()> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let Some(tenant) = self.tenants.find(tenant).await? else { return Ok(()) };
            let Some(subscribed) = self.find(&tenant).await? else { return Ok(()) };
            let mut limited = tenant.clone();
            self.limit(&mut limited, &subscribed, now).await?;
            let mut change = Change::new(&self.table);
            self.watch(&mut change, tenant.id, &subscribed, now)?;
            if limited != tenant {
                self.tenants.replace(&mut change, &mut limited)?;
                let (before, after) = (tenant.shown(), limited.shown());
                let deed = Deed { action: "tenant.recap", target: tenant.id.to_string(), before, after };
                record(&mut change, tenant.id, &Actor::system(), now, deed)?;
            }
            if change.is_empty() || change.commit().await? == Committed::Yes {
                return self.meters.recap(&limited).await;
            }
        }
        Err(Error::Conflict("others are changing the tenant at the same time; try again".to_owned()))
    }

    /// Gives a tenant the name and the limits of its plan.
    async fn limit(&self, tenant: &mut Tenant, subscribed: &Subscribed, now: Timestamp) -> Result<()> {
        let Some(plan) = subscribed.plan_at(now) else { return Ok(()) };
        let catalogue = self.catalogues.current().await?;
        tenant.plan = Some(plan.name.clone());
        (tenant.limits, tenant.prepaid_in) = match plan.overage {
            Overage::Charged | Overage::UpTo(_) | Overage::Refused => (plan.capped(&catalogue)?, None),
            Overage::Prepaid => {
                let month = Period::month(now);
                let left = grants::left(&self.grants.usable(tenant.id, plan.currency, month).await?)?;
                let mut limits = plan.capped_at(left, &catalogue)?;
                let unbilled = self.unbilled(tenant, month).await?;
                limits.monthly_nano_usd = limits.monthly_nano_usd.map(|most| most.saturating_sub(unbilled));
                (limits, Some(month.start()))
            }
        };
        Ok(())
    }

    /// What the months before one have spent and hold, at list prices, whose invoices aren't finalised: no credit was taken
    /// for it yet.
    async fn unbilled(&self, tenant: &Tenant, month: Period) -> Result<u64> {
        let invoices = self.table.tenant(tenant.id).invoices();
        let mut unbilled = 0_u64;
        let months = std::iter::successors(Some(month.previous()), |month| Some(month.previous()));
        for month in months.take(MOST_UNBILLED).take_while(|month| tenant.created_at < month.end()) {
            let invoice: Option<Invoice> = invoices.find(&keys::invoice(keys::invoice_of(tenant.id, month))).await?;
            if invoice.is_some_and(|invoice| invoice.status >= InvoiceStatus::Finalised) {
                break;
            }
            unbilled = unbilled.saturating_add(self.meters.taken(tenant.id, month).await?);
        }
        Ok(unbilled)
    }
}
