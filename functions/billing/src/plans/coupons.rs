//! `POST /api/billing/coupons`.

use axum::{Json, extract::State};
use lmo_shared::{
    auth::{Caller, Throttle},
    billing::repo::Coupons,
    http::{Body, Errors, Handled},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::plan::RedeemedView;

/// A coupon to be redeemed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponRequest {
    /// Its code.
    pub code: String,
}

/// Redeems a coupon, from this month on. A tenant has it once, however often this is sent.
#[utoipa::path(
    post,
    path = "/api/billing/coupons",
    operation_id = "redeemCoupon",
    tag = "billing",
    request_body = CouponRequest,
    responses((status = 200, description = "What it gives", body = RedeemedView), Errors)
)]
pub(super) async fn redeem(
    caller: Caller,
    State(coupons): State<Coupons>,
    State(throttle): State<Throttle>,
    Body(CouponRequest { code }): Body<CouponRequest>,
) -> Handled<Json<RedeemedView>> {
    throttle.coupon(caller.tenant().id).await?;
    let redeemed = coupons.redeem(caller.tenant(), &code, &caller.actor()).await?;
    Ok(Json(RedeemedView::from(&redeemed)))
}
