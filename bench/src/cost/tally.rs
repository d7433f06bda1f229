//! What a function has taken so far; the difference of two of these is what happened in between.

use std::io;
use std::time::Duration;

use super::wire;
use crate::lambda::{Engines, Function};

/// Sums since the start of a function.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub cpu: Duration,
    pub table_calls: f64,
    pub write_units: f64,
    pub read_units: f64,
    pub log_lines: f64,
    pub log_bytes: f64,
}

impl Tally {
    /// Reads them, of the calls made under the name `caller`.
    pub fn of(engines: &Engines, function: &Function, caller: &str) -> io::Result<Self> {
        let mut tally = Self { cpu: function.cpu_time()?, ..Self::default() };
        for row in wire::calls(engines)?.as_array().into_iter().flatten() {
            if row["caller"] == caller && row["service"] == "dynamodb" {
                let number = |name: &str| row[name].as_f64().unwrap_or_default();
                tally.table_calls += number("calls");
                tally.write_units += number("write_units");
                tally.read_units += number("read_units");
            }
        }
        // Lambda takes both outputs as the function's log.
        for text in [function.output(), function.log()] {
            tally.log_lines += float(text.lines().count());
            tally.log_bytes += float(text.len());
        }
        Ok(tally)
    }

    /// What each of `count` took since `before`.
    pub fn each(&self, before: &Self, count: u32) -> Self {
        let count = f64::from(count);
        Self {
            cpu: self.cpu.saturating_sub(before.cpu).div_f64(count),
            table_calls: (self.table_calls - before.table_calls) / count,
            write_units: (self.write_units - before.write_units) / count,
            read_units: (self.read_units - before.read_units) / count,
            log_lines: (self.log_lines - before.log_lines) / count,
            log_bytes: (self.log_bytes - before.log_bytes) / count,
        }
    }
}

/// A count or a number of bytes, far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and bytes of a few thousand requests")]
pub fn float(number: usize) -> f64 {
    number as f64
}

/// As `docs/measured.toml` has it: a decimal in quotes, with so many places that nothing that matters is lost.
pub fn decimal(number: f64) -> String {
    // A sum of nothing is -0.
    let text = format!("{:.4}", number + 0.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_no_zeros_at_their_end() {
        assert_eq!([3.0, 3.25, 0.123_456, -0.0, 120.0].map(decimal), ["3", "3.25", "0.1235", "0", "120"]);
    }

    #[test]
    fn what_each_took_is_a_difference_of_sums() {
        let before = Tally { cpu: Duration::from_millis(100), table_calls: 3.0, ..Tally::default() };
        let after = Tally { cpu: Duration::from_millis(300), table_calls: 9.0, write_units: 8.0, ..Tally::default() };
        let each = after.each(&before, 4);
        assert_eq!((each.cpu, each.table_calls, each.write_units), (Duration::from_millis(50), 1.5, 2.0));
    }
}
