//! `lmo billing credit`.

use std::process::ExitCode;

use lmo_shared::{
    audit::Actor,
    billing::repo::{Grants, grants},
    error::Error,
    platform::Platform,
};
use serde_json::json;

use super::read;
use crate::{
    args::CreditArgs,
    commands::{print, tenant_of, time_of},
    problem::Problem,
};

/// Does it.
pub async fn run(platform: &Platform, args: CreditArgs) -> Result<ExitCode, Problem> {
    let CreditArgs { tenant, amount, currency, expires, reason } = args;
    let expires = expires.map(|text| time_of("--expires", &text)).transpose()?;
    let tenant = platform.tenants().get(tenant_of(&tenant)?).await?.id;
    let (amount, currency) = (read("--amount", amount)?, read("--currency", currency)?);
    let grant = grants::grant(amount, currency, reason, expires, platform.clock().now());
    let mut change = platform.tenants().change();
    Grants::give_as_operator(&mut change, tenant, &grant, &Actor::command_line())?;
    change.commit().await?.or(|| Error::Conflict("that credit was given already".to_owned()))?;
    platform.subscriptions().recap(tenant).await?;
    print(&json!({"tenant": tenant, "credit": grant.id, "amount": grant.amount, "currency": grant.currency}))
}
