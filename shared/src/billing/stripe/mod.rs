//! Stripe, as the rail that money goes on and no more: customers, payment methods, payments, refunds, and what it tells of
//! them. Plans, invoices and dunning are LMO's own. (Stripe API reference, version [`VERSION`].)
//!
//! Its keys are one secret, read again while it is used; without one, invoices are paid by transfer.

mod calls;
mod client;
mod error;
mod form;
mod object;
mod signature;
mod units;

pub use calls::{Charge, Tags};
pub use client::{Stripe, StripeKeys, VERSION};
pub use error::StripeError;
pub use form::Form;
pub use object::{
    Customer, Dispute, Event, EventData, Intent, IntentStatus, LastError, Page, SavedMethod, SecretText, SetupIntent,
    StripeRefund,
};
pub use signature::{TOLERANCE, verify};
pub use units::{chargeable, coin, from_units};
