//! `lmo operator`.

use std::process::ExitCode;

use lmo_shared::{audit::Actor, mail::EmailAddress, people::Colleague, platform::Platform};
use serde_json::json;

use super::print;
use crate::{args::Operator, problem::Problem};

/// Does it.
pub async fn run(platform: &Platform, command: Operator) -> Result<ExitCode, Problem> {
    let (staff, actor, now) = (platform.staff(), Actor::command_line(), platform.clock().now());
    match command {
        Operator::Add { email } => {
            let (user, link) = staff.add(&EmailAddress::parse(&email)?, &actor, now).await?;
            print(&json!({"operator": user.id, "email": user.email, "link": link}))
        }
        Operator::Remove { email } => {
            let user = staff.remove(&EmailAddress::parse(&email)?, &actor, now).await?;
            print(&json!({"removed": user.id, "email": user.email}))
        }
        Operator::List => {
            for Colleague { user, email, added_at } in staff.all().await? {
                print(&json!({"operator": user, "email": email, "added_at": added_at.to_string()}))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
