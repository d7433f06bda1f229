//! Coupons, and who redeemed them.

use serde_json::json;

use super::Subscriptions;
use crate::{
    audit::{Actor, Deed, Versioned, record, record_for_operators},
    billing::{Amount, Coupon, Discount, Off, Percent, Redeemed, Subscription},
    clock::{Clock, Period},
    error::{Error, Result},
    store::{Change, Committed, Table, keys},
    tenant::Tenant,
};

/// How often a change is tried again that somebody else was quicker with.
const TRIES: usize = 10;
/// The most coupons that a tenant redeems.
const MOST: usize = 20;

/// The operator's coupons.
#[derive(Clone)]
pub struct Coupons {
    table: Table,
    clock: Clock,
    subscriptions: Subscriptions,
}

impl Coupons {
    /// Those in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, subscriptions: Subscriptions) -> Self {
        Self { table, clock, subscriptions }
    }

    /// All of them.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(&self) -> Result<Vec<Coupon>> {
        self.table.billing().begins_with(keys::COUPON_PREFIX).collect().await
    }

    /// Adds a new coupon to a change.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub fn create(&self, change: &mut Change, coupon: &Coupon, actor: &Actor) -> Result<()> {
        coupon.check()?;
        change.put_new(&self.table.billing(), &keys::coupon(&coupon.code), coupon)?;
        let deed =
            Deed { action: "coupon.create", target: coupon.code.clone(), after: json!(coupon), ..Deed::default() };
        record_for_operators(change, actor, self.clock.now(), deed)
    }

    /// Takes a coupon away. Who redeemed it keeps it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it was redeemed just now; `Unavailable`.
    pub async fn delete(&self, code: &str, actor: &Actor) -> Result<()> {
        let coupon = self.get(code).await?;
        let mut change = Change::new(&self.table);
        change.delete_version(&self.table.billing(), &keys::coupon(code), coupon.version)?;
        let deed = Deed { action: "coupon.delete", target: code.to_owned(), before: json!(coupon), ..Deed::default() };
        record_for_operators(&mut change, actor, self.clock.now(), deed)?;
        change.commit().await?.or(|| Error::Conflict("the coupon was changed just now; try again".to_owned()))
    }

    /// Redeems a coupon for a tenant, which can do so once.
    ///
    /// # Errors
    /// `NotFound` if there is none, or none any more; `Conflict` if it was redeemed before, is for other plans or another
    /// currency, or there is no subscription; `Unavailable`.
    pub async fn redeem(&self, tenant: &Tenant, code: &str, actor: &Actor) -> Result<Redeemed> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let mut coupon = self.get(code).await?;
            let of_coupon = coupon.version;
            if coupon.until.is_some_and(|until| until <= now) || coupon.redemptions_left == Some(0) {
                return Err(missing(code));
            }
            let conflict = |why: &str| Err(Error::Conflict(why.to_owned()));
            let Some(subscribed) = self.subscriptions.find(tenant).await? else {
                return conflict("the tenant is on no plan");
            };
            let Some(plan) = subscribed.plan_at(now) else { return conflict("the tenant is on no plan yet") };
            if !coupon.plans.is_empty() && !coupon.plans.contains(&plan.name) {
                return conflict("the coupon is for other plans");
            }
            if coupon.currency.is_some_and(|currency| currency != plan.currency) {
                return conflict("the coupon is in another currency than the plan");
            }
            let mut subscription = subscribed.subscription.clone();
            if subscription.coupons.iter().any(|redeemed| redeemed.code == coupon.code) {
                return conflict("the coupon was redeemed before");
            }
            if subscription.coupons.len() >= MOST {
                return conflict("the tenant has redeemed as many coupons as it may");
            }
            let (before, of) = (subscription.shown(), subscription.version);
            let redeemed =
                Redeemed { code: coupon.code.clone(), off: coupon.off.clone(), at: now, periods: coupon.periods };
            subscription.coupons.push(redeemed.clone());
            subscription.version = of + 1;
            // That a tenant's deletion ends it is no part of it.
            subscription.ended_at = None;
            coupon.version += 1;
            coupon.redemptions_left = coupon.redemptions_left.map(|left| left - 1);
            let mut change = Change::new(&self.table);
            change.replace(&self.table.billing(), &keys::coupon(code), &coupon, of_coupon)?;
            change.replace(&self.table.tenant(tenant.id).main(), keys::SUBSCRIPTION, &subscription, of)?;
            let deed =
                Deed { action: "coupon.redeem", target: redeemed.code.clone(), before, after: subscription.shown() };
            record(&mut change, tenant.id, actor, now, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(redeemed);
            }
        }
        Err(Error::Conflict("others are redeeming it at the same time; try again".to_owned()))
    }

    async fn get(&self, code: &str) -> Result<Coupon> {
        if !is_code(code) {
            return Err(missing(code));
        }
        self.table.billing().find(&keys::coupon(code)).await?.ok_or_else(|| missing(code))
    }
}

