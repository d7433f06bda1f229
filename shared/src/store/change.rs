//! Several writes that take place together or not at all.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use serde::Serialize;

use super::{Partition, Table, failure, table::number};
use crate::error::{Error, Result};

/// How long to wait before each attempt while another transaction has one of the items, in milliseconds.
const PAUSES: [u64; 8] = [0, 2, 5, 10, 25, 50, 100, 200];

/// Writes to be committed together, at most 100.
#[must_use = "nothing is written before it is committed"]
#[derive(Debug)]
pub struct Change {
    table: Table,
    steps: Vec<TransactWriteItem>,
}

/// One of the writes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step(usize);

/// Whether a change took place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// All of it did.
    Yes,
    /// Nothing did: the conditions of these steps did not hold.
    Refused(Vec<Step>),
}

impl Change {
    /// Nothing yet.
    pub fn new(table: &Table) -> Self {
        Self { table: table.clone(), steps: Vec::new() }
    }

    /// Puts an item, whatever was there.
    ///
    /// # Errors
    /// `Internal` if the value can't be written as an item; so in all that follow.
    pub fn put(&mut self, at: &Partition, sort: &str, value: &impl Serialize) -> Result<Step> {
        let put = Put::builder().table_name(self.table.name()).set_item(Some(at.item(sort, value)?));
        Ok(self.push(TransactWriteItem::builder().put(put.build().map_err(Error::internal)?).build()))
    }

    /// Puts an item unless there is one already.
    ///
    /// # Errors
    /// `Internal`.
    pub fn put_new(&mut self, at: &Partition, sort: &str, value: &impl Serialize) -> Result<Step> {
        self.put_if(at, sort, value, "attribute_not_exists(pk)", &[])
    }

    /// Puts an item on a condition; values of the condition are `(":name", value)`.
    ///
    /// # Errors
    /// `Internal`.
    pub fn put_if(
        &mut self,
        at: &Partition,
        sort: &str,
        value: &impl Serialize,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Step> {
        let mut put = Put::builder().table_name(self.table.name()).set_item(Some(at.item(sort, value)?));
        for (name, value) in values {
            put = put.expression_attribute_values(*name, value.clone());
        }
        let put = put.condition_expression(condition).build().map_err(Error::internal)?;
        Ok(self.push(TransactWriteItem::builder().put(put).build()))
    }

    /// Puts an item in the place of its version `of`; one without a version counts as 0.
    ///
    /// # Errors
    /// `Internal`.
    pub fn replace(&mut self, at: &Partition, sort: &str, value: &impl Serialize, of: u64) -> Result<Step> {
        let condition = match of {
            0 => "attribute_not_exists(version) OR version = :version",
            _ => "version = :version",
        };
        self.put_if(at, sort, value, condition, &[(":version", number(of))])
    }

    /// Deletes version `of` of an item.
    ///
    /// # Errors
    /// `Internal`.
    pub fn delete_version(&mut self, at: &Partition, sort: &str, of: u64) -> Result<Step> {
        self.delete_if(at, sort, is_version(of), &[(":version", number(of))])
    }

    /// Changes nothing of an item, and everything else only if this is still its version.
    ///
    /// # Errors
    /// `Internal`.
    pub fn check_version(&mut self, at: &Partition, sort: &str, version: u64) -> Result<Step> {
        self.check(at, sort, is_version(version), &[(":version", number(version))])
    }

    /// Updates an item: an update of [`Partition::update_in_transaction`] with its expressions.
    pub fn update(&mut self, update: Update) -> Step {
        self.push(TransactWriteItem::builder().update(update).build())
    }

    /// Deletes an item, if it is there.
    ///
    /// # Errors
    /// `Internal`.
    pub fn delete(&mut self, at: &Partition, sort: &str) -> Result<Step> {
        let delete = Delete::builder().table_name(self.table.name()).set_key(Some(at.key(sort)));
        Ok(self.push(TransactWriteItem::builder().delete(delete.build().map_err(Error::internal)?).build()))
    }

    /// Deletes an item on a condition; values of the condition are `(":name", value)`.
    ///
    /// # Errors
    /// `Internal`.
    pub fn delete_if(
        &mut self,
        at: &Partition,
        sort: &str,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Step> {
        let mut delete = Delete::builder().table_name(self.table.name()).set_key(Some(at.key(sort)));
        for (name, value) in values {
            delete = delete.expression_attribute_values(*name, value.clone());
        }
        let delete = delete.condition_expression(condition).build().map_err(Error::internal)?;
        Ok(self.push(TransactWriteItem::builder().delete(delete).build()))
    }

    /// Changes nothing of an item, and everything else only if the condition holds for it.
    ///
    /// # Errors
    /// `Internal`.
    pub fn check(
        &mut self,
        at: &Partition,
        sort: &str,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Step> {
        let mut check = ConditionCheck::builder().table_name(self.table.name()).set_key(Some(at.key(sort)));
        for (name, value) in values {
            check = check.expression_attribute_values(*name, value.clone());
        }
        let check = check.condition_expression(condition).build().map_err(Error::internal)?;
        Ok(self.push(TransactWriteItem::builder().condition_check(check).build()))
    }

    /// Whether there is nothing to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Writes all of it, or nothing. While another transaction has one of the items it is tried again.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached or an item stays contended; `Internal` if an item can't be kept.
    pub async fn commit(self) -> Result<Committed> {
        let request = self.table.client().transact_write_items().set_transact_items(Some(self.steps));
        for pause in PAUSES {
            // Even a sleep of no time is one of a millisecond.
            if pause > 0 {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            let Err(error) = request.clone().send().await else { return Ok(Committed::Yes) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(failure(error));
            };
            let reasons = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
            let reasons: Vec<_> = reasons.collect();
            let of = |code| reasons.iter().enumerate().filter(move |(_, reason)| **reason == code);
            let refused: Vec<_> = of("ConditionalCheckFailed").map(|(index, _)| Step(index)).collect();
            if !refused.is_empty() {
                return Ok(Committed::Refused(refused));
            }
            // An item that is too large stays so, however often it is tried.
            if of("ValidationError").next().is_some() {
                return Err(Error::internal(error));
            }
            if of("TransactionConflict").next().is_none() {
                return Err(failure(error));
            }
        }
        Err(Error::Unavailable("an item is contended".into()))
    }

    /// The table that it writes to.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    fn push(&mut self, step: TransactWriteItem) -> Step {
        self.steps.push(step);
        Step(self.steps.len() - 1)
    }
}

/// The condition that an item is there in version `of`, which is `:version`; one without a version counts as 0.
fn is_version(of: u64) -> &'static str {
    match of {
        0 => "attribute_exists(pk) AND (attribute_not_exists(version) OR version = :version)",
        _ => "version = :version",
    }
}

impl Committed {
    /// Fails with `error` unless all of it took place.
    ///
    /// # Errors
    /// `error`.
    pub fn or(self, error: impl FnOnce() -> Error) -> Result<()> {
        match self {
            Self::Yes => Ok(()),
            Self::Refused(_) => Err(error()),
        }
    }
}
