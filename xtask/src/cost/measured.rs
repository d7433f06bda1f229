//! What requests take, as `lmo-bench cost` measured it with the function binaries and wrote it down.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::decimal::Decimal;

/// `docs/measured.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub run: Run,
    pub requests: BTreeMap<String, Request>,
    pub meter: Meter,
    pub aggregation: Aggregation,
    pub sweep: Sweep,
}

/// Where and when it was measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub date: String,
    pub commit: String,
    pub machine: String,
    pub build: String,
    /// Requests of each kind that the averages are made of.
    pub requests: u64,
}

/// An average request of one kind, warm.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The function that answers it.
    pub function: String,
    /// Processor time of the function, of one core of that machine.
    pub cpu_ms: Decimal,
    /// From the event to the end of the answer, on loopback, with a model that answers at once.
    pub own_ms: Decimal,
    /// Calls of the model that one request waits for: none on a hit of the cache.
    pub model_calls: Decimal,
    /// Calls of the table; at most so many are waited for one after the other.
    pub table_calls: Decimal,
    pub write_units: Decimal,
    pub read_units: Decimal,
    /// What stays in the table until its time to live ends.
    pub kept_bytes: Decimal,
    /// Records of the stream, and their bytes before any rounding.
    pub records: Decimal,
    pub record_bytes: Decimal,
    /// Lines on stdout, and their bytes.
    pub log_lines: Decimal,
    pub log_bytes: Decimal,
    /// The answer's body as the client gets it.
    pub answer_bytes: Decimal,
    /// Pieces that a streamed answer came in.
    pub pieces: Decimal,
    /// What is sent to the provider.
    pub provider_bytes: Decimal,
}

/// A tenant's meter as an item of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Without a request in flight.
    pub bytes: Decimal,
    /// What each request in flight adds.
    pub hold_bytes: Decimal,
}

/// What the `aggregate` function takes to count one tenant's ten seconds, and the hour, day and month around them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregation {
    pub cpu_ms: Decimal,
    /// What an entry of the ledger, and a total, are in the table.
    /// Calls for one bucket: it, its hour, day and month are read and put.
    pub table_calls: Decimal,
    pub entry_bytes: Decimal,
    pub total_bytes: Decimal,
}

/// What the `aggregate` function takes to sweep, for each tenant that is active.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub cpu_ms: Decimal,
    pub table_calls: Decimal,
    pub read_units: Decimal,
}
