//! What those who work for the operator do with plans, coupons and credit.

pub(super) mod coupons;
pub(super) mod plans;
pub(super) mod tenants;
