//! `/api/admin/plans`.

use std::sync::Arc;

use axum::{Json, extract::State};
use lmo_shared::{
    auth::Operator,
    billing::{Plan, repo::Plans},
    clock::{Clock, Timestamp},
    error::Error,
    http::{Body, Errors, Handled, Segment},
    llm::catalogue::Catalogues,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::plans::plan::PlanList;

/// The versions of a plan.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanVersions {
    /// The versions, the oldest first.
    pub versions: Vec<Plan>,
}

/// All plans, in the version that holds now.
#[utoipa::path(
    get,
    path = "/api/admin/plans",
    operation_id = "adminListPlans",
    tag = "admin",
    responses((status = 200, description = "The plans", body = PlanList), Errors)
)]
pub(crate) async fn list(
    _: Operator,
    State(plans): State<Plans>,
    State(clock): State<Clock>,
) -> Handled<Json<PlanList>> {
    let plans = plans.list(clock.now()).await?;
    Ok(Json(PlanList { plans: plans.iter().map(|plan| (**plan).clone()).collect() }))
}

/// All versions of a plan, also those that are to come.
#[utoipa::path(
    get,
    path = "/api/admin/plans/{name}",
    operation_id = "adminGetPlan",
    tag = "admin",
    params(("name" = String, Path, description = "The plan's name")),
    responses((status = 200, description = "The versions", body = PlanVersions), Errors)
)]
pub(crate) async fn get(
    _: Operator,
    State(plans): State<Plans>,
    Segment(name): Segment,
) -> Handled<Json<PlanVersions>> {
    let versions = plans.versions(&name).await?;
    if versions.is_empty() {
        return Err(Error::NotFound { kind: "plan", id: name }.into());
    }
    Ok(Json(PlanVersions { versions: versions.iter().map(|plan| (**plan).clone()).collect() }))
}

/// Puts a new version of a plan in, from now on or from `effective` on. Tenants keep the version that they are on. If it says
/// the same as the one that holds then, that one stays.
#[utoipa::path(
    put,
    path = "/api/admin/plans/{name}",
    operation_id = "adminPutPlan",
    tag = "admin",
    request_body = Plan,
    params(("name" = String, Path, description = "The plan's name")),
    responses((status = 200, description = "The version that holds from then on", body = Plan), Errors)
)]
pub(crate) async fn put(
    operator: Operator,
    State(plans): State<Plans>,
    State(catalogues): State<Arc<Catalogues>>,
    State(clock): State<Clock>,
    Segment(name): Segment,
    Body(mut plan): Body<Plan>,
) -> Handled<Json<Plan>> {
    if plan.name != name {
        return Err(Error::invalid("name", "name must be that of the path").into());
    }
    let now = clock.now();
    if plan.effective == Timestamp::default() {
        plan.effective = now;
    }
    let catalogue = catalogues.current().await?;
    let put = plans.apply(plan, &catalogue, &operator.actor(), now).await?;
    Ok(Json((*put).clone()))
}
