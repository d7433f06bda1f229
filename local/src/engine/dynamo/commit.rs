//! Group commit: writes to different items that wait at the same time share one transaction.
//!
//! A commit costs a disk flush, whoever shares it. Nobody can tell the difference: all who wait are concurrent,
//! so any order among them is right, and a shared transaction that does not go through changes nothing, after which each
//! of its writes is run by itself and gets its own answer.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use dynoxide::{
    AttributeValue, DynoxideError, NativeDatabase,
    actions::transact_write_items::{TransactWriteItem, TransactWriteItemsRequest},
};
use serde::Deserialize;

use super::{Counters, Job, operation::Task};

/// `DynamoDB`'s limit for the actions of one transaction.
const MAX_ACTIONS: usize = 100;
/// Below `DynamoDB`'s limit of 4 MB for the items of one transaction.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The database and what is known about its tables.
pub(super) struct Committer {
    database: NativeDatabase,
    counters: Arc<Counters>,
    /// Key attributes by table. An outdated entry costs a second attempt, never a wrong answer:
    /// the database itself refuses a transaction that names an item twice.
    keys: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyElement {
    attribute_name: String,
}

impl Committer {
    /// Writes to `database`, counting in `counters`.
    pub fn new(database: NativeDatabase, counters: Arc<Counters>) -> Self {
        Self { database, counters, keys: HashMap::new() }
    }

    /// Answers the job that has waited longest and all that can share its commit; false if nobody waits.
    pub fn step(&mut self, waiting: &mut VecDeque<Box<Job>>) -> bool {
        let Some(mut first) = waiting.pop_front() else {
            return false;
        };
        match first.target.take() {
            Some(target) if !waiting.is_empty() => {
                let group = group(*first, target, waiting);
                self.together(group);
            }
            _ => self.alone(*first),
        }
        true
    }

    fn together(&mut self, mut group: Vec<Job>) {
        if group.len() > 1 {
            let request = TransactWriteItemsRequest {
                transact_items: group.iter().filter_map(|job| job.task.action.clone()).collect(),
                ..TransactWriteItemsRequest::default()
            };
            match self.database.transact_write_items(request) {
                Ok(_) => {
                    self.count(group.len());
                    for job in group {
                        // Whoever asked may have stopped waiting.
                        let _ = job.reply.send(Ok(Box::new(|| Ok(b"{}".to_vec()))));
                    }
                    return;
                }
                Err(DynoxideError::TransactionCanceledException(_, reasons)) if reasons.len() == group.len() => {
                    // Those without a fault of their own still share a commit.
                    let mut verdicts = reasons.iter().map(|reason| reason.code != "None");
                    let (faulty, sound): (Vec<_>, Vec<_>) =
                        group.into_iter().partition(|_| verdicts.next().unwrap_or(true));
                    if faulty.is_empty() {
                        group = sound;
                    } else {
                        self.together(sound);
                        group = faulty;
                    }
                }
                Err(_) => {}
            }
        }
        for job in group {
            self.alone(job);
        }
    }

    fn alone(&self, job: Job) {
        let Job { task, reply, .. } = job;
        let outcome = (task.call)(&self.database);
        if task.writes && outcome.is_ok() {
            self.count(1);
        }
        // Whoever asked may have stopped waiting.
        let _ = reply.send(outcome);
    }

    fn count(&self, operations: usize) {
        self.counters.operations.fetch_add(operations as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// The item that a task writes, if the write can be part of a shared transaction.
    pub fn target(&mut self, task: &Task) -> Option<String> {
        let (table, attributes) = item(task.action.as_ref()?)?;
        if !self.keys.contains_key(table) {
            let schema = self.database.get_table_metadata(table).ok()??.key_schema;
            let schema: Vec<KeyElement> = serde_json::from_str(&schema).ok()?;
            let names = schema.into_iter().map(|key| key.attribute_name).collect();
            self.keys.insert(table.to_owned(), names);
        }
        let mut target = table.to_owned();
        for name in self.keys.get(table)? {
            target.push('\0');
            match attributes.get(name)? {
                AttributeValue::S(text) | AttributeValue::N(text) => target.push_str(text),
                AttributeValue::B(bytes) => {
                    target.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
                }
                _ => return None,
            }
        }
        Some(target)
    }
}

/// Takes those out of `waiting` that write to other items than `first` and each other.
fn group(first: Job, target: String, waiting: &mut VecDeque<Box<Job>>) -> Vec<Job> {
    let mut bytes = first.task.size;
    let mut targets = HashSet::from([target]);
    let mut group = vec![first];
    for job in std::mem::take(waiting) {
        let fits = group.len() < MAX_ACTIONS && bytes + job.task.size <= MAX_BYTES;
        match &job.target {
            Some(target) if fits && !targets.contains(target) => {
                targets.insert(target.clone());
                bytes += job.task.size;
                group.push(*job);
            }
            _ => waiting.push_back(job),
        }
    }
    group
}

fn item(action: &TransactWriteItem) -> Option<(&str, &HashMap<String, AttributeValue>)> {
    let put = action.put.as_ref().map(|put| (put.table_name.as_str(), &put.item));
    let update = action.update.as_ref().map(|update| (update.table_name.as_str(), &update.key));
    let delete = action.delete.as_ref().map(|delete| (delete.table_name.as_str(), &delete.key));
    put.or(update).or(delete)
}
