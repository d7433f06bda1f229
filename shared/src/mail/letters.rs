//! The letters that LMO writes.

use super::EmailAddress;

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who gets it.
    pub to: EmailAddress,
    /// What it is about: one line, whatever was put in.
    pub subject: String,
    /// Its text, with `\n` between lines.
    pub text: String,
}

impl Mail {
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
        Self::new(to, format!("You are invited to join {tenant}"), text)
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

    fn new(to: EmailAddress, subject: impl Into<String>, text: String) -> Self {
        Self { to, subject: subject.into(), text }
    }
}

fn plain(name: &str) -> String {
    name.to_owned()
}
