//! Money in the books of billing: whole nano-units of a currency, with a sign. As text and in JSON it is a decimal number,
//! exact: `"12.5"`, `"-0.000000001"`.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// Nano-units in one unit of a currency.
pub const NANOS: i128 = 1_000_000_000;

/// An amount of money, in nano-units (10^-9) of a currency that is said elsewhere. It may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "49.00")]
pub struct Amount(pub i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest amount that is read or written: a trillion units.
    pub const MOST: Self = Self::units(1_000_000_000_000);

    /// So many whole units.
    #[must_use]
    pub const fn units(units: i64) -> Self {
        Self(units as i128 * NANOS)
    }

    /// The sum.
    ///
    /// # Errors
    /// `Internal` on overflow; so in all that follow.
    pub fn plus(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn minus(self, other: Self) -> Result<Self> {
        self.0.checked_sub(other.0).map(Self).ok_or_else(overflow)
    }

    /// The same with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// Zero if it is negative.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// `self * part / whole`, exact until it is rounded half up to a nano-unit. `whole` must not be 0.
    ///
    /// # Errors
    /// `Internal` on overflow, or if `whole` is 0.
    pub fn share(self, part: u128, whole: u128) -> Result<Self> {
        let (part, whole) =
            (i128::try_from(part).map_err(|_| overflow())?, i128::try_from(whole).map_err(|_| overflow())?);
        if whole == 0 {
            return Err(Error::internal("a share of nothing"));
        }
        Ok(Self(half_up(self.0.checked_mul(part).ok_or_else(overflow)?, whole)))
    }

    /// Rounded half up, away from zero, to what the currency has coins or entries for.
    #[must_use]
    pub fn rounded(self, currency: Currency) -> Self {
        let unit = currency.minor_unit();
        Self(half_up(self.0, unit) * unit)
    }

    /// In minor units of the currency (cents), as payment providers want it; `None` unless it is a whole number of them.
    #[must_use]
    pub fn minor_units(self, currency: Currency) -> Option<i64> {
        let unit = currency.minor_unit();
        (self.0 % unit == 0).then(|| i64::try_from(self.0 / unit).ok()).flatten()
    }

    /// From minor units of the currency.
    #[must_use]
    pub fn from_minor_units(units: i64, currency: Currency) -> Self {
        Self(i128::from(units) * currency.minor_unit())
    }

    /// From decimal text with at most nine digits behind the point and a trillion units; `None` if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || whole.len() > 13 || fraction.len() > 9 {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
        let amount = whole * NANOS + nanos;
        (amount <= Self::MOST.0).then_some(Self(if negative { -amount } else { amount }))
    }

    /// With exactly the digits that the currency has behind the point, or more if it has a smaller part: `49.00`.
    #[must_use]
    pub fn text(self, currency: Currency) -> String {
        let (sign, nanos) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, fraction) = (nanos / NANOS.unsigned_abs(), format!("{:09}", nanos % NANOS.unsigned_abs()));
        let least = usize::from(currency.digits());
        let fraction = &fraction[..fraction.trim_end_matches('0').len().max(least)];
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

/// `value / by`, rounded half up, away from zero. `by` is positive.
pub(super) fn half_up(value: i128, by: i128) -> i128 {
    let (quotient, rest) = (value / by, value % by);
    let up = i128::from(rest.unsigned_abs() >= by.unsigned_abs().div_ceil(2));
    quotient + if value < 0 { -up } else { up }
}

pub(super) fn overflow() -> Error {
    Error::internal("an amount of money overflows")
}

impl fmt::Display for Amount {
    /// Without zeros at its end: `49`, `0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nanos) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, fraction) = (nanos / NANOS.unsigned_abs(), format!("{:09}", nanos % NANOS.unsigned_abs()));
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

impl TryFrom<String> for Amount {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        Self::parse(&text)
            .ok_or("an amount is a decimal number in quotes with at most nine digits behind the point, as in \"49.00\"")
    }
}

/// A part of something, in millionths: 20 % is 200,000. As text it is in percent: `"19.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "19.5")]
pub struct Percent(pub i64);

impl Percent {
    /// Nothing of it.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(1_000_000);

    /// So much of an amount, rounded half up to a nano-unit.
    ///
    /// # Errors
    /// `Internal` on overflow.
    pub fn of(self, amount: Amount) -> Result<Amount> {
        let product = amount.0.checked_mul(i128::from(self.0)).ok_or_else(overflow)?;
        Ok(Amount(half_up(product, 1_000_000)))
    }

    /// From decimal text with at most four digits behind the point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const PER_PART: i128 = NANOS / 10_000;
        let amount = Amount::parse(text)?;
        (amount.0 % PER_PART == 0).then(|| i64::try_from(amount.0 / PER_PART).ok()).flatten().map(Self)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Amount(i128::from(self.0) * (NANOS / 10_000)).fmt(f)
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

impl TryFrom<String> for Percent {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        Self::parse(&text).ok_or(
            "a percentage is a decimal number in quotes with at most four digits behind the point, as in \"19.5\"",
        )
    }
}

/// A currency, by its ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "EUR")]
pub struct Currency([u8; 3]);

/// Those with other than two digits behind the point, as ISO 4217 has them (amendment 177).
const OTHERS: [(u8, &[&str]); 2] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
            "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
];
const TWO: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND", "BOB",
    "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK", "DKK", "DOP", "DZD",
    "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR",
    "ILS", "INR", "JMD", "KES", "KGS", "KHR", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MKD",
    "MMK", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB",
    "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "STN", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "WST",
    "XCD", "YER", "ZAR", "ZMW",
];

