//! What is kept of plans, settings, buyers, subscriptions, coupons and credit.

mod buyers;
mod coupons;
pub mod grants;
mod plans;
mod settings;
mod subscribed;
mod subscriptions;

pub use buyers::{Buyer, Buyers};
pub use coupons::Coupons;
pub use grants::Grants;
pub use plans::Plans;
pub use settings::BillingSettings;
pub use subscribed::Subscribed;
pub use subscriptions::{Begun, Choice, Chooser, Subscriptions, When};

/// What operators write, as an item: it refuses fields that it doesn't know, and an item has its keys among its fields.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Kept<T> {
    value: T,
    version: u64,
}
