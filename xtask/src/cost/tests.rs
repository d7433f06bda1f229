//! The model against bills that were worked out by hand.

use super::{
    Inputs,
    amounts::Amounts,
    bill::{Bill, Service},
    decimal::Decimal,
    deployment::{Compute, Deployment, Stream, Table},
    measured::Measured,
    possible, prices,
    switches::SWITCHES,
};

/// Round numbers.
const MEASURED: &str = r#"
[run]
date = "2026-01-01"
commit = "0"
machine = "a desk"
build = "by hand"
requests = 1
[requests.query]
function = "query"
cpu_ms = "1"
own_ms = "2"
model_calls = "1"
table_calls = "3"
write_units = "3"
read_units = "0.1"
kept_bytes = "500"
records = "1"
record_bytes = "102"
log_lines = "2"
log_bytes = "948"
answer_bytes = "1000"
pieces = "1"
provider_bytes = "1400"
[meter]
bytes = "270"
hold_bytes = "114"
[aggregation]
cpu_ms = "1"
table_calls = "8"
entry_bytes = "400"
total_bytes = "700"
[sweep]
cpu_ms = "1"
table_calls = "3"
read_units = "3"
"#;

fn inputs() -> Inputs {
    Inputs {
        prices: prices::parse(include_str!("../../../docs/prices.toml")).unwrap(),
        measured: prices::from_toml(MEASURED).unwrap(),
        billing: prices::from_toml(include_str!("../../../docs/measured-billing.toml")).unwrap(),
    }
}