impl Currency {
    /// The US dollar, in which the catalogue's prices are.
    pub const USD: Self = Self(*b"USD");
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// From its code in capital letters; `None` unless it is one that invoices can be in.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let known = TWO.contains(&code) || OTHERS.iter().any(|(_, codes)| codes.contains(&code));
        if known { code.as_bytes().try_into().ok().map(Self) } else { None }
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many digits it has behind the point: 0, 2 or 3.
    #[must_use]
    pub fn digits(self) -> u8 {
        OTHERS.iter().find(|(_, codes)| codes.contains(&self.code())).map_or(2, |(digits, _)| *digits)
    }

    /// Its smallest part, in nano-units.
    fn minor_unit(self) -> i128 {
        10_i128.pow(9 - u32::from(self.digits()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a currency is an ISO 4217 code, as in EUR")
    }
}

/// The sum of amounts.
///
/// # Errors
/// `Internal` on overflow.
pub fn sum(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount> {
    amounts.into_iter().try_fold(Amount::ZERO, Amount::plus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn half_a_cent_is_a_cent_either_way() {
        for (exact, rounded) in
            [("0.005", "0.01"), ("0.004999999", "0"), ("-0.005", "-0.01"), ("-0.0049", "0"), ("1.015", "1.02")]
        {
            assert_eq!(amount(exact).rounded(Currency::EUR), amount(rounded), "{exact}");
        }
    }

    #[test]
    fn currencies_have_none_two_or_three_digits() {
        let of = |code| Currency::parse(code).unwrap();
        assert_eq!(amount("10.5").rounded(of("JPY")), amount("11"));
        assert_eq!(amount("10.0005").rounded(of("KWD")), amount("10.001"));
        assert_eq!(
            (amount("11").minor_units(of("JPY")), amount("1.5").minor_units(of("KWD"))),
            (Some(11), Some(1_500))
        );
        assert_eq!(amount("0.5").minor_units(of("JPY")), None);
        assert_eq!(
            (amount("49").text(of("EUR")), amount("-49").text(of("JPY"))),
            ("49.00".to_owned(), "-49".to_owned())
        );
        for unknown in ["", "eur", "XXX", "EURO"] {
            assert_eq!(Currency::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".5", "5.", "1e3", "+1", "1,5", " 1", "0.0000000001", "1000000000000.1", "99999999999999"]
        {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_percentage_reads_back() {
        assert_eq!(Percent::parse("19.5"), Some(Percent(195_000)));
        assert_eq!(Percent(195_000).to_string(), "19.5");
        assert_eq!(Percent::parse("19").unwrap().of(amount("0.05")).unwrap(), amount("0.0095"));
        assert_eq!(Percent::parse("0.00001"), None);
    }

    proptest! {
        #[test]
        fn an_amount_reads_back(nanos in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
            prop_assert_eq!(Amount::parse(&Amount(nanos).to_string()), Some(Amount(nanos)));
        }

        #[test]
        fn rounding_mirrors_and_is_never_off_by_more_than_half(nanos in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
            let rounded = Amount(nanos).rounded(Currency::EUR);
            prop_assert!((rounded.0 - nanos).abs() * 2 <= 10_000_000);
            prop_assert_eq!(Amount(-nanos).rounded(Currency::EUR), rounded.negated());
        }
    }
}
