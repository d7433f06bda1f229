//! Exact decimals: prices, amounts and money with twelve places. Floating point would round where nobody sees it.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Mul},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de};

/// How many of the smallest part are one.
const ONE: u128 = 1_000_000_000_000;
const PLACES: usize = 12;

/// A number that is not negative, with twelve decimal places. In files it is a string (`"0.0000133334"`) or a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decimal(u128);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This many.
    pub const fn whole(number: u64) -> Self {
        Self(number as u128 * ONE)
    }

    /// A fraction, rounded half up at the twelfth place.
    ///
    /// # Panics
    /// If `denominator` is 0.
    pub const fn ratio(numerator: u128, denominator: u128) -> Self {
        Self((numerator * ONE + denominator / 2) / denominator)
    }

    /// What is left, and nothing if `other` is more.
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This part of `whole`, rounded half up; nothing of nothing.
    pub fn over(self, whole: Self) -> Self {
        if whole.0 == 0 {
            return Self::ZERO;
        }
        Self(self.0 / whole.0 * ONE + (self.0 % whole.0 * ONE + whole.0 / 2) / whole.0)
    }

    /// The next whole number that is not smaller.
    pub fn ceil(self) -> u64 {
        u64::try_from(self.0.div_ceil(ONE)).unwrap_or(u64::MAX)
    }

    /// With so many places, rounded half up, and commas between the thousands.
    pub fn to_places(self, places: usize) -> String {
        let unit = 10_u128.pow(u32::try_from(PLACES.saturating_sub(places)).unwrap_or(0));
        let rounded = (self.0 + unit / 2) / unit * unit;
        let whole = thousands(rounded / ONE);
        let fraction = format!("{:0PLACES$}", rounded % ONE);
        if places == 0 { whole } else { format!("{whole}.{}", &fraction[..places.min(PLACES)]) }
    }
}

impl Add for Decimal {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::ZERO, Add::add)
    }
}

/// Rounded half up at the twelfth place. The whole parts are multiplied apart from the rest, so that nothing overflows
/// below 10^20.
impl Mul for Decimal {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (whole, part) = (self.0 / ONE, self.0 % ONE);
        Self(whole * other.0 + part * (other.0 / ONE) + (part * (other.0 % ONE) + ONE / 2) / ONE)
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no number of up to {PLACES} decimal places, as in `0.0000133334`");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || whole.len() > 15 || fraction.len() > PLACES || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        if text.ends_with('.') {
            return Err(wrong());
        }
        let padded = format!("{whole}{fraction:0<PLACES$}");
        padded.parse().map(Self).map_err(|_| wrong())
    }
}

/// As it is written in a file: without zeros at the end.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:0PLACES$}", self.0 % ONE);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}", self.0 / ONE)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number in quotes, or a whole number")]
        enum Written {
            Whole(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Whole(number) => Ok(Self::whole(number)),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

fn thousands(number: u128) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_product_is_exact_and_rounds_half_up_at_the_last_place() {
        assert_eq!(of("3000000") * of("0.0000133334"), of("40.0002"));
        assert_eq!(of("0.000000000001") * of("0.5"), of("0.000000000001"));
        assert_eq!(of("0.000000000001") * of("0.4"), Decimal::ZERO);
        assert_eq!(of("1.5") * of("1.5"), of("2.25"));
    }

    #[test]
    fn a_ratio_and_a_part_round_half_up() {
        assert_eq!(Decimal::ratio(2, 3), of("0.666666666667"));
        assert_eq!(of("1").over(of("3")), of("0.333333333333"));
        assert_eq!(of("1").over(Decimal::ZERO), Decimal::ZERO);
        let much = of("600000000000000");
        assert_eq!((much.over(of("3")), much.over(much)), (of("200000000000000"), of("1")));
    }

    #[test]
    fn cents_round_half_up_and_thousands_are_grouped() {
        assert_eq!(of("1234567.005").to_places(2), "1,234,567.01");
        assert_eq!(of("999.995").to_places(2), "1,000.00");
        assert_eq!(of("0.5").to_places(0), "1");
    }

    #[test]
    fn a_price_is_read_and_written_as_it_is() {
        for text in ["0.0000133334", "12", "0.000000000001"] {
            assert_eq!(of(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", ".5", "5.", "-1", "1e3", "1,000", "0.0000000000001", " 1", "1_000"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }
}
