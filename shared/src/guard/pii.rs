//! What the kinds of personal data look like. A pattern finds what may be one, cheaply; a check of what it found decides.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A kind of personal or secret data. They are masked in this order, so that a number in an address isn't taken for a
/// phone's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pii {
    /// An `http`, `https` or `ftp` address, or one that begins with `www.`.
    Url,
    /// An e-mail address.
    Email,
    /// A key of a well-known service (`OpenAI`, Anthropic, AWS, Google, GitHub, GitLab, Slack, Stripe, Hugging Face,
    /// npm, LMO), or a JSON web token.
    ApiKey,
    /// An international bank account number whose check digits are right.
    Iban,
    /// A card number of 13 to 19 digits, in one or in the groups that cards have, whose check digit is right.
    CreditCard,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A social security number of the United States, with its two separators.
    Ssn,
    /// A phone number: with `+` and its country code, as in North America, or with a leading 0 and separators.
    Phone,
}

impl Pii {
    /// What stands in its place, without the brackets.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Url => "URL",
            Self::Email => "EMAIL",
            Self::ApiKey => "API_KEY",
            Self::Iban => "IBAN",
            Self::CreditCard => "CREDIT_CARD",
            Self::IpAddress => "IP_ADDRESS",
            Self::Ssn => "SSN",
            Self::Phone => "PHONE",
        }
    }

    /// The pattern of what may be one. `\u{C0}-\u{52F}` are the letters of Latin, Greek and Cyrillic beyond ASCII;
    /// scripts that put no spaces between words would be held back as if all were one address.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Url => r"(?i-u:\b(?:https?://|ftp://|www\.)[a-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+)",
            Self::Email => concat!(
                r"[A-Za-z0-9\u{C0}-\u{52F}][A-Za-z0-9._%+\-\u{C0}-\u{52F}]{0,63}",
                r"@(?:[A-Za-z0-9\-\u{C0}-\u{52F}]+\.)+[A-Za-z\u{C0}-\u{52F}]{2,24}",
            ),
            Self::ApiKey => concat!(
                r"(?-u:\b(?:sk-[A-Za-z0-9_-]{20,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}",
                r"|AIza[A-Za-z0-9_-]{35}|gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}",
                r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|lmo_[0-9A-Z]{52}_[0-9A-Za-z]{60}",
                r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}))",
            ),
            Self::Iban => r"(?i-u:\b[a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}\b)",
            Self::CreditCard => concat!(
                r"(?-u:\b(?:[2-6][0-9]{12,18}|[2-6][0-9]{3}(?:[ -][0-9]{4}){2}[ -][0-9]{1,4}(?:[ -][0-9]{1,3})?",
                r"|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5})\b)",
            ),
            Self::IpAddress => concat!(
                r"(?-u:\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b",
                r"|(?:\b[0-9A-Fa-f]{1,4}|\B)(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9]{0,2}(?:\.[0-9]{1,3}){3})?)",
            ),
            Self::Ssn => r"(?-u:\b[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}\b)",
            Self::Phone => concat!(
                r"(?-u:\B\+[1-9](?:[ ().-]{0,2}[0-9]){6,14}\b",
                r"|(?:\b[2-9][0-9]{2}[-. ]|\B\([2-9][0-9]{2}\) ?)[2-9][0-9]{2}[-. ][0-9]{4}\b",
                r"|\b0[1-9][0-9]{1,4}[ /-][0-9](?:[ -]?[0-9]){4,9}\b)",
            ),
        }
    }

    /// How many bytes of what the pattern found are one; `None` if it is none. A pattern may take too much: digits that
    /// follow a card's number, or the full stop behind an address.
    pub(super) fn accept(self, text: &str) -> Option<usize> {
        match self {
            Self::Url => Some(text.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', ')', ']']).len()),
            Self::Iban => prefixes(text, |next| next == b' ').find(|end| text.get(..*end).is_some_and(is_iban)),
            Self::CreditCard => {
                prefixes(text, |next| !next.is_ascii_digit()).find(|end| text.get(..*end).is_some_and(is_card))
            }
            Self::IpAddress => {
                let text = text.trim_end_matches(':');
                // `::` and `a::b` are addresses too, but in most texts something else.
                let long = text.bytes().filter(u8::is_ascii_hexdigit).count() >= 4;
                (long && text.parse::<IpAddr>().is_ok()).then_some(text.len())
            }
            Self::Ssn => is_ssn(&digits(text)).then_some(text.len()),
            Self::Email | Self::ApiKey | Self::Phone => Some(text.len()),
        }
    }
}

/// The lengths of `text` and of its parts that end before a byte that is an end, the longest first.
fn prefixes(text: &str, is_end: impl Fn(u8) -> bool) -> impl Iterator<Item = usize> {
    (1..=text.len()).rev().filter(move |end| text.as_bytes().get(*end).copied().is_none_or(&is_end))
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|char| char.to_digit(10)).collect()
}

/// ISO/IEC 7812-1, annex B: the formula that is called Luhn's.
fn is_card(text: &str) -> bool {
    let digits = digits(text);
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let value = |(place, digit): (usize, &u32)| if place % 2 == 1 { doubled(*digit) } else { *digit };
    (13..=19).contains(&digits.len()) && digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// ISO 13616-1: with its first four characters moved to the end and letters as 10 to 35, it is 1 modulo 97.
fn is_iban(text: &str) -> bool {
    let values: Vec<u32> = text.chars().filter_map(|char| char.to_digit(36)).collect();
    let append = |rest: u32, value: &u32| (rest * if *value > 9 { 100 } else { 10 } + value) % 97;
    let (head, tail) = values.split_at(values.len().min(4));
    (15..=34).contains(&values.len()) && tail.iter().chain(head).fold(0, append) == 1
}

/// The numbers that the Social Security Administration gives out: no part is all zeros, and no area is 666 or above 899.
fn is_ssn(digits: &[u32]) -> bool {
    let number = |part: &[u32]| part.iter().fold(0, |number, digit| number * 10 + digit);
    let [area @ .., g1, g2, s1, s2, s3, s4] = digits else { return false };
    !matches!(number(area), 0 | 666 | 900..) && number(&[*g1, *g2]) > 0 && number(&[*s1, *s2, *s3, *s4]) > 0
}

#[cfg(test)]
mod tests;
