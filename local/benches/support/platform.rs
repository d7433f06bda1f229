//! A platform on embedded engines.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use lmo_local::engine::Engines;
use lmo_shared::{
    clock::Clock,
    config::{Config, Flush, Reach},
    platform::Platform,
};

/// A function's, as far as it waits for what it does.
pub fn on(engines: &Engines, clock: Clock) -> Platform {
    over(engines.http_client(), clock)
}

/// The same over a network of one's own.
pub fn over(network: SharedHttpClient, clock: Clock) -> Platform {
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("-", "-", None, None, "-")))
        .http_client(network)
        .build();
    let config = Config {
        table: "lmo".to_owned(),
        stream: "lmo-usage".to_owned(),
        request_deadline: Duration::from_mins(5),
        issuer: "https://lmo.example".to_owned(),
        secrets: "lmo".to_owned(),
        origin_token: None,
        flush: Flush::BeforeReturning,
        reach: Reach::Public,
        function: None,
    };
    Platform::new(sdk, config, clock)
}
