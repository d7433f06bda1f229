//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args as Arguments, Parser, Subcommand};
use lmo_shared::quota::Limits;

/// LMO: large language models for businesses, metered, capped, billed. Without a command it serves the whole platform.
#[derive(Debug, Parser)]
#[command(name = "lmo", version)]
pub struct Args {
    #[command(flatten)]
    pub serve: Serve,
    #[command(flatten)]
    pub place: Place,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How the platform is served.
#[derive(Debug, Clone, Arguments)]
pub struct Serve {
    /// Port to listen on, on 127.0.0.1; 0 takes a free one.
    #[arg(long, env = "LMO_PORT", default_value_t = 8080, value_parser = port)]
    pub port: u16,
    /// Model catalogue; `models.toml` here, or the built-in one.
    #[arg(long, env = "LMO_MODELS")]
    pub models: Option<PathBuf>,
    /// How many seconds streams may go on after a signal to stop.
    #[arg(long, env = "LMO_PATIENCE_SECONDS", default_value = "30", value_parser = seconds)]
    pub patience: Duration,
}

fn port(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "--port and LMO_PORT are numbers from 0 to 65535")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= 3600);
    seconds.map(Duration::from_secs).ok_or("--patience and LMO_PATIENCE_SECONDS are numbers from 0 to 3600")
}

/// Where the state is.
#[derive(Debug, Clone, Arguments)]
pub struct Place {
    /// Folder of the embedded engines.
    #[arg(long, env = "LMO_DATA_DIR", default_value = ".lmo", global = true)]
    pub data_dir: PathBuf,
    /// Use AWS with the usual credentials instead of the embedded engines. Setting `AWS_ENDPOINT_URL` does the same.
    #[arg(long, global = true)]
    pub aws: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the table, the stream and the deployment's keys, if they don't exist.
    Init,
    /// The model catalogue.
    #[command(subcommand)]
    Models(Models),
    /// What is sold.
    #[command(subcommand)]
    Plans(Plans),
    /// Tenants.
    #[command(subcommand)]
    Tenant(Tenant),
    /// Those who work for the operator.
    #[command(subcommand)]
    Operator(Operator),
    /// The deployment's own keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Compare meters and totals of all tenants of a month; exit code 1 if they differ.
    Books {
        /// The UTC month, as in 2026-11; this one if absent.
        #[arg(long)]
        month: Option<String>,
    },
    /// Billing.
    #[command(subcommand)]
    Billing(Billing),
    /// Settle what crashes left, once.
    Sweep,
    /// Serve the embedded engines as an AWS endpoint, for functions in processes of their own, and print what those need.
    Engines(EnginesArgs),
    /// Remove the tenants whose deletion was announced 30 days ago.
    Purge,
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print who may do what, as `docs/permissions.md` has it.
    Permissions,
}

/// How the engines are served.
#[derive(Debug, Clone, Arguments)]
pub struct EnginesArgs {
    /// Port to listen on, on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8081, value_parser = port)]
    pub port: u16,
    /// Model catalogue; `models.toml` here, or the built-in one.
    #[arg(long, env = "LMO_MODELS")]
    pub models: Option<PathBuf>,
    /// Count usage and sweep as well, as the deployed `aggregate` function would; else that is yours to invoke.
    #[arg(long)]
    pub aggregate: bool,
}

#[derive(Debug, Subcommand)]
pub enum Models {
    /// Make a file the catalogue, from now on or from a later time.
    Apply {
        /// The file.
        #[arg(default_value = "models.toml")]
        file: PathBuf,
        /// From when it holds, RFC 3339; now if absent.
        #[arg(long)]
        effective: Option<String>,
    },
}

/// What is sold.
#[derive(Debug, Subcommand)]
pub enum Plans {
    /// Put the plans of a file in. What says the same as what holds already stays.
    Apply {
        /// The file.
        #[arg(default_value = "plans.toml")]
        file: PathBuf,
        /// From when those hold that don't say so, RFC 3339; now if absent.
        #[arg(long)]
        effective: Option<String>,
    },
    /// List the plans that hold now, one a line.
    List,
}

