//! The bill of a month: what a deployment's traffic takes of each service, at that service's price.
//!
//! Pure arithmetic. Where AWS rounds (a billed millisecond, a KiB of a record, a write unit) it is rounded here; amounts
//! that are averages are not.

use super::{
    amounts::Amounts,
    decimal::Decimal,
    deployment::{Architecture, Compute, Deployment, Front, Stream, Table},
    measured::{Measured, Request},
    prices::Region,
};

/// 730 hours, which is how AWS counts a month.
pub const HOURS: Decimal = Decimal::whole(730);
const MILLION: Decimal = Decimal::whole(1_000_000);
/// A provisioned table is to be used to 70 %, the rest is for the moments in between.
const TARGET_UTILISATION: Decimal = Decimal::ratio(7, 10);
/// Providers' keys, and what `infra/terraform` creates to watch with.
pub const SECRETS: Decimal = Decimal::whole(2);
const METRICS: Decimal = Decimal::whole(60);
const ALARMS: Decimal = Decimal::whole(17);
/// On-demand Advantage is paid for 25 MB/s in and out at least, here 25 MiB for 2,628,000 seconds.
const ADVANTAGE_GB: Decimal = Decimal::ratio(25 * 2_628_000, 1024);
const FIREWALL_RULES: Decimal = Decimal::whole(2);

/// Who the money goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Lambda,
    ApiGateway,
    TableRequests,
    TableStorage,
    Kinesis,
    Logs,
    Monitoring,
    Edge,
    Others,
}

impl Service {
    /// All, in the order of a table's rows.
    pub const ALL: [Self; 9] = [
        Self::Lambda,
        Self::ApiGateway,
        Self::TableRequests,
        Self::TableStorage,
        Self::Kinesis,
        Self::Logs,
        Self::Monitoring,
        Self::Edge,
        Self::Others,
    ];

    /// As an operator knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "Lambda",
            Self::ApiGateway => "API Gateway",
            Self::TableRequests => "DynamoDB, reads and writes",
            Self::TableStorage => "DynamoDB, thirteen months kept, with recovery",
            Self::Kinesis => "Kinesis",
            Self::Logs => "CloudWatch, logs",
            Self::Monitoring => "CloudWatch, metrics, alarms, X-Ray",
            Self::Edge => "CloudFront, data transfer, WAF",
            Self::Others => "Scheduler, Secrets Manager",
        }
    }
}

/// What one thing costs in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub service: Service,
    pub what: &'static str,
    pub usd: Decimal,
}

/// A month's bill.
#[derive(Debug, Clone)]
pub struct Bill {
    pub lines: Vec<Line>,
    /// Requests of the month.
    pub requests: Decimal,
    /// Milliseconds that Lambda bills for one of them.
    pub billed_ms: Decimal,
}

impl Bill {
    /// The bill for requests of one kind.
    pub fn of(request: &Request, measured: &Measured, prices: &Region, deployment: &Deployment) -> Self {
        let amounts = Amounts::of(request, measured, deployment);
        let lines = [
            compute(&amounts, prices, deployment),
            table(&amounts, prices, deployment),
            stream(&amounts, prices, deployment),
            watching(&amounts, prices),
            edge(&amounts, prices, deployment),
        ]
        .concat();
        Self { lines, requests: amounts.requests, billed_ms: amounts.billed_ms }
    }

    /// What the month costs.
    pub fn month(&self) -> Decimal {
        self.lines.iter().map(|line| line.usd).sum()
    }

    /// What a million requests cost, of one service.
    pub fn million_of(&self, service: Service) -> Decimal {
        let month: Decimal = self.lines.iter().filter(|line| line.service == service).map(|line| line.usd).sum();
        month * MILLION.over(self.requests)
    }

    /// What a million requests cost.
    pub fn million(&self) -> Decimal {
        self.month() * MILLION.over(self.requests)
    }
}

/// What the models cost for a million requests, at the deployment's prices.
pub fn models(deployment: &Deployment) -> Decimal {
    Decimal::whole(deployment.input_tokens) * deployment.input_price
        + Decimal::whole(deployment.output_tokens) * deployment.output_price
}

fn compute(amounts: &Amounts, prices: &Region, deployment: &Deployment) -> Vec<Line> {
    let line = |what, usd| Line { service: Service::Lambda, what, usd };
    let steps = match deployment.architecture {
        Architecture::Arm64 => &prices.lambda.arm64_gb_second,
        Architecture::X86 => &prices.lambda.x86_gb_second,
    };
    let request_price = prices.lambda.request_million;
    let requests = line("requests", millions(amounts.requests) * request_price);
    let counting = line(
        "counting and sweeping",
        millions(amounts.counting_runs) * request_price + steps.cost(amounts.counting_gb_seconds),
    );
    let streamed = line("streamed beyond 6 MB", amounts.streamed_gb * prices.lambda.streamed_gb);
    let duration = match deployment.compute {
        Compute::OnDemand => line("duration", steps.cost(amounts.gb_seconds)),
        Compute::Provisioned => line(
            "provisioned concurrency",
            amounts.gb_seconds * prices.lambda.arm64_provisioned_run_gb_second
                + amounts.provisioned_gb_seconds * prices.lambda.arm64_provisioned_gb_second,
        ),
        Compute::Managed => line("managed instances", managed(amounts, prices)),
    };
    vec![duration, requests, counting, streamed]
}

