//! Plans: what the operator sells, as data. A plan has versions, each from the time that it takes effect; a tenant keeps the
//! version that it chose until it moves.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use super::{Amount, Currency, Percent};
use crate::{clock::Timestamp, quota::Limits};

/// One version of a plan. All amounts are in its currency. Fees are for a whole UTC month, and prorated by the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name: 1 to 64 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// From when it holds, RFC 3339; also read as a date. With the name it is the version's identity. Absent: from when it
    /// is applied.
    #[serde(default, with = "instant")]
    #[schema(value_type = String)]
    pub effective: Timestamp,
    /// What people call it, as invoices have it.
    pub title: String,
    /// What it is in.
    pub currency: Currency,
    /// Whether tenants may move to it by themselves.
    #[serde(default = "yes")]
    pub public: bool,
    /// What a month costs before anything is used.
    #[serde(default)]
    pub base_fee: Amount,
    /// What members cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<Seats>,
    /// The least that fees and usage of a month come to; the rest is a line of its own.
    #[serde(default)]
    pub minimum: Amount,
    /// Tokens (input and output) of a month that cost nothing: of the dearest first, but never those that a tier counts.
    #[serde(default)]
    pub included_tokens: u64,
    /// Usage of a month that costs nothing.
    #[serde(default)]
    pub included_credit: Amount,
    /// What is free at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// What happens beyond what is included.
    #[serde(default)]
    pub overage: Overage,
    /// Added to the catalogue's prices where no rule says otherwise; may be negative, down to -100.
    #[serde(default)]
    pub markup: Percent,
    /// What one USD is in the plan's currency, for the catalogue's prices; `"1"` for a plan in USD.
    #[serde(default = "at_par")]
    pub usd: Amount,
    /// Prices for some models instead of the catalogue's. The first rule that names a model holds for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<PriceRule>,
    /// Rate limits, and caps in tokens and list prices, of a tenant that is on it.
    #[serde(default)]
    pub limits: Limits,
}

fn yes() -> bool {
    true
}

fn at_par() -> Amount {
    Amount::units(1)
}

/// A time as people write it: RFC 3339, or a date.
pub(super) mod instant {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let bad = || de::Error::custom("a time is RFC 3339 text or a date, as in \"2026-12-01T00:00:00Z\"");
        Timestamp::parse(&String::deserialize(from)?).ok_or_else(bad)
    }
}

/// What members cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seats {
    /// For each member above those that are included, a month.
    pub fee: Amount,
    /// So many cost nothing.
    #[serde(default)]
    pub included: u32,
}

/// What is free at the beginning of a subscription: fees and the minimum, for so many days; usage up to a credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// How long, in days from the first time that the tenant is on a plan with a trial: it is given once.
    pub days: u32,
    /// Usage within the trial that costs nothing.
    #[serde(default)]
    pub credit: Amount,
}

/// What happens beyond what is included.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overage {
    /// It is charged, without an end.
    #[default]
    Charged,
    /// It is charged up to so much usage a month; beyond it requests are refused, and the invoice never has more.
    UpTo(Amount),
    /// Requests are refused: neither more tokens nor more money than is included.
    Refused,
    /// Requests are refused when the prepaid credit is used up.
    Prepaid,
}

/// What some models cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "WrittenRule")]
pub struct PriceRule {
    /// The catalogue's names of the models; `*` at the end stands for any rest, so `"*"` is all.
    pub models: Vec<String>,
    /// How they are charged.
    #[serde(flatten)]
    pub charge: Charge,
}

/// A rule as it is read: a flattened enum would take the first charge that it finds, and overlook a misspelt field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    models: Vec<String>,
    markup: Option<Percent>,
    per_million: Option<KindPrices>,
    graduated: Option<Vec<Tier>>,
    volume: Option<Vec<Tier>>,
    package: Option<Package>,
}

impl TryFrom<WrittenRule> for PriceRule {
    type Error = &'static str;

    fn try_from(written: WrittenRule) -> Result<Self, Self::Error> {
        let charges = [
            written.markup.map(Charge::Markup),
            written.per_million.map(Charge::PerMillion),
            written.graduated.map(Charge::Graduated),
            written.volume.map(Charge::Volume),
            written.package.map(Charge::Package),
        ];
        let mut charges = charges.into_iter().flatten();
        match (charges.next(), charges.next()) {
            (Some(charge), None) => Ok(Self { models: written.models, charge }),
            _ => Err("a rule has exactly one of `markup`, `per_million`, `graduated`, `volume` and `package`"),
        }
    }
}

impl PriceRule {
    /// Whether it names the model.
    #[must_use]
    pub fn names(&self, model: &str) -> bool {
        self.models.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => name == model,
        })
    }
}

/// How tokens are charged. Prices are per million tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// At the catalogue's prices with this added.
    Markup(Percent),
    /// At prices by kind.
    PerMillion(KindPrices),
    /// All tokens (input and output) of the rule's models together: those of each tier at its price.
    Graduated(Vec<Tier>),
    /// All tokens of the rule's models together: all of them at the price of the tier that their number reaches.
    Volume(Vec<Tier>),
    /// All tokens of the rule's models together, in packages of which a begun one counts as whole.
    Package(Package),
}

/// Prices by kind of token, per million. Those that are absent follow as in `models.toml`: what is read from a cache or
/// written into it costs what input costs, a hit in LMO's own cache costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindPrices {
    /// Of prompt tokens.
    pub input: Amount,
    /// Of prompt tokens that the provider read from its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Amount>,
    /// Of prompt tokens that the provider wrote into its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Amount>,
    /// Of those that it keeps for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Amount>,
    /// Of answer tokens.
    pub output: Amount,
    /// Of all tokens of an answer from LMO's own cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_hit: Option<Amount>,
}

/// A tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its last token, counted from 1; absent in the last tier, which has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u64>,
    /// Per million tokens.
    pub price: Amount,
    /// What reaching the tier costs by itself.
    #[serde(default)]
    pub flat: Amount,
}

/// Packages of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// How many tokens a package has, at least 1.
    pub tokens: u64,
    /// What one costs.
    pub price: Amount,
}
