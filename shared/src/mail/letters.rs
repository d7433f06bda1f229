//! The letters that LMO writes.

use super::EmailAddress;
use crate::{
    billing::{Amount, Currency},
    clock::{Granularity, Period},
    webhook::{Measure, Reached},
};

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    to: EmailAddress,
    subject: String,
    text: String,
}

impl Mail {
    /// A mail to one person, in plain text with `\n` between lines. The subject becomes one line.
    #[must_use]
    pub fn new(to: EmailAddress, subject: &str, text: String) -> Self {
        Self { to, subject: one_line(subject), text }
    }

    /// Who gets it.
    #[must_use]
    pub fn to(&self) -> &EmailAddress {
        &self.to
    }

    /// What it is about, in one line.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Asks whether the address is the recipient's own. `link` is opened once, within `hours`.
    #[must_use]
    pub fn verify(to: EmailAddress, link: &str, hours: u64) -> Self {
        let text = format!(
            "Somebody, hopefully you, signed up with this address. Open this link within {hours} hours to say that it \
             is yours:\n\n{link}\n\nIf it wasn't you, ignore this mail: without the link nothing comes of it.\n"
        );
        Self::new(to, "Confirm your e-mail address", text)
    }

    /// Lets the recipient choose a new password. `link` is opened once, within `minutes`.
    #[must_use]
    pub fn reset(to: EmailAddress, link: &str, minutes: u64) -> Self {
        let text = format!(
            "Somebody, hopefully you, wants to choose a new password. Open this link within {minutes} minutes to do \
             so:\n\n{link}\n\nIf it wasn't you, ignore this mail: your password stays as it is.\n"
        );
        Self::new(to, "Choose a new password", text)
    }

    /// Tells somebody who asked for a new password that there is no account.
    #[must_use]
    pub fn no_account(to: EmailAddress) -> Self {
        let text = "Somebody, hopefully you, wants to choose a new password, but there is no account with this \
                    address. You may have signed up with another one.\n";
        Self::new(to, "There is no account with this address", text.to_owned())
    }

    /// Tells the owner of an account that somebody tried to sign up with its address.
    #[must_use]
    pub fn account_exists(to: EmailAddress) -> Self {
        let text = "Somebody, hopefully you, tried to sign up with this address, which has an account. Sign in with it, \
                    or choose a new password (\"forgot password\").\n\nIf it wasn't you, ignore this mail: your account \
                    stays as it is.\n";
        Self::new(to, "You have an account", text.to_owned())
    }

    /// Invites the recipient into a tenant. `tenant` and `by` are what people called themselves: they are shortened to
    /// a line each, without anything that mail programs make a link of.
    #[must_use]
    pub fn invite(to: EmailAddress, tenant: &str, by: &str, role: &str, link: &str, days: u64) -> Self {
        let (tenant, by) = (plain(tenant), plain(by));
        let text = format!(
            "{by} invites you to join \"{tenant}\" as {role}. Open this link within {days} days to accept:\n\n{link}\n\n\
             If you don't know them, ignore this mail.\n"
        );
        Self::new(to, &format!("You are invited to join {tenant}"), text)
    }

    /// Says that the operator made a tenant whose owner the recipient is. `tenant` is treated as in
    /// [`invite`](Self::invite); with a `link` the recipient, who has no password yet, chooses one.
    #[must_use]
    pub fn owner(to: EmailAddress, tenant: &str, link: Option<&str>) -> Self {
        let tenant = plain(tenant);
        let how = match link {
            Some(link) => format!(
                "Open this link within the hour to choose a password:\n\n{link}\n\nAfter that, ask for a new one \
                 (\"forgot password\")."
            ),
            None => "Sign in as usual.".to_owned(),
        };
        Self::new(to, &format!("{tenant} is yours"), format!("You are the owner of \"{tenant}\". {how}\n"))
    }

    /// Says that a tenant will be removed, to one of its owners. `tenant` is treated as in [`invite`](Self::invite), `at`
    /// is when.
    #[must_use]
    pub fn tenant_deleted(to: EmailAddress, tenant: &str, at: &str) -> Self {
        let tenant = plain(tenant);
        let text = format!(
            "An owner of \"{tenant}\" has asked for its removal. Until {at} every owner can take that back and export \
             everything; until then nothing else works. After that all of it is deleted for good.\n\nIf this wasn't \
             meant, sign in and restore it.\n"
        );
        Self::new(to, &format!("{tenant} will be deleted"), text)
    }

    /// Says that a tenant will not be removed after all.
    #[must_use]
    pub fn tenant_restored(to: EmailAddress, tenant: &str) -> Self {
        let tenant = plain(tenant);
        let text = format!("An owner of \"{tenant}\" has taken its removal back. Everything works again.\n");
        Self::new(to, &format!("{tenant} stays"), text)
    }

