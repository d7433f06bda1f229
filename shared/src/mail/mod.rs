//! Mail: what is written to people, and how it gets to them. Plain text, one recipient.

use crate::error::Result;

mod address;
mod folder;
mod invoices;
mod letters;
mod message;
mod ses;

pub use address::EmailAddress;
pub use folder::Folder;
pub use invoices::Due;
pub use letters::Mail;
pub use ses::Ses;

/// Sends mail.
#[derive(Debug, Clone)]
pub enum Mailer {
    /// By Amazon SES.
    Ses(Ses),
    /// Into files: a laptop's.
    Folder(Folder),
}

impl Mailer {
    /// Sends a mail, trying again where that helps. It may arrive twice if an answer is lost; what it says must be true
    /// twice.
    ///
    /// # Errors
    /// `Unavailable` if it can't be sent now; `Internal` if it never can: the identity isn't verified, the sandbox
    /// doesn't allow the recipient, sending is paused, or the folder can't be written.
    pub async fn send(&self, mail: &Mail) -> Result<()> {
        match self {
            Self::Ses(ses) => ses.send(mail).await,
            Self::Folder(folder) => folder.send(mail).await,
        }
    }
}
