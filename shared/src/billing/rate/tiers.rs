//! Rules that count the tokens of several models together: graduated, by volume, and in packages.

use super::{
    Amount, LineKind, Result,
    lines::{Lines, Said, Span},
    overflow,
};
use crate::billing::{Charge, Package, PriceRule, Segment, Tier};

/// Adds the lines. Returns what they come to.
pub(super) fn rate(segment: &Segment, span: Span, lines: &mut Lines) -> Result<Amount> {
    let mut sum = Amount::ZERO;
    for (place, rule) in segment.plan.prices.iter().enumerate() {
        let lines_of = match &rule.charge {
            Charge::Markup(_) | Charge::PerMillion(_) => continue,
            Charge::Graduated(tiers) => graduated(rule, tiers, pooled(segment, place)?)?,
            Charge::Volume(tiers) => volume(rule, tiers, pooled(segment, place)?)?,
            Charge::Package(package) => packages(rule, package, pooled(segment, place)?)?,
        };
        for (said, exact) in lines_of {
            sum = sum.plus(lines.add(span, said, exact)?)?;
        }
    }
    Ok(sum)
}

/// Input and output tokens of all models that the rule is the first to name.
fn pooled(segment: &Segment, place: usize) -> Result<u64> {
    let rules = &segment.plan.prices;
    let first = |model: &str| rules.iter().position(|rule| rule.names(model));
    let mut sum = 0_u64;
    for (_, usage) in segment.usage.iter().filter(|(used, _)| first(&used.model) == Some(place)) {
        let tokens = usage.input_tokens.plus(usage.output_tokens)?;
        sum = sum.checked_add(tokens.0).ok_or_else(overflow)?;
    }
    Ok(sum)
}

/// Each tier's tokens at its price.
fn graduated(rule: &PriceRule, tiers: &[Tier], tokens: u64) -> Result<Vec<(Said, Amount)>> {
    let mut lines = Vec::new();
    let mut below = 0;
    for tier in tiers {
        if tokens <= below {
            break;
        }
        let up_to = tier.up_to.map_or(tokens, |up_to| up_to.min(tokens));
        lines.extend(tier_lines(rule, tier, below, up_to - below)?);
        below = up_to;
    }
    Ok(lines)
}

/// All tokens at the price of the tier that the last one is in.
fn volume(rule: &PriceRule, tiers: &[Tier], tokens: u64) -> Result<Vec<(Said, Amount)>> {
    let below = |tier: &&Tier| tier.up_to.is_some_and(|up_to| up_to < tokens);
    let first = tiers.iter().take_while(below).last().and_then(|tier| tier.up_to).unwrap_or(0);
    match tiers.iter().find(|tier| !below(tier)) {
        Some(tier) if tokens > 0 => tier_lines(rule, tier, first, tokens),
        Some(_) | None => Ok(Vec::new()),
    }
}

/// The tokens that are at a tier's price, and what reaching it costs.
fn tier_lines(rule: &PriceRule, tier: &Tier, below: u64, tokens: u64) -> Result<Vec<(Said, Amount)>> {
    let names = rule.models.join(", ");
    let range = match tier.up_to {
        Some(up_to) => format!("tier of {} to {up_to}", below + 1),
        None => format!("tier from {} on", below + 1),
    };
    let said = Said {
        kind: LineKind::Tiers,
        text: format!("{names}: tokens, {range}"),
        quantity: Some(tokens),
        unit_price: Some(tier.price),
    };
    let mut lines = vec![(said, tier.price.share(u128::from(tokens), 1_000_000)?)];
    if tier.flat > Amount::ZERO {
        lines.push((Said::plain(LineKind::Tiers, format!("{names}: fee, {range}")), tier.flat));
    }
    Ok(lines)
}

/// Whole packages.
fn packages(rule: &PriceRule, package: &Package, tokens: u64) -> Result<Vec<(Said, Amount)>> {
    if tokens == 0 {
        return Ok(Vec::new());
    }
    let number = tokens.div_ceil(package.tokens);
    let said = Said {
        kind: LineKind::Tiers,
        text: format!("{}: packages of {} tokens, for {tokens}", rule.models.join(", "), package.tokens),
        quantity: Some(number),
        unit_price: Some(package.price),
    };
    Ok(vec![(said, package.price.share(u128::from(number), 1)?)])
}
