//! `/api/tenant/members`, `/api/tenant/invites`, and the tenant's owners.

mod accept;
mod invites;
mod owners;
mod roles;
