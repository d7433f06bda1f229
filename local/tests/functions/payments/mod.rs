//! Payments against a stand-in for Stripe, on a clock that stands still: whatever is lost, late or told twice, an invoice is
//! paid once.

mod credit;
mod dunning;
mod events;
mod faults;
mod money;
mod scene;