    /// Says that a part of a tenant's monthly cap is spent, to one who pays. `tenant` is treated as in
    /// [`invite`](Self::invite).
    #[must_use]
    pub fn quota_reached(to: EmailAddress, tenant: &str, reached: &Reached) -> Self {
        let Reached { month, measure, percent, spent, limit } = *reached;
        let (tenant, until) = (plain(tenant), Period::of(Granularity::Day, month.end()));
        let amount = |number: u64| match measure {
            Measure::Tokens => format!("{number} tokens"),
            Measure::Money => format!("{} USD", Amount(i128::from(number)).text(Currency::USD)),
        };
        let (spent, limit) = (amount(spent), amount(limit));
        let then = if percent < 100 {
            format!("When all of it is spent, requests are refused until {until}, unless the cap is raised before.")
        } else {
            format!("Requests are refused until {until}, unless the cap is raised.")
        };
        let text = format!(
            "\"{tenant}\" has spent {percent} % of what it may in {month}: {spent} of {limit}. {then}\n\nYou get this \
             once a month for each part of a cap.\n"
        );
        Self::new(to, &format!("{tenant} has spent {percent} % of its cap"), text)
    }

    /// Says that the password was changed.
    #[must_use]
    pub fn password_changed(to: EmailAddress) -> Self {
        let text = "The password of your account was changed, and all sessions were ended.\n\nIf it wasn't you, choose \
                    a new password at once (\"forgot password\"), and tell the owners of your tenant.\n";
        Self::new(to, "Your password was changed", text.to_owned())
    }

    /// Says that the second factor was turned on or off.
    #[must_use]
    pub fn second_factor_changed(to: EmailAddress, on: bool) -> Self {
        let text = format!(
            "The second factor of your account was turned {}.\n\nIf it wasn't you, choose a new password at once \
             (\"forgot password\"), and tell the owners of your tenant.\n",
            if on { "on" } else { "off" }
        );
        Self::new(to, "Your second factor was changed", text)
    }

    /// Says that a recovery code was used, and how many are left.
    #[must_use]
    pub fn recovery_code_used(to: EmailAddress, left: usize) -> Self {
        let text = format!(
            "Somebody, hopefully you, signed in to your account with a recovery code, which is used up by it; {left} are \
             left.\n\nIf it wasn't you, choose a new password at once (\"forgot password\"), and tell the owners of your \
             tenant.\n"
        );
        Self::new(to, "A recovery code was used", text)
    }
}

/// Without characters that end a line, or turn the direction of what follows.
fn one_line(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.split(|c: char| c.is_control() || turns(c)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A name that a stranger chose, for a mail to somebody who doesn't know that stranger: short, in one line, and nothing
/// in it is a link, also to mail programs that make one of whatever looks like a domain.
pub(super) fn plain(name: &str) -> String {
    const LONGEST: usize = 60;
    let name = one_line(name);
    let mut plain = String::new();
    let mut characters = name.chars().take(LONGEST).peekable();
    while let Some(c) = characters.next() {
        let ends = characters.peek().is_none_or(|next| next.is_whitespace());
        match c {
            '/' | '\\' | ':' | '@' | '<' | '>' => {}
            // As domains in other scripts have them, too.
            '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' if !ends => {}
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://lmo.example.com/verify#token";

    fn to() -> EmailAddress {
        EmailAddress::parse("ann@example.org").unwrap()
    }

    #[test]
    fn a_letters_only_link_is_ours() {
        let invite = Mail::invite(to(), "http://evil.example", "You won! www.evil.example/x", "admin", LINK, 7);
        assert_eq!(invite.subject(), "You are invited to join httpevilexample");
        assert!(
            invite.text().starts_with("You won! wwwevilexamplex invites you to join \"httpevilexample\" as admin.")
        );
        assert_eq!(invite.text().matches("://").count(), 1);
        assert!(invite.text().contains(&format!("\n\n{LINK}\n\n")));
    }

    #[test]
    fn names_stay_names() {
        assert_eq!(plain("Müller & Söhne Inc."), "Müller & Söhne Inc.");
        assert_eq!(plain("Dr. Ann-Marie O'Neil"), "Dr. Ann-Marie O'Neil");
        assert_eq!(plain(&"x".repeat(1000)).len(), 60);
        assert_eq!(plain("a\r\n\r\nb\u{202e}c"), "a b c");
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(
            Mail::new(to(), "Hello\r\nBcc: all@example.org\0", String::new()).subject(),
            "Hello Bcc: all@example.org"
        );
    }

    #[test]
    fn every_letter_says_what_to_do_if_it_was_somebody_else() {
        let letters = [
            Mail::verify(to(), LINK, 24),
            Mail::reset(to(), LINK, 30),
            Mail::password_changed(to()),
            Mail::second_factor_changed(to(), false),
            Mail::recovery_code_used(to(), 9),
        ];
        for letter in letters {
            assert!(letter.text().contains("wasn't you"), "{}", letter.text());
        }
    }
}
