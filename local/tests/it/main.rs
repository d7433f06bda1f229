//! The platform as its users meet it: the real binary, driven over HTTP, with a model provider's stand-in behind it.

mod burst;
mod caps;
mod crash;
mod journey;
mod limits;
mod sub_meters;
mod support;
