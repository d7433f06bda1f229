//! The tables of `docs/cost.md`, and the bill that the command prints.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    Inputs,
    amounts::tenants,
    bill::{Bill, HOURS, Service, models},
    billing,
    decimal::Decimal,
    deployment::{Compute, Deployment, Front},
    switches::{SWITCHES, lambda_month, pays_from, utilisation},
};

const RATES: [u64; 3] = [1, 100, 10_000];
const MODEL_SECONDS: [u64; 2] = [1, 5];
/// Where the document's bills are from.
pub const REGION: &str = "us-east-1";
const OTHER_REGION: &str = "eu-central-1";

/// Every part of the document, by its name.
///
/// # Errors
/// A region or request that the inputs don't have.
pub fn all(inputs: &Inputs) -> Result<BTreeMap<&'static str, String>, String> {
    let region = REGION;
    Ok(BTreeMap::from([
        ("answer", answer(inputs, region)?),
        ("other-region", answer(inputs, OTHER_REGION)?),
        ("query", services(inputs, region, "query", 1)?),
        ("stream", services(inputs, region, "stream", 5)?),
        ("kinds", kinds(inputs, region)?),
        ("switches", switches(inputs, region)?),
        ("compute", compute(inputs, region)?),
        ("limits", limits(inputs, region)?),
        ("billing-run", billing::table(inputs, [REGION, OTHER_REGION])?),
        ("sources", sources(inputs, region)?),
    ]))
}

/// One bill, line by line.
pub fn bill(bill: &Bill, deployment: &Deployment) -> String {
    let mut text = String::new();
    for service in Service::ALL {
        let of_service = bill.lines.iter().filter(|line| line.service == service && line.usd > Decimal::ZERO);
        for line in of_service {
            put(&mut text, &format!("{:<44} {:<24} {:>16} USD", service.name(), line.what, line.usd.to_places(2)));
        }
    }
    put(&mut text, &format!("{:<69} {:>16} USD", "a month", bill.month().to_places(2)));
    put(&mut text, &format!("{:<69} {:>16} USD", "a million requests", bill.million().to_places(2)));
    put(&mut text, &format!("{:<69} {:>16} USD", "and their models", models(deployment).to_places(2)));
    put(
        &mut text,
        &format!(
            "{} requests/s of {} tenants, {} ms billed for each",
            deployment.rate,
            tenants(deployment),
            bill.billed_ms
        ),
    );
    text
}

/// The usual deployment: streams come from a function URL, everything else through the HTTP API.
fn usual(inputs: &Inputs, request: &str, rate: u64, model_seconds: u64) -> Result<Deployment, String> {
    let streams = inputs.request(request)?.function == "stream";
    let front = if streams { Front::FunctionUrl } else { Front::HttpApi };
    Ok(Deployment { front, model_seconds: Decimal::whole(model_seconds), ..Deployment::at(rate) })
}

fn answer(inputs: &Inputs, region: &str) -> Result<String, String> {
    let mut text = String::new();
    put(&mut text, "| a million | the model takes | at 1/s | at 100/s | at 10,000/s | the model itself |");
    put(&mut text, "|---|---:|---:|---:|---:|---:|");
    for (request, name) in [("query", "queries"), ("stream", "streams")] {
        for seconds in MODEL_SECONDS {
            let mut row = format!("| {name} | {seconds} s |");
            for rate in RATES {
                let bill = inputs.bill(region, request, &usual(inputs, request, rate, seconds)?)?;
                let _ = write!(row, " {} |", dollars(bill.million()));
            }
            put(&mut text, &format!("{row} {} |", dollars(models(&usual(inputs, request, 1, seconds)?))));
        }
    }
    Ok(text)
}

fn services(inputs: &Inputs, region: &str, request: &str, model_seconds: u64) -> Result<String, String> {
    let bills = RATES.map(|rate| inputs.bill(region, request, &usual(inputs, request, rate, model_seconds)?));
    let [one, hundred, many] = bills;
    let bills = [one?, hundred?, many?];
    let mut text = String::new();
    put(&mut text, "| USD per million | at 1/s | at 100/s | at 10,000/s |");
    put(&mut text, "|---|---:|---:|---:|");
    for service in Service::ALL {
        put(&mut text, &row(service.name(), bills.each_ref().map(|bill| bill.million_of(service).to_places(2))));
    }
    put(&mut text, &row("**all**", bills.each_ref().map(|bill| format!("**{}**", bill.million().to_places(2)))));
    put(&mut text, &row("a month", bills.each_ref().map(|bill| bill.month().to_places(0))));
    Ok(text)
}

