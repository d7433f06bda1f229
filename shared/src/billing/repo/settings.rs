//! The operator's settings in the table, and what they may say.

use serde_json::json;

use super::{Kept, Plans};
use crate::{
    audit::{Actor, Deed, IfMatch, record_for_operators},
    billing::{Percent, Seller, Settings},
    clock::Timestamp,
    error::{Error, Result},
    llm::catalogue::Broken,
    store::{Change, Table, keys},
};

/// The operator's settings for billing.
#[derive(Debug, Clone)]
pub struct BillingSettings {
    table: Table,
}

impl BillingSettings {
    /// Those in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// The settings, if there ever were any.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find(&self) -> Result<Option<Settings>> {
        let kept: Option<Kept<Settings>> = self.table.billing().find(keys::SETTINGS).await?;
        Ok(kept.map(|kept| kept.value))
    }

    /// The settings.
    ///
    /// # Errors
    /// `Conflict` if there are none yet; `Unavailable`.
    pub async fn get(&self) -> Result<Settings> {
        let missing =
            || Error::Conflict("billing has no settings yet: lmo billing settings apply billing.toml".to_owned());
        self.find().await?.ok_or_else(missing)
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong, also if there is no such default plan; `PreconditionFailed`; `Conflict` if
    /// somebody was quicker; `Unavailable`.
    pub async fn put(
        &self,
        mut settings: Settings,
        version: IfMatch,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Settings> {
        settings.check()?;
        if let Some(name) = &settings.default_plan
            && Plans::new(self.table.clone()).versions(name).await?.is_empty()
        {
            return Err(Error::invalid("default_plan", format!("there is no plan `{name}`: lmo plans apply")));
        }
        let before = self.find().await?;
        let of = before.as_ref().map_or(0, |before| before.version);
        version.check(of)?;
        settings.version = of + 1;
        let mut change = Change::new(&self.table);
        let kept = Kept { value: settings, version: of + 1 };
        change.replace(&self.table.billing(), keys::SETTINGS, &kept, of)?;
        let settings = kept.value;
        let (before, after) = (json!(before), json!(&settings));
        let deed = Deed { action: "billing_settings.replace", target: "billing".to_owned(), before, after };
        record_for_operators(&mut change, actor, now, deed)?;
        change.commit().await?.or(|| Error::Conflict("somebody else is changing the settings".to_owned()))?;
        Ok(settings)
    }
}

impl Settings {
    /// From the text of a `billing.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and key.
    pub fn from_toml(text: &str) -> std::result::Result<Self, Broken> {
        let settings: Self = toml::from_str(text).map_err(|error| Broken::toml(text, &error))?;
        settings.check().map_err(|error| broken(text, error))?;
        Ok(settings)
    }

    /// Whether invoices can be made with them.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub fn check(&self) -> Result<()> {
        self.seller.check()?;
        for (field, prefix) in
            [("invoice_prefix", &self.invoice_prefix), ("credit_note_prefix", &self.credit_note_prefix)]
        {
            let good =
                prefix.len() <= 20 && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/.".contains(&byte));
            require(good, field, "must have at most 20 letters, digits, hyphens, slashes and points")?;
        }
        let differ = self.invoice_prefix != self.credit_note_prefix;
        require(differ, "credit_note_prefix", "must differ from invoice_prefix, or two documents had one number")?;
        require((1..=240).contains(&self.grace_hours), "grace_hours", "must be from 1 to 240")?;
        require(self.payment_days <= 120, "payment_days", "must be at most 120")?;
        let days = &self.dunning.days;
        require(
            days.len() <= 20 && days.iter().all(|day| *day <= 365),
            "dunning.days",
            "must be at most 20 days, of at most 365",
        )?;
        require(days.is_sorted_by(|a, b| a < b), "dunning.days", "must be in order, each once")?;
        for (field, days) in [
            ("dunning.suspend_after_days", self.dunning.suspend_after_days),
            ("dunning.give_up_after_days", self.dunning.give_up_after_days),
        ] {
            require(days.is_none_or(|days| (1..=730).contains(&days)), field, "must be from 1 to 730")?;
        }
        for (country, tax) in &self.tax {
            let field = format!("tax.{country}");
            require(is_country(country), &field, "must be a country's two letters (ISO 3166-1)")?;
            require(
                (Percent::ZERO..=Percent::ALL).contains(&tax.rate),
                &format!("{field}.rate"),
                "must be from 0 to 100",
            )?;
            require(is_text(&tax.name, 1, 20), &format!("{field}.name"), "must have 1 to 20 characters")?;
        }
        Ok(())
    }
}

