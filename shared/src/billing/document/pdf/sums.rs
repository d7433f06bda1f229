//! What is added up below the lines.

use crate::billing::{Amount, Currency, TaxLine};

/// Subtotal, tax and total: what each is called, its amount, and whether it stands out.
pub(super) fn sums(subtotal: Amount, tax: &TaxLine, total: Amount, currency: Currency) -> Vec<(String, String, bool)> {
    let mut rows = vec![("Subtotal".to_owned(), subtotal.text(currency), false)];
    let name = if tax.name.is_empty() { "Tax" } else { &tax.name };
    rows.push((format!("{name} {} %", tax.rate), tax.amount.text(currency), false));
    if tax.per_line_difference != Amount::ZERO {
        let sign = if tax.per_line_difference > Amount::ZERO { "+" } else { "" };
        let label =
            format!("({name} rounded line by line would differ by {sign}{})", tax.per_line_difference.text(currency));
        rows.push((label, String::new(), false));
    }
    rows.push((format!("Total in {currency}"), total.text(currency), true));
    rows
}
