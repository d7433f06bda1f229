//! A turn that is being answered: it has the session's lock until it ends.

use std::collections::VecDeque;

use aws_sdk_dynamodb::{operation::update_item::builders::UpdateItemFluentBuilder, types::Update};
use futures_util::StreamExt;

use super::{
    Head, Listed, Opening, Past, Room, Said, SessionId, Summary, Weight, head,
    past::{self, Part},
    read::Backwards,
};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    llm::Prompt,
    store::{Change, Partition, TenantTable, failure, is_condition_failure, keys, number, text},
};

/// The most bytes of a conversation that are read for one turn, whatever the model's window.
const MOST_READ: usize = 8_000_000;

/// How many items are renewed at once.
const RENEWED_TOGETHER: usize = 8;

/// How far back to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As far as the turns fit into the model's window, and one turn further.
    Fitting,
    /// That far, and on to the turns that are in the summary.
    Unsummarised,
}

/// A turn that has begun. End it with [`commit`](Self::commit) or [`abandon`](Self::abandon); one that is dropped
/// blocks its session until its deadline.
#[must_use = "its session is locked until it ends"]
pub struct Turn {
    table: TenantTable,
    clock: Clock,
    id: SessionId,
    opening: Opening,
    head: Head,
    /// The turns that will not outlive the session unless they are renewed.
    ageing: Vec<Ageing>,
}

/// A turn that is to be renewed.
struct Ageing {
    number: u32,
    parts: u8,
    at: Timestamp,
}

impl Turn {
    pub(super) fn new(table: TenantTable, clock: Clock, id: SessionId, opening: Opening, head: Head) -> Self {
        Self { table, clock, id, opening, head, ageing: Vec::new() }
    }

