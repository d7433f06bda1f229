//! What `lmo` stands on when it runs without the cloud: the embedded engines, and the table and stream in them.

pub mod engine;
#[cfg(test)]
mod fault_model;
#[cfg(test)]
mod faults;
pub mod problem;
pub mod resources;
