//! AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request").

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;

use super::{CachedCredentials, NoCredentials};
use crate::clock::Clock;

/// Signs requests with the credentials of the process.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The name of the service in a signature.
    pub service: &'static str,
    /// Whose requests they are.
    pub credentials: CachedCredentials,
    /// The region of the endpoint.
    pub region: String,
    /// When a request is signed. It is good for five minutes.
    pub clock: Clock,
}

impl Signer {
    /// Adds the header fields of a signature to those of a request, all of which it covers, as it does the method, the
    /// URL and the body.
    ///
    /// # Errors
    /// If there are no credentials, or something can't be signed.
    pub async fn sign(
        &self,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), NoCredentials> {
        let credentials = self.credentials.get().await?;
        let scope = Scope { service: self.service, region: &self.region, time: self.clock.now().into() };
        let fields: Option<Vec<_>> =
            headers.iter().map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let request = fields.and_then(|fields| {
            SignableRequest::new(method.as_str(), url.as_str(), fields.into_iter(), SignableBody::Bytes(body)).ok()
        });
        let signature = request.and_then(|request| scope.signature(credentials, request)).ok_or(NoCredentials)?;
        headers.extend(signature);
        Ok(())
    }
}

/// What a signature is good for.
struct Scope<'a> {
    service: &'a str,
    region: &'a str,
    time: SystemTime,
}

impl Scope<'_> {
    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }

    /// The header fields of a signature; `None` if something can't be signed. The settings are the usual ones: the path
    /// is encoded a second time, as every service but S3 wants it, and the body is in the signature. S3 wants the body's
    /// hash in a field of its own, too.
    fn signature(&self, credentials: Credentials, request: SignableRequest<'_>) -> Option<HeaderMap> {
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time)
            .settings(self.settings())
            .build()
            .ok()?
            .into();
        let (instructions, _) = sign(request, &params).ok()?.into_parts();
        let sensitive = |(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(str::as_bytes(name)).ok()?, value))
        };
        instructions.headers().map(sensitive).collect()
    }
}

/// Against AWS's own test suite for the signature (`aws-sig-v4-test-suite`).
#[cfg(test)]
mod tests {
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;
    use crate::clock::Timestamp;

    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn credentials(token: Option<&str>) -> Credentials {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test")
    }

    fn at() -> Timestamp {
        Timestamp::parse("2015-08-30T12:36:00Z").unwrap()
    }

    fn authorization(signed: &HeaderMap) -> &str {
        signed["authorization"].to_str().unwrap()
    }

    fn sign_example(token: Option<&str>) -> HeaderMap {
        let scope = Scope { service: "service", region: "us-east-1", time: at().into() };
        let url = "https://example.amazonaws.com/";
        let request = SignableRequest::new("POST", url, std::iter::empty(), SignableBody::Bytes(b"")).unwrap();
        scope.signature(credentials(token), request).unwrap()
    }

    async fn sign_for_bedrock(url: &str, body: &[u8]) -> HeaderMap {
        let clock = Clock::manual(at());
        let credentials = CachedCredentials::new(SharedCredentialsProvider::new(credentials(None)), clock.clone());
        let signer = Signer { service: "bedrock", credentials, region: "us-east-1".to_owned(), clock };
        let mut headers: HeaderMap =
            [(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        signer.sign(&Method::POST, &url.parse().unwrap(), &mut headers, body).await.unwrap();
        headers
    }

    #[test]
    fn a_plain_request_has_the_signature_of_the_test_suite() {
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
            SignedHeaders=host;x-amz-date, \
            Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        let signed = sign_example(None);
        assert_eq!(authorization(&signed), expected);
        assert_eq!(signed["x-amz-date"], "20150830T123600Z");
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let signed = sign_example(Some(TOKEN));
        let expected = "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead";
        assert!(authorization(&signed).ends_with(expected), "{signed:?}");
        assert_eq!(signed["x-amz-security-token"], TOKEN);
    }

    #[test]
    fn credentials_are_not_shown() {
        assert!(!format!("{:?}", sign_example(Some(TOKEN))).contains("AKIDEXAMPLE"));
    }

    /// The signature is what botocore's `S3SigV4Auth` makes.
    #[tokio::test]
    async fn s3_gets_the_hash_of_the_body_and_a_path_as_it_is_sent() {
        let clock = Clock::manual(at());
        let credentials = CachedCredentials::new(SharedCredentialsProvider::new(credentials(None)), clock.clone());
        let signer = Signer { service: "s3", credentials, region: "us-east-1".to_owned(), clock };
        let url = "https://bucket.s3.us-east-1.amazonaws.com/usage/day%3D2026-10-31/part-0.jsonl.gz".parse().unwrap();
        let mut headers = HeaderMap::new();
        signer.sign(&Method::PUT, &url, &mut headers, b"hello").await.unwrap();
        assert_eq!(headers["x-amz-content-sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert!(authorization(&headers).contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date, "));
        assert!(
            authorization(&headers)
                .ends_with("Signature=11f691554a8cc0c682d8f43e6ef97fb3849b2ab6a04eba6c74c895330b2539bc"),
            "{}",
            authorization(&headers)
        );
    }

    #[tokio::test]
    async fn another_body_or_path_has_another_signature() {
        let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1:0/converse";
        let signed = sign_for_bedrock(url, b"{}").await;
        assert!(authorization(&signed).contains("/us-east-1/bedrock/aws4_request"));
        assert!(authorization(&signed).contains("SignedHeaders=content-type;host;x-amz-date"));
        assert_ne!(authorization(&signed), authorization(&sign_for_bedrock(url, b"{ }").await));
        let stream = format!("{url}-stream");
        assert_ne!(authorization(&signed), authorization(&sign_for_bedrock(&stream, b"{}").await));
    }
}