/// Billing.
#[derive(Debug, Subcommand)]
pub enum Billing {
    /// Who sells, and how invoices are numbered, taxed and collected.
    #[command(subcommand)]
    Settings(BillingSettings),
    /// Move a tenant to a plan.
    Plan(PlanArgs),
    /// Give a tenant prepaid credit.
    Credit(CreditArgs),
    /// Coupons.
    #[command(subcommand)]
    Coupon(Coupon),
    /// Make the invoices of a month that is over, or go on with it; exit code 1 if something failed, or if drafts can't be
    /// finalised because their books differ.
    Run(RunArgs),
    /// Store the deployment's keys of Stripe, and print where its webhook is to be sent to.
    Stripe(StripeArgs),
    /// Compare meter, totals and ledger of a tenant's month, and print where they differ; exit code 1 if they do.
    Reconcile(ReconcileArgs),
    /// Print what tenants bring in, what they cost, and what is left.
    Report(ReportArgs),
    /// Write the usage of days that are over into files, whatever was written before; exit code 1 if a day isn't complete.
    Export(ExportArgs),
}

/// Which report.
#[derive(Debug, Clone, Arguments)]
pub struct ReportArgs {
    /// The first UTC month, as in 2026-10.
    #[arg(long)]
    pub from: String,
    /// The last month; the first if absent.
    #[arg(long)]
    pub to: Option<String>,
    /// Fewer columns than all of `tenant`, `model` and `month`.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Split::Tenant, Split::Model, Split::Month])]
    pub group_by: Vec<Split>,
    /// As CSV, not as JSON Lines.
    #[arg(long)]
    pub csv: bool,
}

/// By what a report is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    Tenant,
    Model,
    Month,
}

/// Which days are exported, and where to.
#[derive(Debug, Clone, Arguments)]
pub struct ExportArgs {
    /// The first UTC day, as in 2026-10-01.
    #[arg(long)]
    pub from: String,
    /// The first day that isn't exported any more; today if absent.
    #[arg(long)]
    pub to: Option<String>,
    /// The folder; if absent the bucket in `LMO_EXPORT_BUCKET`.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// The books of a tenant's month.
#[derive(Debug, Clone, Arguments)]
pub struct ReconcileArgs {
    /// The tenant's id.
    #[arg(long)]
    pub tenant: String,
    /// The UTC month, as in 2026-10.
    #[arg(long)]
    pub period: String,
    /// Settle what nobody works on any more, and put totals and meter right by the ledger. The next run goes on with the invoice.
    #[arg(long)]
    pub repair: bool,
}

/// What the operator says of billing.
#[derive(Debug, Subcommand)]
pub enum BillingSettings {
    /// Make a file the settings.
    Apply {
        /// The file.
        #[arg(default_value = "billing.toml")]
        file: PathBuf,
    },
    /// Print the settings.
    Show,
}

/// A plan for a tenant.
#[derive(Debug, Clone, Arguments)]
pub struct PlanArgs {
    /// The tenant's id.
    #[arg(long)]
    pub tenant: String,
    /// The plan's name.
    #[arg(long)]
    pub plan: String,
    /// From when: at once, or from the end of the month on.
    #[arg(long, value_enum, default_value_t = At::Now)]
    pub at: At,
}

/// From when a plan is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum At {
    /// At once.
    Now,
    /// From the end of the month on.
    PeriodEnd,
}

/// Prepaid credit.
#[derive(Debug, Clone, Arguments)]
pub struct CreditArgs {
    /// The tenant's id.
    #[arg(long)]
    pub tenant: String,
    /// How much, as in 100 or 99.50.
    #[arg(long)]
    pub amount: String,
    /// The currency, as in EUR.
    #[arg(long)]
    pub currency: String,
    /// When it expires, RFC 3339; never if absent.
    #[arg(long)]
    pub expires: Option<String>,
    /// Why; the tenant sees it.
    #[arg(long)]
    pub reason: String,
}

/// Coupons.
#[derive(Debug, Subcommand)]
pub enum Coupon {
    /// Make a coupon.
    Create(CouponArgs),
    /// List the coupons, one a line.
    List,
    /// Take a coupon away. Who has redeemed it keeps it.
    Delete {
        /// Its code.
        code: String,
    },
}

