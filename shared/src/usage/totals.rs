//! Totals of a period: sums per key, model and price version, and the number of ledger entries that they are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Outcome};
use crate::{
    error::Result,
    id::KeyId,
    llm::Usage,
    money::{NanoUsd, Tokens},
};

/// What distinguishes a row of a total.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowKey {
    /// The key that asked.
    pub key: KeyId,
    /// The model that answered.
    pub model: String,
    /// The version of the catalogue whose prices apply.
    pub prices: String,
    /// Whether they were asked with keys of the tenant's own: then no prices apply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub byok: bool,
}

/// The sums of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TotalRow {
    /// Requests.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of them whose tokens LMO counted or assumed.
    pub estimated: u64,
    /// Tokens by kind.
    pub usage: Usage,
    /// Sum of what each cost, as the meter was charged.
    pub nano_usd: NanoUsd,
}

impl TotalRow {
    /// Adds another row.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.usage = self.usage.plus(&other.usage)?;
        self.nano_usd = self.nano_usd.plus(other.nano_usd)?;
        self.requests += other.requests;
        self.failed += other.failed;
        self.estimated += other.estimated;
        Ok(())
    }

    /// Input and output tokens together.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn tokens(&self) -> Result<Tokens> {
        self.usage.input_tokens.plus(self.usage.output_tokens)
    }
}

impl From<&Entry> for TotalRow {
    fn from(entry: &Entry) -> Self {
        Self {
            requests: 1,
            failed: u64::from(matches!(entry.outcome, Outcome::Failed | Outcome::Lost)),
            estimated: u64::from(entry.estimated),
            usage: entry.usage,
            nano_usd: entry.nano_usd,
        }
    }
}

/// Totals of a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Total {
    /// How many ledger entries are counted. It only ever grows: a total made of fewer is an older one.
    pub n: u64,
    /// Whether the period is over and counted to its end, so that nothing can change it any more.
    pub closed: bool,
    /// The sums.
    pub rows: BTreeMap<RowKey, TotalRow>,
}

impl Total {
    /// Counts an entry.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn count(&mut self, entry: &Entry) -> Result<()> {
        let (model, prices) = (entry.model.clone(), entry.prices.clone());
        let key = RowKey { key: entry.key, model, prices, byok: entry.byok };
        self.n += 1;
        self.rows.entry(key).or_default().add(&TotalRow::from(entry))
    }

    /// Adds the total of a part of the period.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn merge(&mut self, part: &Self) -> Result<()> {
        self.n += part.n;
        for (key, row) in &part.rows {
            match self.rows.get_mut(key) {
                Some(sum) => sum.add(row)?,
                None => drop(self.rows.insert(key.clone(), *row)),
            }
        }
        Ok(())
    }

    /// All rows together.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn sum(&self) -> Result<TotalRow> {
        let mut sum = TotalRow::default();
        self.rows.values().try_for_each(|row| sum.add(row))?;
        Ok(sum)
    }
}

/// A total as an item: its rows are one JSON text, a third of the size that they have as DynamoDB attributes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TotalItem {
    pub n: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    pub rows: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl TotalItem {
    pub fn of(total: &Total, expires_at: Option<u64>) -> Result<Self> {
        let rows: Vec<_> = total.rows.iter().collect();
        let rows = serde_json::to_string(&rows).map_err(crate::error::Error::internal)?;
        Ok(Self { n: total.n, closed: total.closed, rows, expires_at })
    }

    pub fn total(&self) -> Result<Total> {
        let rows: Vec<(RowKey, TotalRow)> = serde_json::from_str(&self.rows).map_err(crate::error::Error::internal)?;
        Ok(Total { n: self.n, closed: self.closed, rows: rows.into_iter().collect() })
    }
}
