//! The engines behind the AWS SDK: embedded ones, or whatever the environment points at.

use aws_config::{BehaviorVersion, Region, SdkConfig, stalled_stream_protection::StalledStreamProtectionConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use lmo_shared::{
    aws::Http,
    clock::Clock,
    config::{Config, Reach, variable},
    platform::Platform,
};

use crate::{args::Place, engine::Engines, problem::Problem, resources};

/// A platform and the engines that it stands on.
pub struct Backend {
    /// The platform.
    pub platform: Platform,
    /// The embedded engines; none if they are Amazon's or somebody else's.
    pub engines: Option<Engines>,
}

impl Backend {
    /// Opens the engines, for a platform on this port. Embedded ones get their table, stream and keys if they have none yet.
    pub async fn open(place: &Place, port: u16) -> Result<Self, Problem> {
        let endpoint = variable("AWS_ENDPOINT_URL");
        if place.aws || endpoint.is_some() {
            let mut config = Config::of_laptop(port)?;
            if endpoint.is_none() {
                // The tenants of a deployment are strangers: no name that they choose leads to this machine.
                config.reach = Reach::Public;
            }
            let http = Http::new().map_err(|error| Problem(error.to_string()))?;
            let sdk = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
            return Ok(Self { platform: Platform::new(sdk, config, Clock::System), engines: None });
        }
        let (platform, engines) = Self::embedded(place, port).await?;
        Ok(Self { platform, engines: Some(engines) })
    }

    /// Opens the embedded engines, whatever the environment points at.
    pub async fn embedded(place: &Place, port: u16) -> Result<(Platform, Engines), Problem> {
        let config = Config::of_laptop(port)?;
        let engines = Engines::open(&place.data_dir).await?;
        let platform = Platform::new(embedded(&engines), config, Clock::System);
        resources::create(&platform).await?;
        Ok((platform, engines))
    }

    /// Closes the embedded engines.
    pub async fn close(self) {
        if let Some(engines) = self.engines {
            engines.shutdown().await;
        }
    }
}

/// The endpoint and the credentials go nowhere: the HTTP client answers by itself.
fn embedded(engines: &Engines) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "embedded", "embedded", None, None, "embedded",
        )))
        .http_client(engines.http_client())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}
