//! What a million tokens cost: by the catalogue with a markup, or as the plan says.

use super::{Amount, Error, Result, half_up, overflow};
use crate::{
    billing::{Charge, KindPrices, NANOS, Percent, Plan, PriceRule, TokenKind},
    llm::{Usage, catalogue::Price},
    money::PricePerMillion,
};

/// How many tokens of a kind, each token in one kind alone.
pub(super) fn tokens(usage: &Usage, kind: TokenKind) -> u64 {
    let read_or_written = usage.cached_input_tokens.0.saturating_add(usage.cache_write_tokens.0);
    match kind {
        TokenKind::Input => usage.input_tokens.0.saturating_sub(read_or_written),
        TokenKind::CachedInput => usage.cached_input_tokens.0,
        TokenKind::CacheWrite => usage.cache_write_tokens.minus_or_zero(usage.cache_write_1h_tokens).0,
        TokenKind::CacheWrite1h => usage.cache_write_1h_tokens.0,
        TokenKind::Output => usage.output_tokens.0,
        TokenKind::CacheHit => usage.cache_hit_tokens.0,
    }
}

/// How a model's tokens of a kind are charged by themselves; `None` if a rule counts them together with other models'.
pub(super) fn unit(
    plan: &Plan,
    rule: Option<&PriceRule>,
    kind: TokenKind,
    list: Option<&Price>,
) -> Result<Option<Amount>> {
    let at = |markup| {
        let list = list.ok_or_else(|| Error::internal("usage without a price in the catalogue"))?;
        at_list(plan, markup, of_list(list, kind)).map(Some)
    };
    match rule.map(|rule| &rule.charge) {
        None => at(plan.markup),
        Some(Charge::Markup(markup)) => at(*markup),
        Some(Charge::PerMillion(prices)) => Ok(Some(of_kind(prices, kind))),
        // They are neither input nor output.
        Some(Charge::Graduated(_) | Charge::Volume(_) | Charge::Package(_)) if kind == TokenKind::CacheHit => {
            Ok(Some(Amount::ZERO))
        }
        Some(Charge::Graduated(_) | Charge::Volume(_) | Charge::Package(_)) => Ok(None),
    }
}

/// A price of the catalogue in the plan's currency with a markup, rounded once, half up to a nano-unit per million tokens.
pub(in crate::billing) fn at_list(plan: &Plan, markup: Percent, list: PricePerMillion) -> Result<Amount> {
    let whole = Percent::ALL.0.checked_add(markup.0).ok_or_else(overflow)?;
    let product = i128::from(list.0).checked_mul(plan.usd.0).and_then(|product| product.checked_mul(i128::from(whole)));
    Ok(Amount(half_up(product.ok_or_else(overflow)?, NANOS * i128::from(Percent::ALL.0))))
}

/// The catalogue's price of a kind.
pub(in crate::billing) fn of_list(price: &Price, kind: TokenKind) -> PricePerMillion {
    match kind {
        TokenKind::Input => price.input,
        TokenKind::CachedInput => price.cached_input,
        TokenKind::CacheWrite => price.cache_write,
        TokenKind::CacheWrite1h => price.cache_write_1h,
        TokenKind::Output => price.output,
        TokenKind::CacheHit => price.cache_hit,
    }
}

/// The plan's own price of a kind.
pub(in crate::billing) fn of_kind(prices: &KindPrices, kind: TokenKind) -> Amount {
    let write = prices.cache_write.unwrap_or(prices.input);
    match kind {
        TokenKind::Input => prices.input,
        TokenKind::CachedInput => prices.cached_input.unwrap_or(prices.input),
        TokenKind::CacheWrite => write,
        TokenKind::CacheWrite1h => prices.cache_write_1h.unwrap_or(write),
        TokenKind::Output => prices.output,
        TokenKind::CacheHit => prices.cache_hit.unwrap_or(Amount::ZERO),
    }
}