fn broken(text: &str, error: Error) -> Broken {
    let (key, problem) = match error {
        Error::Invalid { param, detail } => (Some(param), detail),
        other => (None, other.to_string()),
    };
    // The line that sets the last part of the key, or else one before: `tax.GR.rate` is in the line of `GR`.
    let sets = |line: &str, name: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='));
    let line_of = |name: &str| text.lines().position(|line| sets(line.trim_start(), name));
    let line = key.as_deref().and_then(|key| key.rsplit('.').find_map(line_of)).map_or(1, |line| line + 1);
    Broken { line, key, problem }
}

impl Seller {
    fn check(&self) -> Result<()> {
        require(is_text(&self.name, 1, 200), "seller.name", "must have 1 to 200 characters")?;
        lines(&self.address, "seller.address")?;
        require(is_country(&self.country), "seller.country", "must be a country's two letters (ISO 3166-1)")?;
        lines(&self.bank, "seller.bank")?;
        for (field, text) in [("seller.tax_id", &self.tax_id), ("seller.email", &self.email)] {
            require(text.as_ref().is_none_or(|text| is_text(text, 1, 100)), field, "must have 1 to 100 characters")?;
        }
        let footer = self.footer.as_ref().is_none_or(|text| is_text(text, 1, 500));
        require(footer, "seller.footer", "must have 1 to 500 characters")
    }
}

pub(super) fn lines(lines: &[String], field: &str) -> Result<()> {
    let good = lines.len() <= 6 && lines.iter().all(|line| is_text(line, 1, 100));
    require(good, field, "must be at most 6 lines of 1 to 100 characters")
}

/// Text that a document can show: so many characters, none of them for control, and at least as many that aren't space at
/// its ends.
pub(super) fn is_text(text: &str, least: usize, most: usize) -> bool {
    text.chars().take(most + 1).count() <= most
        && text.trim().chars().count() >= least
        && !text.chars().any(char::is_control)
}

/// A country, by its ISO 3166-1 code. The United Kingdom is `GB` and Greece is `GR`, whatever their VAT ids begin with.
pub(super) fn is_country(code: &str) -> bool {
    COUNTRIES.split(' ').any(|known| known == code)
}

const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH \
    ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT \
    HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS \
    LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI \
    NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG \
    SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG \
    UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

pub(super) fn require(holds: bool, field: &str, problem: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::invalid(field, format!("{field} {problem}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../../billing.toml");

    #[test]
    fn the_example_is_good() {
        let settings = Settings::from_toml(EXAMPLE).unwrap();
        assert_eq!((settings.tax.len(), settings.tax["FI"].rate), (30, Percent(255_000)));
    }

    #[test]
    fn space_around_a_text_counts_for_the_most_and_not_for_the_least() {
        let wide = format!("A{}", " ".repeat(200));
        for (text, good) in [("A", true), ("  ", false), (" A ", true), (wide.as_str(), false), ("A\n", false)] {
            assert_eq!(is_text(text, 1, 200), good, "{text:?}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (good, bad, field) in [
            ("country = \"DE\"", "country = \"UK\"", "seller.country"),
            ("name = \"Example GmbH\"", "name = \" \"", "seller.name"),
            ("\"10115 Berlin\"", "\"a\\nb\"", "seller.address"),
            ("\"LMO-CN-\"", "\"LMO-\"", "credit_note_prefix"),
            ("\"LMO-CN-\"", "\"LMO #\"", "credit_note_prefix"),
            ("grace_hours = 24", "grace_hours = 0", "grace_hours"),
            ("payment_days = 14", "payment_days = 121", "payment_days"),
            ("[3, 7, 14]", "[3, 3]", "dunning.days"),
            ("suspend_after_days = 21", "suspend_after_days = 0", "dunning.suspend_after_days"),
            ("GR = ", "EL = ", "tax.EL"),
            ("rate = \"27\"", "rate = \"100.1\"", "tax.HU.rate"),
            ("payment_days = 14", "payment_day = 14", "payment_day"),
        ] {
            let line = EXAMPLE.lines().position(|line| line.starts_with(good) || line.contains(good)).unwrap() + 1;
            let refused = Settings::from_toml(&EXAMPLE.replace(good, bad)).unwrap_err();
            assert_eq!((refused.key.as_deref(), refused.line), (Some(field), line), "{refused}");
            assert_eq!(refused.to_string().lines().count(), 1);
        }
    }
}
