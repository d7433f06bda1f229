//! A plan's hard cap, in what the meters count: tokens, and money at the catalogue's prices.

use super::{
    Amount, Charge, KindPrices, Overage, Package, Plan, PriceRule, Tier, TokenKind,
    amount::overflow,
    rate::{at_list, of_kind, of_list},
    sum,
};
use crate::{
    error::{Error, Result},
    llm::catalogue::{Capability, Catalogue, Model},
    money::PricePerMillion,
    quota::Limits,
};

impl Plan {
    /// The limits of a tenant that is on the plan: its own, and the hard cap's. With [`Overage::Prepaid`] the cap is that of
    /// a tenant without credit, see [`Plan::capped_at`].
    ///
    /// # Errors
    /// `Invalid` if no cap can be kept, because a model costs something by the plan and nothing by the catalogue.
    pub fn capped(&self, catalogue: &Catalogue) -> Result<Limits> {
        match self.overage {
            Overage::Charged => Ok(self.limits),
            Overage::UpTo(most) => self.capped_at(most, catalogue),
            Overage::Prepaid => self.capped_at(Amount::ZERO, catalogue),
            Overage::Refused => {
                let tokens = Some(self.included_tokens).filter(|tokens| *tokens > 0);
                let limits = Limits { monthly_tokens: lower(self.limits.monthly_tokens, tokens), ..self.limits };
                // Tokens alone are included: they are all that there is, whatever they cost.
                if self.included_credit == Amount::ZERO {
                    return Ok(limits);
                }
                let capped = self.capped_at(Amount::ZERO, catalogue)?;
                Ok(Limits { monthly_tokens: limits.monthly_tokens, ..capped })
            }
        }
    }

    /// The plan's limits, and a cap of money so low that usage can't come to more than `most` beyond the included credit. It
    /// errs on the side of the tenant's purse: every token is taken to be of the model that the plan makes the dearest
    /// compared with the catalogue, and included tokens count.
    ///
    /// # Errors
    /// `Invalid` if no cap can be kept, because a model costs something by the plan and nothing by the catalogue.
    pub fn capped_at(&self, most: Amount, catalogue: &Catalogue) -> Result<Limits> {
        let most = self.included_credit.plus(most)?;
        let limit = self.at_list_prices(most, catalogue)?;
        Ok(Limits { monthly_nano_usd: lower(self.limits.monthly_nano_usd, limit), ..self.limits })
    }

    /// The most nano-USD at the catalogue's prices for which the plan never charges more than `most`; `None` if it never
    /// does, whatever is used.
    fn at_list_prices(&self, most: Amount, catalogue: &Catalogue) -> Result<Option<u64>> {
        let (mut dearest, mut fixed) = (None, vec![Amount::ZERO; self.prices.len()]);
        for (name, model) in &catalogue.models {
            let place = self.prices.iter().position(|rule| rule.names(name));
            let rule = place.and_then(|place| self.prices.get(place));
            if let (Some(rule), Some(fixed)) = (rule, place.and_then(|place| fixed.get_mut(place))) {
                *fixed = fixed_costs(&rule.charge)?;
            }
            for kind in TokenKind::ALL.into_iter().filter(|kind| has(model, *kind)) {
                let list = of_list(&model.price, kind);
                let price = self.dearest(rule, kind, list)?;
                let fee = place.and_then(|place| fixed.get(place)).is_some_and(|fixed| *fixed > Amount::ZERO);
                let costs = price > Amount::ZERO || (fee && kind != TokenKind::CacheHit);
                if costs && list == PricePerMillion::default() {
                    let problem = format!(
                        "model `{name}` costs nothing by the catalogue and something by this plan ({kind}), so its cap \
                         can't be kept: a rule may make it free"
                    );
                    return Err(Error::invalid("prices", problem));
                }
                if price > Amount::ZERO {
                    dearest = Some(dearer(dearest, (price, list))?);
                }
            }
        }
        let left = most.minus(sum(fixed)?)?;
        let Some((price, list)) = dearest else { return Ok((left < Amount::ZERO).then_some(0)) };
        let left = left.or_zero();
        let limit = left.0.checked_mul(i128::from(list.0)).ok_or_else(overflow)? / price.0;
        Ok(Some(u64::try_from(limit).unwrap_or(u64::MAX)))
    }

