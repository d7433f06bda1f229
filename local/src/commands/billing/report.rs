//! `lmo billing report`: what tenants bring in, what they cost, and what is left.

use std::process::ExitCode;

use lmo_shared::{
    billing::revenue::{RevenueRow, SplitBy},
    platform::Platform,
};

use crate::{
    args::{ReportArgs, Split},
    commands::{month_of, print, say},
    problem::Problem,
};

/// How many tenants are listed in one call.
const PAGE: u16 = 100;

/// Does it.
pub async fn run(platform: &Platform, args: &ReportArgs) -> Result<ExitCode, Problem> {
    let from = month_of("--from", &args.from)?;
    let to = args.to.as_ref().map_or(Ok(from), |to| month_of("--to", to))?;
    if to < from {
        return Err(Problem("--to is before --from".to_owned()));
    }
    let by = |split| args.group_by.contains(&split);
    let by = SplitBy { tenant: by(Split::Tenant), model: by(Split::Model), month: by(Split::Month) };
    let (mut tenants, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = platform.tenants().page(after.as_deref(), PAGE).await?;
        tenants.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let rows: Vec<RevenueRow> = platform.revenues().of(&tenants, from, to, by).await?;
    if args.csv {
        say(&lmo_billing::revenue_csv(&rows))?;
        return Ok(ExitCode::SUCCESS);
    }
    for row in &rows {
        print(row)?;
    }
    Ok(ExitCode::SUCCESS)
}
