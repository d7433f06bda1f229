//! What rating takes and what it gives. Rating is a pure function: it reads no clock, no table and no environment.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Amount, Currency, Percent, Plan};
use crate::{
    clock::Timestamp,
    llm::{Usage, catalogue::Price},
};

/// Everything that an invoice's lines follow from.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The first instant of the period.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// The currency of all amounts; every plan is in it.
    pub currency: Currency,
    /// Its parts on one plan each, in order, without overlaps; together they may be less than the period.
    pub segments: Vec<Segment>,
    /// Discounts, in the order in which they are taken off.
    pub discounts: Vec<Discount>,
    /// What earlier invoices left over or got wrong, with its sign.
    pub adjustments: Vec<Adjustment>,
}

/// A part of a period that was spent on one plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The version of the plan.
    pub plan: Plan,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// When the tenant's trial ends. On a plan with a trial a segment lies before it or behind it, never across.
    pub trial_until: Option<Timestamp>,
    /// The most members that there were at once.
    pub seats: u32,
    /// What was used in it and is to be paid: by model and version of the catalogue, without what was asked with keys of
    /// the tenant's own. Of an empty segment nothing.
    pub usage: BTreeMap<Used, Usage>,
    /// The catalogue's prices for all that was used.
    pub list: BTreeMap<Used, Price>,
}

/// What was used, as far as its price depends on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Used {
    /// The model, as the catalogue calls it.
    pub model: String,
    /// The version of the catalogue.
    pub prices: String,
}

/// A discount that holds in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Discount {
    /// The coupon's code.
    pub code: String,
    /// How much.
    pub off: Off,
}

/// How much a discount takes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// A part of what is left.
    Percent(Percent),
    /// An amount, never more than what is left.
    Amount(Amount),
}

/// What an earlier invoice left over or got wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// What it is for, as the invoice has it: `Late usage of 2026-10`.
    pub text: String,
    /// Before tax; negative if it is the tenant's.
    pub amount: Amount,
}

/// What rating gives: lines and their sum, before tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The currency of all amounts.
    pub currency: Currency,
    /// The lines. Each is rounded once, half up, to what the currency has coins for.
    pub lines: Vec<Line>,
    /// The sum of the lines' amounts; never negative.
    pub subtotal: Amount,
    /// What could not be taken off any more, and is the next invoice's first adjustment: zero or negative. It is in no line.
    pub carried: Amount,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What kind it is.
    pub kind: LineKind,
    /// What it says.
    pub text: String,
    /// Of what it is so many: tokens, seats, packages; absent if that says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// What one costs, or a million tokens; absent if that says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Amount>,
    /// The amount to the nano-unit, half up.
    pub exact: Amount,
    /// The amount, rounded half up to what the currency has coins for.
    pub amount: Amount,
    /// From when it is.
    pub from: Timestamp,
    /// Until when, exclusively.
    pub to: Timestamp,
}

/// What a line is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LineKind {
    /// The plan's fee.
    Base,
    /// Its members.
    Seats,
    /// Tokens of a model, of one kind.
    Usage {
        /// The model, as the catalogue calls it.
        model: String,
        /// Which tokens.
        tokens: TokenKind,
    },
    /// Tokens of several models together, by a rule of the plan.
    Tiers,
    /// Tokens that the plan includes, at no price, or money of usage that it includes, taken off again.
    Included,
    /// Usage that the trial includes.
    Trial,
    /// What is beyond the most that the plan charges, taken off again.
    Cap,
    /// What is missing to the plan's minimum.
    Minimum,
    /// A discount.
    Discount,
    /// What an earlier invoice left over or got wrong.
    Adjustment,
}

/// Which tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Of prompts, neither read from a cache nor written into one.
    Input,
    /// Of prompts, read from the provider's cache.
    CachedInput,
    /// Of prompts, written into it.
    CacheWrite,
    /// Of prompts, written into it for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Of answers.
    Output,
    /// Of answers from LMO's own cache.
    CacheHit,
}

impl TokenKind {
    /// Every kind, in the order of lines.
    pub const ALL: [Self; 6] =
        [Self::Input, Self::CachedInput, Self::CacheWrite, Self::CacheWrite1h, Self::Output, Self::CacheHit];
}

impl fmt::Display for TokenKind {
    /// As invoices have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input tokens",
            Self::CachedInput => "input tokens read from the provider's cache",
            Self::CacheWrite => "input tokens written to the provider's cache",
            Self::CacheWrite1h => "input tokens written to the provider's cache for an hour",
            Self::Output => "output tokens",
            Self::CacheHit => "tokens of answers from the cache",
        })
    }
}
