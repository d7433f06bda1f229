//! The three conditional updates of a meter, as DynamoDB expressions: hold, settle, and change of a cap.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{Hold, Limits, Settlement, caps, rates};
use crate::{
    error::{Error, Result},
    id::RequestId,
    store::keys,
};

/// An update expression that grows clause by clause.
#[derive(Default)]
struct Expression {
    set: Vec<String>,
    remove: Vec<String>,
    condition: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    fn number(&mut self, name: &str, value: impl ToString) {
        self.values.insert(name.to_owned(), AttributeValue::N(value.to_string()));
    }

    fn name(&mut self, name: &str, attribute: impl Into<String>) {
        self.names.insert(name.to_owned(), attribute.into());
    }

    fn set(&mut self, clause: impl Into<String>) {
        self.set.push(clause.into());
    }

    fn only_if(&mut self, clause: impl Into<String>) {
        self.condition.push(clause.into());
    }

    fn path_of_hold(&mut self, index: usize, request: RequestId) -> String {
        self.name(&format!("#h{index}"), keys::request(request));
        format!("holds.#h{index}")
    }

    fn build(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let mut expression = format!("SET {}", self.set.join(", "));
        if !self.remove.is_empty() {
            expression = format!("{expression} REMOVE {}", self.remove.join(", "));
        }
        update
            .update_expression(expression)
            .condition_expression(self.condition.join(" AND "))
            .set_expression_attribute_names(Some(self.names).filter(|names| !names.is_empty()))
            .set_expression_attribute_values(Some(self.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// In which minute a hold believes the meter to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// Already in this one.
    Same(u64),
    /// Before this one, which begins with full limits.
    New(u64),
}

/// Takes the worst case of all `holds` out of what remains, if all of it fits, and notes them. A hold that is there
/// already (our own, whose answer got lost) refuses the update.
pub(super) fn hold(
    update: UpdateItemFluentBuilder,
    holds: &[(RequestId, &Hold)],
    window: Window,
    limits: &Limits,
) -> Result<UpdateItemFluentBuilder> {
    let mut it = Expression::default();
    let tokens: u64 = holds.iter().map(|(_, hold)| hold.need().tokens()).sum();
    let cost: u64 = holds.iter().map(|(_, hold)| hold.cost.0).sum();
    it.number(":t", tokens);
    it.number(":c", cost);
    it.set("tokens_left = tokens_left - :t, nano_usd_left = nano_usd_left - :c");
    it.only_if("tokens_left >= :t AND nano_usd_left >= :c");
    it.name("#w", "window");
    match window {
        Window::Same(minute) => {
            it.number(":w", minute);
            it.number(":n", holds.len());
            it.set("window_requests = window_requests - :n, window_tokens = window_tokens - :t");
            it.only_if("#w = :w AND window_requests >= :n AND window_tokens >= :t");
        }
        Window::New(minute) => {
            let (requests, window_tokens) = rates(limits);
            let left =
                |limit: u64, taken: u64| limit.checked_sub(taken).ok_or_else(|| Error::internal("window overdrawn"));
            it.number(":w", minute);
            it.number(":n", left(requests, holds.len() as u64)?);
            it.number(":wt", left(window_tokens, tokens)?);
            it.set("#w = :w, window_requests = :n, window_tokens = :wt");
            it.only_if("#w < :w");
        }
    }
    for (index, (request, hold)) in holds.iter().enumerate() {
        let path = it.path_of_hold(index, *request);
        let value = serde_dynamo::to_attribute_value(hold).map_err(Error::internal)?;
        it.values.insert(format!(":h{index}"), value);
        it.set(format!("{path} = :h{index}"));
        it.only_if(format!("attribute_not_exists({path})"));
    }
    Ok(it.build(update).return_values(ReturnValue::UpdatedNew))
}

/// Gives back what was not used, counts what was, and drops the holds, if all of them are still there. With a
/// `window`, what was not used goes back into that minute too, if it is still the meter's.
pub(super) fn settle(
    update: UpdateItemFluentBuilder,
    settlements: &[Settlement],
    window: Option<u64>,
) -> UpdateItemFluentBuilder {
    let mut it = Expression::default();
    let sum = |of: fn(&Settlement) -> u64| settlements.iter().map(of).sum::<u64>();
    let (tokens, cost) = (sum(|s| s.tokens.0), sum(|s| s.cost.0));
    let unused_tokens = sum(|s| s.need.tokens()).saturating_sub(tokens);
    it.number(":t", unused_tokens);
    it.number(":c", sum(|s| s.need.cost.0).saturating_sub(cost));
    it.number(":st", tokens);
    it.number(":sc", cost);
    it.number(":n", settlements.iter().filter(|s| s.counts).count());
    it.set("tokens_left = tokens_left + :t, nano_usd_left = nano_usd_left + :c");
    it.set("tokens_spent = tokens_spent + :st, nano_usd_spent = nano_usd_spent + :sc, requests = requests + :n");
    if let Some(window) = window {
        it.name("#w", "window");
        it.number(":w", window);
        it.set("window_tokens = window_tokens + :t");
        it.only_if("#w = :w");
    }
    for (index, settlement) in settlements.iter().enumerate() {
        let path = it.path_of_hold(index, settlement.request);
        it.only_if(format!("attribute_exists({path})"));
        it.remove.push(path);
    }
    it.build(update)
}

/// Moves the cap by the change of the limits from `old`, if the meter was last capped by those; what remains moves by
/// the same difference.
pub(super) fn recap(update: UpdateItemFluentBuilder, old: (u64, u64), limits: &Limits) -> UpdateItemFluentBuilder {
    let mut it = Expression::default();
    let new = caps(limits);
    it.number(":old_t", old.0);
    it.number(":old_c", old.1);
    it.number(":new_t", new.0);
    it.number(":new_c", new.1);
    it.number(":t", i128::from(new.0) - i128::from(old.0));
    it.number(":c", i128::from(new.1) - i128::from(old.1));
    it.set("limit_tokens = :new_t, limit_nano_usd = :new_c");
    it.set("cap_tokens = cap_tokens + :t, cap_nano_usd = cap_nano_usd + :c");
    it.set("tokens_left = tokens_left + :t, nano_usd_left = nano_usd_left + :c");
    it.only_if("limit_tokens = :old_t AND limit_nano_usd = :old_c");
    it.build(update)
}

/// Takes up to what a sub-meter has left out of it, cap and all, to be given to a sibling in the same transaction.
pub(super) const GIVE: &str = "SET tokens_left = tokens_left - :t, nano_usd_left = nano_usd_left - :c, \
                               cap_tokens = cap_tokens - :t, cap_nano_usd = cap_nano_usd - :c";
/// Holds as long as the sub-meter still has what it is to give.
pub(super) const CAN_GIVE: &str = "tokens_left >= :t AND nano_usd_left >= :c";
/// Adds what the siblings gave.
pub(super) const RECEIVE: &str = "SET tokens_left = tokens_left + :t, nano_usd_left = nano_usd_left + :c, \
                                  cap_tokens = cap_tokens + :t, cap_nano_usd = cap_nano_usd + :c";
