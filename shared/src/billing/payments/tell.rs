//! What buyers are written. It is noted with what happened, and taken out when it is sent: a letter may come twice, and none
//! is forgotten.

use super::{Payments, rules};
use crate::{
    billing::{Invoice, Letter},
    error::{Error, Result},
    mail::{Due, EmailAddress, Mail},
    store::Change,
};

impl Payments {
    /// Writes the buyer what it is to be written. If somebody was quicker, it is read again.
    pub(super) async fn post(&self, mut invoice: Invoice) -> Result<()> {
        let letters = std::mem::take(&mut invoice.collection.letters);
        for to in self.readers(&invoice).await? {
            for letter in &letters {
                match self.mailer.send(&self.mail(&invoice, *letter, to.clone())?).await {
                    Ok(()) => {}
                    Err(error @ Error::Unavailable(_)) => return Err(error),
                    // Its recipient, or all mail, is refused: trying again is of no use.
                    Err(error) => tracing::error!(?error, invoice = %invoice.id, "a letter can't be sent"),
                }
            }
        }
        self.write(Change::new(&self.table), invoice).await.map(drop)
    }

    /// Whom invoices of a tenant go to.
    async fn readers(&self, invoice: &Invoice) -> Result<Vec<EmailAddress>> {
        match &invoice.buyer.email {
            Some(email) => Ok(vec![email.clone()]),
            None => self.members.payers(invoice.tenant).await,
        }
    }

    fn mail(&self, invoice: &Invoice, letter: Letter, to: EmailAddress) -> Result<Mail> {
        let number = invoice.number.clone().unwrap_or_else(|| invoice.id.to_string());
        let amount = format!("{} {}", rules::owed(invoice)?.text(invoice.currency), invoice.currency);
        let total = format!("{} {}", invoice.total.text(invoice.currency), invoice.currency);
        let by = invoice.due_at.map(|at| at.to_string().chars().take(10).collect::<String>());
        let link = format!("{}/invoices#{}", self.site, invoice.id);
        let due =
            Due { number: &number, seller: &invoice.seller.name, amount: &amount, by: by.as_deref(), link: &link };
        Ok(match letter {
            Letter::Ready => Mail::invoice_ready(to, &due, &total),
            Letter::Failed => Mail::payment_failed(to, &due),
            Letter::ActionRequired => Mail::payment_to_confirm(to, &due),
            Letter::Reminder => Mail::payment_reminder(to, &due),
            Letter::Suspended => Mail::suspended_unpaid(to, &due),
            Letter::Uncollectible => Mail::given_up(to, &due),
        })
    }
}
