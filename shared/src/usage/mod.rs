//! What was used: the ledger (the truth), the events that say what to count again, and the totals counted from the
//! ledger.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::Result,
    id::KeyId,
    llm::{
        Usage,
        catalogue::{Model, Price},
    },
    money::{NanoUsd, Tokens},
    quota::Need,
};

mod aggregate;
mod alert;
mod books;
mod export;
mod ledger;
mod letters;
mod publish;
mod report;
mod sweep;
mod totals;

pub use aggregate::{Aggregator, Touched};
pub use books::{Book, Books, Difference, Reconciled};
pub use export::{Destination, Exported, Exporter};
pub use ledger::{Ledger, Recorded, expires_at};
pub use letters::{Posted, QuotaLetters};
pub use publish::{Publisher, UsageEvent};
pub use report::{GroupBy, Report, ReportRow, Reports};
pub use sweep::{Expired, Sweeper, Swept};
pub use totals::{RowKey, Total, TotalRow};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered to its end.
    Answered,
    /// The provider failed, before or in the middle of the answer.
    Failed,
    /// The client left in the middle of a stream.
    Left,
    /// Its instance died; what it held is charged.
    Lost,
}

/// An attempt at a provider that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// The model that was asked, as the catalogue calls it.
    pub model: String,
    /// The code of its failure, or `superseded` if another attempt was faster.
    pub code: String,
    /// Milliseconds that it took.
    pub ms: u64,
    /// What the provider may want for having read the prompt, by LMO's count and at the tenant's price; 0 if it refused.
    pub nano_usd: NanoUsd,
}

/// One request in the ledger. It never changes once it is there, and has nothing of what was asked or answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key that asked.
    pub key: KeyId,
    /// The model that answered, as the catalogue calls it.
    pub model: String,
    /// The version of the catalogue whose prices apply.
    pub prices: String,
    /// Tokens to charge, by kind.
    #[serde(flatten)]
    pub usage: Usage,
    /// Their price, rounded half up to a nano-USD; 0 with a key of the tenant's own.
    pub nano_usd: NanoUsd,
    /// Whether it was asked with a key of the tenant's own: its tokens are counted and cost nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub byok: bool,
    /// Whether LMO counted the tokens, because the provider reported none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Tokens that the provider reported beyond what was held, and that nobody pays.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unbilled: Tokens,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts at providers, the one that answered included.
    pub attempts: u32,
    /// Those that came to nothing. The tenant doesn't pay for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<FailedAttempt>,
    /// Milliseconds until the first piece of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// Milliseconds until the end.
    pub total_ms: u64,
    /// When the item may be deleted, in seconds since the epoch.
    pub expires_at: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(tokens: &Tokens) -> bool {
    *tokens == Tokens::ZERO
}

impl Entry {
    /// All tokens that are charged.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn tokens(&self) -> Result<Tokens> {
        self.usage.input_tokens.plus(self.usage.output_tokens)
    }

    /// Whether LMO's own cache answered.
    #[must_use]
    pub fn is_cache_hit(&self) -> bool {
        self.usage.cache_hit_tokens > Tokens::ZERO
    }
}

/// Limits what a provider reported to what was held, kind by kind, so that nobody ever pays more than the cap allowed.
/// Returns the usage to charge and the tokens that are left out.
#[must_use]
pub fn clip(reported: Usage, need: &Need) -> (Usage, Tokens) {
    let input_tokens = reported.input_tokens.min(need.input);
    let output_tokens = reported.output_tokens.min(need.output);
    let cached_input_tokens = reported.cached_input_tokens.min(input_tokens);
    let cache_write_tokens = reported.cache_write_tokens.min(input_tokens.minus_or_zero(cached_input_tokens));
    let usage = Usage {
        input_tokens,
        cached_input_tokens,
        cache_write_tokens,
        cache_write_1h_tokens: reported.cache_write_1h_tokens.min(cache_write_tokens),
        output_tokens,
        reasoning_tokens: reported.reasoning_tokens.min(output_tokens),
        cache_hit_tokens: reported.cache_hit_tokens.min(
            Tokens(need.input.0.saturating_add(need.output.0)).minus_or_zero(input_tokens).minus_or_zero(output_tokens),
        ),
    };
    let over = reported
        .input_tokens
        .minus_or_zero(need.input)
        .0
        .saturating_add(reported.output_tokens.minus_or_zero(need.output).0);
    (usage, Tokens(over))
}

/// What an answer costs at a model's prices, rounded half up to a nano-USD.
///
/// # Errors
/// `Internal` on overflow.
pub fn rate(usage: &Usage, model: &Model) -> Result<NanoUsd> {
    rate_exactly(usage, &model.price)?.rounded()
}

/// The same before rounding, to be summed.
///
/// # Errors
/// `Internal` on overflow.
pub fn rate_exactly(usage: &Usage, price: &Price) -> Result<crate::money::FemtoUsd> {
    let fresh = usage.input_tokens.minus_or_zero(usage.cached_input_tokens).minus_or_zero(usage.cache_write_tokens);
    let short_lived = usage.cache_write_tokens.minus_or_zero(usage.cache_write_1h_tokens);
    price
        .input
        .times(fresh)
        .plus(price.cached_input.times(usage.cached_input_tokens))?
        .plus(price.cache_write.times(short_lived))?
        .plus(price.cache_write_1h.times(usage.cache_write_1h_tokens))?
        .plus(price.output.times(usage.output_tokens))?
        .plus(price.cache_hit.times(usage.cache_hit_tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn a_usage()(counts in prop::array::uniform7(0..1_000_000_u64)) -> Usage {
            let [input, cached, write, write_1h, output, reasoning, hit] = counts.map(Tokens);
            Usage {
                input_tokens: input,
                cached_input_tokens: cached,
                cache_write_tokens: write,
                cache_write_1h_tokens: write_1h,
                output_tokens: output,
                reasoning_tokens: reasoning,
                cache_hit_tokens: hit,
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_a_provider_reports_no_more_than_held_is_charged(usage in a_usage(), input in 0..1_000_000_u64, output in 0..1_000_000_u64) {
            let model = Model::example();
            let mut need = Need { input: Tokens(input), output: Tokens(output), ..Need::default() };
            need.cost = model.worst_cost(need.input, need.output).unwrap();
            let (charged, unbilled) = clip(usage, &need);
            prop_assert!(charged.input_tokens <= need.input && charged.output_tokens <= need.output);
            prop_assert!(rate(&charged, &model).unwrap() <= need.cost);
            let reported = usage.input_tokens.0 + usage.output_tokens.0;
            prop_assert_eq!(charged.input_tokens.0 + charged.output_tokens.0 + unbilled.0, reported);
        }
    }
}
