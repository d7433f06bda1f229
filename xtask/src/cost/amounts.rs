//! What a month's traffic takes of each service, in the units that the service bills.

use super::{
    bill::{HOURS, SECRETS},
    decimal::Decimal,
    deployment::{Deployment, Front, Stream},
    measured::{Measured, Request},
};

const SECOND_MS: Decimal = Decimal::whole(1000);
const GB: u128 = 1 << 30;
/// Memory at which Lambda gives a function one vCPU (Lambda developer guide, "Configure memory").
pub const ONE_VCPU_MB: u64 = 1769;
/// DynamoDB's overhead of an item that is stored.
const ITEM_OVERHEAD: Decimal = Decimal::whole(100);
/// Months that the ledger keeps an entry.
const MONTHS_KEPT: Decimal = Decimal::whole(13);
/// A batch has at most so many records.
const BATCH: Decimal = Decimal::whole(5_000);
/// Memory of the `aggregate` function.
const COUNTING_MB: u64 = 512;
/// An event of CloudWatch Logs has so many bytes beside its text (`PutLogEvents`).
const LOG_EVENT: Decimal = Decimal::whole(26);
/// Lambda's own two lines about an invocation, `platform.start` and `platform.report` with a trace, and the line of the
/// HTTP API's access log: by their formats, not measured.
const PLATFORM_LOG: Decimal = Decimal::whole(600);
const ACCESS_LOG: Decimal = Decimal::whole(300);
/// A process reads a secret again after so many seconds (`shared/src/llm/upstreams.rs`).
const SECRET_FRESH: Decimal = Decimal::whole(300);
/// An answer's head, TLS and framing aside.
const HEAD: Decimal = Decimal::whole(500);
/// An m7g.large has 2 vCPUs; half of their time is kept free.
const INSTANCE_VCPUS: u64 = 2;
/// Managed Instances keep at least one instance in each of three zones.
const FEWEST_INSTANCES: u64 = 3;

/// Amounts of a month.
#[derive(Debug, Clone)]
pub struct Amounts {
    pub requests: Decimal,
    pub billed_ms: Decimal,
    pub gb_seconds: Decimal,
    /// Of environments for as many requests as are worked on at once.
    pub provisioned_gb_seconds: Decimal,
    pub instances: Decimal,
    pub streamed_gb: Decimal,
    pub counting_runs: Decimal,
    pub counting_gb_seconds: Decimal,
    pub write_units: Decimal,
    pub read_units: Decimal,
    pub kept_gb: Decimal,
    pub shards: Decimal,
    pub put_units: Decimal,
    pub stream_in_gb: Decimal,
    /// At any moment, older than a day.
    pub stream_kept_gb: Decimal,
    pub stream_out_gb: Decimal,
    pub log_gb: Decimal,
    pub traces: Decimal,
    pub schedules: Decimal,
    pub secret_calls: Decimal,
    pub answer_gb: Decimal,
    pub provider_gb: Decimal,
}

