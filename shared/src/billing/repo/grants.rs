//! Prepaid credit in the table.

use serde_json::json;

use crate::{
    audit::{Actor, Deed, record, record_for_operators},
    billing::{Amount, Currency, Grant, sum},
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::{GrantId, TenantId},
    store::{Change, Order, Table, keys},
};

/// Tenants' prepaid credit.
#[derive(Debug, Clone)]
pub struct Grants {
    table: Table,
}

impl Grants {
    /// That in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// Adds new credit to a change, which is refused if it was given already.
    ///
    /// # Errors
    /// `Invalid` unless the amount is above 0 and one that the currency has coins for, and expires in the future.
    pub fn give(change: &mut Change, tenant: TenantId, grant: &Grant, actor: &Actor) -> Result<()> {
        let whole = grant.amount > Amount::ZERO && grant.amount.minor_units(grant.currency).is_some();
        if !whole {
            return Err(Error::invalid("amount", "amount must be above 0, and one that the currency has coins for"));
        }
        if grant.expires_at.is_some_and(|at| at <= grant.granted_at) {
            return Err(Error::invalid("expires_at", "expires_at must be in the future"));
        }
        let main = change.table().tenant(tenant).main();
        change.put_new(&main, &keys::grant(grant.id), grant)?;
        let deed = Deed { action: "credit.give", target: grant.id.to_string(), after: json!(grant), ..Deed::default() };
        record(change, tenant, actor, grant.granted_at, deed)
    }

    /// The same as the operator does it.
    ///
    /// # Errors
    /// As [`Grants::give`].
    pub fn give_as_operator(change: &mut Change, tenant: TenantId, grant: &Grant, actor: &Actor) -> Result<()> {
        Self::give(change, tenant, grant, actor)?;
        let deed = Deed { action: "credit.give", target: tenant.to_string(), after: json!(grant), ..Deed::default() };
        record_for_operators(change, actor, grant.granted_at, deed)
    }

    /// All credit that a tenant ever got, the oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn of(&self, tenant: TenantId) -> Result<Vec<Grant>> {
        self.table.tenant(tenant).main().begins_with(keys::GRANT_PREFIX).collect().await
    }

    /// A page of all credit that a tenant ever got, the latest first, and behind which sort key to go on, if there is more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<Grant>, Option<String>)> {
        self.table.tenant(tenant).main().page(keys::GRANT_PREFIX, after, limit, Order::Descending).await
    }

    /// What pays for a month, in the order in which it is used.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn usable(&self, tenant: TenantId, currency: Currency, month: Period) -> Result<Vec<Grant>> {
        Ok(usable(self.of(tenant).await?, currency, month))
    }
}

/// Of credit what pays for a month, in the order in which it is used: what expires first, then the oldest.
#[must_use]
pub fn usable(mut grants: Vec<Grant>, currency: Currency, month: Period) -> Vec<Grant> {
    let pays = |grant: &Grant| {
        let in_time = grant.expires_at.is_none_or(|at| month.start() < at) && grant.granted_at < month.end();
        grant.left > Amount::ZERO && grant.currency == currency && in_time
    };
    grants.retain(pays);
    grants.sort_by_key(|grant| (grant.expires_at.unwrap_or(Timestamp(u64::MAX)), grant.granted_at, grant.id));
    grants
}

/// Takes an amount, or as much of it as there is, out of credit in its order. Returns how much that was, and the grants that are
/// changed, in the state that they are in then but for their versions.
///
/// # Errors
/// `Internal` on overflow.
pub fn take(grants: Vec<Grant>, amount: Amount) -> Result<(Amount, Vec<Grant>)> {
    let mut left = amount;
    let mut used = Vec::new();
    for mut grant in grants {
        let part = grant.left.min(left);
        if part <= Amount::ZERO {
            break;
        }
        grant.left = grant.left.minus(part)?;
        left = left.minus(part)?;
        used.push(grant);
    }
    Ok((amount.minus(left)?, used))
}

/// What is left of credit.
///
/// # Errors
/// `Internal` on overflow.
pub fn left(grants: &[Grant]) -> Result<Amount> {
    sum(grants.iter().map(|grant| grant.left))
}

/// New credit.
#[must_use]
pub fn grant(
    amount: Amount,
    currency: Currency,
    reason: String,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Grant {
    Grant { id: GrantId::new(now), currency, amount, left: amount, reason, granted_at: now, expires_at, version: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_expires_first_is_used_first_and_then_the_oldest() {
        let month = Period::parse("2026-11").unwrap();
        let at = |text| Timestamp::parse(text).unwrap();
        let make = |amount, expires, now| grant(Amount::units(amount), Currency::EUR, String::new(), expires, at(now));
        let (late, old, young) =
            (make(1, Some(at("2027-01-01")), "2026-09-01"), make(2, None, "2026-09-01"), make(4, None, "2026-10-01"));
        let soon = make(8, Some(at("2026-11-15")), "2026-10-02");
        let gone = make(16, Some(at("2026-11-01")), "2026-10-02");
        let next = make(32, None, "2026-12-01");
        let all = vec![young.clone(), old.clone(), late.clone(), gone, soon.clone(), next];
        let usable = usable(all, Currency::EUR, month);
        assert_eq!(usable.iter().map(|grant| grant.id).collect::<Vec<_>>(), [soon.id, late.id, old.id, young.id]);
        let (paid, used) = take(usable.clone(), Amount::units(10)).unwrap();
        assert_eq!(paid, Amount::units(10));
        assert_eq!(used.iter().map(|grant| grant.left).collect::<Vec<_>>(), [0, 0, 1].map(Amount::units));
        assert_eq!(take(usable, Amount::units(100)).unwrap().0, Amount::units(15));
    }
}
