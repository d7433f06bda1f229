//! `lmo billing run`: a billing run in this process, with a bar that shows how far it is.

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use futures_util::future::try_join_all;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lmo_shared::{
    audit::Actor,
    billing::run::{Begin, Counts, FOREVER, Others, RunProgress, RunState, Runs},
    clock::Period,
};

use crate::{
    args::RunArgs,
    backend::Backend,
    commands::{month_of, print},
    problem::Problem,
};

/// How often it is looked how far the run is, for a bar and for lines.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const SAY_EVERY: u32 = 25;
/// What failed is tried once more.
const ROUNDS: usize = 2;

/// Does it.
pub async fn run(backend: &Backend, args: RunArgs) -> Result<ExitCode, Problem> {
    let (platform, RunArgs { period, parts, again }) = (&backend.platform, args);
    let last = || Period::month(platform.clock().now()).previous();
    let month = period.map_or_else(|| Ok(last()), |text| month_of("--period", &text))?;
    // The data directory is locked.
    let others = if backend.engines.is_some() { Others::AreDead } else { Others::MayBeAtIt };
    let runs = platform.runs();
    let mut how = Begin { parts, again };
    for _ in 0..ROUNDS {
        let run = runs.begin(month, how, &Actor::command_line()).await?;
        how.again = false;
        let work = try_join_all(run.parts().map(|part| {
            let runs = runs.clone();
            async move {
                let worked = tokio::spawn(async move { runs.work(month, part, others, FOREVER).await }).await;
                worked.map_err(|error| Problem(error.to_string()))?.map_err(Problem::from)
            }
        }));
        tokio::select! {
            worked = work => drop(worked?),
            never = show(&runs, month) => match never? {},
        }
        if runs.progress(month).await?.counts.failed == 0 {
            break;
        }
    }
    let progress = runs.progress(month).await?;
    print(&progress)?;
    let good = progress.counts.failed == 0 && progress.counts.held == 0 && !stands_still(&progress);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether somebody else is at it, so that nothing came of this.
fn stands_still(progress: &RunProgress) -> bool {
    progress.status == RunState::Running
}

/// Shows how far it is until it is dropped: by a bar on a terminal, else by a line now and then.
async fn show(runs: &Runs, month: Period) -> Result<std::convert::Infallible, Problem> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {elapsed} {eta}");
    bar.set_style(style.map_err(|error| Problem(error.to_string()))?.progress_chars("=> "));
    for look in 0_u32.. {
        let RunProgress { counts, tenants, .. } = runs.progress(month).await?;
        if std::io::stderr().is_terminal() {
            bar.set_length(tenants.max(counts.tenants()));
            bar.set_position(counts.tenants());
            bar.set_message(said(&counts));
        } else if look > 0 && look % SAY_EVERY == 0 {
            eprintln!("{month}: {} of {tenants} tenants, {}", counts.tenants(), said(&counts));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    std::future::pending().await
}

fn said(counts: &Counts) -> String {
    let Counts { finalised, nothing, waiting, held, failed } = counts;
    format!("{finalised} finalised, {nothing} without one, {waiting} waiting, {held} held, {failed} failed")
}
