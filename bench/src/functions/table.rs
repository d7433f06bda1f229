//! The figures as Markdown tables, by medians.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Cold, Costs, Start, Warm};

/// A row for each function's cold start, and one for each kind of warm request.
#[must_use]
pub fn markdown(costs: &Costs) -> String {
    let mut text =
        "| cold start | zip (MB) | until ready (ms) | until the first response (ms) | slowest (ms) | peak memory (MB) |\n\
         |---|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for cold in &costs.cold {
        row(&mut text, cold);
    }
    text.push_str("\n| warm request, p50 | `lmo` over HTTP (µs) | through the function (µs) | added (µs) |\n|---|---:|---:|---:|\n");
    for Warm { name, function, direct } in &costs.warm {
        let [function, direct] = [function, direct].map(|times| micros(median(times.clone())));
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "| {name} | {direct:.0} | {function:.0} | {:.0} |", function - direct);
    }
    text
}

fn row(text: &mut String, cold: &Cold) {
    let of = |what: fn(&Start) -> Duration| cold.starts.iter().map(what).collect::<Vec<_>>();
    let [ready, answered] = [of(|start| start.ready), of(|start| start.answered)].map(|times| millis(median(times)));
    let slowest = millis(of(|start| start.answered).into_iter().max().unwrap_or_default());
    let peak = median(cold.starts.iter().map(|start| start.memory.peak_kib).collect());
    let package = cold.package.map_or_else(String::new, |bytes| format!("{:.2}", megabytes(bytes)));
    let peak = megabytes(peak * 1024);
    let name = cold.function;
    let _ = writeln!(text, "| {name} | {package} | {ready:.1} | {answered:.1} | {slowest:.1} | {peak:.1} |");
}

fn median<T: Ord + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "for a person's eyes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Memory;

    #[test]
    fn rows_show_medians() {
        let start = |ms| Start {
            ready: Duration::from_millis(ms),
            answered: Duration::from_millis(ms + 10),
            memory: Memory { resident_kib: 9000, peak_kib: 10_000 },
        };
        let cold = Cold { function: "query", package: Some(2_400_000), starts: [1, 30, 2].map(start).to_vec() };
        let micros = |times: [u64; 3]| times.map(Duration::from_micros).to_vec();
        let warm = Warm { name: "a", function: micros([400, 300, 200]), direct: micros([100, 150, 900]) };
        let text = markdown(&Costs { cold: vec![cold], warm: vec![warm] });
        assert!(text.contains("\n| query | 2.40 | 2.0 | 12.0 | 40.0 | 10.2 |\n"), "{text}");
        assert!(text.ends_with("\n| a | 150 | 300 | 150 |\n"), "{text}");
    }
}
