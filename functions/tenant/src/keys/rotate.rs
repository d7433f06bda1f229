//! `POST /api/tenant/keys/{id}/rotate`.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    audit::IfMatch,
    auth::{Authenticator, Caller, NewKey},
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Handled, Segment},
    store::Change,
    tenant::Tenants,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KeyCreated, KeyView, named, rules};

/// How a key gets a new secret.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// For how long the secret that is replaced stays good, 0 to 2,592,000 (30 days); a day if absent. With 0 all other
    /// secrets of the key end at once.
    #[schema(maximum = 2_592_000)]
    pub overlap_seconds: Option<u64>,
}

impl RotateRequest {
    fn overlap(&self) -> Result<Duration, Error> {
        const USUAL: Duration = Duration::from_hours(24);
        const LONGEST: Duration = Duration::from_hours(30 * 24);
        let overlap = self.overlap_seconds.map_or(USUAL, Duration::from_secs);
        if overlap > LONGEST {
            let detail = "overlap_seconds must be from 0 to 2,592,000 (30 days)";
            return Err(Error::invalid("overlap_seconds", detail));
        }
        Ok(overlap)
    }
}

/// Gives an API key a new secret. Its id, limits and history stay. The whole key is in this answer and nowhere else. The
/// secret that it replaces stays good for a while; during that only a rotation with `overlap_seconds` 0 is taken, which
/// ends both at once. Of two rotations at the same time one is taken.
#[utoipa::path(
    post,
    path = "/api/tenant/keys/{id}/rotate",
    operation_id = "rotateKey",
    tag = "tenant",
    request_body = RotateRequest,
    params(
        ("id" = String, Path, description = "The key's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is rotated"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes one secret, however often it is sent"),
    ),
    responses((status = 200, description = "The key with its new secret", body = KeyCreated), Errors)
)]
pub(crate) async fn rotate(
    caller: Caller,
    State(tenants): State<Tenants>,
    State(authenticator): State<Authenticator>,
    State(clock): State<Clock>,
    version: IfMatch,
    Segment(id): Segment,
    Create { body: request, once }: Create<RotateRequest>,
) -> Handled<Response> {
    let (tenant, now, id, overlap) = (caller.tenant().id, clock.now(), named(id)?, request.overlap()?);
    let work = async |change: &mut Change| {
        let before = tenants.key(tenant, id).await?;
        version.check(before.version)?;
        rules::may_give(&caller, &before)?;
        let (mut key, new) = (before.clone(), NewKey::again(tenant, id));
        key.rotate(&new, overlap, now)?;
        tenants.put_rotated(change, tenant, &before, &mut key, &caller.actor(), now)?;
        let body = KeyCreated { api_key: new.text, key: KeyView::of(&key, now) };
        // It isn't tried again on the newest version: whoever was quicker has shown somebody a secret.
        let refused = match version {
            IfMatch::Any => Error::Conflict("the key was changed at the same time; look at it".to_owned()),
            IfMatch::Version(_) => Error::PreconditionFailed,
        };
        Ok(Created { status: StatusCode::OK, body, refused })
    };
    let response = once.run(&tenants.of(tenant).main(), &caller.metered_as().to_string(), now, work).await;
    authenticator.forget(tenant);
    response
}
