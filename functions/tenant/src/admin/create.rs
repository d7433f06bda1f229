//! `POST /api/admin/tenants`.

use axum::{extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::{NewKey, Operator},
    billing::repo::Subscriptions,
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Handled},
    mail::{EmailAddress, Mailer},
    people::{Owner, Staff},
    quota::Limits,
    store::Change,
    tenant::{ApiKey, KeyScope, MOST_SHARDS, Tenant, Tenants},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AdminTenant, AdminTenantRequest};

/// A tenant to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminCreateRequest {
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// What the operator calls its plan, 1 to 100 characters.
    pub plan: Option<String>,
    /// What it may use; what is absent is not limited.
    #[serde(default)]
    pub limits: Limits,
    /// Into how many sub-meters its month is split, 1 to 64; 1 if absent.
    #[schema(minimum = 1, maximum = 64)]
    pub meter_shards: Option<u8>,
    /// Who owns it: gets a mail, and an account if there is none. Without an owner the tenant has a first key that may do
    /// everything.
    pub owner_email: Option<EmailAddress>,
}

/// A tenant that was just made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminCreated {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: AdminTenant,
    /// Its first key, if it has no owner. It is shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
}

/// Makes a tenant, with an owner or with a first key. It is on the default plan, if there is one, and has that plan's limits
/// unless others are given.
#[utoipa::path(
    post,
    path = "/api/admin/tenants",
    operation_id = "adminCreateTenant",
    tag = "admin",
    request_body = AdminCreateRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes one tenant, however often it is sent")),
    responses((status = 201, description = "The tenant", body = AdminCreated), Errors)
)]
pub(crate) async fn create(
    operator: Operator,
    State(tenants): State<Tenants>,
    State(staff): State<Staff>,
    State(subscriptions): State<Subscriptions>,
    State(mailer): State<Mailer>,
    State(clock): State<Clock>,
    Create { body, once }: Create<AdminCreateRequest>,
) -> Handled<Response> {
    let AdminCreateRequest { name, plan, limits, meter_shards, owner_email } = body;
    let (now, actor) = (clock.now(), operator.actor());
    let meter_shards = meter_shards.unwrap_or(1);
    if !(1..=MOST_SHARDS).contains(&meter_shards) {
        let detail = format!("meter_shards must be from 1 to {MOST_SHARDS}");
        return Err(Error::invalid("meter_shards", detail).into());
    }
    let mut tenant = Tenant::new("", now);
    AdminTenantRequest { name, plan, limits, meter_shards }.set(&mut tenant)?;
    let mut owner: Option<Owner> = None;
    let work = async |change: &mut Change| {
        subscriptions.welcome(change, &mut tenant).await?;
        tenants.create_as_operator(change, &tenant, &actor)?;
        let mut api_key = None;
        if let Some(email) = &owner_email {
            owner = Some(staff.own(change, &tenant, email, &actor, now).await?);
        } else {
            let new = NewKey::make(tenant.id, now);
            let key = ApiKey::of(&new, "first", KeyScope::all(), now);
            tenants.add_key(change, tenant.id, &key, &actor)?;
            api_key = Some(new.text);
        }
        let body = AdminCreated { tenant: AdminTenant::from(&tenant), api_key };
        let refused = Error::Conflict("the owner has just got an account; try again".to_owned());
        Ok(Created { status: StatusCode::CREATED, body, refused })
    };
    let response = once.run(&tenants.of_operators(), &operator.user().to_string(), now, work).await?;
    let replayed = response.headers().contains_key("idempotent-replayed");
    // What was given before has been sent before.
    if let Some(owner) = owner.filter(|_| !replayed) {
        staff.tell(&owner, &tenant, &mailer).await;
    }
    Ok(response)
}
