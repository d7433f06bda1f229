//! Tenants of a month that is over, put into a data directory.

use std::{path::Path, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use lmo_local::{engine::Engines, resources};
use lmo_shared::{
    clock::{Clock, Period},
    config::{Config, Flush, Reach},
    platform::Platform,
};

use crate::month::{assert_everybody_has_one_invoice, open_shop, plant};

/// The month before the last: its grace period is over.
pub fn month() -> Period {
    Period::month(Clock::System.now()).previous().previous()
}

/// Puts so many tenants into a data directory that nobody has open.
pub async fn tenants(data_dir: &Path, count: usize) {
    in_place(data_dir, async |platform| {
        resources::create(platform).await.unwrap();
        open_shop(platform).await;
        plant(platform, month(), count).await;
    })
    .await;
}

/// Fails unless each tenant has one invoice.
pub async fn assert_billed(data_dir: &Path) {
    in_place(data_dir, async |platform| assert_everybody_has_one_invoice(platform, month()).await).await;
}

/// Does something with a data directory that nobody has open.
pub async fn in_place(data_dir: &Path, work: impl AsyncFnOnce(&Platform)) {
    let engines = Engines::open(data_dir).await.unwrap();
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("-", "-", None, None, "-")))
        .http_client(engines.http_client())
        .build();
    let config = Config {
        table: "lmo".to_owned(),
        stream: "lmo-usage".to_owned(),
        request_deadline: Duration::from_mins(5),
        issuer: "http://127.0.0.1:8080".to_owned(),
        secrets: "lmo".to_owned(),
        origin_token: None,
        flush: Flush::BeforeReturning,
        reach: Reach::Laptop,
        function: None,
    };
    work(&Platform::new(sdk, config, Clock::manual(month().start()))).await;
    engines.shutdown().await;
}
