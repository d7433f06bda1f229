//! The results as Markdown tables.

use std::fmt::Write as _;

use crate::comparison::{Asked, Comparison, Pair, Round, Routing};
use crate::load::{Quantiles, Report};

/// A row per figure: direct, through the gateway, and what the gateway adds.
#[must_use]
pub fn markdown(results: &Comparison) -> String {
    let mut table = Table("| measurement | direct | through LMO | added |\n|---|---:|---:|---:|\n".to_owned());
    let mut starts = results.start_ms.clone();
    starts.sort_by(f64::total_cmp);
    let start = starts.get(starts.len() / 2).copied().unwrap_or_default();
    table.row("start, empty data directory (ms)", "", &format!("{start:.1}"), "");
    table.row("memory before the first request (MiB)", "", &mib(results.idle.resident_kib), "");

    let Comparison { buffered, single, streams, single_stream, paced, .. } = results;
    table.rate("16 connections, buffered (requests/s)", buffered);
    table.micros("16 connections, buffered, p99 (µs)", buffered, |report| report.latency.p99);
    table.row("CPU per buffered request (µs)", "", &format!("{:.0}", buffered.cpu_per_request), "");
    table.row("memory after it (MiB)", "", &mib(buffered.memory.resident_kib), "");
    table.micros("1 connection, p50 (µs)", single, |report| report.latency.p50);
    table.micros("1 connection, p99 (µs)", single, |report| report.latency.p99);
    table.rate("16 connections, streams of 50 chunks (streams/s)", streams);
    table.row("CPU per stream (µs)", "", &format!("{:.0}", streams.cpu_per_request), "");
    table.micros("1 connection, first chunk p50 (µs)", single_stream, |report| report.first_chunk.p50);
    table.micros("1 connection, first chunk p99 (µs)", single_stream, |report| report.first_chunk.p99);
    table.micros("200 paced streams, gap p99 (µs)", paced, |report| report.gap.p99);
    table.micros("200 paced streams, longest gap (µs)", paced, |report| report.gap.max);
    table.count("200 paced streams, chunks held back", paced, |report| report.held_back);
    table.row("peak memory (MiB)", "", &mib(paced.memory.peak_kib), "");
    let pairs = [buffered, single, streams, single_stream, paced];
    let all = |count: Count| {
        let sum = |side: fn(&Pair) -> &Report| pairs.iter().map(|pair| count(side(pair))).sum::<u64>().to_string();
        (sum(|pair| &pair.direct), sum(|pair| &pair.gateway))
    };
    let counts: [(&str, Count); 4] = [
        ("all: chunks lost", |report| report.lost),
        ("all: chunks reordered", |report| report.reordered),
        ("all: chunks doubled, merged or foreign", |report| report.foreign),
        ("all: failed requests", Report::failed),
    ];
    for (name, count) in counts {
        let (direct, gateway) = all(count);
        table.row(name, &direct, &gateway, "");
    }
    table.0
}

/// A row per kind of request, and one for what a fallback adds.
#[must_use]
pub fn routing(results: &Routing) -> String {
    let mut table =
        Table("| 1 connection | p50 (µs) | p99 (µs) | calls of the provider |\n|---|---:|---:|---:|\n".to_owned());
    table.asked("an ordinary request", results, |round| &round.ordinary);
    table.asked("a cache hit", results, |round| &round.hit);
    table.asked("the failing call, at the provider", results, |round| &round.failing);
    table.asked("a request with a fallback", results, |round| &round.fallback);
    table.row("a fallback adds, beside the failing call", &format!("{:.0}", results.median(Round::added)), "", "");
    table.0
}

type Count = fn(&Report) -> u64;

struct Table(String);

impl Table {
    fn row(&mut self, name: &str, direct: &str, gateway: &str, added: &str) {
        // Writing into a `String` cannot fail.
        let _ = writeln!(self.0, "| {name} | {direct} | {gateway} | {added} |");
    }

    fn rate(&mut self, name: &str, pair: &Pair) {
        let rate = |report: &Report| format!("{:.0}", report.requests_per_second);
        self.row(name, &rate(&pair.direct), &rate(&pair.gateway), "");
    }

    fn micros(&mut self, name: &str, pair: &Pair, of: impl Fn(&Report) -> f64) {
        let (direct, gateway) = (of(&pair.direct), of(&pair.gateway));
        self.row(name, &format!("{direct:.0}"), &format!("{gateway:.0}"), &format!("{:.0}", gateway - direct));
    }

    fn asked(&mut self, name: &str, results: &Routing, of: fn(&Round) -> &Asked) {
        let micros =
            |at: fn(&Quantiles) -> f64| format!("{:.0}", results.median(|round| at(&of(round).report.latency)));
        let sum = |count: fn(&Asked) -> u64| results.rounds.iter().map(|round| count(of(round))).sum::<u64>();
        let mut calls = format!("{} for {} requests", sum(|asked| asked.provider_calls), sum(|asked| asked.requests));
        let failed = sum(|asked| asked.report.failed());
        if failed > 0 {
            let _ = write!(calls, ", {failed} failed");
        }
        self.row(name, &micros(|times| times.p50), &micros(|times| times.p99), &calls);
    }

    fn count(&mut self, name: &str, pair: &Pair, of: impl Fn(&Report) -> u64) {
        self.row(name, &of(&pair.direct).to_string(), &of(&pair.gateway).to_string(), "");
    }
}

fn mib(kib: u64) -> String {
    format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024)
}
