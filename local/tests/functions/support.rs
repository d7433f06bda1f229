//! A platform on a data directory of its own, with a network that can fail for one tenant.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use lmo_local::{engine::Engines, resources};
use lmo_shared::{
    audit::Source,
    auth::{Principal, Role},
    clock::{Clock, Timestamp},
    config::{Config, Flush, Reach},
    id::TenantId,
    mail::{EmailAddress, Folder, Mailer, Ses},
    people::{Memberships, User, Users},
    platform::Platform,
    store::Change,
    tenant::Authority,
};
use tempfile::TempDir;
use tokio::sync::Notify;

/// The platform, and what it stands on.
pub struct Ground {
    pub platform: Platform,
    /// Whatever a request contains that does not get through.
    pub cut: Arc<Mutex<Option<String>>>,
    /// How many more requests get through, if not all do.
    pub left: Arc<Mutex<Option<usize>>>,
    /// Told when the first one did not.
    pub dead: Arc<Notify>,
    _engines: Engines,
    dir: TempDir,
}

impl Ground {
    /// Somebody who owns a tenant.
    pub async fn owner(&self, tenant: TenantId) -> Authority {
        let (table, now) = (self.platform.table(), self.platform.clock().now());
        let owner = User::new(EmailAddress::parse("ada@example.com").unwrap(), now);
        let mut change = Change::new(table);
        Users::new(table.clone()).add(&mut change, &owner).unwrap();
        Memberships::new(table.clone()).add(&mut change, &owner, tenant, Role::Owner, now).unwrap();
        change.commit().await.unwrap().or(|| panic!("it is new")).unwrap();
        Authority { who: Principal::Member(owner.id), actor: owner.acting(&Source::default()) }
    }

    /// An empty platform whose clock stands at `now`.
    pub async fn at(now: Timestamp) -> Self {
        let ground = Self::bare(now).await;
        resources::create(&ground.platform).await.unwrap();
        ground
    }

    /// One without even a table or a secret.
    pub async fn bare(now: Timestamp) -> Self {
        let dir = TempDir::new().unwrap();
        let engines = Engines::open(dir.path()).await.unwrap();
        let (cut, left, dead) = (Arc::default(), Arc::default(), Arc::<Notify>::default());
        let network = Network {
            engine: engines.http_client(),
            cut: Arc::clone(&cut),
            left: Arc::clone(&left),
            dead: Arc::clone(&dead),
        };
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url("http://embedded.invalid")
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("-", "-", None, None, "-")))
            .retry_config(RetryConfig::disabled())
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
            reach: Reach::Laptop,
            function: None,
        };
        let platform = Platform::new(sdk, config, Clock::manual(now));
        Self { platform, cut, left, dead, _engines: engines, dir }
    }

    /// The mails that were written, in no order.
    pub fn mails(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.dir.path().join("mail")) else { return Vec::new() };
        folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    /// A mailer that can't send: nobody listens there.
    pub fn broken_mailer(&self) -> Mailer {
        let nowhere = "http://127.0.0.1:9".parse().unwrap();
        let from = EmailAddress::parse("lmo@lmo.invalid").unwrap();
        let signer = self.platform.signer("ses").unwrap();
        Mailer::Ses(Ses::new(signer, from, Some(nowhere)).unwrap())
    }

    /// Writes mail into the data directory.
    pub fn mailer(&self) -> Mailer {
        let from = EmailAddress::parse("lmo@lmo.invalid").unwrap();
        Mailer::Folder(Folder::new(self.dir.path().join("mail"), from, self.platform.clock().clone()))
    }
}

/// The text of a file in `events/`.
pub fn event(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Debug, Clone)]
struct Network {
    engine: SharedHttpClient,
    cut: Arc<Mutex<Option<String>>>,
    left: Arc<Mutex<Option<usize>>>,
    dead: Arc<Notify>,
}

impl HttpClient for Network {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let engine = self.engine.http_connector(settings, parts);
        let (cut, left, dead) = (Arc::clone(&self.cut), Arc::clone(&self.left), Arc::clone(&self.dead));
        SharedHttpConnector::new(Connector { engine, cut, left, dead })
    }
}

#[derive(Debug)]
struct Connector {
    engine: SharedHttpConnector,
    cut: Arc<Mutex<Option<String>>>,
    left: Arc<Mutex<Option<usize>>>,
    dead: Arc<Notify>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let is_last = self.left.lock().unwrap().as_mut().is_some_and(|left| {
            let none = *left == 0;
            *left = left.saturating_sub(1);
            none
        });
        if is_last {
            self.dead.notify_one();
        }
        if is_last || self.cut.lock().unwrap().as_deref().is_some_and(|cut| body.contains(cut)) {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("no route to host".into())));
        }
        self.engine.call(request)
    }
}
