//! The lines of a statement as they are made: the one place where an amount is rounded.

use super::{Account, Amount, Line, LineKind, Result, overflow};
use crate::{billing::Currency, clock::Timestamp};

/// From when until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    pub fn millis(self) -> u128 {
        u128::from(self.to.0 - self.from.0)
    }
}

/// What a line says besides its amount.
pub(super) struct Said {
    pub kind: LineKind,
    pub text: String,
    pub quantity: Option<u64>,
    pub unit_price: Option<Amount>,
}

impl Said {
    /// A text and nothing more.
    pub fn plain(kind: LineKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), quantity: None, unit_price: None }
    }
}

/// Lines, and their sum.
pub(super) struct Lines {
    pub period: Span,
    currency: Currency,
    made: Vec<Line>,
    sum: Amount,
}

impl Lines {
    pub fn new(account: &Account) -> Self {
        let period = Span { from: account.from, to: account.to };
        Self { period, currency: account.currency, made: Vec::new(), sum: Amount::ZERO }
    }

    /// The part of an amount that falls into a part of the period, to the nano-unit.
    pub fn prorated(&self, amount: Amount, span: Span) -> Result<Amount> {
        amount.share(span.millis(), self.period.millis())
    }

    /// As the line with this amount would have it.
    pub fn rounded(&self, exact: Amount) -> Result<Amount> {
        if exact.0.unsigned_abs() > Amount::MOST.0.unsigned_abs() {
            return Err(overflow());
        }
        Ok(exact.rounded(self.currency))
    }

    /// Adds a line. Returns its amount, rounded.
    pub fn add(&mut self, span: Span, said: Said, exact: Amount) -> Result<Amount> {
        let amount = self.rounded(exact)?;
        self.sum = self.sum.plus(amount)?;
        let Said { kind, text, quantity, unit_price } = said;
        self.made.push(Line { kind, text, quantity, unit_price, exact, amount, from: span.from, to: span.to });
        Ok(amount)
    }

    /// Takes off up to `most`, and never more than `from`, which is a sum of lines. Returns what is left of it. What takes
    /// off nothing is no line.
    pub fn take_off(&mut self, span: Span, said: Said, most: Amount, from: Amount) -> Result<Amount> {
        let off = most.min(from);
        if off <= Amount::ZERO {
            return Ok(from);
        }
        from.plus(self.add(span, said, off.negated())?)
    }

    pub fn sum(&self) -> Amount {
        self.sum
    }

    pub fn into_lines(self) -> Vec<Line> {
        self.made
    }
}
