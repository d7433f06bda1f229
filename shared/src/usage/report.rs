//! Usage reports, from the totals. Money is rated here from whole token sums at the prices of their time, and rounded
//! once per row.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    rate_exactly,
    totals::{RowKey, Total, TotalItem, TotalRow},
};
use crate::{
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::{KeyId, TenantId},
    llm::catalogue::{Catalogue, Catalogues},
    money::{FemtoUsd, NanoUsd},
    store::{Table, keys},
};

/// By what a report is split, beside the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupBy {
    /// A row per model.
    pub model: bool,
    /// A row per key.
    pub key: bool,
}

/// Usage of a tenant over a range of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// First instant, RFC 3339.
    pub from: String,
    /// First instant after, RFC 3339.
    pub to: String,
    /// One row per period and group, by time; periods without requests have none.
    pub rows: Vec<ReportRow>,
    /// All rows together.
    pub total: ReportRow,
}

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ReportRow {
    /// The hour (`2026-11-22T08`), day (`2026-11-22`) or month (`2026-11`); absent in the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// The model, if grouped by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The key, if grouped by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Requests.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Those of them whose tokens were counted by LMO, because the provider reported none.
    pub estimated: u64,
    /// Tokens of prompts, cached ones included.
    pub input_tokens: u64,
    /// Those of them read from the provider's prompt cache.
    pub cached_input_tokens: u64,
    /// Those of them written into the provider's prompt cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
    /// Tokens of answers, reasoning included.
    pub output_tokens: u64,
    /// Those of them spent on reasoning.
    pub reasoning_tokens: u64,
    /// Tokens of requests that were answered from LMO's own cache; they count in no other column.
    #[serde(default)]
    pub cache_hit_tokens: u64,
    /// The cost in nano-USD, rated from the token sums.
    pub cost_nano_usd: u64,
}

/// Makes reports.
#[derive(Clone)]
pub struct Reports {
    table: Table,
    catalogues: Arc<Catalogues>,
}

/// A group of a report while it is summed.
#[derive(Default)]
struct Group {
    sum: TotalRow,
    cost: FemtoUsd,
}

impl Reports {
    /// Reports on the totals in `table`, at the prices of `catalogues`.
    #[must_use]
    pub fn new(table: Table, catalogues: Arc<Catalogues>) -> Self {
        Self { table, catalogues }
    }

    /// The usage of a tenant in the periods from that of `from` to the last that begins before `to`.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of(&self, tenant: TenantId, from: Period, to: Timestamp, by: GroupBy) -> Result<Report> {
        #[derive(Deserialize)]
        struct Row {
            sk: String,
            #[serde(flatten)]
            total: TotalItem,
        }
        let last = Period::of(from.granularity, Timestamp(to.0.saturating_sub(1))).max(from);
        let rows = self.table.tenant(tenant).totals().between::<Row>(&keys::total(from), &keys::total(last));
        let mut groups: BTreeMap<(String, Option<String>, Option<KeyId>), Group> = BTreeMap::new();
        let mut whole = Group::default();
        for Row { sk, total } in rows.collect().await? {
            let total = total.total()?;
            let versions = self.versions(&total).await?;
            for (row, sums) in &total.rows {
                let period = sk.split_once('#').map(|(_, period)| period.to_owned()).unwrap_or_default();
                let group = groups.entry((period, by.model.then(|| row.model.clone()), by.key.then_some(row.key)));
                let cost = exact_cost(row, sums, &versions)?;
                group.or_default().add(sums, cost)?;
                whole.add(sums, cost)?;
            }
        }
        let row = |((period, model, key), group): (_, Group)| {
            Ok(ReportRow { period: Some(period), model, key, ..group.finish()? })
        };
        let rows = groups.into_iter().map(row).collect::<Result<_>>()?;
        Ok(Report { from: from.start().to_string(), to: last.end().to_string(), rows, total: whole.finish()? })
    }

    async fn versions(&self, total: &Total) -> Result<BTreeMap<String, Arc<Catalogue>>> {
        let names: BTreeSet<_> = total.rows.keys().map(|row| &row.prices).collect();
        let mut versions = BTreeMap::new();
        for name in names {
            versions.insert(name.clone(), self.catalogues.version(name).await?);
        }
        Ok(versions)
    }
}

fn exact_cost(row: &RowKey, sums: &TotalRow, versions: &BTreeMap<String, Arc<Catalogue>>) -> Result<FemtoUsd> {
    if row.byok {
        return Ok(FemtoUsd::default());
    }
    let model = versions.get(&row.prices).and_then(|catalogue| catalogue.models.get(&row.model));
    let model = model.ok_or_else(|| Error::internal(format!("no price of {} in version {}", row.model, row.prices)))?;
    rate_exactly(&sums.usage, &model.price)
}

impl Group {
    fn add(&mut self, sums: &TotalRow, cost: FemtoUsd) -> Result<()> {
        self.cost = self.cost.plus(cost)?;
        self.sum.add(sums)
    }

    fn finish(&self) -> Result<ReportRow> {
        let NanoUsd(cost_nano_usd) = self.cost.rounded()?;
        let TotalRow { requests, failed, estimated, usage, .. } = self.sum;
        Ok(ReportRow {
            requests,
            failed,
            estimated,
            input_tokens: usage.input_tokens.0,
            cached_input_tokens: usage.cached_input_tokens.0,
            cache_write_tokens: usage.cache_write_tokens.0,
            output_tokens: usage.output_tokens.0,
            reasoning_tokens: usage.reasoning_tokens.0,
            cache_hit_tokens: usage.cache_hit_tokens.0,
            cost_nano_usd,
            ..ReportRow::default()
        })
    }
}
