//! Which plan a tenant is on, and was: and what else its invoices follow from.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use super::{Amount, Currency, Off, plan::instant};
use crate::{clock::Timestamp, id::GrantId};

/// The plans that a tenant is and was on. One item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subscription {
    /// Each from a time on until the next one's, in order. One in the future is a change that is to come.
    pub terms: Vec<Term>,
    /// When it ends; nothing is charged for what comes behind. It is not kept: it follows from the tenant's deletion.
    #[serde(skip)]
    pub ended_at: Option<Timestamp>,
    /// When the tenant was to be deleted and then wasn't: nothing is charged for these times. In order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// When the trial ends, if there was one: it is decided with the first term, and is never given twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_until: Option<Timestamp>,
    /// Coupons that it has redeemed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Redeemed>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

/// From when a tenant is on which version of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The plan's name.
    pub plan: String,
    /// Its version.
    pub effective: Timestamp,
    /// From when.
    pub from: Timestamp,
}

/// A time for which nothing is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
}

/// A coupon that a tenant has redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Redeemed {
    /// Its code.
    pub code: String,
    /// How much, as it was then.
    pub off: Off,
    /// The currency of an amount; absent for a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// When, RFC 3339.
    #[serde(with = "instant")]
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// For how many periods, from the one that it was redeemed in; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub periods: Option<u32>,
}

/// A coupon, as the operator makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Coupon {
    /// What tenants write to redeem it: 3 to 40 of `A-Z`, `0-9` and `-`.
    pub code: String,
    /// How much.
    pub off: Off,
    /// The currency of an amount; absent for a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// For how many periods; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub periods: Option<u32>,
    /// How many tenants may redeem it; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redemptions_left: Option<u32>,
    /// Until when it may be redeemed, RFC 3339; also read as a date.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "perhaps_instant")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// The only plans that it is for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

mod perhaps_instant {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp, instant};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "instant")] Timestamp);

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        at.map(Written).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Written>::deserialize(from)?.map(|written| written.0))
    }
}

/// Prepaid credit. The one that expires first is used first, then the oldest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its identifier.
    pub id: GrantId,
    /// The currency.
    pub currency: Currency,
    /// How much it was.
    pub amount: Amount,
    /// How much of it no finalised invoice has used.
    pub left: Amount,
    /// Where it comes from: `purchase`, `credit note LMO-CN-2026-000001`, or what the operator says.
    pub reason: String,
    /// When it was given.
    pub granted_at: Timestamp,
    /// When it expires: it pays for periods that begin before; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}
