//! What LMO is measured and tested against: a model provider's stand-in, a load generator, and the comparison of the
//! two with and without LMO between them.

pub mod children;
pub mod comparison;
pub mod cost;
pub mod functions;
pub mod lambda;
pub mod load;
pub mod process;
pub mod receiver;
pub mod standin;
pub mod table;
pub mod tls;