    /// How many turns came before it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.head.turns
    }

    /// What the conversation's oldest turns were about, if it was summarised.
    #[must_use]
    pub fn summary(&self) -> Option<&Summary> {
        let since = self.opening.retention.since(self.clock.now());
        self.head.summary.as_ref().filter(|summary| summary.since >= since)
    }

    /// What was said before, oldest first, back to where it no longer fits into `room`, but never more than 8 MB.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn history(&mut self, room: &Room<'_>, reach: Reach) -> Result<Vec<Past>> {
        let now = self.clock.now();
        // It may take until its deadline to end, and the session lives on from there.
        let outlived = self.opening.until.after(self.opening.ttl);
        let retention = self.opening.retention;
        let summarised = match reach {
            Reach::Fitting => u32::MAX,
            Reach::Unsummarised => self.summary().map_or(0, |summary| summary.turns),
        };
        let mut turns = Backwards::from(&self.partition(), self.head.born, self.head.turns, now, retention.since(now));
        let mut found = VecDeque::new();
        let (mut tokens, mut bytes) = (0_u64, 0);
        self.ageing.clear();
        while let Some(turn) = turns.next().await? {
            if turn.expires_at < retention.ends(turn.at, outlived).seconds() {
                self.ageing.push(Ageing { number: turn.number, parts: turn.parts, at: turn.at });
            }
            tokens = tokens.saturating_add(room.tokens(&turn.weight));
            bytes += turn.bytes;
            let enough = tokens > room.left() && turn.number <= summarised;
            found.push_front(turn);
            if enough || bytes > MOST_READ {
                break;
            }
        }
        Ok(found.into())
    }

    /// Adds the turn and ends it. Nothing is added unless it still has the lock. If adding fails, the lock is given back.
    ///
    /// # Errors
    /// `Conflict` if the session was deleted meanwhile, or another turn began after this one's deadline; `Invalid` if
    /// the answer is longer than a session keeps (3.5 MB with what was asked); `Unavailable` if the table can't be
    /// reached.
    pub async fn commit(self, said: Said) -> Result<()> {
        let added = self.add(said).await;
        match &added {
            Ok(()) => self.renew().await,
            Err(Error::Conflict(_)) => {}
            Err(_) => {
                if let Err(error) = head::unlock(&self.partition(), self.opening.request).await {
                    tracing::warn!(request = %self.opening.request, ?error, "a session stays locked until its turn's deadline");
                }
            }
        }
        added
    }

    /// Ends the turn and leaves the conversation as it was.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached; then the session stays locked until the turn's deadline.
    pub async fn abandon(self) -> Result<()> {
        head::unlock(&self.partition(), self.opening.request).await
    }

    fn partition(&self) -> Partition {
        self.table.session(&self.id)
    }

    async fn add(&self, said: Said) -> Result<()> {
        let Said { asked, answered, model, summary } = said;
        let mut messages = asked.into_messages();
        messages.extend(answered);
        let said = Prompt::new(messages);
        let json = past::write(&said.messages)?;
        if json.len() > past::MOST_BYTES {
            let detail = "question and answer together are longer than what a session keeps of a turn (3.5 MB)";
            return Err(Error::invalid("context.sessionId", detail));
        }
        let at = self.clock.now();
        let turn = Part {
            number: self.head.turns,
            index: 0,
            parts: 0,
            request: self.opening.request,
            at,
            weight: Weight::of(&said),
            body: Vec::new(),
            expires_at: self.turn_expiry(at),
        };
        let (partition, mut change) = (self.partition(), Change::new(self.table.table()));
        for part in past::cut(&turn, &json)? {
            change.put_new(&partition, &part.sort(self.head.born), &part)?;
        }
        change.update(self.head_update(&partition, &model, summary.as_ref())?);
        if let Some(expires_at) = self.to_be_listed_until() {
            change.put(&self.table.main(), &keys::listed_session(&self.id), &Listed { expires_at })?;
        }
        let id = &self.id;
        let lost = || Error::Conflict(format!("session `{id}` was deleted or taken over before its turn ended"));
        change.commit().await?.or(lost)
    }

    /// Until when the tenant's list is to have the session, if what it has ends before the session would. So it is written
    /// with the first turn, and then once in a quarter of the time that the session has at most.
    fn to_be_listed_until(&self) -> Option<u64> {
        let (now, ttl) = (self.clock.now(), self.opening.ttl);
        (self.head.listed_until < now.after(ttl).seconds()).then(|| now.after(ttl + ttl / 4).seconds())
    }

    /// Counts the turn and gives the lock back, if it is still this turn's.
    fn head_update(&self, partition: &Partition, model: &str, summary: Option<&Summary>) -> Result<Update> {
        let set =
            "SET turns = :turns, updated_at = :now, expires_at = :expires, model = :model, listed_until = :listed";
        let also = if summary.is_some() { ", summary = :summary" } else { "" };
        let listed = self.to_be_listed_until().unwrap_or(self.head.listed_until);
        let now = self.clock.now();
        let mut update = partition
            .update_in_transaction(keys::HEAD)
            .update_expression(format!("{set}{also} REMOVE busy_request, busy_until"))
            .condition_expression("busy_request = :request")
            .expression_attribute_values(":request", text(&self.opening.request.to_string()))
            .expression_attribute_values(":turns", number(self.head.turns + 1))
            .expression_attribute_values(":now", number(now.0))
            .expression_attribute_values(":expires", number(now.after(self.opening.ttl).seconds()))
            .expression_attribute_values(":model", text(model))
            .expression_attribute_values(":listed", number(listed));
        if let Some(summary) = summary {
            let summary = serde_dynamo::to_attribute_value(summary).map_err(Error::internal)?;
            update = update.expression_attribute_values(":summary", summary);
        }
        update.build().map_err(Error::internal)
    }

    /// A quarter of the time more than the session has: so long a turn that was added at `at` need not be touched. No
    /// longer than it may be kept.
    fn turn_expiry(&self, at: Timestamp) -> u64 {
        let Opening { ttl, retention, .. } = self.opening;
        retention.ends(at, self.clock.now().after(ttl + ttl / 4)).seconds()
    }

    /// Lets the turns that were read live as long as the session. What fails is tried again with the next turn.
    async fn renew(&self) {
        let partition = self.partition();
        let renewal = |turn: &Ageing, part| {
            let update = partition.update(&keys::turn(self.head.born, turn.number, part));
            update
                .update_expression("SET expires_at = :until")
                // One that was deleted stays so.
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":until", number(self.turn_expiry(turn.at)))
        };
        let parts = self.ageing.iter().flat_map(|turn| (0..turn.parts).map(move |part| (turn, part)));
        let renewals: Vec<_> = parts.map(|(turn, part)| renewal(turn, part)).collect();
        let renewals = futures_util::stream::iter(renewals).map(UpdateItemFluentBuilder::send);
        let mut renewed = renewals.buffer_unordered(RENEWED_TOGETHER);
        while let Some(sent) = renewed.next().await {
            if let Some(error) = sent.err().filter(|error| !is_condition_failure(error)) {
                tracing::warn!(request = %self.opening.request, error = ?failure(error), "a turn was not renewed");
            }
        }
    }
}
