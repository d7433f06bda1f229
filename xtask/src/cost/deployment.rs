//! What is asked of a bill: how much traffic there is, what models take, and how the deployment is set up.

use clap::{Args, Parser, ValueEnum};

use super::decimal::Decimal;

/// Traffic and set-up. The defaults are those of `infra/terraform`.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[group(id = "deployment", requires = "rate")]
pub struct Deployment {
    /// Requests per second, all month long.
    #[arg(skip = 1_u64)]
    pub rate: u64,
    /// Tenants that the requests come from, each as many; a tenth of the rate, but at least 10, if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub tenants: Option<u64>,
    /// Seconds from asking a model to the end of its answer.
    #[arg(long, default_value = "1")]
    pub model_seconds: Decimal,
    /// What the deployment calls a million of input and of output tokens, for the model's own cost.
    #[arg(long, default_value = "0.25", value_name = "USD")]
    pub input_price: Decimal,
    #[arg(long, default_value = "2", value_name = "USD")]
    pub output_price: Decimal,
    /// Tokens of a request and of its answer.
    #[arg(long, default_value_t = 1000)]
    pub input_tokens: u64,
    #[arg(long, default_value_t = 500)]
    pub output_tokens: u64,
    /// Memory of the functions that answer, in MB.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(128..=10_240))]
    pub memory_mb: u64,
    /// The functions' processor.
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    pub architecture: Architecture,
    /// How functions are run.
    #[arg(long, value_enum, default_value_t = Compute::OnDemand)]
    pub compute: Compute,
    /// Requests that an execution environment of Managed Instances works on at once, per vCPU.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1600))]
    pub concurrency_per_vcpu: u64,
    /// What is in front of the function; requests that are streamed need a function URL.
    #[arg(long, value_enum, default_value_t = Front::HttpApi)]
    pub front: Front,
    /// How the table is paid.
    #[arg(long, value_enum, default_value_t = Table::OnDemand)]
    pub table: Table,
    /// How the stream is paid.
    #[arg(long, value_enum, default_value_t = Stream::OnDemand)]
    pub stream: Stream,
    /// Hours that the stream keeps its records.
    #[arg(long, default_value_t = 168, value_parser = clap::value_parser!(u64).range(24..=168))]
    pub stream_hours: u64,
    /// Seconds that the event source mapping waits to fill a batch.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub batch_window: u64,
    /// Sub-meters of each tenant.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub meter_shards: u64,
    /// Whether each request writes its log lines.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub request_log: bool,
    /// Whether Lambda writes its own lines about each invocation.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub platform_log: bool,
    /// How many of a hundred requests are traced, beside the first of each second; with 0 none at all.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub trace_percent: u64,
    /// Whether clients come through `CloudFront`.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub cloudfront: bool,
    /// Whether AWS WAF looks at each request.
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set)]
    pub firewall: bool,
    /// Milliseconds from a function to the table and back.
    #[arg(long, default_value = "5")]
    pub round_trip_ms: Decimal,
}

impl Deployment {
    /// The defaults, at so many requests per second.
    pub fn at(rate: u64) -> Self {
        #[derive(Parser)]
        struct Defaults {
            #[command(flatten)]
            deployment: Deployment,
            /// Known to the group of the others.
            #[arg(long)]
            rate: Option<u64>,
        }
        let Defaults { deployment, rate: _ } = Defaults::parse_from(["cost"]);
        Self { rate, ..deployment }
    }
}

/// The processor of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    Arm64,
    #[value(name = "x86")]
    X86,
}

/// How functions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compute {
    /// One request at a time in an environment, paid by its duration.
    OnDemand,
    /// Environments that are always there, as many as are busy on average.
    Provisioned,
    /// Lambda Managed Instances (m7g.large): many requests in an environment, paid by the instance's hours.
    Managed,
}

/// What is in front of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Front {
    HttpApi,
    FunctionUrl,
}

/// How the table is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Table {
    OnDemand,
    /// Provisioned, with a target utilisation of 70 %.
    Provisioned,
}

/// How the stream is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    OnDemand,
    /// On demand in an account that has chosen On-demand Advantage for all of its streams.
    Advantage,
    /// As many shards as the records need at twice the rate.
    Shards,
}