fn of(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn bill(deployment: &Deployment) -> Bill {
    inputs().bill("us-east-1", "query", deployment).unwrap()
}

fn amounts(deployment: &Deployment) -> Amounts {
    let measured: Measured = prices::from_toml(MEASURED).unwrap();
    Amounts::of(&measured.requests["query"], &measured, deployment)
}

fn line(bill: &Bill, service: Service, what: &str) -> Decimal {
    bill.lines.iter().find(|line| line.service == service && line.what == what).unwrap().usd
}

/// The example of Lambda's pricing page: three million requests of 120 ms with 1,536 MB on x86 are 540,000 GB-s, of which
/// 400,000 are free: $2.33.
#[test]
fn amazon_s_own_example_of_a_function_comes_out() {
    let gb_seconds = of("3000000") * of("0.12") * Decimal::ratio(1536, 1024);
    assert_eq!(gb_seconds, of("540000"));
    let lambda = &inputs().prices["us-east-1"].lambda;
    assert_eq!(lambda.x86_gb_second.cost(gb_seconds.less(of("400000"))).to_places(2), "2.33");
}

/// 1 ms of a vCPU takes 1,769 / 512 = 3.46 ms with 512 MB, three calls 15 ms, the model 1,000 ms.
/// 262,800,000 requests of 1.019 s and 0.5 GB are 133,896,600 GB-s.
#[test]
fn a_request_is_billed_while_it_waits_for_its_model() {
    let bill = bill(&Deployment::at(100));
    assert_eq!(bill.billed_ms, of("1019"));
    assert_eq!(line(&bill, Service::Lambda, "duration"), of("133896600") * of("0.0000133334"));
    assert_eq!(line(&bill, Service::Lambda, "requests"), of("52.56"));
}

#[test]
fn a_request_that_asks_no_model_is_not_billed_for_one() {
    let mut inputs = inputs();
    inputs.measured.requests.get_mut("query").unwrap().model_calls = Decimal::ZERO;
    assert_eq!(inputs.bill("us-east-1", "query", &Deployment::at(1)).unwrap().billed_ms, of("19"));
}

/// Ten tenants at 10 requests/s each have 11 in flight: 270 + 11 * 114 = 1,524 bytes are two KiB, one more for the hold
/// and for the settlement. Two sub-meters have 6 each: 954 bytes.
#[test]
fn requests_in_flight_make_the_meter_dearer_until_it_is_split() {
    let counting = |deployment: &Deployment| amounts(deployment).write_units;
    let whole = Deployment::at(100);
    let split = Deployment { meter_shards: 2, ..Deployment::at(100) };
    assert_eq!(counting(&whole).less(counting(&split)), of("2") * of("262800000"));
}

/// At 1 request/s of 10 tenants each window of 10 s has one request of each: 262,800 windows, 10 tenants. Each puts a
/// bucket, an hour, a day and a month: 10,512,000 writes, beside the requests' own 7,884,000.
#[test]
fn counting_costs_more_than_the_requests_where_there_are_few() {
    assert_eq!(amounts(&Deployment::at(1)).write_units, of("18396000"));
}

/// "If your data records are 4.5 KB each, Kinesis Data Streams will count each record as 5 KB" (its pricing page).
#[test]
fn records_are_rounded_up_to_a_kib_on_demand_and_to_25_in_shards() {
    let mut measured: Measured = prices::from_toml(MEASURED).unwrap();
    let request = measured.requests.get_mut("query").unwrap();
    request.record_bytes = of("4608");
    let request = request.clone();
    let amounts = Amounts::of(&request, &measured, &Deployment::at(1));
    assert_eq!(amounts.stream_in_gb, Decimal::ratio(2_628_000 * 5, 1 << 20));
    assert_eq!(amounts.put_units, of("2628000"));
}

/// 2,000 records/s with room for twice as many are four shards: 4 * 730 * $0.015 + 5,256 * $0.014.
#[test]
fn shards_have_room_for_twice_the_rate() {
    let bill = bill(&Deployment { stream: Stream::Shards, ..Deployment::at(2000) });
    assert_eq!(line(&bill, Service::Kinesis, "shards"), of("43.8"));
    assert_eq!(line(&bill, Service::Kinesis, "puts"), of("73.584"));
}

/// 3 requests/s write 9 units; each window of 10 s counts two buckets, an hour, a day and a month, 5 units. Of 14 units
/// 70 % are enough for these 9.5.
#[test]
fn a_provisioned_table_is_paid_by_the_hour() {
    let deployment = Deployment { table: Table::Provisioned, tenants: Some(1), ..Deployment::at(3) };
    let per_second = amounts(&deployment).write_units.over(of("2628000"));
    assert_eq!(per_second, of("9.5"));
    assert_eq!(line(&bill(&deployment), Service::TableRequests, "writes"), of("14") * of("730") * of("0.00065"));
}

/// Three instances, $0.0816 and 15 % of it for 730 hours, and a NAT gateway.
#[test]
fn managed_instances_are_at_least_three() {
    let bill = bill(&Deployment { compute: Compute::Managed, ..Deployment::at(1) });
    assert_eq!(line(&bill, Service::Lambda, "managed instances"), of("238.3596"));
}

/// 1,000 requests/s of 1.019 s are 1,019 at once, 16 for each of two vCPUs: 32 instances.
#[test]
fn managed_instances_have_room_for_all_requests_in_flight() {
    let deployment = Deployment { compute: Compute::Managed, concurrency_per_vcpu: 16, ..Deployment::at(1000) };
    assert_eq!(amounts(&deployment).instances, of("32"));
}

/// 500 bytes and DynamoDB's 100, thirteen months of 2,628,000 requests.
#[test]
fn what_is_kept_is_paid_with_its_recovery() {
    let kept = Decimal::ratio(600 * 2_628_000 * 13, 1 << 30) * of("0.45");
    assert_eq!(line(&bill(&Deployment::at(1)), Service::TableStorage, "kept").to_places(6), kept.to_places(6));
}

#[test]
fn a_million_is_the_month_by_its_millions() {
    let bill = bill(&Deployment::at(1));
    assert_eq!((bill.million() * of("2.628")).to_places(6), bill.month().to_places(6));
    let services: Decimal = Service::ALL.into_iter().map(|service| bill.million_of(service)).sum();
    assert_eq!(services.to_places(6), bill.million().to_places(6));
}

#[test]
fn every_switch_changes_a_bill() {
    for switch in &SWITCHES {
        let changes = [1, 100, 10_000].into_iter().any(|rate| {
            let usual = Deployment::at(rate);
            bill(&usual).month() != bill(&switch.applied(&usual)).month()
        });
        assert!(changes, "{}", switch.name);
    }
}

#[test]
fn what_has_no_price_is_refused() {
    let inputs = inputs();
    let mut request = inputs.request("query").unwrap().clone();
    request.function = "stream".to_owned();
    assert!(possible(&request, &Deployment::at(1)).unwrap_err().contains("--front function-url"));
    assert!(inputs.bill("mars-1", "query", &Deployment::at(1)).unwrap_err().contains("no region mars-1"));
    assert!(inputs.bill("us-east-1", "wish", &Deployment::at(1)).unwrap_err().ends_with("has no wish, but query"));
}

#[test]
fn the_largest_rate_overflows_nothing() {
    for compute in [Compute::OnDemand, Compute::Provisioned, Compute::Managed] {
        let deployment =
            Deployment { compute, model_seconds: of("900"), memory_mb: 10_240, ..Deployment::at(1_000_000) };
        assert!(bill(&deployment).month() > Decimal::ZERO);
    }
}
