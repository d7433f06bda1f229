//! The one DynamoDB table: its keys, and handles that are bound to a partition so that no code can spell another's.

mod change;
mod everything;
pub mod keys;
mod rows;
mod table;

pub use change::{Change, Committed, Step};
pub use everything::{Everything, Key};
pub use rows::Rows;
pub use table::{Item, Order, Partition, Table, TenantTable, Written, failure, is_condition_failure};
pub(crate) use table::{number, parse, text};
