//! `lmo plans`.

use std::{path::Path, process::ExitCode};

use lmo_shared::{audit::Actor, billing::plans_from_toml, platform::Platform};
use serde_json::json;

use super::{print, time_of};
use crate::{args::Plans, discovery, problem::Problem};

/// Does it.
pub async fn run(platform: &Platform, command: Plans) -> Result<ExitCode, Problem> {
    match command {
        Plans::Apply { file, effective } => apply(platform, &file, effective.as_deref()).await,
        Plans::List => {
            for plan in platform.plans().list(platform.clock().now()).await? {
                print(&plan)?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn apply(platform: &Platform, file: &Path, effective: Option<&str>) -> Result<ExitCode, Problem> {
    let now = platform.clock().now();
    let at = effective.map_or(Ok(now), |text| time_of("--effective", text))?;
    let problem = |error: &dyn std::fmt::Display| Problem(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| problem(&error))?;
    let plans = plans_from_toml(&text, at).map_err(|error| problem(&error))?;
    // Before the first start there is no catalogue yet: what will be served then says what can be capped.
    let catalogue = match platform.catalogues().current().await {
        Ok(catalogue) => catalogue,
        Err(_) => discovery::catalogue(None, now).await?.into(),
    };
    for plan in plans {
        let (name, effective) = (plan.name.clone(), plan.effective);
        let applied = platform.plans().apply(plan, &catalogue, &Actor::command_line(), now).await;
        let applied = applied.map_err(|error| problem(&format!("plan `{name}`: {error}")))?;
        let is_new = applied.effective == effective;
        print(&json!({"plan": name, "effective": applied.effective.to_string(), "new": is_new}))?;
    }
    Ok(ExitCode::SUCCESS)
}
