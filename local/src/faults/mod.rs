//! The whole path of a request on a database whose answers get lost, which throttles, and whose calls are counted.

mod attempts;
mod calls;
mod limits;
mod lost;
mod network;
mod throttle;
mod time;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use lmo_shared::{
    answer::{Answer, Answers, Ask, Completion, Options},
    audit::{Actor, Source},
    auth::{Authenticator, Caller},
    clock::{Clock, Period, Timestamp},
    config::{Config, Flush, Reach},
    error::Result,
    id::TenantId,
    llm::{Message, Prompt, Role, catalogue::Catalogue},
    platform::Platform,
    quota::Limits,
    tenant::Tenant,
    usage::{Difference, Expired, Swept},
};
use tempfile::TempDir;

use self::network::Network;
use crate::{engine::Engines, resources};

/// Each word of a question is a token of it and of its answer.
const MODELS: &str = r#"
[providers.lmo]
kind = "echo"
[models."lmo/echo"]
provider = "lmo"
context_window = 100000
price = { input = 1, output = 2, cache_hit = 0.5 }
[providers.nobody]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
[models.nobody]
provider = "nobody"
context_window = 100000
price = { input = 1, output = 2 }
[aliases]
default = "lmo/echo"
"#;

/// A tenant, and a platform behind a network that can be told to fail.
struct Scene {
    platform: Platform,
    network: Network,
    authenticator: Authenticator,
    answers: Answers,
    tenant: TenantId,
    key: String,
    _dir: TempDir,
}

impl Scene {
    async fn new(limits: Limits, shards: u8) -> Self {
        Self::at(Clock::System.now(), limits, shards).await
    }

    /// The clock stands still at `now`.
    async fn at(now: Timestamp, limits: Limits, shards: u8) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let engines = Engines::open(dir.path()).await.expect("engines");
        let network = Network::new(engines.http_client());
        let config = Config {
            table: "lmo".to_owned(),
            stream: "lmo-usage".to_owned(),
            request_deadline: std::time::Duration::from_mins(5),
            issuer: "https://lmo.example".to_owned(),
            secrets: "lmo".to_owned(),
            origin_token: None,
            flush: Flush::BeforeReturning,
            reach: Reach::Laptop,
            function: None,
        };
        let platform = Platform::new(sdk(&network), config, Clock::manual(now));
        resources::create(&platform).await.expect("table and stream");
        let catalogues = platform.catalogues();
        catalogues.apply(Catalogue::from_toml(MODELS, now).expect("models")).await.expect("applied");
        let (tenant, key) = tenant(&platform, limits, shards).await.expect("tenant");
        let authenticator = platform.authenticator();
        let answers = platform.answers(catalogues);
        Self { platform, network, authenticator, answers, tenant, key, _dir: dir }
    }

    async fn caller(&self) -> Caller {
        self.authenticator.caller(&self.key, Source::default()).await.expect("caller")
    }

    /// Asks with at most 20 tokens of output. Whatever belongs to the request is done when it returns.
    async fn ask(&self) -> Result<Completion> {
        self.answer(None, Options::default()).await?.collect().await
    }

    async fn answer(&self, model: Option<&str>, options: Options) -> Result<Answer> {
        let caller = self.authenticator.caller(&self.key, Source::default()).await?;
        let mut prompt = Prompt::new(vec![Message::text(Role::User, "one two three")]);
        prompt.max_output = Some(20);
        let ask = Ask { model: model.map(str::to_owned), prompt, stream: false, options };
        self.answers.answer(&caller, ask).await
    }

    /// What a start does after a crash.
    async fn restart(&self) -> Swept {
        self.platform.sweeper().sweep(Expired::All).await.expect("swept")
    }

    async fn books(&self) -> Difference {
        let month = Period::month(self.platform.clock().now());
        self.platform.books().compare(self.tenant, month).await.expect("books")
    }
}

async fn tenant(platform: &Platform, limits: Limits, meter_shards: u8) -> Result<(TenantId, String)> {
    let created_at = platform.clock().now();
    let tenant = Tenant { limits, meter_shards, ..Tenant::new("test", created_at) };
    let key = platform.tenants().open(&tenant, &Actor::command_line()).await?;
    Ok((tenant.id, key.text))
}

fn sdk(network: &Network) -> SdkConfig {
    let credentials = Credentials::new("embedded", "embedded", None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(network.client())
        .retry_config(RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1)))
        .build()
}
