//! The operator's commands.

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
    time::Duration,
};

use aws_config::{BehaviorVersion, SdkConfig};
use lmo_shared::{
    auth::{Rotation, documented_permissions},
    clock::{Clock, Granularity, Period, Timestamp},
    config::Config,
    http,
    id::TenantId,
    platform::Platform,
    usage::Expired,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::{Command, Keys, Models, Place},
    backend::Backend,
    discovery, mail,
    problem::Problem,
    resources, serve,
};

mod billing;
mod operators;
mod plans;
mod tenants;

/// Runs a command; what it finds is printed as JSON.
pub async fn run(place: &Place, port: u16, command: Command) -> Result<ExitCode, Problem> {
    if matches!(command, Command::Openapi) {
        // It is the same wherever the state is, and while somebody else has it open.
        return document(&stateless(port)?, place);
    }
    if matches!(command, Command::Permissions) {
        say(&documented_permissions())?;
        return Ok(ExitCode::SUCCESS);
    }
    let backend = Backend::open(place, port).await?;
    let done = dispatch(&backend, command).await;
    backend.close().await;
    done
}

async fn dispatch(backend: &Backend, command: Command) -> Result<ExitCode, Problem> {
    let platform = &backend.platform;
    match command {
        Command::Init => {
            resources::create(platform).await?;
            print(&json!({"table": platform.table().name(), "stream": platform.config().stream}))
        }
        Command::Models(Models::Apply { file, effective }) => {
            let now = platform.clock().now();
            let at = effective.map_or(Ok(now), |text| time_of("--effective", &text))?;
            let version = platform.catalogues().apply(discovery::read(&file, at)?).await?;
            print(&json!({"version": version, "effective": at.to_string()}))
        }
        Command::Plans(command) => plans::run(backend, command).await,
        Command::Tenant(command) => tenants::run(platform, command).await,
        Command::Operator(command) => operators::run(platform, command).await,
        Command::Keys(Keys::Rotate { sealing: true, .. }) => {
            print(&json!({"rotation": if platform.seal().rotate().await? { "done" } else { "elsewhere" }}))
        }
        Command::Keys(Keys::Rotate { force, .. }) => {
            let rotation = platform.ring().rotate(force).await?;
            print(&rotation)?;
            let refused = matches!(rotation, Rotation::TooSoon { .. });
            Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Command::Billing(command) => billing::run(backend, command).await,
        Command::Books { month } => books(backend, month).await,
        Command::Sweep => {
            let expired = if backend.engines.is_some() { Expired::All } else { Expired::ByDeadline };
            print(&json!(platform.sweeper().sweep(expired).await?))
        }
        Command::Purge => {
            const A_DAY: Duration = Duration::from_hours(24);
            print(&json!(platform.purge().run(platform.clock().now().after(A_DAY)).await?))
        }
        Command::Openapi | Command::Permissions | Command::Engines(_) => {
            Err(Problem("this opens no engines, or opens them by itself".to_owned()))
        }
    }
}

/// A platform that reaches nothing.
fn stateless(port: u16) -> Result<Platform, Problem> {
    let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    Ok(Platform::new(sdk, Config::of_laptop(port)?, Clock::System))
}

fn document(platform: &Platform, place: &Place) -> Result<ExitCode, Problem> {
    print(&http::document_of(serve::routes(platform, mail::folder(platform, place)?)))
}

async fn books(backend: &Backend, month: Option<String>) -> Result<ExitCode, Problem> {
    let platform = &backend.platform;
    let month = month.map_or_else(|| Ok(Period::month(platform.clock().now())), |text| month_of("--month", &text))?;
    let mut all_agree = true;
    for tenant in platform.tenants().active(month).await? {
        let difference = platform.books().compare(tenant, month).await?;
        all_agree &= difference.agree();
        print(
            &json!({"tenant": tenant, "month": month.to_string(), "agree": difference.agree(), "books": difference}),
        )?;
    }
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn time_of(option: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).ok_or_else(|| Problem(format!("{option}: `{text}` is not a time in RFC 3339")))
}

fn tenant_of(id: &str) -> Result<TenantId, Problem> {
    TenantId::parse(id).ok_or_else(|| Problem(format!("tenant `{id}` does not exist")))
}

fn month_of(option: &str, text: &str) -> Result<Period, Problem> {
    let month = Period::parse(text).filter(|month| month.granularity == Granularity::Month);
    month.ok_or_else(|| Problem(format!("{option}: `{text}` is not a month, as in 2026-11")))
}

fn print(value: &impl Serialize) -> Result<ExitCode, Problem> {
    let text = serde_json::to_string(value).map_err(|error| Problem(error.to_string()))?;
    say(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> Result<(), Problem> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever listened has heard enough, as `head` has.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        said => said.map_err(|error| Problem(format!("standard output: {error}"))),
    }
}
