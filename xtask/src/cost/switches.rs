//! What an operator can set differently, and from which rate on it pays.

use super::{
    Inputs,
    bill::{Bill, Service},
    decimal::Decimal,
    deployment::{Architecture, Compute, Deployment, Front, Stream, Table},
};

/// Something that can be set differently.
pub struct Switch {
    pub name: &'static str,
    set: fn(&mut Deployment),
}

impl Switch {
    /// The deployment with this set.
    pub fn applied(&self, deployment: &Deployment) -> Deployment {
        let mut switched = deployment.clone();
        (self.set)(&mut switched);
        switched
    }
}

/// All switches, in the order of the table's rows.
pub const SWITCHES: [Switch; 18] = [
    Switch { name: "functions of 256 MB, not 512", set: |d| d.memory_mb = 256 },
    Switch { name: "functions of 1,769 MB, one vCPU", set: |d| d.memory_mb = 1769 },
    Switch { name: "x86, not arm64", set: |d| d.architecture = Architecture::X86 },
    Switch { name: "Managed Instances, 64 requests per vCPU", set: |d| d.compute = Compute::Managed },
    Switch { name: "provisioned concurrency, always busy", set: |d| d.compute = Compute::Provisioned },
    Switch { name: "function URL, not HTTP API", set: |d| d.front = Front::FunctionUrl },
    Switch { name: "provisioned table at 70 %", set: |d| d.table = Table::Provisioned },
    Switch { name: "8 sub-meters", set: |d| d.meter_shards = 8 },
    Switch { name: "shards, not a stream on demand", set: |d| d.stream = Stream::Shards },
    Switch { name: "shards that keep a day, not a week", set: |d| (d.stream, d.stream_hours) = (Stream::Shards, 24) },
    Switch { name: "Kinesis On-demand Advantage", set: |d| d.stream = Stream::Advantage },
    Switch { name: "batch window of 60 s, not 10", set: |d| d.batch_window = 60 },
    Switch { name: "batch window of 300 s", set: |d| d.batch_window = 300 },
    Switch { name: "no log line of Lambda's own", set: |d| d.platform_log = false },
    Switch { name: "no log or metrics line of the request", set: |d| d.request_log = false },
    Switch { name: "no traces", set: |d| d.trace_percent = 0 },
    Switch { name: "no CloudFront", set: |d| d.cloudfront = false },
    Switch { name: "AWS WAF", set: |d| d.firewall = true },
];

/// The lowest rate, up to 20,000 requests per second, at which `switch` is cheaper, all else as in `deployment`.
///
/// # Errors
/// A region or request that the inputs don't have.
pub fn pays_from(
    inputs: &Inputs,
    region: &str,
    request: &str,
    deployment: &Deployment,
    switch: impl Fn(&mut Deployment),
) -> Result<Option<u64>, String> {
    for rate in 1..=20_000 {
        let usual = Deployment { rate, ..deployment.clone() };
        let mut switched = usual.clone();
        switch(&mut switched);
        let month = |deployment| inputs.bill(region, request, deployment).map(|bill| bill.month());
        if month(&switched)? < month(&usual)? {
            return Ok(Some(rate));
        }
    }
    Ok(None)
}

/// What of the provisioned capacity must be used on average for it to cost less than on demand: writes, reads.
///
/// # Errors
/// A region that the inputs don't have.
pub fn utilisation(inputs: &Inputs, region: &str) -> Result<[Decimal; 2], String> {
    let table = &inputs.region(region)?.dynamodb;
    let of = |hour: Decimal, million: Decimal| (hour * Decimal::ratio(1_000_000, 3600)).over(million);
    Ok([of(table.write_capacity_hour, table.write_million), of(table.read_capacity_hour, table.read_million)])
}

/// Lambda's part of a month.
pub fn lambda_month(bill: &Bill) -> Decimal {
    bill.lines.iter().filter(|line| line.service == Service::Lambda).map(|line| line.usd).sum()
}
