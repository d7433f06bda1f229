//! How long an invoice takes to become a PDF: a usual one, one over two pages, and a very long one. Prints one line of JSON.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use lmo_shared::billing::{Invoice, document::pdf};
use serde_json::json;

#[path = "../tests/documents/made_up.rs"]
#[expect(dead_code, reason = "the goldens have more of them")]
mod made_up;

fn main() {
    // The first one reads the fonts.
    let began = Instant::now();
    black_box(pdf(&made_up::usual()).expect("a document"));
    let first = milliseconds(began.elapsed());
    let result = json!({
        "bench": "documents",
        "first_ms": first,
        "usual": measured(&made_up::usual(), 100),
        "lines_40": measured(&made_up::long(40), 100),
        "lines_2000": measured(&made_up::long(2_000), 3),
    });
    println!("{result}");
}

/// The middle and the slowest of so many, and how large it is.
fn measured(invoice: &Invoice, rounds: usize) -> serde_json::Value {
    let mut bytes = 0;
    let mut took: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            bytes = black_box(pdf(invoice).expect("a document")).len();
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    let of = |at: usize| took.get(at).copied().map(milliseconds);
    json!({"median_ms": of(rounds / 2), "slowest_ms": of(rounds - 1), "bytes": bytes})
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e5).round() / 100.0
}
