//! The price file: what each service of a region costs, and where that was read.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, de::DeserializeOwned};

use super::decimal::Decimal;

/// The prices of every region in the file, by the region's name.
pub type Prices = BTreeMap<String, Region>;

/// The prices of one region.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    pub lambda: Lambda,
    pub ec2: Ec2,
    pub api_gateway: ApiGateway,
    pub dynamodb: DynamoDb,
    pub kinesis: Kinesis,
    pub cloudwatch: CloudWatch,
    pub edge: Edge,
    pub others: Others,
}

/// A price that falls with the amount of a month. The last step has no end.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Steps(Vec<Step>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// How many units, after those of the steps before, have this price; all further ones if it is left out.
    first: Option<Decimal>,
    price: Decimal,
}

impl Steps {
    /// What an amount of a month costs.
    pub fn cost(&self, amount: Decimal) -> Decimal {
        self.cost_in(amount, Decimal::whole(1))
    }

    /// What an amount costs whose steps are counted in single units and whose prices are per `unit` of them.
    pub fn cost_in(&self, amount: Decimal, unit: Decimal) -> Decimal {
        let (mut left, mut cost) = (amount, Decimal::ZERO);
        for (position, step) in self.0.iter().enumerate() {
            let last = position + 1 == self.0.len();
            let here = step.first.filter(|_| !last).map_or(left, |first| first.min(left));
            cost = cost + here.over(unit) * step.price;
            left = left.less(here);
        }
        cost
    }
}

/// A service's prices: fields with a price, and where they come from.
macro_rules! service {
    ($(#[$doc:meta])* $name:ident, $called:literal { $($field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            pub source: String,
            pub as_of: String,
            pub unverified: Vec<String>,
            $(pub $field: $kind,)*
        }

        impl $name {
            fn origin(&self) -> Origin<'_> {
                const PRICES: &[&str] = &[$(stringify!($field)),*];
                Origin {
                    service: $called,
                    source: &self.source,
                    as_of: &self.as_of,
                    unverified: &self.unverified,
                    unknown: self.unverified.iter().map(String::as_str).find(|name| !PRICES.contains(name)),
                }
            }
        }
    };
}

service!(
    /// AWS Lambda, and the fee of its Managed Instances.
    Lambda, "lambda" {
        request_million: Decimal,
        arm64_gb_second: Steps,
        x86_gb_second: Steps,
        arm64_provisioned_gb_second: Decimal,
        arm64_provisioned_run_gb_second: Decimal,
        streamed_gb: Decimal,
        managed_fee_percent: Decimal,
    }
);
service!(
    /// Instances, and what a network of one's own takes.
    Ec2, "ec2" {
        m7g_large_hour: Decimal,
        nat_hour: Decimal,
        balancer_hour: Decimal,
    }
);
service!(
    /// HTTP APIs and WebSocket APIs.
    ApiGateway, "api_gateway" {
        http_million: Steps,
        websocket_message_million: Steps,
        websocket_minute_million: Decimal,
    }
);
service!(
    /// A table of the standard class.
    DynamoDb, "dynamodb" {
        write_million: Decimal,
        read_million: Decimal,
        write_capacity_hour: Decimal,
        read_capacity_hour: Decimal,
        storage_gb_month: Decimal,
        recovery_gb_month: Decimal,
    }
);
service!(
    /// Kinesis Data Streams.
    Kinesis, "kinesis" {
        stream_hour: Decimal,
        in_gb: Decimal,
        out_gb: Decimal,
        advantage_in_gb: Decimal,
        advantage_out_gb: Decimal,
        shard_hour: Decimal,
        put_unit_million: Decimal,
        kept_gb_month: Decimal,
        kept_shard_hour: Decimal,
    }
);
service!(
    /// Logs, metrics, alarms, dashboards and X-Ray's traces.
    CloudWatch, "cloudwatch" {
        log_gb: Steps,
        log_gb_month: Decimal,
        metric_month: Steps,
        alarm_month: Decimal,
        dashboard_month: Decimal,
        trace_million: Decimal,
    }
);
service!(
    /// `CloudFront`, AWS WAF, and bytes that leave AWS without `CloudFront`.
    Edge, "edge" {
        request_million: Decimal,
        out_gb: Steps,
        internet_out_gb: Steps,
        firewall_month: Decimal,
        firewall_rule_month: Decimal,
        firewall_request_million: Decimal,
    }
);
service!(
    /// `EventBridge` Scheduler and Secrets Manager.
    Others, "others" {
        schedule_million: Decimal,
        secret_month: Decimal,
        secret_call_million: Decimal,
    }
);