/// A coupon.
#[derive(Debug, Clone, Arguments)]
pub struct CouponArgs {
    /// What tenants write to redeem it: 3 to 40 of A-Z, 0-9 and -.
    #[arg(long)]
    pub code: String,
    /// How much in percent, as in 12.5.
    #[arg(long, required_unless_present = "amount", conflicts_with_all = ["amount", "currency"])]
    pub percent: Option<String>,
    /// How much as an amount, with its currency.
    #[arg(long, requires = "currency")]
    pub amount: Option<String>,
    /// The amount's currency.
    #[arg(long, requires = "amount")]
    pub currency: Option<String>,
    /// For how many months; for ever if absent.
    #[arg(long)]
    pub periods: Option<u32>,
    /// How many tenants may redeem it; all if absent.
    #[arg(long)]
    pub redemptions: Option<u32>,
    /// Until when it may be redeemed, RFC 3339.
    #[arg(long)]
    pub until: Option<String>,
    /// The only plans that it is for, with commas between; all if absent.
    #[arg(long, value_delimiter = ',')]
    pub plans: Vec<String>,
}

/// A billing run.
#[derive(Debug, Clone, Arguments)]
pub struct RunArgs {
    /// The UTC month, as in 2026-10; the last one if absent.
    #[arg(long)]
    pub period: Option<String>,
    /// In how many parts at most it is worked off, if it begins; by the number of tenants if absent.
    #[arg(long)]
    pub parts: Option<u16>,
    /// Go through all tenants once more if it is finished.
    #[arg(long)]
    pub again: bool,
}

/// The deployment's keys of Stripe.
#[derive(Debug, Clone, Arguments)]
pub struct StripeArgs {
    /// A file with the secret key, `sk_...` or `rk_...`.
    #[arg(long)]
    pub secret_key_file: PathBuf,
    /// A file with the webhook's signing secret, `whsec_...`.
    #[arg(long)]
    pub webhook_secret_file: PathBuf,
    /// The key for browsers, `pk_...`, which clients are given.
    #[arg(long)]
    pub publishable_key: Option<String>,
    /// Where the API is, if not at Stripe.
    #[arg(long)]
    pub api_base: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Sign tokens with the next key from now on; exit code 1 if it is too soon for that. No token that is still good is
    /// refused.
    Rotate {
        /// Even if it is too soon, and tokens are refused that are still good: for keys that somebody else may know. Twice in
        /// a row, nothing is good any more that either key has signed.
        #[arg(long)]
        force: bool,
        /// The key that seals what is in the table instead.
        #[arg(long, conflicts_with = "force")]
        sealing: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Create a tenant with a key that may do everything, and print both.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
        /// Into how many sub-meters its month is split; more than 1 for over about 300 requests a second.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
        meter_shards: u8,
    },
    /// List tenants, one a line.
    List {
        /// Only those whose status is this: active, suspended, deleting.
        #[arg(long)]
        status: Option<String>,
    },
    /// Refuse everything that a tenant has, until it is resumed.
    Suspend {
        /// The tenant's id.
        id: String,
        /// Why; the tenant sees it in its audit log.
        #[arg(long)]
        reason: String,
    },
    /// Let a suspended tenant go on.
    Resume {
        /// The tenant's id.
        id: String,
    },
    /// Say what a tenant's plan is called, of one that isn't sold here: `billing plan` moves it to one that is.
    Plan {
        /// The tenant's id.
        id: String,
        /// The plan's name; none if absent.
        plan: Option<String>,
    },
    /// Change a tenant's limits; those that are absent are lifted.
    Limits {
        /// The tenant's id.
        id: String,
        #[command(flatten)]
        limits: LimitArgs,
    },
}

/// Those who work for the operator: they sign in as everybody does, and may use `/api/admin`.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Let somebody work for the operator, and print a link to choose a password if there is none.
    Add {
        /// The address to sign in with.
        #[arg(long)]
        email: String,
    },
    /// Let somebody work for the operator no more.
    Remove {
        /// The address.
        #[arg(long)]
        email: String,
    },
    /// List them, one a line.
    List,
}

#[derive(Debug, Clone, Copy, Arguments)]
pub struct LimitArgs {
    /// Requests in a minute.
    #[arg(long)]
    requests_per_minute: Option<u64>,
    /// Tokens in a minute.
    #[arg(long)]
    tokens_per_minute: Option<u64>,
    /// Tokens in a UTC month.
    #[arg(long)]
    monthly_tokens: Option<u64>,
    /// Nano-USD in a UTC month.
    #[arg(long)]
    monthly_nano_usd: Option<u64>,
}

impl From<LimitArgs> for Limits {
    fn from(args: LimitArgs) -> Self {
        Self {
            requests_per_minute: args.requests_per_minute,
            tokens_per_minute: args.tokens_per_minute,
            monthly_tokens: args.monthly_tokens,
            monthly_nano_usd: args.monthly_nano_usd,
        }
    }
}
