//! `/api/admin/coupons`.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lmo_shared::{
    auth::Operator,
    billing::{Coupon, repo::Coupons},
    clock::Clock,
    error::Error,
    http::{Create, Created, Errors, Handled, Segment},
    store::Change,
    tenant::Tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All coupons.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CouponList {
    /// The coupons, by code.
    pub coupons: Vec<Coupon>,
}

/// The coupons.
#[utoipa::path(
    get,
    path = "/api/admin/coupons",
    operation_id = "adminListCoupons",
    tag = "admin",
    responses((status = 200, description = "The coupons", body = CouponList), Errors)
)]
pub(crate) async fn list(_: Operator, State(coupons): State<Coupons>) -> Handled<Json<CouponList>> {
    Ok(Json(CouponList { coupons: coupons.list().await? }))
}

/// Makes a coupon.
#[utoipa::path(
    post,
    path = "/api/admin/coupons",
    operation_id = "adminCreateCoupon",
    tag = "admin",
    request_body = Coupon,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes one coupon, however often it is sent")),
    responses((status = 201, description = "The coupon", body = Coupon), Errors)
)]
pub(crate) async fn create(
    operator: Operator,
    State(coupons): State<Coupons>,
    State(tenants): State<Tenants>,
    State(clock): State<Clock>,
    Create { body: coupon, once }: Create<Coupon>,
) -> Handled<Response> {
    let work = async |change: &mut Change| {
        let body = coupons.create(change, &coupon, &operator.actor())?;
        let refused = Error::Conflict("a coupon of that code exists".to_owned());
        Ok(Created { status: StatusCode::CREATED, body, refused })
    };
    once.run(&tenants.of_operators(), &operator.user().to_string(), clock.now(), work).await
}

/// A coupon.
#[utoipa::path(
    get,
    path = "/api/admin/coupons/{code}",
    operation_id = "adminGetCoupon",
    tag = "admin",
    params(("code" = String, Path, description = "The coupon's code")),
    responses((status = 200, description = "The coupon", body = Coupon), Errors)
)]
pub(crate) async fn get(_: Operator, State(coupons): State<Coupons>, Segment(code): Segment) -> Handled<Json<Coupon>> {
    Ok(Json(coupons.get(&code).await?))
}

/// Takes a coupon away. Tenants that have redeemed it keep it.
#[utoipa::path(
    delete,
    path = "/api/admin/coupons/{code}",
    operation_id = "adminDeleteCoupon",
    tag = "admin",
    params(("code" = String, Path, description = "The coupon's code")),
    responses((status = 204, description = "It can't be redeemed any more"), Errors)
)]
pub(crate) async fn delete(
    operator: Operator,
    State(coupons): State<Coupons>,
    Segment(code): Segment,
) -> Handled<StatusCode> {
    coupons.delete(&code, &operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
