//! The worker: finds out which webhooks are to be told an event, and tells them. It runs every minute, may run several
//! times at once, and may die at any moment: what it was at then is done again, under the same `webhook-id`.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use super::{
    Attempt, Delivery, DeliveryStatus, Disabled, Told, Webhook, Webhooks,
    queue::{self, Claim, Due, Queue},
    repo, signature,
};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::WebhookId,
    outbound::{Bounds, Call, Failure, Outbound, Reply, retry_after},
    seal::Seal,
    store::{Change, Committed, Table, keys, parse},
};

/// How long an attempt may take, and how much of an answer is read: Standard Webhooks 1.0.0 recommends 15 to 30 s.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(15), bytes: 1_024 };
/// How many characters of an answer are kept.
const KEPT_OF_ANSWER: usize = 256;
/// How many attempts are made at once, how many of them for one tenant, and at one webhook, so that who is slow holds up
/// nobody.
const AT_ONCE: usize = 64;
const OF_ONE: usize = 8;
const AT_ONE: usize = 2;
/// What becomes due within this time is waited for.
const WORTH_WAITING: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(500);
/// How long a webhook may fail until it is told nothing more.
const PATIENCE: Duration = Duration::from_hours(5 * 24);

/// Tells webhooks what happened.
#[derive(Clone)]
pub struct Deliveries {
    table: Table,
    clock: Clock,
    seal: Seal,
    outbound: Outbound,
    webhooks: Webhooks,
    queue: Queue,
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ran {
    /// Events of which it was found out whom to tell.
    pub events: u64,
    /// Deliveries that were made.
    pub delivered: u64,
    /// Attempts that failed and are made again later.
    pub failed: u64,
    /// Deliveries that were given up.
    pub dead: u64,
}

impl Ran {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.dead += other.dead;
    }
}

/// What became of something that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Somebody else is at it, or it is no more.
    Nothing,
    Event,
    Delivered,
    Failed {
        /// Whether there was an answer at all.
        answered: bool,
    },
    Dead,
}

/// Since when a webhook has failed without a success.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Health {
    failing_since: Timestamp,
}

