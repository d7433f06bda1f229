//! `lmo tenant`.

use std::process::ExitCode;

use lmo_shared::{
    audit::{Actor, IfMatch},
    platform::Platform,
    store::Change,
    tenant::{self, Listed, Operation},
};
use serde_json::json;

use super::{print, tenant_of};
use crate::{args::Tenant, banner, problem::Problem};

/// Does it.
pub async fn run(platform: &Platform, command: Tenant) -> Result<ExitCode, Problem> {
    let (tenants, actor) = (platform.tenants(), Actor::command_line());
    let of = |id: &str| {
        let tenant = tenant_of(id)?;
        Ok::<_, Problem>(Operation { tenant, version: IfMatch::Any, actor: &actor, at: platform.clock().now() })
    };
    match command {
        Tenant::Create { name, limits, meter_shards } => {
            let (id, key) = banner::create_tenant(platform, &name, limits.into(), meter_shards).await?;
            print(&json!({"tenant": id, "api_key": key}))
        }
        Tenant::List { status } => list(platform, status.as_deref()).await,
        Tenant::Suspend { id, reason } => shown(&tenants.suspend(of(&id)?, &reason).await?),
        Tenant::Resume { id } => shown(&tenants.resume(of(&id)?).await?),
        Tenant::Plan { id, plan } => {
            let set = |tenant: &mut tenant::Tenant, _: &mut Change| {
                tenant.plan.clone_from(&plan);
                Ok(())
            };
            shown(&tenants.operate(of(&id)?, "tenant.plan", set).await?)
        }
        Tenant::Limits { id, limits } => {
            let set = |tenant: &mut tenant::Tenant, _: &mut Change| {
                tenant.limits = limits.into();
                Ok(())
            };
            let tenant = tenants.operate(of(&id)?, "tenant.limits", set).await?;
            platform.meters().recap(&tenant).await?;
            shown(&tenant)
        }
    }
}

fn shown(tenant: &tenant::Tenant) -> Result<ExitCode, Problem> {
    let tenant::Tenant { id, name, status, plan, limits, .. } = tenant;
    print(&json!({"tenant": id, "name": name, "status": status, "plan": plan, "limits": limits}))
}

async fn list(platform: &Platform, status: Option<&str>) -> Result<ExitCode, Problem> {
    const AT_ONCE: u16 = 500;
    let mut after = None;
    loop {
        let (tenants, next) = platform.tenants().page(after.as_deref(), AT_ONCE).await?;
        for Listed { id, name, status: is, plan, created_at, .. } in tenants {
            let is = json!(is);
            if status.is_none_or(|status| is == status) {
                print(
                    &json!({"tenant": id, "name": name, "status": is, "plan": plan, "created_at": created_at.to_string()}),
                )?;
            }
        }
        after = next;
        if after.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}
