//! `POST /api/auth/register`.

use axum::{extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    audit::Source,
    auth::password::Password,
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Failure, Handled, name},
    mail::EmailAddress,
    people::{Accounts, Registration},
    store::Change,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::views::SignedIn;

/// Somebody who signs up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The address to sign in with.
    pub email: EmailAddress,
    /// The password to sign in with: at least 12 characters, and none that is guessed early.
    pub password: Password,
    /// What the tenant is called, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub tenant_name: String,
    /// What the person is called, at most 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: String,
}

/// Signs somebody up: makes a tenant, its owner and a first sign-in, and sends a mail to verify the address. Until that
/// is done the access token opens nothing but the account itself.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    operation_id = "register",
    tag = "auth",
    security(()),
    request_body = RegisterRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Signs up once, however often it is sent")),
    responses((status = 201, description = "Signed up and in", body = SignedIn), Errors)
)]
pub(super) async fn register(
    State(accounts): State<Accounts>,
    State(clock): State<Clock>,
    source: Source,
    Create { body: request, once }: Create<RegisterRequest>,
) -> Handled<Response> {
    let registration = Registration {
        email: request.email,
        password: request.password,
        tenant_name: name("tenant_name", 1, &request.tenant_name)?,
        name: name("name", 0, &request.name)?,
    };
    let email = &registration.email;
    let kept = accounts.registrations(email);
    if once.is_kept(&kept, "", clock.now()).await? {
        accounts.count_repetition(email, &source).await?;
    }
    let mut entered = None;
    let work = async |change: &mut Change| {
        let made = accounts.register(change, &registration, &source).await?;
        let body = SignedIn::from(made.clone());
        entered = Some(made);
        Ok(Created { status: StatusCode::CREATED, body, refused: Accounts::address_taken() })
    };
    let done = once.run(&kept, "", clock.now(), work).await;
    let taken = matches!(done, Err(Failure(Error::Conflict(_))));
    match entered {
        _ if taken => accounts.tell_of_registration(email).await,
        Some(entered) if done.is_ok() => accounts.ask_to_verify(&entered.user).await,
        // What was given before has been told before.
        Some(_) | None => {}
    }
    done
}
