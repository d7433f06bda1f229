//! Letters about invoices. They have a link to the invoice and nothing of what was used.

use super::{EmailAddress, Mail, letters::plain};

/// What is to be paid of an invoice, as letters have it.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// The invoice's number.
    pub number: &'a str,
    /// Who sells.
    pub seller: &'a str,
    /// What is open, with its currency.
    pub amount: &'a str,
    /// The day by which it is to be paid.
    pub by: Option<&'a str>,
    /// Where the invoice is.
    pub link: &'a str,
}

impl Due<'_> {
    fn mail(&self, to: EmailAddress, subject: &str, text: &str) -> Mail {
        let (seller, link) = (plain(self.seller), self.link);
        Mail::new(to, subject, format!("{text}\n\n{link}\n\n{seller}\n"))
    }

    fn by(&self) -> String {
        self.by.map(|day| format!(" by {day}")).unwrap_or_default()
    }
}

impl Mail {
    /// Says that there is an invoice over `total`.
    #[must_use]
    pub fn invoice_ready(to: EmailAddress, due: &Due<'_>, total: &str) -> Self {
        let (number, amount, by) = (due.number, due.amount, due.by());
        let text = format!(
            "Invoice {number} over {total} is ready. {amount} of it is to be paid{by}; with a payment method on file you \
             need not do anything."
        );
        due.mail(to, &format!("Invoice {number}"), &text)
    }

    /// Says that an attempt to have an invoice paid failed.
    #[must_use]
    pub fn payment_failed(to: EmailAddress, due: &Due<'_>) -> Self {
        let (number, amount) = (due.number, due.amount);
        let text = format!(
            "{amount} for invoice {number} could not be charged. It will be tried again in a few days; to have it done \
             sooner, or with another payment method, follow the link."
        );
        due.mail(to, &format!("Payment of invoice {number} failed"), &text)
    }

    /// Says that the payment of an invoice has to be confirmed.
    #[must_use]
    pub fn payment_to_confirm(to: EmailAddress, due: &Due<'_>) -> Self {
        let (number, amount) = (due.number, due.amount);
        let text = format!(
            "Your bank wants you to confirm the payment of {amount} for invoice {number}. Follow the link to do so; until \
             then it isn't paid."
        );
        due.mail(to, &format!("Confirm the payment of invoice {number}"), &text)
    }

    /// Says that an invoice is still unpaid.
    #[must_use]
    pub fn payment_reminder(to: EmailAddress, due: &Due<'_>) -> Self {
        let (number, amount, by) = (due.number, due.amount, due.by());
        let text = format!("{amount} of invoice {number} was to be paid{by} and is still open.");
        due.mail(to, &format!("Reminder: invoice {number} is unpaid"), &text)
    }

    /// Says that the tenant is suspended because an invoice is unpaid.
    #[must_use]
    pub fn suspended_unpaid(to: EmailAddress, due: &Due<'_>) -> Self {
        let (number, amount) = (due.number, due.amount);
        let text = format!(
            "Because {amount} of invoice {number} is still unpaid, requests are refused from now on. All works again as soon \
             as it is paid; nothing is lost until then."
        );
        due.mail(to, &format!("Suspended: invoice {number} is unpaid"), &text)
    }

    /// Says that an invoice was given up.
    #[must_use]
    pub fn given_up(to: EmailAddress, due: &Due<'_>) -> Self {
        let (number, amount) = (due.number, due.amount);
        let text = format!(
            "{amount} of invoice {number} was never paid, and nothing more is tried to have it paid. It is still owed; \
             to settle it, follow the link."
        );
        due.mail(to, &format!("Invoice {number} was not paid"), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_number_amount_and_link_and_no_other_link() {
        let to = || EmailAddress::parse("ann@example.org").unwrap();
        let due = Due {
            number: "LMO-2026-000001",
            seller: "Evil https://evil.example",
            amount: "49.00 EUR",
            by: Some("2026-12-15"),
            link: "https://lmo.example/invoices#inv_1",
        };
        let letters = [
            Mail::invoice_ready(to(), &due, "59.00 EUR"),
            Mail::payment_failed(to(), &due),
            Mail::payment_to_confirm(to(), &due),
            Mail::payment_reminder(to(), &due),
            Mail::suspended_unpaid(to(), &due),
            Mail::given_up(to(), &due),
        ];
        for letter in letters {
            let text = letter.text();
            assert!(letter.subject().contains(due.number) && text.contains(due.amount), "{text}");
            assert_eq!((text.matches("://").count(), text.contains(due.link)), (1, true), "{text}");
        }
    }
}
