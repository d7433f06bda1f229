//! `cargo xtask cost`: what a deployment costs, computed from `docs/prices.toml` and `docs/measured.toml`. Without a rate
//! it writes the tables of `docs/cost.md`; with one it prints the bill of that traffic.

mod amounts;
mod bill;
mod billing;
mod decimal;
mod deployment;
mod document;
mod measured;
mod prices;
mod switches;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;

use clap::Args;

use self::{
    bill::Bill,
    billing::BillingRun,
    deployment::{Architecture, Compute, Deployment, Front},
    measured::{Measured, Request},
    prices::{Prices, Region},
};

/// What to compute.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// Fail if docs/cost.md is not what would be written.
    #[arg(long, conflicts_with = "rate")]
    check: bool,
    /// Print the bill of so many requests per second, all month long, instead of writing docs/cost.md.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
    /// Where it runs.
    #[arg(long, default_value = tables::REGION, requires = "rate")]
    region: String,
    /// Which requests: a name in docs/measured.toml.
    #[arg(long, default_value = "query", requires = "rate")]
    request: String,
    #[command(flatten)]
    deployment: Deployment,
}

/// The files that everything is computed from.
struct Inputs {
    prices: Prices,
    measured: Measured,
    billing: BillingRun,
}

impl Inputs {
    fn read(root: &Path) -> Result<Self, String> {
        let docs = root.join("docs");
        Ok(Self {
            prices: prices::read(&docs.join("prices.toml"), prices::parse)?,
            measured: prices::read(&docs.join("measured.toml"), prices::from_toml)?,
            billing: prices::read(&docs.join("measured-billing.toml"), prices::from_toml)?,
        })
    }

    fn region(&self, name: &str) -> Result<&Region, String> {
        self.prices.get(name).ok_or_else(|| format!("docs/prices.toml has no region {name}"))
    }

    fn request(&self, name: &str) -> Result<&Request, String> {
        let known = || self.measured.requests.keys().cloned().collect::<Vec<_>>().join(", ");
        self.measured.requests.get(name).ok_or_else(|| format!("docs/measured.toml has no {name}, but {}", known()))
    }

    fn bill(&self, region: &str, request: &str, deployment: &Deployment) -> Result<Bill, String> {
        Ok(Bill::of(self.request(request)?, &self.measured, self.region(region)?, deployment))
    }
}

/// What there are prices for, and what AWS can do.
fn possible(request: &Request, deployment: &Deployment) -> Result<(), String> {
    if deployment.compute != Compute::OnDemand && deployment.architecture == Architecture::X86 {
        return Err("the prices of provisioned concurrency and of instances are those of arm64".to_owned());
    }
    if request.function == "stream" && deployment.front == Front::HttpApi {
        return Err("an HTTP API does not stream: --front function-url".to_owned());
    }
    Ok(())
}

/// Runs the command.
///
/// # Errors
/// A file that can't be read, a region or a kind of request that isn't in it, or a document that is not up to date.
pub fn run(root: &Path, args: &CostArgs) -> Result<(), String> {
    let inputs = Inputs::read(root)?;
    match args.rate {
        Some(rate) => {
            let deployment = Deployment { rate, ..args.deployment.clone() };
            possible(inputs.request(&args.request)?, &deployment)?;
            let bill = inputs.bill(&args.region, &args.request, &deployment)?;
            print!("{}", tables::bill(&bill, &deployment));
            Ok(())
        }
        None => write(root, &inputs, args.check),
    }
}

/// Whether docs/cost.md is what its inputs say.
///
/// # Errors
/// It isn't, or can't be read.
pub fn check(root: &Path) -> Result<(), String> {
    write(root, &Inputs::read(root)?, true)
}

fn write(root: &Path, inputs: &Inputs, check: bool) -> Result<(), String> {
    document::update(&root.join("docs/cost.md"), &tables::all(inputs)?, check)
}