    /// The most that a million tokens cost, but for what is fixed.
    fn dearest(&self, rule: Option<&PriceRule>, kind: TokenKind, list: PricePerMillion) -> Result<Amount> {
        let of_tiers = |tiers: &[Tier]| tiers.iter().map(|tier| tier.price).max().unwrap_or_default();
        match rule.map(|rule| &rule.charge) {
            None => at_list(self, self.markup, list),
            Some(Charge::Markup(markup)) => at_list(self, *markup, list),
            Some(Charge::PerMillion(prices)) => Ok(of_kind(prices, kind)),
            Some(Charge::Graduated(_) | Charge::Volume(_) | Charge::Package(_)) if kind == TokenKind::CacheHit => {
                Ok(Amount::ZERO)
            }
            Some(Charge::Graduated(tiers) | Charge::Volume(tiers)) => Ok(of_tiers(tiers)),
            Some(Charge::Package(Package { tokens, price })) => {
                let million = price.0.checked_mul(1_000_000).ok_or_else(overflow)?;
                Ok(Amount((million + i128::from(*tokens) - 1) / i128::from((*tokens).max(1))))
            }
        }
    }
}

/// Whether there are tokens of the kind: what embeds doesn't answer.
fn has(model: &Model, kind: TokenKind) -> bool {
    match kind {
        TokenKind::Output => model.can(Capability::Chat),
        TokenKind::Input
        | TokenKind::CachedInput
        | TokenKind::CacheWrite
        | TokenKind::CacheWrite1h
        | TokenKind::CacheHit => true,
    }
}

/// What a rule may cost besides its price per token: the fees of tiers, a package that is only begun.
fn fixed_costs(charge: &Charge) -> Result<Amount> {
    match charge {
        Charge::Markup(_) | Charge::PerMillion(KindPrices { .. }) => Ok(Amount::ZERO),
        Charge::Graduated(tiers) => sum(tiers.iter().map(|tier| tier.flat)),
        Charge::Volume(tiers) => Ok(tiers.iter().map(|tier| tier.flat).max().unwrap_or_default()),
        Charge::Package(package) => Ok(package.price),
    }
}

/// The pair of plan's and catalogue's price with the higher ratio.
fn dearer(
    best: Option<(Amount, PricePerMillion)>,
    other: (Amount, PricePerMillion),
) -> Result<(Amount, PricePerMillion)> {
    let Some(best) = best else { return Ok(other) };
    let cross = |price: Amount, list: PricePerMillion| price.0.checked_mul(i128::from(list.0)).ok_or_else(overflow);
    Ok(if cross(other.0, best.1)? > cross(best.0, other.1)? { other } else { best })
}

fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{billing::plans_from_toml, clock::Timestamp};

    fn catalogue() -> Catalogue {
        let text = "[providers.p]\nkind = \"echo\"\n\
            [models.\"p/a\"]\nprovider = \"p\"\ncontext_window = 1000\nprice = { input = 1, output = 4 }\n\
            [models.\"p/free\"]\nprovider = \"p\"\ncontext_window = 1000\nprice = { input = 0, output = 0 }\n\
            [models.\"p/embed\"]\nprovider = \"p\"\ncontext_window = 1000\ncapabilities = [\"embed\"]\nprice = { input = 0.5 }\n";
        Catalogue::from_toml(text, Timestamp(1)).unwrap()
    }

    fn plan(more: &str) -> Plan {
        let text = format!("[[plans]]\nname = \"a\"\ntitle = \"A\"\ncurrency = \"EUR\"\n{more}\n");
        plans_from_toml(&text, Timestamp(1)).unwrap().remove(0)
    }

    fn money(more: &str) -> Option<u64> {
        plan(more).capped(&catalogue()).unwrap().monthly_nano_usd
    }

    #[test]
    fn the_cap_in_list_prices_is_that_of_the_dearest_ratio() {
        assert_eq!(money("overage = \"charged\""), None);
        // 100 EUR at half a euro for a dollar, with a quarter added.
        assert_eq!(money("usd = \"0.5\"\nmarkup = \"25\"\noverage = { up_to = \"100\" }"), Some(160_000_000_000));
        assert_eq!(money("included_credit = \"60\"\noverage = { up_to = \"40\" }"), Some(100_000_000_000));
        // Output costs half of what it does in the catalogue, input three times as much: all may be input.
        let rules = "[[plans.prices]]\nmodels = [\"p/a\"]\nper_million = { input = \"3\", output = \"2\" }";
        assert_eq!(money(&format!("overage = {{ up_to = \"30\" }}\n{rules}")), Some(10_000_000_000));
        assert_eq!(money("overage = \"prepaid\""), Some(0));
        assert_eq!(
            plan("overage = \"prepaid\"").capped_at(Amount::units(7), &catalogue()).unwrap().monthly_nano_usd,
            Some(7_000_000_000)
        );
        assert_eq!(money("markup = \"-100\"\noverage = { up_to = \"1\" }"), None);
    }

    #[test]
    fn fees_of_tiers_and_a_begun_package_are_set_aside() {
        let rules = "[[plans.prices]]\nmodels = [\"p/a\"]\ngraduated = [{ up_to = 10, price = \"1\", flat = \"2\" }, { price = \"2\", flat = \"3\" }]\n\
            [[plans.prices]]\nmodels = [\"p/embed\"]\npackage = { tokens = 1_000_000, price = \"1\" }\n";
        // 20 less 2, 3 and 1, at 2 EUR for what may cost a dollar.
        assert_eq!(money(&format!("overage = {{ up_to = \"20\" }}\n{rules}")), Some(7_000_000_000));
        assert_eq!(money(&format!("overage = {{ up_to = \"5\" }}\n{rules}")), Some(0));
        let fee = "[[plans.prices]]\nmodels = [\"p/a\"]\nvolume = [{ price = \"0\", flat = \"3\" }]\n\
            [[plans.prices]]\nmodels = [\"*\"]\nmarkup = \"-100\"\n";
        assert_eq!(money(&format!("overage = {{ up_to = \"3\" }}\n{fee}")), None);
        assert_eq!(money(&format!("overage = {{ up_to = \"2.99\" }}\n{fee}")), Some(0));
    }

    #[test]
    fn what_is_refused_beyond_is_what_is_included() {
        let limits = |more: &str| plan(&format!("overage = \"refused\"\n{more}")).capped(&catalogue()).unwrap();
        let tokens = limits("included_tokens = 1_000");
        assert_eq!((tokens.monthly_tokens, tokens.monthly_nano_usd), (Some(1_000), None));
        let credit = limits("included_credit = \"5\"");
        assert_eq!((credit.monthly_tokens, credit.monthly_nano_usd), (None, Some(5_000_000_000)));
        let lower = limits("included_tokens = 1_000\nlimits = { monthly_tokens = 10, requests_per_minute = 3 }");
        assert_eq!((lower.monthly_tokens, lower.requests_per_minute), (Some(10), Some(3)));
    }

    #[test]
    fn a_model_that_is_free_by_the_catalogue_alone_cant_be_capped() {
        let rule = "overage = { up_to = \"5\" }\n[[plans.prices]]\nmodels = [\"p/f*\"]\n";
        let priced = plan(&format!("{rule}per_million = {{ input = \"1\", output = \"1\" }}"));
        let problem = priced.capped(&catalogue()).unwrap_err().to_string();
        assert!(problem.contains("`p/free`"), "{problem}");
        assert!(plan(&format!("{rule}markup = \"100\"")).capped(&catalogue()).is_ok());
    }
}
