//! `lmo billing plan`.

use std::process::ExitCode;

use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::repo::{Choice, Chooser, When},
    platform::Platform,
};
use serde_json::json;

use crate::{
    args::{At, PlanArgs},
    commands::{print, tenant_of},
    problem::Problem,
};

/// Does it.
pub async fn run(platform: &Platform, args: &PlanArgs) -> Result<ExitCode, Problem> {
    let when = match args.at {
        At::Now => When::Now,
        At::PeriodEnd => When::PeriodEnd,
    };
    let (tenant, actor) = (tenant_of(&args.tenant)?, Actor::command_line());
    let (plan, version, chooser) = (args.plan.as_str(), IfMatch::Any, Chooser::Operator);
    let choice = Choice { tenant, plan, when, version, chooser, actor: &actor };
    let (subscribed, tenant) = platform.subscriptions().choose(choice).await?;
    let terms = subscribed.terms().map(|(term, _)| json!({"plan": term.plan, "from": term.from.to_string()}));
    print(&json!({"tenant": tenant.id, "terms": terms.collect::<Vec<_>>(), "limits": tenant.limits}))
}
