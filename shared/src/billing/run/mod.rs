//! The billing run: once a month is over, an invoice for each tenant.
//!
//! *In parts.* A [`Run`] cuts the list of tenants at some of them; what lies between two cuts is a [`Part`], and whoever
//! signs up meanwhile comes into the last one. Parts are worked off beside each other, each by one invocation at a time,
//! which invokes the next one when its time is up.
//!
//! *In passes.* A pass goes through the tenants of a part in order and puts down behind whom it is. As soon as the month is
//! over the first one makes drafts. One that begins when the grace period is over finalises them. Those that follow are for
//! whom something is still open with.
//!
//! *Nobody is left out:* a part ends only by passes of which one went through all of its tenants and began when the grace
//! period was over, so an hour or more behind the month, when every tenant of the month had long been in the list.
//! *Nobody is billed twice:* an invoice's id follows from tenant and month, so doing it again finds it done. So a run may be
//! killed anywhere and be worked on twice at once; claims only keep that from being the rule.

mod hands;
mod item;
mod part;
mod progress;
mod schedule;
mod work;

pub use hands::{Hands, Invoker};
pub use item::{Claim, Counts, Open, Part, Run, Scope};
pub use progress::{PartProgress, RunProgress, RunState, RunSummary};
pub use schedule::{Begin, FOREVER, Runs};
pub use work::{Others, Worked};
