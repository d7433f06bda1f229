//! Coupons, and who redeemed them.

use serde_json::json;

use super::{Kept, Subscribed, Subscriptions};
use crate::{
    audit::{Actor, Deed, Versioned, record, record_for_operators},
    billing::{Amount, Coupon, Currency, Discount, Off, Percent, Redeemed, Subscription},
    clock::{Clock, Period, Timestamp},
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
        let kept = self.table.billing().begins_with::<Kept<Coupon>>(keys::COUPON_PREFIX).collect().await?;
        Ok(kept.into_iter().map(|kept| kept.value).collect())
    }

    /// Adds a new coupon to a change. Returns it as it is kept.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub fn create(&self, change: &mut Change, coupon: &Coupon, actor: &Actor) -> Result<Coupon> {
        coupon.check()?;
        let coupon = Coupon { version: 1, ..coupon.clone() };
        change.put_new(&self.table.billing(), &keys::coupon(&coupon.code), &Kept::from(coupon.clone()))?;
        let deed =
            Deed { action: "coupon.create", target: coupon.code.clone(), after: json!(coupon), ..Deed::default() };
        record_for_operators(change, actor, self.clock.now(), deed)?;
        Ok(coupon)
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

    /// Redeems a coupon for a tenant. Once it is redeemed, doing so again changes nothing.
    ///
    /// # Errors
    /// `NotFound` if there is none, or none any more; `Conflict` if it is for other plans or another currency, or the tenant is
    /// on no plan; `Unavailable`.
    pub async fn redeem(&self, tenant: &Tenant, code: &str, actor: &Actor) -> Result<Redeemed> {
        for _ in 0..TRIES {
            let now = self.clock.now();
            let Some(subscribed) = self.subscriptions.find(tenant).await? else {
                return Err(Error::Conflict("the tenant is on no plan".to_owned()));
            };
            if let Some(redeemed) = subscribed.subscription.coupons.iter().find(|redeemed| redeemed.code == code) {
                return Ok(redeemed.clone());
            }
            let mut coupon = self.get(code).await?;
            let redeemed = coupon.redeemed(&subscribed, now)?;
            let mut subscription = subscribed.subscription;
            let (before, of, of_coupon) = (subscription.shown(), subscription.version, coupon.version);
            subscription.coupons.push(redeemed.clone());
            subscription.version += 1;
            coupon.version += 1;
            coupon.redemptions_left = coupon.redemptions_left.map(|left| left.saturating_sub(1));
            let mut change = Change::new(&self.table);
            change.replace(&self.table.billing(), &keys::coupon(code), &Kept::from(coupon), of_coupon)?;
            change.replace(&self.table.tenant(tenant.id).main(), keys::SUBSCRIPTION, &subscription, of)?;
            let after = subscription.shown();
            let deed = Deed { action: "coupon.redeem", target: redeemed.code.clone(), before, after };
            record(&mut change, tenant.id, actor, now, deed)?;
            if change.commit().await? == Committed::Yes {
                return Ok(redeemed);
            }
        }
        Err(Error::Conflict("others are redeeming it at the same time; try again".to_owned()))
    }

    /// A coupon.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub async fn get(&self, code: &str) -> Result<Coupon> {
        if !is_code(code) {
            return Err(missing(code));
        }
        let kept: Option<Kept<Coupon>> = self.table.billing().find(&keys::coupon(code)).await?;
        kept.map(|kept| kept.value).ok_or_else(|| missing(code))
    }
}

impl From<Coupon> for Kept<Coupon> {
    fn from(value: Coupon) -> Self {
        Self { version: value.version, value }
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
    /// What redeeming it gives a tenant.
    fn redeemed(&self, subscribed: &Subscribed, now: Timestamp) -> Result<Redeemed> {
        let conflict = |why: &str| Err(Error::Conflict(why.to_owned()));
        if self.until.is_some_and(|until| until <= now) || self.redemptions_left == Some(0) {
            return Err(missing(&self.code));
        }
        let Some(plan) = subscribed.plan_at(now) else { return conflict("the tenant is on no plan yet") };
        if !self.plans.is_empty() && !self.plans.contains(&plan.name) {
            return conflict("the coupon is for other plans");
        }
        if self.currency.is_some_and(|currency| currency != plan.currency) {
            return conflict("the coupon is in another currency than the plan");
        }
        if subscribed.subscription.coupons.len() >= MOST {
            return conflict("the tenant has redeemed as many coupons as it may");
        }
        let Self { code, off, currency, periods, .. } = self.clone();
        Ok(Redeemed { code, off, currency, at: now, periods })
    }

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
    /// The discounts that hold in a month and a currency, in the order in which they were redeemed.
    #[must_use]
    pub fn discounts(&self, month: Period, currency: Currency) -> Vec<Discount> {
        let holds = |redeemed: &&Redeemed| {
            redeemed.holds_in(month) && redeemed.currency.is_none_or(|in_which| in_which == currency)
        };
        let discount = |redeemed: &Redeemed| Discount { code: redeemed.code.clone(), off: redeemed.off.clone() };
        self.coupons.iter().filter(holds).map(discount).collect()
    }
}

impl Redeemed {
    fn holds_in(&self, month: Period) -> bool {
        let first = Period::month(self.at);
        let months = std::iter::successors(Some(first), |month| Some(month.next()));
        let passed = months.take_while(|at| *at < month).count();
        first <= month && self.periods.is_none_or(|periods| (passed as u64) < u64::from(periods))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_coupon_holds_for_its_periods_from_the_one_it_was_redeemed_in() {
        let at = Timestamp::parse("2026-11-30T23:59:59Z").unwrap();
        let redeemed = |code: &str, periods| {
            let off = Off::Percent(Percent(10));
            Redeemed { code: code.to_owned(), off, currency: None, at, periods }
        };
        let dollars = Redeemed { currency: Some(Currency::USD), ..redeemed("USD", None) };
        let coupons = vec![redeemed("TWO", Some(2)), redeemed("ALL", None), dollars];
        let subscription = Subscription { coupons, ..Subscription::default() };
        let of = |month| {
            let discounts = subscription.discounts(Period::parse(month).unwrap(), Currency::EUR);
            discounts.into_iter().map(|one| one.code).collect::<Vec<_>>()
        };
        assert_eq!(of("2026-10"), [""; 0]);
        assert_eq!(of("2026-11"), ["TWO", "ALL"]);
        assert_eq!(of("2026-12"), ["TWO", "ALL"]);
        assert_eq!(of("2027-01"), ["ALL"]);
        assert_eq!(of("2030-01"), ["ALL"]);
    }
}
