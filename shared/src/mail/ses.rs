//! Mail by Amazon SES: `SendEmail` of its API v2, signed as other requests to AWS are. The SDK's client would be a fourth
//! one, for one call.

use reqwest::Url;

use super::{EmailAddress, Mail};
use crate::{aws::Signer, error::Result};

/// Amazon SES in one region.
#[derive(Debug, Clone)]
pub struct Ses {
    signer: Signer,
    from: EmailAddress,
    endpoint: Url,
}

impl Ses {
    /// Sends mails from `from`, an identity that SES has verified, signed by `signer` for the service `ses`, to the
    /// endpoint of its region or, if one is given, to `endpoint`.
    ///
    /// # Errors
    /// `Internal` if no HTTP client can be made, or the region has no endpoint.
    pub fn new(signer: Signer, from: EmailAddress, endpoint: Option<Url>) -> Result<Self> {
        todo!()
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// As [`super::Mailer::send`].
    pub async fn send(&self, _mail: &Mail) -> Result<()> {
        todo!()
    }
}
