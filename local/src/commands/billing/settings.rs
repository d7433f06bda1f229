//! `lmo billing settings`.

use std::process::ExitCode;

use lmo_shared::{
    audit::{Actor, IfMatch},
    billing::Settings,
    platform::Platform,
};
use serde_json::json;

use crate::{args::BillingSettings, commands::print, problem::Problem};

/// Does it.
pub async fn run(platform: &Platform, command: BillingSettings) -> Result<ExitCode, Problem> {
    let kept = platform.billing_settings();
    match command {
        BillingSettings::Apply { file } => {
            let problem = |error: &dyn std::fmt::Display| Problem(format!("{}: {error}", file.display()));
            let text = std::fs::read_to_string(&file).map_err(|error| problem(&error))?;
            let settings = Settings::from_toml(&text).map_err(|error| problem(&error))?;
            let (actor, now) = (Actor::command_line(), platform.clock().now());
            let put = kept.put(settings, IfMatch::Any, &actor, now).await.map_err(|error| problem(&error))?;
            print(&json!({"settings": "applied", "version": put.version}))
        }
        BillingSettings::Show => print(&kept.get().await?),
    }
}
