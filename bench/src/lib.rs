//! What LMO is measured and tested against: the stand-ins of model providers and of Stripe, a load generator, and the
//! comparison of what providers take with and without LMO before them.
// Of `json!`: a charge of Stripe's has many fields.
#![recursion_limit = "256"]

pub mod children;
pub mod comparison;
pub mod cost;
pub mod functions;
pub mod lambda;
pub mod load;
pub mod process;
pub mod receiver;
pub mod standin;
pub mod stripe;
pub mod table;
pub mod tls;
