//! `/api/tenant/sessions/{id}`. There is no list of sessions: it would take an index that every turn has to write.

use axum::{Json, extract::State, http::StatusCode};
use lmo_shared::{
    auth::Caller,
    error::Error,
    http::{Errors, Handled, Params, Segment},
    id::SessionId,
    llm::Message,
    session::Sessions,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A conversation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Its identifier, as its client chose it.
    pub id: SessionId,
    /// When it began, RFC 3339.
    pub created_at: String,
    /// When its last turn was added, RFC 3339.
    pub updated_at: String,
    /// When it is forgotten unless it goes on, RFC 3339.
    pub expires_at: String,
    /// How many turns it has had.
    pub turns: u32,
    /// The model that answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What its oldest turns were about, if they were summarised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The messages of the turns of this page, oldest first.
    pub messages: Vec<Message>,
    /// If there are older turns: what to give as `before` to get them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u32>,
}

/// Which turns.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The most turns, 1 to 100; 20 if absent. There may be fewer if they are long.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Only turns before this one; the last ones if absent.
    before: Option<u32>,
}

/// What was said in a conversation: its last turns, or those before a given one.
#[utoipa::path(
    get,
    path = "/api/tenant/sessions/{id}",
    operation_id = "getSession",
    tag = "tenant",
    params(("id" = SessionId, Path, description = "The session's id"), Wanted),
    responses((status = 200, description = "The session", body = SessionView), Errors)
)]
pub(super) async fn get(
    caller: Caller,
    State(sessions): State<Sessions>,
    Segment(id): Segment,
    Params(wanted): Params<Wanted>,
) -> Handled<Json<SessionView>> {
    const MOST: usize = 100;
    const USUAL: usize = 20;
    let limit = wanted.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::invalid("limit", format!("limit must be from 1 to {MOST}")).into());
    }
    let (tenant, id) = (caller.tenant().id, parse(id)?);
    let session = sessions.get(tenant, &id, caller.config().retention(), wanted.before, limit).await?;
    Ok(Json(SessionView {
        id,
        created_at: session.created_at.to_string(),
        updated_at: session.updated_at.to_string(),
        expires_at: session.expires_at.to_string(),
        turns: session.turns,
        model: session.model,
        summary: session.summary,
        messages: session.messages,
        next_before: session.before,
    }))
}

/// Deletes a conversation. A turn of it that is being answered meanwhile is not added to it.
#[utoipa::path(
    delete,
    path = "/api/tenant/sessions/{id}",
    operation_id = "deleteSession",
    tag = "tenant",
    params(("id" = SessionId, Path, description = "The session's id")),
    responses((status = 204, description = "It is deleted"), Errors)
)]
pub(super) async fn delete(
    caller: Caller,
    State(sessions): State<Sessions>,
    Segment(id): Segment,
) -> Handled<StatusCode> {
    sessions.delete(caller.tenant().id, &parse(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What can be no session's id names none.
fn parse(id: String) -> Result<SessionId, Error> {
    SessionId::parse(&id).ok_or(Error::NotFound { kind: "session", id })
}
