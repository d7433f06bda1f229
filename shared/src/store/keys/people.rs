//! People: members and invitations in their tenants, sign-ins, attempts, and who works for the operator.

use crate::id::{AuditId, InviteId, SignInId, TenantId, UserId};

/// What all members begin with.
pub const MEMBER_PREFIX: &str = "MEMBER#";

/// A member, in its tenant's partition.
#[must_use]
pub fn member(id: UserId) -> String {
    format!("{MEMBER_PREFIX}{id}")
}

/// What all invitations begin with.
pub const INVITE_PREFIX: &str = "INVITE#";

/// An invitation.
#[must_use]
pub fn invite(id: InviteId) -> String {
    format!("{INVITE_PREFIX}{id}")
}

/// Which invitation is open to an address, by the hash of it.
#[must_use]
pub fn invited(hash: &str) -> String {
    format!("INVITED#{hash}")
}

/// A person; in the partition of an address, whose it is.
pub const USER: &str = "USER";

/// A membership, in its person's partition.
#[must_use]
pub fn membership(id: TenantId) -> String {
    format!("{MEMBER_PREFIX}{id}")
}

/// What all sign-ins begin with.
pub const SIGN_IN_PREFIX: &str = "SESSION#";

/// A sign-in, in its person's partition.
#[must_use]
pub fn sign_in(id: SignInId) -> String {
    format!("{SIGN_IN_PREFIX}{id}")
}

/// What all who work for the operator begin with.
pub const OPERATOR_PREFIX: &str = "USER#";

/// Somebody who works for the operator.
#[must_use]
pub fn operator(id: UserId) -> String {
    format!("{OPERATOR_PREFIX}{id}")
}

/// What all that operators did begins with.
pub const OPERATED_PREFIX: &str = "AUDIT#";

/// Something that an operator did.
#[must_use]
pub fn operated(id: AuditId) -> String {
    format!("{OPERATED_PREFIX}{id}")
}

/// A tenant's identity provider.
pub const IDENTITY_PROVIDER: &str = "IDENTITY_PROVIDER";

/// Whom a tenant's identity provider means by a member.
#[must_use]
pub fn provider_link(id: UserId) -> String {
    format!("LINK#{id}")
}

/// A sign-in by a tenant's identity provider that was finished.
#[must_use]
pub fn used_state(id: &str) -> String {
    format!("STATE#{id}")
}

/// How many attempts failed.
pub const FAILURES: &str = "FAILURES";
/// How many mails were asked for from an internet address.
pub const MAILS: &str = "MAILS";
/// How many deliveries a tenant wanted to have at once.
pub const TRIALS: &str = "TRIALS";

/// How many payments a tenant wanted to make.
pub const PAYING: &str = "PAYING";
/// How many coupons a tenant tried.
pub const COUPON_TRIES: &str = "COUPONTRIES";

/// How many mails were sent for a purpose.
#[must_use]
pub fn mails(purpose: &str) -> String {
    format!("MAILS#{purpose}")
}

/// How many attempts failed from an internet address from which an account was used before, by its hash.
#[must_use]
pub fn known_address(hash: &str) -> String {
    format!("FROM#{hash}")
}