/// The instances with their fee, and a NAT gateway, because they are in a VPC and providers are not.
fn managed(amounts: &Amounts, prices: &Region) -> Decimal {
    let with_fee = Decimal::whole(1) + prices.lambda.managed_fee_percent.over(Decimal::whole(100));
    HOURS * (amounts.instances * prices.ec2.m7g_large_hour * with_fee + prices.ec2.nat_hour)
}

fn table(amounts: &Amounts, prices: &Region, deployment: &Deployment) -> Vec<Line> {
    let line = |what, usd| Line { service: Service::TableRequests, what, usd };
    let requests = match deployment.table {
        Table::OnDemand => [
            line("writes", millions(amounts.write_units) * prices.dynamodb.write_million),
            line("reads", millions(amounts.read_units) * prices.dynamodb.read_million),
        ],
        Table::Provisioned => [
            line("writes", capacity(amounts.write_units) * prices.dynamodb.write_capacity_hour * HOURS),
            line("reads", capacity(amounts.read_units) * prices.dynamodb.read_capacity_hour * HOURS),
        ],
    };
    let gb_month = prices.dynamodb.storage_gb_month + prices.dynamodb.recovery_gb_month;
    let kept = Line { service: Service::TableStorage, what: "kept", usd: amounts.kept_gb * gb_month };
    [requests.to_vec(), vec![kept]].concat()
}

/// Units per second to provision for so many in a month.
fn capacity(units: Decimal) -> Decimal {
    let per_second = units.over(HOURS * Decimal::whole(3600));
    Decimal::whole(per_second.over(TARGET_UTILISATION).ceil().max(1))
}

fn stream(amounts: &Amounts, prices: &Region, deployment: &Deployment) -> Vec<Line> {
    let line = |what, usd| Line { service: Service::Kinesis, what, usd };
    let kept = deployment.stream_hours > 24;
    match deployment.stream {
        Stream::OnDemand => vec![
            line("stream", HOURS * prices.kinesis.stream_hour),
            line("in", amounts.stream_in_gb * prices.kinesis.in_gb),
            line("out", amounts.stream_out_gb * prices.kinesis.out_gb),
            line("kept", amounts.stream_kept_gb * prices.kinesis.kept_gb_month),
        ],
        Stream::Advantage => vec![
            line("in", amounts.stream_in_gb.max(ADVANTAGE_GB) * prices.kinesis.advantage_in_gb),
            line("out", amounts.stream_out_gb.max(ADVANTAGE_GB) * prices.kinesis.advantage_out_gb),
        ],
        Stream::Shards => vec![
            line("shards", HOURS * amounts.shards * prices.kinesis.shard_hour),
            line("puts", millions(amounts.put_units) * prices.kinesis.put_unit_million),
            line("kept", if kept { HOURS * amounts.shards * prices.kinesis.kept_shard_hour } else { Decimal::ZERO }),
        ],
    }
}

fn watching(amounts: &Amounts, prices: &Region) -> Vec<Line> {
    let watch = &prices.cloudwatch;
    let logs = watch.log_gb.cost(amounts.log_gb) + amounts.log_gb * watch.log_gb_month;
    let monitoring = |what, usd| Line { service: Service::Monitoring, what, usd };
    let other = |what, usd| Line { service: Service::Others, what, usd };
    vec![
        Line { service: Service::Logs, what: "logs", usd: logs },
        monitoring("metrics", watch.metric_month.cost(METRICS)),
        monitoring("alarms and a dashboard", ALARMS * watch.alarm_month + watch.dashboard_month),
        monitoring("traces", millions(amounts.traces) * watch.trace_million),
        other("schedules", millions(amounts.schedules) * prices.others.schedule_million),
        other("secrets", SECRETS * prices.others.secret_month),
        other("secrets read", millions(amounts.secret_calls) * prices.others.secret_call_million),
    ]
}

fn edge(amounts: &Amounts, prices: &Region, deployment: &Deployment) -> Vec<Line> {
    let line = |what, usd| Line { service: Service::Edge, what, usd };
    let api = match deployment.front {
        Front::HttpApi => prices.api_gateway.http_million.cost_in(amounts.requests, MILLION),
        Front::FunctionUrl => Decimal::ZERO,
    };
    let mut lines = vec![
        Line { service: Service::ApiGateway, what: "calls", usd: api },
        line("to providers", prices.edge.internet_out_gb.cost(amounts.provider_gb)),
    ];
    if deployment.cloudfront {
        lines.push(line("requests", millions(amounts.requests) * prices.edge.request_million));
        lines.push(line("answers", prices.edge.out_gb.cost(amounts.answer_gb)));
    } else {
        lines.push(line("answers", prices.edge.internet_out_gb.cost(amounts.answer_gb)));
    }
    if deployment.firewall {
        let rules = prices.edge.firewall_month + FIREWALL_RULES * prices.edge.firewall_rule_month;
        lines.push(line("firewall", rules + millions(amounts.requests) * prices.edge.firewall_request_million));
    }
    lines
}

fn millions(amount: Decimal) -> Decimal {
    amount.over(MILLION)
}
