//! `lmo plans`.

use std::{path::Path, process::ExitCode};

use lmo_shared::{audit::Actor, billing::plans_from_toml};
use serde_json::json;

use super::{print, time_of};
use crate::{args::Plans, backend::Backend, discovery, problem::Problem};

/// Does it.
pub async fn run(backend: &Backend, command: Plans) -> Result<ExitCode, Problem> {
    match command {
        Plans::Apply { file, effective } => apply(backend, &file, effective.as_deref()).await,
        Plans::List => {
            let platform = &backend.platform;
            for plan in platform.plans().list(platform.clock().now()).await? {
                print(&plan)?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn apply(backend: &Backend, file: &Path, effective: Option<&str>) -> Result<ExitCode, Problem> {
    let platform = &backend.platform;
    let now = platform.clock().now();
    let at = effective.map_or(Ok(now), |text| time_of("--effective", text))?;
    let problem = |error: &dyn std::fmt::Display| Problem(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| problem(&error))?;
    let plans = plans_from_toml(&text, at).map_err(|error| problem(&error))?;
    let catalogues = platform.catalogues();
    // A plan's caps follow from the catalogue's prices. On a laptop that was never started there is none yet.
    if backend.engines.is_some() && catalogues.current().await.is_err() {
        catalogues.apply(discovery::catalogue(None, now).await?).await?;
    }
    let catalogue = catalogues.current().await?;
    for plan in plans {
        let (name, effective) = (plan.name.clone(), plan.effective);
        let applied = platform.plans().apply(plan, &catalogue, &Actor::command_line(), now).await;
        let applied = applied.map_err(|error| problem(&format!("plan `{name}`: {error}")))?;
        let is_new = applied.effective == effective;
        print(&json!({"plan": name, "effective": applied.effective.to_string(), "new": is_new}))?;
    }
    Ok(ExitCode::SUCCESS)
}
