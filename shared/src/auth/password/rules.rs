//! What a new password must be, as NIST SP 800-63B-4 section 3.1.1.2 has it: long, and none that a guesser tries first.
//! There are no rules of composition, which lead to passwords that are easier to guess.

use std::{collections::HashSet, fmt};

use super::{Password, common};
use crate::{
    error::{Error, Result},
    mail::EmailAddress,
};

/// The fewest characters. NIST asks for 15 where a password stands alone and 8 where there is a second factor; which of
/// them it is isn't known when a password is chosen, and tenants may demand the factor.
const SHORTEST: usize = 12;
/// The fewest different characters.
const DIFFERENT: usize = 5;
/// How much must be left of a password without the words that everybody can know.
const OWN: usize = 8;
/// What nobody may make a password of.
const SERVICE: &str = "LMO";

/// A password that somebody may choose.
#[derive(Clone)]
pub struct NewPassword(Password);

impl NewPassword {
    /// The password, unless it is too short, is a common or breached one, or is made of the address or of `names` that
    /// everybody can know: the person's, the tenant's. The service's own always counts.
    ///
    /// # Errors
    /// `Invalid` for `password`, with what is wrong.
    pub fn new(password: Password, email: &EmailAddress, names: &[&str]) -> Result<Self> {
        let refuse = |detail: String| Err(Error::invalid("password", detail));
        let text = &password.0;
        if text.chars().nth(SHORTEST - 1).is_none() {
            return refuse(format!("a password has at least {SHORTEST} characters"));
        }
        if text.chars().any(char::is_control) {
            return refuse("a password has no control characters: no tabs, no ends of lines".to_owned());
        }
        if text.chars().collect::<HashSet<_>>().len() < DIFFERENT || common::contains(text) {
            return refuse("this password is among the first that guessers try".to_owned());
        }
        if own(text, email, names) < OWN {
            return refuse("this password is made of your address or of a name".to_owned());
        }
        Ok(Self(password))
    }

    pub(super) fn password(&self) -> &Password {
        &self.0
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(***)")
    }
}

/// How many characters are left of a password without address and names, in whatever case, and with whatever spaces and
/// punctuation between.
fn own(password: &str, email: &EmailAddress, names: &[&str]) -> usize {
    let parts = |text: &str| text.split(|c: char| !c.is_alphanumeric()).map(folded).collect::<Vec<_>>();
    // Shorter ones are part of many words.
    let long = |word: &String| word.chars().count() >= 4;
    let mut words: Vec<String> = [email.as_str(), email.local(), email.domain()].map(folded).into();
    words.extend(names.iter().map(|name| folded(name)));
    words.extend(names.iter().copied().chain([email.as_str()]).flat_map(parts));
    words.retain(long);
    words.push(folded(SERVICE));
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let all = folded(password);
    let left = words.iter().fold(all.clone(), |left, word| left.replace(word.as_str(), ""));
    password.chars().count() + left.chars().count() - all.chars().count()
}

fn folded(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) -> Result<NewPassword> {
        let email = EmailAddress::parse("jonathan.doe@acme-corp.example").unwrap();
        NewPassword::new(Password::parse(text).unwrap(), &email, &["Jonathan Doe", "Acme Corporation"])
    }

    fn refused(text: &str) -> String {
        check(text).unwrap_err().to_string()
    }

    #[test]
    fn length_is_all_that_a_good_password_needs() {
        for good in [
            "mountain tea kettle",
            "zwölf Boxkämpfer",
            "пять цветов неба",
            "我的密码是一个秘密的句子",
            "🦀🌊🔑🎈🧭🍋🦀🌊🔑🎈🧭🍋a",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        assert!(check(&"long password ".repeat(18)).is_ok());
    }

    #[test]
    fn eleven_characters_are_too_few_however_many_bytes() {
        assert_eq!(refused("Tr0ub4dor&3"), "a password has at least 12 characters");
        assert_eq!(refused("äöüßäöüßäöü"), "a password has at least 12 characters");
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for common in [
            "password1234",
            "PassWord1234",
            "qwertyuiop123",
            "1q2w3e4r5t6y",
            "123456789012",
            "aaaaaaaaaaaaa",
            "abcabcabcabc",
        ] {
            assert_eq!(refused(common), "this password is among the first that guessers try", "{common}");
        }
    }

    #[test]
    fn passwords_made_of_what_everybody_knows_are_refused() {
        for known in [
            "jonathan.doe@acme-corp.example",
            "Jonathan-2026!",
            "acme corporation 1",
            "AcmeCorp.Example#1",
            "lmo-LMO-lmo-2026",
            "jonathandoe1999",
        ] {
            assert_eq!(refused(known), "this password is made of your address or of a name", "{known}");
        }
        assert!(check("Jonathan likes tall trees").is_ok());
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(refused("mountain tea\tkettle").contains("control characters"));
        assert!(refused("mountain tea kettle\n").contains("control characters"));
    }

    proptest! {
        #[test]
        fn no_password_makes_the_rules_fail_otherwise(text in "\\PC{0,80}") {
            if let Err(error) = check(&text) {
                prop_assert_eq!(error.code(), "invalid_request");
            }
        }
    }
}
