//! `/api/auth/oidc`: signing in by a tenant's identity provider. Both are visited by a browser itself.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use lmo_shared::{
    audit::Source,
    error::Error,
    http::{Errors, Handled, Params, Segment},
    id::TenantId,
    people::{Accounts, Arrival},
};
use serde::Deserialize;
use utoipa::IntoParams;

/// What a browser comes back with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// What it was sent away with.
    pub state: String,
    /// What the provider made for it.
    pub code: Option<String>,
    /// Which provider says so, RFC 9207.
    pub iss: Option<String>,
    /// Why there is no code, RFC 6749 section 4.1.2.1.
    pub error: Option<String>,
}

/// Sends a browser to the tenant's identity provider.
#[utoipa::path(
    get,
    path = "/api/auth/oidc/{tenant}",
    operation_id = "beginSignIn",
    tag = "auth",
    security(()),
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses(
        (status = 303, description = "Go to the provider", headers(
            ("Location" = String, description = "Where the provider is"),
            ("Set-Cookie" = String, description = "What shows that the same browser comes back, within ten minutes"),
        )),
        Errors,
    )
)]
pub(super) async fn begin(State(accounts): State<Accounts>, Segment(tenant): Segment) -> Handled<Response> {
    let tenant = TenantId::parse(&tenant).ok_or(Error::NotFound { kind: "tenant", id: tenant })?;
    let departure = accounts.depart(tenant).await?;
    let cookie = Cookie::of(accounts.deployment());
    Ok(go(departure.address.as_str(), &cookie.set(&departure.binding, 600))?)
}

/// Signs in the member who comes back from the provider, and goes on to the page `signed-in` with a refresh token behind
/// `#`, where no server sees it. It is to be exchanged at once. Whoever is no member is sent an invitation, if the tenant
/// invites those whom its provider names, and comes to the page with `#error=invited`.
#[utoipa::path(
    get,
    path = "/api/auth/oidc/{tenant}/callback",
    operation_id = "finishSignIn",
    tag = "auth",
    security(()),
    params(("tenant" = String, Path, description = "The tenant's id"), CallbackQuery),
    responses(
        (status = 303, description = "Signed in, or invited", headers(
            ("Location" = String, description = "The page, with `#refresh_token=`, or `#error=invited`"),
        )),
        Errors,
    )
)]
pub(super) async fn finish(
    State(accounts): State<Accounts>,
    source: Source,
    headers: HeaderMap,
    Segment(tenant): Segment,
    Params(query): Params<CallbackQuery>,
) -> Handled<Response> {
    let tenant = TenantId::parse(&tenant).ok_or(Error::NotFound { kind: "tenant", id: tenant })?;
    let CallbackQuery { state, code, iss, error } = query;
    let cookie = Cookie::of(accounts.deployment());
    let arrival = Arrival { state, binding: cookie.get(&headers), code, issuer: iss, error };
    let outcome = match accounts.arrive(tenant, arrival, &source).await? {
        Some(entered) => format!("refresh_token={}", entered.refresh_token),
        None => "error=invited".to_owned(),
    };
    let page = format!("{}/signed-in#{outcome}", accounts.deployment());
    Ok(go(&page, &cookie.set("", 0))?)
}

/// Nothing of it is kept anywhere, and the next page doesn't learn where it was sent from.
fn go(address: &str, cookie: &str) -> Result<Response, Error> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(Error::internal);
    let fields = [
        (header::LOCATION, value(address)?),
        (header::SET_COOKIE, value(cookie)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::SEE_OTHER, HeaderMap::from_iter(fields)).into_response())
}

/// The cookie that binds a sign-in to a browser. Over https its name says that no other host can have set it.
struct Cookie {
    name: &'static str,
    secure: &'static str,
}

impl Cookie {
    fn of(issuer: &str) -> Self {
        if issuer.starts_with("https://") {
            Self { name: "__Host-lmo-sign-in", secure: "; Secure" }
        } else {
            Self { name: "lmo-sign-in", secure: "" }
        }
    }

    /// `Lax`, as the provider is another site and sends the browser back by a link.
    fn set(&self, value: &str, seconds: u32) -> String {
        let Self { name, secure } = self;
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    fn get(&self, headers: &HeaderMap) -> Option<String> {
        let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
        let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name).map(|(_, value)| value.to_owned())
    }
}