impl Amounts {
    /// Of requests of one kind.
    pub fn of(request: &Request, measured: &Measured, deployment: &Deployment) -> Self {
        let seconds = HOURS * Decimal::whole(3600);
        let rate = Decimal::whole(deployment.rate);
        let requests = rate * seconds;
        let billed_ms = billed_ms(request, deployment);
        let at_once = rate * billed_ms.over(SECOND_MS);
        let gb = memory_gb(deployment.memory_mb);
        let counting = counting(request, measured, deployment);
        let meter = meter_units(measured, deployment, at_once);
        let shards = shards(request, deployment);
        let put = requests * request.records * rounded_up(average(request), 1024) * Decimal::whole(1024);
        Self {
            requests,
            billed_ms,
            gb_seconds: requests * billed_ms.over(SECOND_MS) * gb,
            provisioned_gb_seconds: Decimal::whole(at_once.ceil()) * gb * seconds,
            instances: instances(request, deployment, at_once),
            streamed_gb: in_gb(requests * request.answer_bytes.less(Decimal::whole(6 << 20))),
            counting_runs: counting.runs,
            counting_gb_seconds: counting.gb_seconds,
            write_units: requests * (request.write_units + meter) + counting.write_units,
            read_units: requests * request.read_units + counting.read_units,
            kept_gb: in_gb(requests * (request.kept_bytes + ITEM_OVERHEAD) * MONTHS_KEPT),
            shards,
            put_units: requests * request.records * rounded_up(average(request), 25 * 1024),
            stream_in_gb: in_gb(put),
            stream_kept_gb: in_gb(put) * Decimal::whole(deployment.stream_hours - 24).over(HOURS),
            stream_out_gb: in_gb(requests * request.record_bytes),
            log_gb: in_gb(requests * log_bytes(request, deployment)),
            traces: traced(deployment, rate) * seconds,
            schedules: counting.schedules,
            secret_calls: Decimal::whole(at_once.ceil()) * SECRETS * seconds.over(SECRET_FRESH),
            answer_gb: in_gb(requests * (request.answer_bytes + HEAD)),
            provider_gb: in_gb(requests * request.provider_bytes),
        }
    }
}

/// What Lambda bills for a request: its processor time, which a part of a vCPU takes longer for, the way to the table and
/// back for each call, and the model's own time. Calls beside each other are counted one after the other.
fn billed_ms(request: &Request, deployment: &Deployment) -> Decimal {
    let own = request.cpu_ms * slower(deployment.memory_mb) + request.table_calls * deployment.round_trip_ms;
    Decimal::whole((own + request.model_calls * deployment.model_seconds * SECOND_MS).ceil())
}

/// How many times longer a single thread takes with so much memory.
fn slower(memory_mb: u64) -> Decimal {
    Decimal::ratio(ONE_VCPU_MB.into(), memory_mb.min(ONE_VCPU_MB).into())
}

/// As many as the requests at once need, and their processor time.
fn instances(request: &Request, deployment: &Deployment, at_once: Decimal) -> Decimal {
    let room = Decimal::whole(INSTANCE_VCPUS * deployment.concurrency_per_vcpu);
    let busy = Decimal::whole(deployment.rate) * request.cpu_ms.over(SECOND_MS);
    let by_time = busy.over(Decimal::ratio(INSTANCE_VCPUS.into(), 2)).ceil();
    Decimal::whole(at_once.over(room).ceil().max(by_time).max(FEWEST_INSTANCES))
}

/// What a hold and a settlement cost beyond the units measured with one request in flight: the meter's item has an entry
/// for each, and each KiB of it is a unit.
fn meter_units(measured: &Measured, deployment: &Deployment, at_once: Decimal) -> Decimal {
    let meters = Decimal::whole(tenants(deployment) * deployment.meter_shards);
    let holds = at_once.over(meters).ceil().max(1);
    let bytes = measured.meter.bytes + Decimal::whole(holds) * measured.meter.hold_bytes;
    let further = bytes.over(Decimal::whole(1024)).ceil().max(1) - 1;
    Decimal::whole(2 * further)
}

/// Tenants that requests come from.
pub fn tenants(deployment: &Deployment) -> u64 {
    deployment.tenants.unwrap_or_else(|| (deployment.rate / 10).max(10))
}

/// A shard takes 1,000 records a second. On demand there are four to begin with.
fn shards(request: &Request, deployment: &Deployment) -> Decimal {
    let records = Decimal::whole(deployment.rate) * request.records;
    let needed = |headroom| (records * Decimal::whole(headroom)).over(Decimal::whole(1000)).ceil().max(1);
    Decimal::whole(match deployment.stream {
        Stream::OnDemand | Stream::Advantage => needed(2).max(4),
        Stream::Shards => needed(2),
    })
}

struct Counting {
    runs: Decimal,
    gb_seconds: Decimal,
    write_units: Decimal,
    read_units: Decimal,
    schedules: Decimal,
}