impl Deliveries {
    /// A worker on the queue in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, seal: Seal, outbound: Outbound) -> Self {
        let webhooks = Webhooks::new(table.clone(), seal.clone(), outbound.clone());
        Self { queue: Queue(table.clone()), table, clock, seal, outbound, webhooks }
    }

    /// Works off what is due. It begins nothing more when there is nothing more to do, and after `until`; then it waits
    /// for what it is at, which may take 15 s and what is written about it.
    ///
    /// # Errors
    /// `Unavailable` if the queue can't be read. Whatever else fails is logged and done again when its claim is over.
    pub async fn run(&self, until: Timestamp) -> Result<Ran> {
        let mut run = Run::default();
        let worked = self.work_off(&mut run, until).await;
        while run.one_ends().await {}
        worked.map(|()| run.ran)
    }

    /// The same, and it waits for what becomes due within seconds: the first attempt that fails is made again after 5 s.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn keep_running(&self, until: Timestamp) -> Result<Ran> {
        let mut all = Ran::default();
        loop {
            all.add(self.run(until).await?);
            let now = self.clock.now();
            if !self.queue.is_due_between(now, now.after(WORTH_WAITING).min(until)).await? {
                return Ok(all);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn work_off(&self, run: &mut Run, until: Timestamp) -> Result<()> {
        loop {
            let now = self.clock.now();
            if now >= until {
                return Ok(());
            }
            let begun = self.begin_due(run, now).await?;
            if !run.one_ends().await && begun == 0 {
                return Ok(());
            }
        }
    }

    /// Begins whatever is due and may be begun. Returns how much that was.
    async fn begin_due(&self, run: &mut Run, now: Timestamp) -> Result<usize> {
        let mut begun = 0;
        let mut due = self.queue.due_by(now);
        while let Some(page) = due.page().await? {
            for due in page {
                if !run.may_begin(&due) {
                    continue;
                }
                while run.at.len() >= AT_ONCE {
                    run.one_ends().await;
                }
                // It may have turned out meanwhile that its webhook doesn't answer.
                if run.may_begin(&due) {
                    let worker = self.clone();
                    let task = run.tasks.spawn(async move { worker.work(&due).await });
                    run.at.insert(task.id(), due);
                    begun += 1;
                }
            }
        }
        Ok(begun)
    }

    async fn work(&self, due: &Due) -> Result<Outcome> {
        let Some(claim) = self.queue.claim(due, self.clock.now()).await? else { return Ok(Outcome::Nothing) };
        match due.webhook {
            None => self.spread(due, claim).await,
            Some(webhook) => self.tell(due, webhook, claim).await,
        }
    }

    /// Begins a delivery to each webhook that hears an event. Doing it again changes nothing.
    async fn spread(&self, due: &Due, claim: Claim) -> Result<Outcome> {
        let told: Option<Told> = self.table.tenant(due.tenant).webhooks().find(&keys::event(due.message)).await?;
        if let Some(told) = told {
            for webhook in self.webhooks.list(due.tenant).await?.iter().filter(|webhook| webhook.hears(told.kind)) {
                let mut change = Change::new(&self.table);
                let delivery = Delivery::begin(due.message, told.kind, due.at);
                repo::begin(&mut change, due.tenant, webhook.id, &delivery, due.at)?;
                match change.commit().await? {
                    // Refused: it was begun before.
                    Committed::Yes | Committed::Refused(_) => {}
                }
            }
        }
        self.queue.drop(due, claim).await?;
        Ok(Outcome::Event)
    }

    /// Makes an attempt, and writes what became of it together with when the next one is.
    async fn tell(&self, due: &Due, id: WebhookId, claim: Claim) -> Result<Outcome> {
        let table = self.table.tenant(due.tenant);
        let (event, sort, health) = (keys::event(due.message), keys::delivery(id, due.message), keys::health(id));
        let (main, partition) = (table.main(), table.webhooks());
        let webhook = keys::webhook(id);
        let sorts = [event.as_str(), sort.as_str(), health.as_str()];
        let (webhook, mut found) = tokio::try_join!(main.find::<Webhook>(&webhook), partition.find_all(&sorts))?;
        let told: Option<Told> = found.remove(&event).map(parse).transpose()?;
        let delivery: Option<Delivery> = found.remove(&sort).map(parse).transpose()?;
        let health: Option<Health> = found.remove(&health).map(parse).transpose()?;
        let delivery = delivery.filter(|delivery| delivery.due == Some(due.at));
        let (Some(webhook), Some(told), Some(mut delivery)) = (webhook, told, delivery) else {
            self.queue.drop(due, claim).await?;
            return Ok(Outcome::Nothing);
        };
        let mut tried = None;
        if webhook.disabled.is_some() {
            delivery.give_up();
        } else {
            let (attempt, wait) = self.attempt(due, &webhook, &told).await?;
            delivery.conclude(attempt.clone(), self.clock.now(), wait, rand::random());
            tried = Some(attempt);
        }
        let mut change = Change::new(&self.table);
        queue::done(&mut change, due, claim)?;
        if let Some(at) = delivery.due {
            queue::add(&mut change, &Due { at, ..*due })?;
        }
        delivery.version += 1;
        change.replace(&partition, &sort, &delivery, delivery.version - 1)?;
        if let Committed::Refused(_) = change.commit().await? {
            // It took longer than its claim, and somebody else makes the attempt again.
            tracing::warn!(tenant = %due.tenant, webhook = %id, message = %due.message, "an attempt came too late");
            return Ok(Outcome::Nothing);
        }
        if let Some(attempt) = &tried {
            self.judge(due, &webhook, attempt, health).await?;
        }
        Ok(match delivery.status {
            DeliveryStatus::Pending => Outcome::Failed { answered: tried.is_some_and(|tried| tried.status.is_some()) },
            DeliveryStatus::Delivered => Outcome::Delivered,
            DeliveryStatus::Dead => Outcome::Dead,
        })
    }

    /// Sends an event to a webhook. Returns what became of it, and how long the webhook wants to be left alone.
    async fn attempt(&self, due: &Due, webhook: &Webhook, told: &Told) -> Result<(Attempt, Option<Duration>)> {
        let at = self.clock.now();
        let secrets = webhook.secrets(&self.seal, at).await?;
        let mut headers = signature::headers(due.message, at, &told.body, &secrets);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let began = Instant::now();
        let sent = match self.outbound.target("url", &webhook.url) {
            Ok(target) => {
                let call = Call { method: Method::POST, target, headers, body: told.body.clone().into() };
                self.outbound.send(call, BOUNDS).await
            }
            Err(_) => Err(Failure::NotPublic),
        };
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let wait = sent.as_ref().ok().and_then(|reply| retry_after(&reply.headers));
        let attempt = match sent {
            Ok(reply) => Attempt { at, ms, status: Some(reply.status.as_u16()), error: None, body: beginning(&reply) },
            Err(failure) => Attempt { at, ms, status: None, error: Some(failure.to_string()), body: String::new() },
        };
        Ok((attempt, wait))
    }

    /// Disables a webhook that is no more or has failed for long, and notes since when one fails.
    async fn judge(&self, due: &Due, webhook: &Webhook, attempt: &Attempt, health: Option<Health>) -> Result<()> {
        let now = self.clock.now();
        let partition = self.table.tenant(due.tenant).webhooks();
        let sort = keys::health(webhook.id);
        let health = health.filter(|health| health.failing_since >= webhook.since);
        let why = match health {
            _ if attempt.is_gone() => Some(Disabled::Gone),
            Some(_) if attempt.is_success() => return partition.delete_all(&[sort]).await,
            Some(health) if now.since(health.failing_since) >= PATIENCE => Some(Disabled::Failing),
            None if !attempt.is_success() => return partition.put(&sort, &Health { failing_since: now }).await,
            Some(_) | None => None,
        };
        let Some(why) = why else { return Ok(()) };
        match self.webhooks.disable(due.tenant, webhook, why, now).await {
            // Its tenant has changed it meanwhile.
            Ok(_) | Err(Error::PreconditionFailed | Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The beginning of an answer's body, as far as it is text.
fn beginning(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).chars().filter(|c| !c.is_control()).take(KEPT_OF_ANSWER).collect()
}

/// What a run is at.
#[derive(Default)]
struct Run {
    tasks: JoinSet<Result<Outcome>>,
    at: HashMap<Id, Due>,
    /// Webhooks that gave no answer in this run: each further attempt would take its time for nothing.
    silent: HashSet<WebhookId>,
    ran: Ran,
}

impl Run {
    fn may_begin(&self, due: &Due) -> bool {
        if self.at.values().any(|at| at == due) {
            return false;
        }
        // Finding out whom to tell calls nobody.
        let Some(webhook) = due.webhook else { return true };
        let attempts = || self.at.values().filter(|at| at.webhook.is_some());
        let at_one = attempts().filter(|at| at.webhook == due.webhook).count();
        let of_one = attempts().filter(|at| at.tenant == due.tenant).count();
        at_one < AT_ONE && of_one < OF_ONE && !self.silent.contains(&webhook)
    }

    /// Waits until something ends; `false` if there is nothing.
    async fn one_ends(&mut self) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else { return false };
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => JoinError::id(error),
        };
        let due = self.at.remove(&id);
        match ended {
            Ok((_, Ok(outcome))) => self.count(outcome, due.and_then(|due| due.webhook)),
            Ok((_, Err(error))) => tracing::error!(?due, ?error, "a delivery is left until its claim is over"),
            Err(_) => tracing::error!(?due, "a delivery ended in a panic"),
        }
        true
    }

    fn count(&mut self, outcome: Outcome, webhook: Option<WebhookId>) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Event => self.ran.events += 1,
            Outcome::Delivered => self.ran.delivered += 1,
            Outcome::Dead => self.ran.dead += 1,
            Outcome::Failed { answered } => {
                self.ran.failed += 1;
                self.silent.extend(webhook.filter(|_| !answered));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MessageId, TenantId};

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    fn due(tenant: TenantId, webhook: Option<WebhookId>) -> Due {
        Due { at: NOW, tenant, message: MessageId::new(NOW), webhook }
    }

    #[tokio::test]
    async fn a_tenant_with_many_webhooks_is_told_at_most_eight_things_at_once() {
        let (one, other) = (TenantId::new(NOW), TenantId::new(NOW));
        let mut run = Run::default();
        for _ in 0..20 {
            let due = due(one, Some(WebhookId::new(NOW)));
            if run.may_begin(&due) {
                run.at.insert(run.tasks.spawn(async { Ok(Outcome::Nothing) }).id(), due);
            }
        }
        assert_eq!(run.at.len(), 8);
        assert!(run.may_begin(&due(one, None)));
        assert!(run.may_begin(&due(other, Some(WebhookId::new(NOW)))));
        while run.one_ends().await {}
        assert!(run.may_begin(&due(one, Some(WebhookId::new(NOW)))));
    }
}
