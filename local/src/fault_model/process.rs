//! The processes of a run: instances that answer requests, that count, that sweep. Each does what the platform does, with
//! clients of its own, and forgets everything when it dies.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_sdk_dynamodb::config::{
    AsyncSleep, BehaviorVersion, Credentials, Region, SharedCredentialsProvider, Sleep, StalledStreamProtectionConfig,
    retry::{RetryConfig, RetryPartition, TokenBucket},
};
use lmo_shared::{
    clock::Clock,
    config::Flush,
    id::RequestId,
    quota::{Account, Hold, Meters},
    store::Table,
    usage::{Aggregator, Entry, Expired, Ledger, Publisher, Recorded, Sweeper, UsageEvent},
};
use tokio::task::AbortHandle;

use super::{TABLE, stream::Batch, wire::Wire, wrong::Wrong};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Caller,
    Handler,
    Sweeper,
}

/// What the scheduler hears of a process's work.
pub enum Ended {
    /// A request is held.
    Held(RequestId),
    /// Something panicked.
    Panicked(String),
    /// A request, with whether its event is on the stream.
    Request(RequestId, bool),
    Batch(Batch, Vec<String>),
    /// A sweep, with whether it did all that there was to do.
    Sweep(bool),
}

/// One instance.
pub struct Process {
    pub role: Role,
    table: Table,
    clock: Clock,
    kinesis: aws_sdk_kinesis::Client,
    parts: Parts,
    running: Vec<AbortHandle>,
    ended: Arc<Mutex<Vec<Ended>>>,
}

/// What it has in memory.
#[derive(Clone)]
struct Parts {
    meters: Meters,
    ledger: Ledger,
    publisher: Publisher,
}

/// A request to a model.
#[derive(Clone)]
pub struct Request {
    pub id: RequestId,
    pub account: Account,
    pub hold: Hold,
    pub entry: Entry,
    /// Whether the entry is put again, as a client does that got no answer.
    pub twice: bool,
}

impl Process {
    pub fn new(role: Role, wire: &Wire, clock: Clock, ended: Arc<Mutex<Vec<Ended>>>) -> Self {
        let table = table(wire);
        let kinesis = kinesis(wire);
        let parts = Parts::new(&table, &clock, &kinesis);
        Self { role, table, clock, kinesis, parts, running: Vec::new(), ended }
    }

    /// How much it is working on.
    pub fn busy(&mut self) -> usize {
        self.running.retain(|task| !task.is_finished());
        self.running.len()
    }

    /// Everything in memory is gone; a new instance takes its place.
    pub fn die(&mut self) {
        self.running.drain(..).for_each(|task| task.abort());
        self.parts = Parts::new(&self.table, &self.clock, &self.kinesis);
    }

    /// Works on a request as the pipeline does: hold, ledger, then meter and stream beside each other.
    pub fn request(&mut self, request: Request) {
        let (parts, id, ended) = (self.parts.clone(), request.id, Arc::clone(&self.ended));
        self.run(
            async move { Ended::Request(id, parts.request(request, &ended).await.is_ok_and(|published| published)) },
        );
    }

    /// Counts a batch as the function does.
    pub fn batch(&mut self, batch: Batch, event: KinesisEvent, wrong: Option<Wrong>) {
        let aggregator = Aggregator::new(self.table.clone(), self.clock.clone());
        let table = self.table.clone();
        self.run(async move {
            let response = match wrong {
                Some(Wrong::AddsDifferences) => super::adding::count(&table, event).await,
                _ => lmo_aggregate::count(&aggregator, event).await,
            };
            let failed = response.batch_item_failures.into_iter().filter_map(|failure| failure.item_identifier);
            Ended::Batch(batch, if wrong == Some(Wrong::Swallows) { Vec::new() } else { failed.collect() })
        });
    }

    /// Sweeps as the schedule does.
    pub fn sweep(&mut self) {
        let sweeper = Sweeper::new(self.table.clone(), self.clock.clone());
        self.run(
            async move { Ended::Sweep(sweeper.sweep(Expired::ByDeadline).await.is_ok_and(|swept| swept.failed == 0)) },
        );
    }

    fn run(&mut self, work: impl Future<Output = Ended> + Send + 'static) {
        let ended = Arc::clone(&self.ended);
        let work = tokio::spawn(work);
        self.running.push(work.abort_handle());
        tokio::spawn(async move {
            let end = match work.await {
                Ok(end) => end,
                Err(error) if error.is_panic() => Ended::Panicked(error.to_string()),
                Err(_) => return,
            };
            ended.lock().expect("ended").push(end);
        });
    }
}

impl Parts {
    fn new(table: &Table, clock: &Clock, kinesis: &aws_sdk_kinesis::Client) -> Self {
        Self {
            meters: Meters::new(table.clone(), clock.clone(), Flush::BeforeReturning),
            ledger: Ledger::new(table.clone()),
            publisher: Publisher::new(kinesis.clone(), "usage", Flush::BeforeReturning),
        }
    }

    async fn request(&self, request: Request, ended: &Mutex<Vec<Ended>>) -> lmo_shared::error::Result<bool> {
        let Request { id, account, hold, entry, twice } = request;
        let grant = self.meters.hold(&account, id, hold).await?;
        ended.lock().expect("ended").push(Ended::Held(id));
        if twice {
            self.ledger.record(account.tenant, id, entry.clone()).await?;
        }
        let entry = match self.ledger.record(account.tenant, id, entry.clone()).await? {
            Recorded::New => entry,
            Recorded::Before(before) => *before,
        };
        let settle = self.meters.settle(&account, &grant, entry.tokens()?, entry.nano_usd);
        let publish = self.publisher.publish(UsageEvent::of(account.tenant, id));
        let (_, published) = tokio::join!(settle, publish);
        Ok(published.is_ok())
    }
}

/// Retries of the SDK don't take time: the scheduler decides what is slow.
#[derive(Debug)]
struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

/// The table through a wire. What fails is tried twice by the SDK, with a budget that no other run uses up.
pub fn table(wire: &Wire) -> Table {
    let budget = RetryPartition::custom("run").token_bucket(TokenBucket::unlimited()).build();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(credentials())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .retry_partition(budget)
        .sleep_impl(NoSleep)
        .http_client(wire.clone());
    Table::new(aws_sdk_dynamodb::Client::from_conf(config.build()), TABLE)
}

fn kinesis(wire: &Wire) -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(credentials())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .retry_partition(RetryPartition::custom("run").token_bucket(TokenBucket::unlimited()).build())
        .sleep_impl(NoSleep)
        .http_client(wire.clone());
    aws_sdk_kinesis::Client::from_conf(config.build())
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("embedded", "embedded", None, None, "embedded"))
}
