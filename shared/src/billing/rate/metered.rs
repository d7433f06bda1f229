//! Usage that is charged token by token: a line for each model, kind of token and price, and what the plan's included tokens
//! cover of it.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Amount, LineKind, Result,
    lines::{Lines, Said, Span},
    overflow, price,
};
use crate::billing::{Segment, TokenKind};

/// Tokens of a model, of one kind, at one price.
struct Metered<'a> {
    model: &'a str,
    kind: TokenKind,
    /// A million of them.
    unit: Amount,
    included: u64,
    charged: u64,
}

/// Adds the lines. Returns what they come to.
pub(super) fn rate(segment: &Segment, span: Span, lines: &mut Lines) -> Result<Amount> {
    let mut metered = dearest_first(segment)?;
    let included = lines.prorated(Amount(i128::from(segment.plan.included_tokens)), span)?;
    include(&mut metered, u64::try_from(included.0).map_err(|_| overflow())?);
    metered.sort_by_key(|one| (one.model, one.kind, one.unit));
    let mut sum = Amount::ZERO;
    for one in &metered {
        let said =
            |kind, tokens, unit, text: String| Said { kind, text, quantity: Some(tokens), unit_price: Some(unit) };
        let text = format!("{}, {}", one.model, one.kind);
        if one.included > 0 {
            let text = format!("{text}, included");
            lines.add(span, said(LineKind::Included, one.included, Amount::ZERO, text), Amount::ZERO)?;
        }
        if one.charged > 0 {
            let kind = LineKind::Usage { model: one.model.to_owned(), tokens: one.kind };
            let exact = one.unit.share(u128::from(one.charged), 1_000_000)?;
            sum = sum.plus(lines.add(span, said(kind, one.charged, one.unit, text), exact)?)?;
        }
    }
    Ok(sum)
}

/// What has the same price is one, whichever versions of the catalogue it comes from.
fn dearest_first(segment: &Segment) -> Result<Vec<Metered<'_>>> {
    let mut tokens: BTreeMap<(Reverse<Amount>, &str, TokenKind), u64> = BTreeMap::new();
    for (used, usage) in &segment.usage {
        let rule = segment.plan.prices.iter().find(|rule| rule.names(&used.model));
        for kind in TokenKind::ALL {
            let number = price::tokens(usage, kind);
            if number == 0 {
                continue;
            }
            if let Some(unit) = price::unit(&segment.plan, rule, kind, segment.list.get(used))? {
                let sum = tokens.entry((Reverse(unit), used.model.as_str(), kind)).or_default();
                *sum = sum.checked_add(number).ok_or_else(overflow)?;
            }
        }
    }
    let metered = |((Reverse(unit), model, kind), charged)| Metered { model, kind, unit, included: 0, charged };
    Ok(tokens.into_iter().map(metered).collect())
}

/// Takes included tokens off, in the given order. Hits of the cache are neither input nor output, so they aren't included.
fn include(metered: &mut [Metered], mut left: u64) {
    for one in metered.iter_mut().filter(|one| one.kind != TokenKind::CacheHit) {
        one.included = one.charged.min(left);
        one.charged -= one.included;
        left -= one.included;
    }
}
