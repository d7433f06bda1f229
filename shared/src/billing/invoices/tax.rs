//! Tax: who decides it, and what it comes to. A country's table is what ships; whoever needs more implements [`Tax`].

use std::collections::BTreeMap;

use crate::{
    billing::{Amount, CountryTax, Currency, Line, Percent, Profile, Seller, Settings, TaxLine, sum},
    error::Result,
};

/// Decides which tax comes on top.
pub trait Tax {
    /// That of a sale from `seller` to `buyer`.
    fn of(&self, seller: &Seller, buyer: &Profile) -> Taxed;
}

/// Which tax comes on top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taxed {
    /// What it is called; empty if there is none.
    pub name: String,
    /// How much.
    pub rate: Percent,
    /// What the law wants to be said.
    pub note: Option<String>,
}

/// The operator's table of countries.
#[derive(Debug, Clone)]
pub struct TaxTable<'a>(pub &'a BTreeMap<String, CountryTax>);

impl<'a> TaxTable<'a> {
    /// That of the settings.
    #[must_use]
    pub fn of(settings: &'a Settings) -> Self {
        Self(&settings.tax)
    }
}

impl Tax for TaxTable<'_> {
    /// The rate of the buyer's country, or of the seller's if the buyer says none. A business in another country that owes the tax
    /// itself (Directive 2006/112/EC, articles 44 and 196) is charged none. A country that isn't in the table has no tax.
    fn of(&self, seller: &Seller, buyer: &Profile) -> Taxed {
        let country = buyer.country.as_deref().unwrap_or(&seller.country);
        let Some(tax) = self.0.get(country) else { return Taxed::default() };
        if tax.reverse_charge && buyer.tax_id.is_some() && country != seller.country {
            let law = if buyer.is_union_business() { " (Article 196 of Directive 2006/112/EC)" } else { "" };
            let note = format!("Reverse charge: the recipient is liable for the tax{law}.");
            return Taxed { name: tax.name.clone(), rate: Percent::ZERO, note: Some(note) };
        }
        Taxed { name: tax.name.clone(), rate: tax.rate, note: None }
    }
}

/// The tax on a sum of lines: rounded half up once, on the whole of it; with the difference that rounding it on each line would make.
///
/// # Errors
/// `Internal` on overflow.
pub(super) fn tax_line(taxed: Taxed, lines: &[Line], subtotal: Amount, currency: Currency) -> Result<TaxLine> {
    let Taxed { name, rate, note } = taxed;
    let amount = rate.of(subtotal)?.rounded(currency);
    let each = lines.iter().map(|line| Ok(rate.of(line.amount)?.rounded(currency))).collect::<Result<Vec<_>>>()?;
    let per_line_difference = sum(each)?.minus(amount)?;
    Ok(TaxLine { name, rate, amount, per_line_difference, note })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{billing::LineKind, clock::Timestamp};

    fn seller(country: &str) -> Seller {
        let country = country.to_owned();
        Seller { name: "S".to_owned(), address: vec![], country, tax_id: None, email: None, bank: vec![], footer: None }
    }

    fn buyer(country: Option<&str>, tax_id: Option<&str>) -> Profile {
        Profile { country: country.map(str::to_owned), tax_id: tax_id.map(str::to_owned), ..Profile::default() }
    }

    #[test]
    fn the_buyers_country_decides_and_a_business_elsewhere_owes_it_itself() {
        let row = |rate, reverse_charge| CountryTax {
            name: "VAT".to_owned(),
            rate: Percent::parse(rate).unwrap(),
            reverse_charge,
        };
        let table = BTreeMap::from([
            ("DE".to_owned(), row("19", true)),
            ("FR".to_owned(), row("20", true)),
            ("CH".to_owned(), row("8.1", false)),
        ]);
        let rate = |country, id| {
            let taxed = TaxTable(&table).of(&seller("DE"), &buyer(country, id));
            (taxed.rate.to_string(), taxed.note.is_some())
        };
        assert_eq!(rate(None, None), ("19".to_owned(), false));
        assert_eq!(rate(Some("FR"), None), ("20".to_owned(), false));
        assert_eq!(rate(Some("FR"), Some("FRXX123456789")), ("0".to_owned(), true));
        assert_eq!(rate(Some("DE"), Some("DE123456789")), ("19".to_owned(), false));
        assert_eq!(rate(Some("CH"), Some("CHE-123.456.789")), ("8.1".to_owned(), false));
        assert_eq!(rate(Some("US"), None), ("0".to_owned(), false));
    }

    #[test]
    fn tax_is_rounded_on_the_invoice_and_says_what_lines_would_have_made() {
        let amount = Amount::parse("0.03").unwrap();
        let line = Line {
            kind: LineKind::Base,
            text: String::new(),
            quantity: None,
            unit_price: None,
            exact: amount,
            amount,
            from: Timestamp(0),
            to: Timestamp(1),
        };
        let taxed = Taxed { name: "VAT".to_owned(), rate: Percent::parse("19").unwrap(), note: None };
        let lines = vec![line; 10];
        // Each line: 0.0057, so 0.01. All of them: 0.057, so 0.06.
        let tax = tax_line(taxed, &lines, Amount::parse("0.30").unwrap(), Currency::EUR).unwrap();
        assert_eq!(
            (tax.amount.to_string(), tax.per_line_difference.to_string()),
            ("0.06".to_owned(), "0.04".to_owned())
        );
    }
}
