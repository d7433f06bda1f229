//! The AWS SDK as a function wants it, and requests that no client of it sends: signed with the same credentials.
//!
//! `aws_config::load` would read profiles and ask STS, SSO and instance metadata
//! for what Lambda has put into the environment: time in each cold start, and half a megabyte in each binary.

use aws_config::{
    BehaviorVersion, Region, SdkConfig, ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider, meta::credentials::CredentialsProviderChain,
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::config::{self, BadVariable};

mod bucket;
mod credentials;
mod http;
mod sign;

pub use bucket::Bucket;
pub use credentials::{CachedCredentials, NoCredentials};
pub use http::{Http, NoCertificates};
pub use sign::Signer;

/// The region and the credentials that Lambda gives: in variables, or, where an environment outlives them, behind an
/// address. `AWS_ENDPOINT_URL` is whatever speaks AWS's protocols elsewhere.
///
/// # Errors
/// `AWS_REGION` is missing, or the system's certificates can't be read.
pub(crate) fn of_function() -> Result<SdkConfig, BadVariable> {
    let http = Http::new().map_err(|error| BadVariable::new("SSL_CERT_FILE", error.to_string()))?;
    let container = ProviderConfig::without_region().with_http_client(http.clone());
    let credentials = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Container", EcsCredentialsProvider::builder().configure(&container).build());
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config::required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http);
    sdk.set_endpoint_url(config::variable("AWS_ENDPOINT_URL"));
    Ok(sdk.build())
}
