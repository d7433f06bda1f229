//! `/api/tenant/members`, and what members do with the tenant itself: leave it, hand it over.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller, Role},
    clock::Clock,
    error::Error,
    http::{Body, Errors, Handled, Page, PageParams, Params, Segment, Versioned},
    id::UserId,
    tenant::{Authority, Member, Members},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A member as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// The person's identifier.
    pub id: UserId,
    /// The person's address.
    pub email: String,
    /// What people call the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the person is here.
    pub role: Role,
    /// Since when, RFC 3339.
    pub added_at: String,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        let Member { user, email, name, role, added_at, version: _ } = member;
        Self { id: user, email, name, role, added_at: added_at.to_string() }
    }
}

/// A page of members.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MemberPage {
    /// The members.
    pub members: Vec<MemberView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a member becomes.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberChange {
    /// What the person is from now on.
    role: Role,
}

/// Who gets the tenant.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    /// Another member.
    to: UserId,
}

/// The tenant's members.
#[utoipa::path(
    get,
    path = "/api/tenant/members",
    operation_id = "listMembers",
    tag = "tenant",
    params(PageParams),
    responses((status = 200, description = "A page of members", body = MemberPage), Errors)
)]
pub(super) async fn list(
    caller: Caller,
    State(members): State<Members>,
    Params(wanted): Params<PageParams>,
) -> Handled<Json<MemberPage>> {
    let page = wanted.page("MEMBER#")?;
    let (found, next) = members.page(caller.tenant().id, page.after.as_deref(), page.limit).await?;
    let members = found.into_iter().map(MemberView::from).collect();
    Ok(Json(MemberPage { members, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// A member.
#[utoipa::path(
    get,
    path = "/api/tenant/members/{id}",
    operation_id = "getMember",
    tag = "tenant",
    params(("id" = String, Path, description = "The person's id")),
    responses((status = 200, description = "The member, with its `ETag`", body = MemberView), Errors)
)]
pub(super) async fn get(
    caller: Caller,
    State(members): State<Members>,
    Segment(id): Segment,
) -> Handled<Versioned<MemberView>> {
    let member = members.get(caller.tenant().id, parse(id)?).await?;
    Ok(Versioned(member.version, member.into()))
}

/// Gives a member another role, which takes effect within 30 s. Admins change whoever isn't an owner, to whatever but an
/// owner. The last owner stays one.
#[utoipa::path(
    patch,
    path = "/api/tenant/members/{id}",
    operation_id = "changeMember",
    tag = "tenant",
    request_body = MemberChange,
    params(
        ("id" = String, Path, description = "The person's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is changed"),
    ),
    responses((status = 200, description = "The member as it is now", body = MemberView), Errors)
)]
pub(super) async fn change(
    caller: Caller,
    State(members): State<Members>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    Segment(id): Segment,
    version: IfMatch,
    Body(MemberChange { role }): Body<MemberChange>,
) -> Handled<Versioned<MemberView>> {
    let (tenant, id) = (caller.tenant().id, parse(id)?);
    let member = members.give(tenant, id, role, version, &Authority::from(&caller), clock.now()).await?;
    authenticator.forget(tenant);
    Ok(Versioned(member.version, member.into()))
}

/// Removes a member. What it is signed in to of this tenant is over within 30 s. The last owner stays.
#[utoipa::path(
    delete,
    path = "/api/tenant/members/{id}",
    operation_id = "removeMember",
    tag = "tenant",
    params(
        ("id" = String, Path, description = "The person's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is removed"),
    ),
    responses((status = 204, description = "It is removed"), Errors)
)]
pub(super) async fn remove(
    caller: Caller,
    State(members): State<Members>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    Segment(id): Segment,
    version: IfMatch,
) -> Handled<StatusCode> {
    let (tenant, id) = (caller.tenant().id, parse(id)?);
    members.remove(tenant, id, version, &Authority::from(&caller), clock.now()).await?;
    authenticator.forget(tenant);
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves the tenant. Its last owner can't.
#[utoipa::path(
    post,
    path = "/api/tenant/leave",
    operation_id = "leaveTenant",
    tag = "tenant",
    responses((status = 204, description = "You are no member any more"), Errors)
)]
pub(super) async fn leave(
    caller: Caller,
    State(members): State<Members>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
) -> Handled<StatusCode> {
    let only_members = || Error::Forbidden("only a member can leave".to_owned());
    let (tenant, member) = (caller.tenant().id, caller.member().ok_or_else(only_members)?);
    members.remove(tenant, member.user, IfMatch::Any, &Authority::from(&caller), clock.now()).await?;
    authenticator.forget(tenant);
    Ok(StatusCode::NO_CONTENT)
}

/// Hands the tenant over to another member, who is an owner then. The one who does it is an admin from then on.
#[utoipa::path(
    post,
    path = "/api/tenant/transfer",
    operation_id = "transferTenant",
    tag = "tenant",
    request_body = Transfer,
    responses((status = 200, description = "The new owner", body = MemberView), Errors)
)]
pub(super) async fn transfer(
    caller: Caller,
    State(members): State<Members>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    Body(Transfer { to }): Body<Transfer>,
) -> Handled<Versioned<MemberView>> {
    let tenant = caller.tenant().id;
    let owner = members.transfer(tenant, to, &Authority::from(&caller), clock.now()).await?;
    authenticator.forget(tenant);
    Ok(Versioned(owner.version, owner.into()))
}

/// What can be no person's id names none.
fn parse(id: String) -> Result<UserId, Error> {
    UserId::parse(&id).ok_or(Error::NotFound { kind: "member", id })
}