/// What the `aggregate` function takes. In each window it counts again, for each tenant that asked in it, the ten-second
/// buckets of the window, then the hour from its buckets, the day from its hours and the month from its days. Everything
/// is taken to be half full on average but the buckets, which are taken to be full.
fn counting(request: &Request, measured: &Measured, deployment: &Deployment) -> Counting {
    let counted = &measured.aggregation;
    let seconds = HOURS * Decimal::whole(3600);
    let window = Decimal::whole(deployment.batch_window);
    let windows = seconds.over(window);
    let tenants = Decimal::whole(tenants(deployment));
    let rate = Decimal::whole(deployment.rate).over(tenants);
    let one = Decimal::whole(1);

    let in_window = rate * window;
    let touches = windows * tenants * in_window.min(one);
    let buckets = (Decimal::ratio(deployment.batch_window.into(), 10) + one).min(in_window.max(one));
    let entries = (rate * Decimal::whole(10)).max(one);
    let in_hour = (rate * Decimal::whole(3600)).min(Decimal::whole(360)).max(one);
    let read = |items: Decimal, bytes: Decimal| rounded_up(items * bytes, 4096);
    let half = Decimal::ratio(1, 2);
    let reads = buckets * read(entries, counted.entry_bytes)
        + read(in_hour * half, counted.total_bytes)
        + read(Decimal::whole(12), counted.total_bytes)
        + read(Decimal::whole(15), counted.total_bytes);
    let writes = (buckets + Decimal::whole(3)) * rounded_up(counted.total_bytes, 1024);
    let calls = counted.table_calls + buckets.less(one) * Decimal::whole(2);
    let touch_ms = counted.cpu_ms * slower(COUNTING_MB) + calls * deployment.round_trip_ms;

    let busy_shards = shards(request, deployment).min(tenants);
    let events = Decimal::whole(deployment.rate) * request.records * seconds;
    let runs = (windows * busy_shards).min(events).max(events.over(BATCH));
    // Every minute a sweep, every hour a comparison of the books.
    let sweeps = HOURS * Decimal::whole(60);
    let schedules = sweeps + HOURS;
    let swept = sweeps * tenants;
    let sweep_ms = measured.sweep.cpu_ms * slower(COUNTING_MB) + measured.sweep.table_calls * deployment.round_trip_ms;
    let busy_ms = touches * touch_ms + swept * sweep_ms;
    Counting {
        runs: runs + schedules,
        gb_seconds: busy_ms.over(SECOND_MS) * memory_gb(COUNTING_MB),
        write_units: touches * writes,
        read_units: touches * reads + swept * measured.sweep.read_units,
        schedules,
    }
}

fn log_bytes(request: &Request, deployment: &Deployment) -> Decimal {
    let written = |yes: bool, bytes: Decimal| if yes { bytes } else { Decimal::ZERO };
    let own = request.log_bytes + request.log_lines * LOG_EVENT;
    written(deployment.request_log, own)
        + written(deployment.platform_log, PLATFORM_LOG)
        + written(deployment.front == Front::HttpApi, ACCESS_LOG)
}

/// X-Ray's own rule: the first request of each second, and a part of the others.
fn traced(deployment: &Deployment, rate: Decimal) -> Decimal {
    if deployment.trace_percent == 0 {
        return Decimal::ZERO;
    }
    let one = Decimal::whole(1);
    rate.min(one) + rate.less(one) * Decimal::ratio(deployment.trace_percent.into(), 100)
}

fn average(request: &Request) -> Decimal {
    request.record_bytes.over(request.records)
}

/// How many blocks of `block` bytes so many bytes are.
fn rounded_up(bytes: Decimal, block: u64) -> Decimal {
    Decimal::whole(bytes.over(Decimal::whole(block)).ceil())
}

fn memory_gb(memory_mb: u64) -> Decimal {
    Decimal::ratio(memory_mb.into(), 1024)
}

fn in_gb(bytes: Decimal) -> Decimal {
    bytes.over(Decimal::ratio(GB, 1))
}
