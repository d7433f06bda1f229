//! The versions of plans in the table. A version that was put in never changes, because invoices follow from it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    audit::{Actor, Deed, record_for_operators},
    billing::Plan,
    clock::Timestamp,
    error::{Error, Result},
    llm::catalogue::Catalogue,
    store::{Change, Partition, Table, keys},
};

/// Plans in the table.
#[derive(Debug, Clone)]
pub struct Plans {
    table: Table,
    /// Versions never change, so those that were read once are kept.
    seen: Arc<Mutex<Seen>>,
}

type Seen = HashMap<(String, Timestamp), Arc<Plan>>;

/// A version as an item: the plan as JSON text.
#[derive(Serialize, Deserialize)]
struct Item {
    plan: String,
}

impl Item {
    fn plan(&self) -> Result<Plan> {
        serde_json::from_str(&self.plan).map_err(Error::internal)
    }
}

/// The last instant that a key can have.
const LAST: Timestamp = Timestamp(253_402_300_799_999);
/// How many versions are kept at hand.
const ENOUGH: usize = 10_000;

impl Plans {
    /// The plans in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, seen: Arc::default() }
    }

    /// Puts a version in, unless it says the same as the one that holds at its time. Returns the version that holds then.
    ///
    /// # Errors
    /// `Invalid` if it can't be sold, or has no limits by the catalogue of today; `Conflict` if there is another version of the
    /// very same time; `Unavailable`.
    pub async fn apply(&self, plan: Plan, catalogue: &Catalogue, actor: &Actor, now: Timestamp) -> Result<Arc<Plan>> {
        plan.check()?;
        plan.capped(catalogue)?;
        if plan.effective > LAST {
            return Err(Error::invalid("effective", "effective must be before the year 10000"));
        }
        let before = self.find_current(&plan.name, plan.effective).await?;
        if let Some(before) = &before
            && (Plan { effective: plan.effective, ..(**before).clone() }) == plan
        {
            return Ok(Arc::clone(before));
        }
        let item = Item { plan: serde_json::to_string(&plan).map_err(Error::internal)? };
        let mut change = Change::new(&self.table);
        change.put_new(&self.partition(), &keys::plan_version(&plan.name, plan.effective), &item)?;
        let deed = Deed {
            action: "plan.apply",
            target: plan.name.clone(),
            before: serde_json::json!(before.as_deref()),
            after: serde_json::json!(&plan),
        };
        record_for_operators(&mut change, actor, now, deed)?;
        change.commit().await?.or(|| Error::Conflict("another version takes effect at that time".to_owned()))?;
        Ok(self.keep(plan))
    }

    /// A version.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub async fn get(&self, name: &str, effective: Timestamp) -> Result<Arc<Plan>> {
        if let Some(plan) = self.seen().get(&(name.to_owned(), effective)) {
            return Ok(Arc::clone(plan));
        }
        let item: Option<Item> = self.partition().find(&keys::plan_version(name, effective)).await?;
        let item = item.ok_or_else(|| Error::NotFound { kind: "plan", id: name.to_owned() })?;
        Ok(self.keep(item.plan()?))
    }

    /// The version of a plan that holds at a time, if there is one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_current(&self, name: &str, at: Timestamp) -> Result<Option<Arc<Plan>>> {
        let (first, last) = (keys::plan_version(name, Timestamp(0)), keys::plan_version(name, at));
        let found = self.partition().between::<Item>(&first, &last).last(1).page().await?.unwrap_or_default();
        found.first().map(|item| item.plan().map(|plan| self.keep(plan))).transpose()
    }

    /// The version of a plan that holds at a time.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unavailable`.
    pub async fn current(&self, name: &str, at: Timestamp) -> Result<Arc<Plan>> {
        let found = self.find_current(name, at).await?;
        found.ok_or_else(|| Error::NotFound { kind: "plan", id: name.to_owned() })
    }

    /// Of each plan the version that holds at a time, by name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(&self, at: Timestamp) -> Result<Vec<Arc<Plan>>> {
        let mut current = BTreeMap::new();
        // In the order of their keys, so the latest of a name comes last.
        for plan in self.partition().begins_with::<Item>(keys::PLAN_PREFIX).collect().await? {
            let plan = self.keep(plan.plan()?);
            if plan.effective <= at {
                current.insert(plan.name.clone(), plan);
            }
        }
        Ok(current.into_values().collect())
    }

    /// All versions of a plan, the oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn versions(&self, name: &str) -> Result<Vec<Arc<Plan>>> {
        let items = self.partition().begins_with::<Item>(&keys::plan_versions(name)).collect().await?;
        items.iter().map(|item| item.plan().map(|plan| self.keep(plan))).collect()
    }

    fn partition(&self) -> Partition {
        self.table.billing()
    }

    fn keep(&self, plan: Plan) -> Arc<Plan> {
        let mut seen = self.seen();
        if seen.len() >= ENOUGH {
            seen.clear();
        }
        Arc::clone(seen.entry((plan.name.clone(), plan.effective)).or_insert_with(|| Arc::new(plan)))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