fn missing(code: &str) -> Error {
    Error::NotFound { kind: "coupon", id: code.chars().take(40).collect() }
}

fn is_code(code: &str) -> bool {
    (3..=40).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Coupon {
    /// Whether it can be redeemed.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub fn check(&self) -> Result<()> {
        let require = |holds: bool, field: &str, problem: &str| {
            if holds { Ok(()) } else { Err(Error::invalid(field, format!("{field} {problem}"))) }
        };
        require(is_code(&self.code), "code", "must be 3 to 40 of A-Z, 0-9 and -")?;
        match (&self.off, self.currency) {
            (Off::Percent(percent), None) => {
                require(
                    *percent > Percent::ZERO && *percent <= Percent::ALL,
                    "off",
                    "must be above 0 and at most 100 %",
                )?;
            }
            (Off::Amount(amount), Some(currency)) => {
                let whole = *amount > Amount::ZERO && amount.minor_units(currency).is_some();
                require(whole, "off", "must be above 0, and an amount that the currency has coins for")?;
            }
            (Off::Percent(_), Some(_)) => require(false, "currency", "must be absent with a percentage")?,
            (Off::Amount(_), None) => require(false, "currency", "must be given with an amount")?,
        }
        require(self.periods.is_none_or(|periods| (1..=120).contains(&periods)), "periods", "must be from 1 to 120")?;
        require(self.plans.len() <= 100, "plans", "must be at most 100")
    }
}

impl Subscription {
    /// The discounts that hold in a month, in the order in which they were redeemed.
    #[must_use]
    pub fn discounts(&self, month: Period) -> Vec<Discount> {
        let holds = |redeemed: &&Redeemed| {
            let first = Period::month(redeemed.at);
            let passed = (0..).zip(std::iter::successors(Some(first), |month| Some(month.next())));
            let periods = redeemed.periods;
            let mut within = passed.take_while(|(number, _)| periods.is_none_or(|periods| *number < periods));
            first <= month && within.find(|(_, at)| *at >= month).is_some()
        };
        let discount = |redeemed: &Redeemed| Discount { code: redeemed.code.clone(), off: redeemed.off.clone() };
        self.coupons.iter().filter(holds).map(discount).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_holds_for_its_periods_from_the_one_it_was_redeemed_in() {
        let at = Timestamp::parse("2026-11-30T23:59:59Z").unwrap();
        let redeemed =
            |code: &str, periods| Redeemed { code: code.to_owned(), off: Off::Percent(Percent(10)), at, periods };
        let subscription =
            Subscription { coupons: vec![redeemed("TWO", Some(2)), redeemed("ALL", None)], ..Subscription::default() };
        let of = |month| {
            subscription.discounts(Period::parse(month).unwrap()).into_iter().map(|one| one.code).collect::<Vec<_>>()
        };
        assert_eq!(of("2026-10"), [""; 0]);
        assert_eq!(of("2026-11"), ["TWO", "ALL"]);
        assert_eq!(of("2026-12"), ["TWO", "ALL"]);
        assert_eq!(of("2027-01"), ["ALL"]);
        assert_eq!(of("2030-01"), ["ALL"]);
    }
}
