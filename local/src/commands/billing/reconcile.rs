//! `lmo billing reconcile`: the three books of a tenant's month, and where they differ.

use std::process::ExitCode;

use lmo_shared::{audit::Actor, platform::Platform};

use crate::{
    args::ReconcileArgs,
    commands::{month_of, print, tenant_of},
    problem::Problem,
};

/// Does it.
pub async fn run(platform: &Platform, args: &ReconcileArgs) -> Result<ExitCode, Problem> {
    let (tenant, month) = (tenant_of(&args.tenant)?, month_of("--period", &args.period)?);
    platform.tenants().get(tenant).await?;
    let invoices = platform.invoices();
    let found = if args.repair {
        invoices.repair(tenant, month, &Actor::command_line()).await?
    } else {
        invoices.reconcile(tenant, month).await?
    };
    print(&found)?;
    Ok(if found.agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
