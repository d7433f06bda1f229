//! `lmo billing coupon`.

use std::process::ExitCode;

use lmo_shared::{
    audit::Actor,
    billing::{Coupon, Off},
    error::Error,
    platform::Platform,
};
use serde_json::json;

use super::read;
use crate::{
    args::{self, CouponArgs},
    commands::{print, time_of},
    problem::Problem,
};

/// Does it.
pub async fn run(platform: &Platform, command: args::Coupon) -> Result<ExitCode, Problem> {
    let (coupons, actor) = (platform.coupons(), Actor::command_line());
    match command {
        args::Coupon::Create(args) => {
            let mut change = platform.tenants().change();
            let coupon = coupons.create(&mut change, &coupon(args)?, &actor)?;
            change.commit().await?.or(|| Error::Conflict("a coupon of that code exists".to_owned()))?;
            print(&coupon)
        }
        args::Coupon::List => {
            coupons.list().await?.iter().try_for_each(|coupon| print(coupon).map(drop))?;
            Ok(ExitCode::SUCCESS)
        }
        args::Coupon::Delete { code } => {
            coupons.delete(&code, &actor).await?;
            print(&json!({"deleted": code}))
        }
    }
}

fn coupon(args: CouponArgs) -> Result<Coupon, Problem> {
    let CouponArgs { code, percent, amount, currency, periods, redemptions, until, plans } = args;
    let off = match (percent, amount) {
        (Some(percent), _) => Off::Percent(read("--percent", percent)?),
        (None, Some(amount)) => Off::Amount(read("--amount", amount)?),
        (None, None) => return Err(Problem("--percent or --amount is needed".to_owned())),
    };
    let currency = currency.map(|text| read("--currency", text)).transpose()?;
    let until = until.map(|text| time_of("--until", &text)).transpose()?;
    Ok(Coupon { code, off, currency, periods, redemptions_left: redemptions, until, plans, version: 0 })
}
