//! Numbers without rounding, to reckon with as one does on paper.

use std::{
    cmp::Ordering,
    ops::{Add, Mul, Sub},
};

use num_bigint::BigInt;

/// A fraction. Its denominator is positive.
#[derive(Debug, Clone)]
pub struct Fraction {
    over: BigInt,
    under: BigInt,
}

impl Fraction {
    pub fn new(over: impl Into<BigInt>, under: impl Into<BigInt>) -> Self {
        Self { over: over.into(), under: under.into() }
    }

    pub fn whole(number: impl Into<BigInt>) -> Self {
        Self::new(number, 1)
    }

    pub fn zero() -> Self {
        Self::whole(0)
    }

    /// Units of a currency, of which there are so many thousand-millionths.
    pub fn nanos(nanos: i128) -> Self {
        Self::new(nanos, 1_000_000_000)
    }

    pub fn over(self, by: u64) -> Self {
        Self { over: self.over, under: self.under * by }
    }

    /// Half up, away from zero, to so many digits behind the point.
    pub fn to_digits(&self, digits: u32) -> Self {
        let scale = BigInt::from(10).pow(digits);
        let negative = self.over < BigInt::from(0);
        let size = if negative { -&self.over } else { self.over.clone() };
        // The whole part of the size and a half.
        let scaled: BigInt = (size * &scale * 2 + &self.under) / (&self.under * 2);
        Self { over: if negative { -scaled } else { scaled }, under: scale }
    }

    /// In thousand-millionths, of which there must be a whole number.
    pub fn in_nanos(&self) -> i128 {
        let nanos: BigInt = &self.over * 1_000_000_000;
        let zero = BigInt::from(0);
        assert!(&nanos % &self.under == zero, "not rounded yet");
        i128::try_from(nanos / &self.under).unwrap()
    }

    /// Half up to a whole number, which must not be negative.
    pub fn tokens(&self) -> u64 {
        u64::try_from(self.to_digits(0).over).unwrap()
    }
}

impl Add for Fraction {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if self.under == other.under {
            return Self { over: self.over + other.over, under: self.under };
        }
        Self { over: self.over * &other.under + other.over * &self.under, under: self.under * other.under }
    }
}

impl Sub for Fraction {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self { over: -other.over, under: other.under }
    }
}

impl Mul for Fraction {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { over: self.over * other.over, under: self.under * other.under }
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.over * &other.under).cmp(&(&other.over * &self.under))
    }
}
