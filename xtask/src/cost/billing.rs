//! What a billing run costs: of each tenant as `cargo bench -p lmo --bench billing_run` measured it.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{Inputs, amounts::ONE_VCPU_MB, decimal::Decimal, prices::Region};

/// What the function has, and how many tenants it bills at once: `infra/terraform/main.tf`, `shared/src/billing/run/work.rs`.
const MEMORY_MB: u64 = 512;
const AT_ONCE: u64 = 16;
/// Assumed of each call of the table, as elsewhere.
const CALL_MS: u64 = 5;
const TENANTS: [u64; 3] = [1_000, 100_000, 1_000_000];

/// `docs/measured-billing.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingRun {
    pub run: Run,
    /// The pass that makes drafts.
    pub drafts: Pass,
    /// The pass that finalises them.
    pub finalise: Pass,
}

/// Where and when it was measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub date: String,
    pub commit: String,
    pub machine: String,
    pub build: String,
    /// Tenants of the run.
    pub tenants: u64,
    /// Entries that each has in the ledger of the month, all in one hour.
    pub entries: u64,
}

/// What a pass takes for each tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// Processor time, of one core of that machine.
    pub cpu_ms: Decimal,
    pub table_calls: Decimal,
    pub read_units: Decimal,
    pub write_units: Decimal,
}

/// What a run costs, in USD.
struct Cost {
    reads: Decimal,
    writes: Decimal,
    lambda: Decimal,
}

impl Cost {
    fn of(run: &BillingRun, tenants: u64, prices: &Region) -> Self {
        let (million, tenants) = (Decimal::whole(1_000_000), Decimal::whole(tenants));
        let both = |of: fn(&Pass) -> Decimal| (of(&run.drafts) + of(&run.finalise)) * tenants;
        let gb_seconds = both(gb_seconds);
        Self {
            reads: both(|pass| pass.read_units).over(million) * prices.dynamodb.read_million,
            writes: both(|pass| pass.write_units).over(million) * prices.dynamodb.write_million,
            lambda: prices.lambda.arm64_gb_second.cost(gb_seconds),
        }
    }

    fn all(&self) -> Decimal {
        self.reads + self.writes + self.lambda
    }
}

/// Of a tenant in a pass: processor time by the share that the memory buys, and the calls that are waited for, of which as many
/// as there are tenants at once are under way at the same time.
fn gb_seconds(pass: &Pass) -> Decimal {
    let cpu = pass.cpu_ms * Decimal::ratio(ONE_VCPU_MB.into(), MEMORY_MB.into());
    let waits = pass.table_calls * Decimal::ratio(CALL_MS.into(), AT_ONCE.into());
    (cpu + waits) * Decimal::ratio(MEMORY_MB.into(), 1024 * 1000)
}

/// The table of the document.
///
/// # Errors
/// A region that the prices don't have.
pub fn table(inputs: &Inputs, regions: [&str; 2]) -> Result<String, String> {
    let run = &inputs.billing;
    let mut text = "| a run over | region | DynamoDB, reads | DynamoDB, writes | Lambda | all |\n|---|---|---:|---:|---:|---:|\n".to_owned();
    for region in regions {
        for tenants in TENANTS {
            let cost = Cost::of(run, tenants, inputs.region(region)?);
            let [reads, writes, lambda, all] =
                [cost.reads, cost.writes, cost.lambda, cost.all()].map(|usd| format!("${}", usd.to_places(2)));
            let tenants = Decimal::whole(tenants).to_places(0);
            let _ = writeln!(text, "| {tenants} tenants | {region} | {reads} | {writes} | {lambda} | {all} |");
        }
    }
    let prices = inputs.region(regions[0])?;
    // Strongly consistent, 4 KB a unit, in both passes.
    let units = Decimal::whole(2 * 1_000_000) * inputs.measured.aggregation.entry_bytes.over(Decimal::whole(4096));
    let ledger = units.over(Decimal::whole(1_000_000)) * prices.dynamodb.read_million;
    let Run { date, commit, machine, build, tenants, entries } = &run.run;
    let units = |of: fn(&Pass) -> Decimal| [of(&run.drafts).to_places(1), of(&run.finalise).to_places(1)].join(" and ");
    let _ = write!(
        text,
        "\nOf each tenant the two passes take {} read and {} write units, {} calls of the table and {} ms of a processor. Every \
         further million entries in the ledger are ${} in {}, because both passes read all of it.\n\n\
         Measured on {date} at commit {commit} with {} tenants of {entries} entries each: {machine}, {build}.\n",
        units(|pass| pass.read_units),
        units(|pass| pass.write_units),
        units(|pass| pass.table_calls),
        units(|pass| pass.cpu_ms),
        ledger.to_places(3),
        regions[0],
        Decimal::whole(*tenants).to_places(0),
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::prices;

    /// 100,000 tenants: 2,000,000 write units at 0.625 a million are 1.25; 3,000,000 read units at 0.125 are 0.375. Of each
    /// pass 1 ms of a vCPU is 3.455 ms with 512 MB, and 16 calls of 5 ms, 16 at once, are 5 ms: 8.455 ms of half a GB, 845.5
    /// GB-s in both passes, at 0.0000133334 a cent and a bit.
    #[test]
    fn a_run_is_what_it_is_by_hand() {
        let pass = "cpu_ms = \"1\"\ntable_calls = \"16\"\nread_units = \"15\"\nwrite_units = \"10\"\n";
        let head = "[run]\ndate = \"\"\ncommit = \"\"\nmachine = \"\"\nbuild = \"\"\ntenants = 1\nentries = 1\n";
        let run = prices::from_toml(&format!("{head}[drafts]\n{pass}[finalise]\n{pass}")).unwrap();
        let prices = prices::parse(include_str!("../../../docs/prices.toml")).unwrap();
        let cost = Cost::of(&run, 100_000, &prices["us-east-1"]);
        let [reads, writes, lambda] = [cost.reads, cost.writes, cost.lambda].map(|usd| usd.to_places(4));
        assert_eq!([reads, writes, lambda], ["0.3750", "1.2500", "0.0113"]);
    }
}
