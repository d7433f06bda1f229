//! Amounts as Stripe has them: whole minor units, of which it has other ones than ISO 4217 here and there.

use crate::billing::{Amount, Currency};

/// How many of Stripe's units an ISO minor unit is, and of how many of its units an amount must be a multiple
/// (docs.stripe.com/currencies, "Special cases" and "Three-decimal currencies").
fn special(currency: Currency) -> (i64, i64) {
    match currency.code() {
        // They have no decimals, and Stripe has two, which must be 0.
        "ISK" | "UGX" => (100, 100),
        // The last of three decimals must be 0.
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => (1, 10),
        _ => (1, 1),
    }
}

/// As much of an amount as Stripe can charge, and that in its units; `None` if that is nothing, or more than it takes.
/// What is left is less than a coin.
#[must_use]
pub fn chargeable(amount: Amount, currency: Currency) -> Option<(Amount, i64)> {
    /// Eight digits ("amount", API reference).
    const MOST: i64 = 99_999_999;
    let (factor, multiple) = special(currency);
    // Rounded down to a minor unit; what is on an invoice is a whole number of them.
    let whole = Amount(amount.0 - amount.0.rem_euclid(Amount::from_minor_units(1, currency).0));
    let units = whole.minor_units(currency)?.checked_mul(factor)?;
    let units = units - units.rem_euclid(multiple);
    (1..=MOST).contains(&units).then(|| (from_units(units, currency), units))
}

/// The least that Stripe can charge of a currency. What is less is not followed up.
#[must_use]
pub fn coin(currency: Currency) -> Amount {
    from_units(special(currency).1, currency)
}

/// The amount that so many of Stripe's units are.
#[must_use]
pub fn from_units(units: i64, currency: Currency) -> Amount {
    Amount::from_minor_units(units / special(currency).0, currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(amount: &str, code: &str) -> Option<(String, i64)> {
        let (charged, units) = chargeable(Amount::parse(amount).unwrap(), Currency::parse(code).unwrap())?;
        Some((charged.to_string(), units))
    }

    #[test]
    fn a_currency_has_the_units_that_stripe_gives_it() {
        for (amount, code, charged, units) in [
            ("10.99", "EUR", "10.99", 1_099),
            ("1099", "JPY", "1099", 1_099),
            ("5", "ISK", "5", 500),
            ("5", "UGX", "5", 500),
            ("1.230", "KWD", "1.23", 1_230),
            ("1.239", "KWD", "1.23", 1_230),
            ("0.019", "BHD", "0.01", 10),
        ] {
            assert_eq!(charge(amount, code), Some((charged.to_owned(), units)), "{amount} {code}");
        }
    }

    #[test]
    fn what_is_less_than_a_coin_or_too_much_is_not_charged() {
        for (amount, code) in [("0", "EUR"), ("0.004", "EUR"), ("0.009", "KWD"), ("-1", "EUR"), ("1000000", "EUR")] {
            assert_eq!(charge(amount, code), None, "{amount} {code}");
        }
    }

    #[test]
    fn what_was_charged_reads_back() {
        for code in ["EUR", "JPY", "ISK", "KWD"] {
            let currency = Currency::parse(code).unwrap();
            let (charged, units) = chargeable(Amount::units(123), currency).unwrap();
            assert_eq!((from_units(units, currency), charged), (Amount::units(123), Amount::units(123)), "{code}");
        }
    }
}
