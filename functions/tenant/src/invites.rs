//! `/api/tenant/invites`.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::{Caller, Mails, Role, Throttle},
    clock::{Clock, Timestamp},
    error::Error,
    http::{Create, Created, Errors, Handled, Page, PageParams, Params, Segment, is_replayed},
    id::InviteId,
    mail::EmailAddress,
    store::Change,
    tenant::{Authority, Invitation, Invite, Invites, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An invitation as it is shown: without its link, which is for the invited person alone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InviteView {
    /// Its identifier.
    pub id: InviteId,
    /// Who is invited.
    pub email: EmailAddress,
    /// What the person becomes.
    pub role: Role,
    /// Who has invited, or sent it again: a person's address, a key's name.
    pub invited_by: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Until when it can be accepted, RFC 3339.
    pub expires_at: String,
}

impl From<Invite> for InviteView {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            email: invite.email,
            role: invite.role,
            invited_by: invite.by_name,
            created_at: invite.created_at.to_string(),
            expires_at: Timestamp(invite.expires_at.saturating_mul(1_000)).to_string(),
        }
    }
}

/// A page of invitations.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InvitePage {
    /// The invitations.
    pub invites: Vec<InviteView>,
    /// If there are more: what to give as `cursor` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Somebody to be invited.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteRequest {
    /// Who.
    email: EmailAddress,
    /// What the person becomes; not above your own role.
    role: Role,
}

/// The open invitations. A page may have fewer than there are.
#[utoipa::path(
    get,
    path = "/api/tenant/invites",
    operation_id = "listInvites",
    tag = "tenant",
    params(PageParams),
    responses((status = 200, description = "A page of invitations", body = InvitePage), Errors)
)]
pub(super) async fn list(
    caller: Caller,
    State(invites): State<Invites>,
    Params(wanted): Params<PageParams>,
) -> Handled<Json<InvitePage>> {
    let page = wanted.page("INVITE#")?;
    let (found, next) = invites.page(caller.tenant().id, page.after.as_deref(), page.limit).await?;
    let invites = found.into_iter().map(InviteView::from).collect();
    Ok(Json(InvitePage { invites, next_cursor: next.as_deref().map(Page::cursor) }))
}

/// Invites somebody by mail. The link in it is good for seven days, once, for this address, and as long as you may give
/// the role. An address has one open invitation at most.
#[utoipa::path(
    post,
    path = "/api/tenant/invites",
    operation_id = "createInvite",
    tag = "tenant",
    request_body = InviteRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Invites once, however often it is sent")),
    responses((status = 201, description = "The invitation", body = InviteView), Errors)
)]
pub(super) async fn create(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(invites): State<Invites>,
    State(throttle): State<Throttle>,
    State(clock): State<Clock>,
    Create { body: InviteRequest { email, role }, once }: Create<InviteRequest>,
) -> Handled<Response> {
    let (tenant, by) = (caller.tenant().id, Authority::from(&caller));
    let invitation = Invitation { email, role };
    let mut made = None;
    let work = async |change: &mut Change| {
        let invite = invites.add(change, tenant, &invitation, &by).await?;
        throttle.mail(&invitation.email, Mails::Invite(tenant), caller.source().address).await?;
        let body = InviteView::from(invite.clone());
        made = Some(invite);
        Ok(Created { status: StatusCode::CREATED, body, refused: Invites::refused() })
    };
    let done = once.run(&tenants.of(tenant).main(), &caller.metered_as().to_string(), clock.now(), work).await?;
    // What was given before has been sent before.
    if let Some(invite) = made.filter(|_| !is_replayed(&done)) {
        invites.send(caller.tenant(), &invite).await;
    }
    Ok(done)
}

/// Sends an invitation again, for another seven days. Links that were sent before are good no more.
#[utoipa::path(
    post,
    path = "/api/tenant/invites/{id}/resend",
    operation_id = "resendInvite",
    tag = "tenant",
    params(("id" = String, Path, description = "The invitation's id")),
    responses((status = 200, description = "The invitation as it is now", body = InviteView), Errors)
)]
pub(super) async fn resend(
    caller: Caller,
    State(invites): State<Invites>,
    State(throttle): State<Throttle>,
    Segment(id): Segment,
) -> Handled<Json<InviteView>> {
    let (tenant, id) = (caller.tenant().id, parse(id)?);
    let email = invites.get(tenant, id).await?.email;
    throttle.mail(&email, Mails::Invite(tenant), caller.source().address).await?;
    let invite = invites.renew(tenant, id, &Authority::from(&caller)).await?;
    invites.send(caller.tenant(), &invite).await;
    Ok(Json(invite.into()))
}

/// Revokes an invitation: its link is good no more.
#[utoipa::path(
    delete,
    path = "/api/tenant/invites/{id}",
    operation_id = "revokeInvite",
    tag = "tenant",
    params(("id" = String, Path, description = "The invitation's id")),
    responses((status = 204, description = "It is revoked"), Errors)
)]
pub(super) async fn revoke(
    caller: Caller,
    State(invites): State<Invites>,
    Segment(id): Segment,
) -> Handled<StatusCode> {
    invites.revoke(caller.tenant().id, parse(id)?, &Authority::from(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What can be no invitation's id names none.
fn parse(id: String) -> Result<InviteId, Error> {
    InviteId::parse(&id).ok_or(Error::NotFound { kind: "invite", id })
}
