//! Who buys, as a tenant says it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::settings::{is_country, is_text, lines, require};
use crate::{
    audit::{Actor, Edit, IfMatch, Versioned},
    billing::Profile,
    clock::Timestamp,
    error::Result,
    id::TenantId,
    store::{Change, Table, keys},
};

/// A profile as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Buyer {
    /// What stands on invoices.
    pub profile: Profile,
    /// The number of its version.
    pub version: u64,
}

impl Versioned for Buyer {
    const KIND: &'static str = "billing_profile";

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn shown(&self) -> Value {
        json!(self.profile)
    }
}

/// Tenants' profiles.
#[derive(Debug, Clone)]
pub struct Buyers {
    table: Table,
}

impl Buyers {
    /// Those in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// A tenant's profile; an empty one in version 0 if it never said anything.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn get(&self, tenant: TenantId) -> Result<Buyer> {
        self.table.tenant(tenant).main().find(keys::BUYER).await.map(Option::unwrap_or_default)
    }

    /// Replaces a tenant's profile. Invoices that are finalised keep what they have.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong; `PreconditionFailed`; `Conflict`; `Unavailable`.
    pub async fn put(
        &self,
        tenant: TenantId,
        version: IfMatch,
        profile: &Profile,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<Buyer> {
        profile.check()?;
        let (table, id) = (self.table.tenant(tenant), tenant.to_string());
        let action = "billing_profile.replace";
        let edit = Edit { table: &table, sort: keys::BUYER, id: &id, version, action, actor, at };
        let decide = |buyer: &mut Buyer, _: &mut Change| {
            buyer.profile.clone_from(profile);
            Ok(())
        };
        edit.apply_or_create(decide).await
    }
}

impl Profile {
    /// Whether it can stand on an invoice.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub fn check(&self) -> Result<()> {
        require(is_text(&self.name, 1, 200), "name", "must have 1 to 200 characters")?;
        lines(&self.address, "address")?;
        let country = self.country.as_deref();
        require(country.is_none_or(is_country), "country", "must be a country's two letters (ISO 3166-1)")?;
        let reference = self.reference.as_ref().is_none_or(|text| is_text(text, 1, 100));
        require(reference, "reference", "must have 1 to 100 characters")?;
        match (self.tax_id.as_deref(), country) {
            (None, _) => Ok(()),
            (Some(_), None) => require(false, "country", "must be given with a tax_id, whose form it decides"),
            (Some(id), Some(country)) => require(
                is_tax_id(id, country),
                "tax_id",
                "must have the form that its country gives it, without spaces",
            ),
        }
    }

    /// Whether it has the VAT id of a business in the European Union.
    #[must_use]
    pub fn is_union_business(&self) -> bool {
        self.tax_id.is_some() && self.country.as_deref().is_some_and(|country| form(country).is_some())
    }
}

/// Whether a text has the form of a tax number: in the European Union that of a VAT id (VIES, "FAQ", question 11), elsewhere 4
/// to 30 letters, digits, hyphens and points. Whether anybody has it, it doesn't say.
fn is_tax_id(id: &str, country: &str) -> bool {
    match form(country) {
        Some((prefix, lengths, letters)) => id.strip_prefix(prefix).is_some_and(|rest| {
            lengths.contains(&rest.len())
                && rest.bytes().all(|byte| {
                    byte.is_ascii_digit() || (letters && (byte.is_ascii_uppercase() || b"+*".contains(&byte)))
                })
        }),
        None => {
            (4..=30).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./".contains(&byte))
        }
    }
}

/// Prefix, number of characters behind it, and whether there are letters among these, of the VAT ids of a country.
fn form(country: &str) -> Option<(&'static str, std::ops::RangeInclusive<usize>, bool)> {
    Some(match country {
        "AT" => ("AT", 9..=9, true),
        "BE" => ("BE", 10..=10, false),
        "BG" => ("BG", 9..=10, false),
        "CY" => ("CY", 9..=9, true),
        "CZ" => ("CZ", 8..=10, false),
        "DE" => ("DE", 9..=9, false),
        "DK" => ("DK", 8..=8, false),
        "EE" => ("EE", 9..=9, false),
        "ES" => ("ES", 9..=9, true),
        "FI" => ("FI", 8..=8, false),
        "FR" => ("FR", 11..=11, true),
        "GR" => ("EL", 9..=9, false),
        "HR" => ("HR", 11..=11, false),
        "HU" => ("HU", 8..=8, false),
        "IE" => ("IE", 8..=9, true),
        "IT" => ("IT", 11..=11, false),
        "LT" => ("LT", 9..=12, false),
        "LU" => ("LU", 8..=8, false),
        "LV" => ("LV", 11..=11, false),
        "MT" => ("MT", 8..=8, false),
        "NL" => ("NL", 12..=12, true),
        "PL" => ("PL", 10..=10, false),
        "PT" => ("PT", 9..=9, false),
        "RO" => ("RO", 2..=10, false),
        "SE" => ("SE", 12..=12, false),
        "SI" => ("SI", 8..=8, false),
        "SK" => ("SK", 10..=10, false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vat_id_has_the_form_of_its_country() {
        for (id, country, good) in [
            ("DE123456789", "DE", true),
            ("DE12345678", "DE", false),
            ("EL123456789", "GR", true),
            ("GR123456789", "GR", false),
            ("NL123456789B01", "NL", true),
            ("ATU12345678", "AT", true),
            ("FRXX123456789", "FR", true),
            ("DE123456789", "FR", false),
            ("CHE-123.456.789", "CH", true),
            ("12", "US", false),
        ] {
            assert_eq!(is_tax_id(id, country), good, "{id} {country}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let named = |name: &str| Profile { name: name.to_owned(), ..Profile::default() };
        assert!(named("株式会社テスト").check().is_ok());
        for (profile, field) in [
            (named(""), "name"),
            (named("a\nb"), "name"),
            (Profile { address: vec![String::new()], ..named("a") }, "address"),
            (Profile { country: Some("de".to_owned()), ..named("a") }, "country"),
            (Profile { tax_id: Some("DE123456789".to_owned()), ..named("a") }, "country"),
        ] {
            let refused = profile.check().unwrap_err();
            assert!(
                matches!(&refused, crate::error::Error::Invalid { param, .. } if param == field),
                "{field}: {refused}"
            );
        }
    }
}