fn kinds(inputs: &Inputs, region: &str) -> Result<String, String> {
    let mut text = String::new();
    put(
        &mut text,
        "| one request | CPU ms | own ms | table calls | write units | read units | stream bytes | log bytes | answer bytes | billed ms | USD per million |",
    );
    put(&mut text, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (name, request) in &inputs.measured.requests {
        let bill = inputs.bill(region, name, &usual(inputs, name, 100, 1)?)?;
        let cells = [
            request.cpu_ms.to_places(2),
            request.own_ms.to_places(1),
            request.table_calls.to_places(1),
            request.write_units.to_places(1),
            request.read_units.to_places(1),
            request.record_bytes.to_places(0),
            request.log_bytes.to_places(0),
            request.answer_bytes.to_places(0),
            bill.billed_ms.to_string(),
            bill.million().to_places(2),
        ];
        put(&mut text, &row(&name.replace('_', " "), cells));
    }
    Ok(text)
}

fn switches(inputs: &Inputs, region: &str) -> Result<String, String> {
    let mut text = String::new();
    put(&mut text, "| USD per million queries, beside the table above | at 1/s | at 100/s | at 10,000/s |");
    put(&mut text, "|---|---:|---:|---:|");
    for switch in &SWITCHES {
        let mut cells = Vec::new();
        for rate in RATES {
            let usual = usual(inputs, "query", rate, 1)?;
            let before = inputs.bill(region, "query", &usual)?.million();
            let after = inputs.bill(region, "query", &switch.applied(&usual))?.million();
            cells.push(difference(before, after));
        }
        put(&mut text, &row(switch.name, cells));
    }
    Ok(text)
}

fn compute(inputs: &Inputs, region: &str) -> Result<String, String> {
    let mut text = String::new();
    put(&mut text, "| Lambda, USD per month | the model takes | on demand | provisioned | Managed Instances |");
    put(&mut text, "|---|---:|---:|---:|---:|");
    for rate in [1, 10, 100, 1_000, 10_000] {
        for seconds in MODEL_SECONDS {
            let mut cells = vec![format!("{seconds} s")];
            for compute in [Compute::OnDemand, Compute::Provisioned, Compute::Managed] {
                let deployment = Deployment { compute, ..usual(inputs, "query", rate, seconds)? };
                cells.push(lambda_month(&inputs.bill(region, "query", &deployment)?).to_places(0));
            }
            let rate = Decimal::whole(rate).to_places(0);
            put(&mut text, &row(&format!("{rate}/s"), cells));
        }
    }
    Ok(text)
}

fn limits(inputs: &Inputs, region: &str) -> Result<String, String> {
    let prices = inputs.region(region)?;
    let mut text = String::new();
    for seconds in MODEL_SECONDS {
        for concurrency in [64, 8] {
            let managed = |deployment: &mut Deployment| {
                deployment.compute = Compute::Managed;
                deployment.concurrency_per_vcpu = concurrency;
            };
            let from = pays_from(inputs, region, "query", &usual(inputs, "query", 1, seconds)?, managed)?;
            let from = from.map_or_else(|| "at no rate up to 20,000/s".to_owned(), |rate| format!("from {rate}/s on"));
            let what = format!("Managed Instances, {concurrency} requests per vCPU, a model of {seconds} s");
            put(&mut text, &format!("* {what}: {from}."));
        }
    }
    let [writes, reads] = utilisation(inputs, region)?.map(|part| (part * Decimal::whole(100)).to_places(0));
    put(
        &mut text,
        &format!(
            "* A provisioned table: if on average over {writes} % of its write and {reads} % of its read capacity are used."
        ),
    );
    let shards = prices.kinesis.stream_hour.over(prices.kinesis.shard_hour).to_places(1);
    put(
        &mut text,
        &format!("* A stream on demand: never for the money; its hour costs {shards} shards' before the first byte."),
    );
    let stream = inputs.request("stream")?;
    let messages = prices.api_gateway.websocket_message_million.cost_in(stream.pieces, Decimal::whole(1_000_000));
    put(
        &mut text,
        &format!(
            "* Streams over the WebSocket API: {} messages each are ${} a million, and each minute of a connection \
             ${} a million. Streams by function URL have no such price.",
            stream.pieces.to_places(0),
            (messages * Decimal::whole(1_000_000)).to_places(0),
            prices.api_gateway.websocket_minute_million,
        ),
    );
    let pair = HOURS * (Decimal::whole(2) * prices.ec2.m7g_large_hour + prices.ec2.balancer_hour + prices.ec2.nat_hour);
    put(
        &mut text,
        &format!(
            "* Two m7g.large that are always on, a load balancer and a NAT gateway: ${} a month without a database, as \
             beside the column of Managed Instances above.",
            pair.to_places(0)
        ),
    );
    Ok(text)
}

fn sources(inputs: &Inputs, region: &str) -> Result<String, String> {
    let mut text = String::new();
    put(&mut text, "| prices | region | as of | recollected, not found |");
    put(&mut text, "|---|---|---|---|");
    for region in [region, OTHER_REGION] {
        for origin in inputs.region(region)?.origins() {
            let unverified = origin.unverified.join(", ");
            let cells = [region, origin.as_of, unverified.as_str()].map(str::to_owned);
            put(&mut text, &row(&format!("{} ({})", origin.service, origin.source), cells));
        }
    }
    let run = &inputs.measured.run;
    put(
        &mut text,
        &format!(
            "\nMeasured on {} at commit {}: {}, {}, {} requests of each kind.",
            run.date, run.commit, run.machine, run.build, run.requests
        ),
    );
    Ok(text)
}

fn difference(before: Decimal, after: Decimal) -> String {
    let (sign, by) = if after < before { ("−", before.less(after)) } else { ("+", after.less(before)) };
    let amount = by.to_places(2);
    if amount == "0.00" { "0".to_owned() } else { format!("{sign}{amount}") }
}

fn dollars(amount: Decimal) -> String {
    format!("${}", amount.to_places(2))
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {name} | {} |", cells.join(" | "))
}

fn put(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