/// Where the prices of a service come from.
pub struct Origin<'a> {
    pub service: &'static str,
    pub source: &'a str,
    pub as_of: &'a str,
    /// Prices that no copy of AWS's page was found for.
    pub unverified: &'a [String],
    /// A name among them that is no price of the service.
    unknown: Option<&'a str>,
}

impl Region {
    /// Where the prices come from, by service.
    pub fn origins(&self) -> [Origin<'_>; 8] {
        [
            self.lambda.origin(),
            self.ec2.origin(),
            self.api_gateway.origin(),
            self.dynamodb.origin(),
            self.kinesis.origin(),
            self.cloudwatch.origin(),
            self.edge.origin(),
            self.others.origin(),
        ]
    }
}

/// Reads a price file.
///
/// # Errors
/// Where it isn't one, or a name in `unverified` that is no price.
pub fn parse(text: &str) -> Result<Prices, String> {
    let prices: Prices = toml::from_str(text).map_err(|error| error.to_string())?;
    let unknown = |region: &Region| region.origins().into_iter().find_map(|origin| origin.unknown.map(str::to_owned));
    match prices.iter().find_map(|(name, region)| Some((name, unknown(region)?))) {
        Some((region, price)) => Err(format!("{region}: `{price}` in `unverified` is no price of that service")),
        None => Ok(prices),
    }
}

/// Reads a TOML file, or says in which file it failed.
///
/// # Errors
/// The file, and what is wrong with it.
pub fn read<T>(path: &Path, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// TOML as what it is to be.
///
/// # Errors
/// Where it differs.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../docs/prices.toml");

    fn of(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_beyond_a_step_cost_the_next_price() {
        let steps = Steps(vec![
            Step { first: Some(of("10")), price: of("2") },
            Step { first: Some(of("5")), price: of("1") },
            Step { first: None, price: of("0.5") },
        ]);
        assert_eq!([0, 10, 12, 17].map(|amount| steps.cost(Decimal::whole(amount))), ["0", "20", "22", "26"].map(of));
    }

    #[test]
    fn the_last_step_has_no_end() {
        let steps = Steps(vec![Step { first: Some(of("10")), price: of("2") }]);
        assert_eq!(steps.cost(of("20")), of("40"));
    }

    /// The example of API Gateway's pricing page: 432 million calls of an HTTP API in a month are
    /// 300 * $1.00 + 132 * $0.90 = $418.80.
    #[test]
    fn amazon_s_own_example_of_an_http_api_comes_out() {
        let region = &parse(FILE).unwrap()["us-east-1"];
        let calls = Decimal::whole(432_000_000);
        assert_eq!(region.api_gateway.http_million.cost_in(calls, Decimal::whole(1_000_000)), of("418.80"));
    }

    #[test]
    fn an_unverified_name_that_is_no_price_is_refused() {
        let wrong = FILE.replacen(r#"unverified = ["streamed_gb"]"#, r#"unverified = ["streamed"]"#, 1);
        assert_eq!(parse(&wrong).unwrap_err(), "us-east-1: `streamed` in `unverified` is no price of that service");
    }

    #[test]
    fn a_price_that_nobody_knows_is_refused() {
        let wrong = FILE.replacen("read_million", "reed_million", 1);
        assert!(parse(&wrong).unwrap_err().contains("reed_million"));
    }
}
