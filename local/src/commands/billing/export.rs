//! `lmo billing export`: the usage of days that are over, into files.

use std::process::ExitCode;

use lmo_shared::{
    clock::{Granularity, Period},
    usage::Destination,
};

use crate::{args::ExportArgs, backend::Backend, commands::print, problem::Problem};

/// Does it.
pub async fn run(backend: &Backend, args: ExportArgs) -> Result<ExitCode, Problem> {
    let platform = &backend.platform;
    let from = day("--from", &args.from)?;
    let today = Period::of(Granularity::Day, platform.clock().now());
    let to = args.to.as_ref().map_or(Ok(today), |to| day("--to", to))?;
    let destination = if let Some(dir) = args.dir {
        Destination::Folder(dir)
    } else {
        let nowhere = || Problem("neither --dir nor LMO_EXPORT_BUCKET says where to".to_owned());
        platform.export_bucket()?.ok_or_else(nowhere)?
    };
    let exported = platform.exporter(destination).days(from, to).await?;
    print(&exported)?;
    Ok(if exported.waiting.is_none() && exported.skipped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn day(option: &str, text: &str) -> Result<Period, Problem> {
    let day = Period::parse(text).filter(|day| day.granularity == Granularity::Day);
    day.ok_or_else(|| Problem(format!("{option}: `{text}` is not a day, as in 2026-11-01")))
}
