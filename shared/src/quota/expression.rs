//! The conditional updates of a meter, as `DynamoDB` expressions: hold, settle, change of a cap, and what sub-meters lend
//! each other.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, Update, builders::UpdateBuilder},
};

use super::{
    Hold, Limits, Meter, Settlement,
    meter::{caps, rates},
};
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
    fn number(&mut self, name: &str, value: impl Into<i128>) {
        self.values.insert(name.to_owned(), AttributeValue::N(value.into().to_string()));
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

    /// Of an amount below zero, there must be as much.
    fn gives(&mut self, attribute: &str, value: &str, amount: i64) {
        if amount < 0 {
            self.number(value, -amount);
            self.only_if(format!("{attribute} >= {value}"));
        }
    }

    fn path_of_hold(&mut self, index: usize, request: RequestId) -> String {
        self.name(&format!("#h{index}"), keys::request(request));
        format!("holds.#h{index}")
    }

    /// Moves what is left of the present minute, which the sub-meter may have yet to enter.
    fn window(&mut self, amounts: Amounts, meter: &Meter, now: &Meter) {
        self.name("#w", "window");
        self.number(":w", now.window);
        if meter.window == now.window {
            self.number(":r", amounts.window_requests);
            self.number(":wt", amounts.window_tokens);
            self.set("window_requests = window_requests + :r, window_tokens = window_tokens + :wt");
            self.only_if("#w = :w");
            self.gives("window_requests", ":gr", amounts.window_requests);
            self.gives("window_tokens", ":gw", amounts.window_tokens);
        } else {
            self.number(":r", now.window_requests + amounts.window_requests);
            self.number(":wt", now.window_tokens + amounts.window_tokens);
            self.set("#w = :w, window_requests = :r, window_tokens = :wt");
            self.only_if("#w < :w");
        }
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

/// Takes the worst case of all `holds` out of what remains, if all of it fits and the cap is that of `limits`, and notes
/// them. A hold that is there already (our own, whose answer got lost) refuses the update.
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
    let (limit_tokens, limit_nano_usd) = caps(limits);
    it.number(":lt", limit_tokens);
    it.number(":lc", limit_nano_usd);
    it.only_if("limit_tokens = :lt AND limit_nano_usd = :lc");
    it.name("#w", "window");
    match window {
        Window::Same(minute) => {
            it.number(":w", minute);
            it.number(":n", holds.len() as u64);
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
/// `window`, what was taken from that minute and not used goes back into it too, if it is still the meter's.
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
    it.number(":n", settlements.iter().filter(|s| s.counts).count() as u64);
    it.set("tokens_left = tokens_left + :t, nano_usd_left = nano_usd_left + :c");
    it.set("tokens_spent = tokens_spent + :st, nano_usd_spent = nano_usd_spent + :sc, requests = requests + :n");
    if let Some(window) = window {
        let of_window = || settlements.iter().filter(|settlement| settlement.window == Some(window));
        it.name("#w", "window");
        it.number(":w", window);
        it.number(":wr", of_window().filter(|settlement| !settlement.counts).count() as u64);
        it.number(":wt", of_window().map(|s| s.need.tokens().saturating_sub(s.tokens.0)).sum::<u64>());
        it.set("window_requests = window_requests + :wr, window_tokens = window_tokens + :wt");
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

/// What moves between sub-meters: above zero is received, below zero is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amounts {
    pub tokens: i64,
    pub nano_usd: i64,
    pub window_requests: i64,
    pub window_tokens: i64,
}

impl Amounts {
    fn with(self, other: Self, join: fn(i64, i64) -> i64) -> Self {
        Self {
            tokens: join(self.tokens, other.tokens),
            nano_usd: join(self.nano_usd, other.nano_usd),
            window_requests: join(self.window_requests, other.window_requests),
            window_tokens: join(self.window_tokens, other.window_tokens),
        }
    }

    fn left_in(meter: &Meter) -> Self {
        Self {
            tokens: meter.tokens_left,
            nano_usd: meter.nano_usd_left,
            window_requests: meter.window_requests,
            window_tokens: meter.window_tokens,
        }
    }

    /// What a meter has too little of, for these to be taken out of it.
    pub fn lacking_in(self, meter: &Meter) -> Self {
        self.with(Self::left_in(meter), |need, left| (need - left).max(0))
    }

    /// As much of these as a meter has.
    pub fn available_in(self, meter: &Meter) -> Self {
        self.with(Self::left_in(meter), |lack, left| lack.min(left.max(0)))
    }

    pub fn plus(self, other: Self) -> Self {
        self.with(other, |one, other| one + other)
    }

    pub fn negated(self) -> Self {
        Self::default().with(self, |nothing, amount| nothing - amount)
    }
}

/// Moves amounts into or out of a sub-meter, cap and all, in a transaction with its siblings. It holds as long as the
/// sub-meter still has what it is to give. `meter` is how it was found, `now` the same in the present minute.
pub(super) fn transfer(update: UpdateBuilder, amounts: Amounts, meter: &Meter, now: &Meter) -> Result<Update> {
    let mut it = Expression::default();
    it.number(":t", amounts.tokens);
    it.number(":c", amounts.nano_usd);
    it.set("tokens_left = tokens_left + :t, nano_usd_left = nano_usd_left + :c");
    it.set("cap_tokens = cap_tokens + :t, cap_nano_usd = cap_nano_usd + :c");
    it.only_if("attribute_exists(pk)");
    it.gives("tokens_left", ":gt", amounts.tokens);
    it.gives("nano_usd_left", ":gc", amounts.nano_usd);
    if (amounts.window_requests, amounts.window_tokens) != (0, 0) {
        it.window(amounts, meter, now);
    }
    let update = update
        .update_expression(format!("SET {}", it.set.join(", ")))
        .condition_expression(it.condition.join(" AND "))
        .set_expression_attribute_names(Some(it.names).filter(|names| !names.is_empty()))
        .set_expression_attribute_values(Some(it.values));
    update.build().map_err(Error::internal)
}
