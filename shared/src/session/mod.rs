//! Conversations that LMO keeps for its clients. A request that names one continues it: what was said before goes to
//! the model with it, and it and its answer become the next turn.
//!
//! *One turn at a time.* [`Sessions::begin`] takes the session's lock with one conditional update of its `HEAD`; whoever
//! comes meanwhile gets a conflict. [`Turn::commit`] puts the turn and gives the lock back in one transaction, on
//! condition that the lock is still this request's. So a turn whose lock was taken over after its deadline, or whose
//! session was deleted meanwhile, adds nothing.
//!
//! *What a turn keeps*: the request's new messages without system messages, which apply to their own request alone, and
//! the assistant's, with calls of tools and thinking blocks. They are JSON text, deflated, in as many items as it takes,
//! because an item has 400 KB at most.
//!
//! *How long*: a session lives for its time to live after the last turn began, and its `HEAD` alone decides that. `DynamoDB`
//! may take days to delete what has expired, so everybody who reads looks at the time too. Turns outlive their `HEAD` by
//! a quarter of that time, so that a long conversation renews its turns now and then instead of every time.
//!
//! *Which there are*: the tenant's own partition lists its sessions, each once with its first turn and again before that
//! would be forgotten, so a turn costs no more for it. What is listed may be over.
//!
//! *Nothing is reused.* The keys of turns begin with the request that began the conversation. One that takes the place
//! of an expired or deleted one never meets its turns, whenever those are deleted.

use std::{collections::VecDeque, time::Duration};

use aws_sdk_dynamodb::error::ProvideErrorMetadata;

use self::{head::Head, read::Backwards};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::{RequestId, TenantId},
    llm::Message,
    store::{Table, keys},
    tenant::Retention,
};

mod head;
mod past;
mod read;
mod said;
mod summary;
mod trim;
mod turn;

pub use past::Past;
pub use said::{Asked, Said};
pub use summary::{SUMMARY_TOKENS, Summary, assemble, summary_prompt};
pub use trim::{Room, Trimmed, Weight, trim};
pub use turn::{Reach, Turn};

pub use crate::id::SessionId;

/// The most bytes of messages that [`Sessions::get`] returns: less than the 6 MB that a Lambda function can answer with.
const MOST_IN_A_PAGE: usize = 4_000_000;

/// How long to wait for a transaction that has the item, in milliseconds, again and again.
const PAUSES: [u64; 6] = [2, 5, 10, 25, 50, 100];

/// The conversations of all tenants.
#[derive(Debug, Clone)]
pub struct Sessions {
    table: Table,
    clock: Clock,
}

/// What a turn begins with.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// The request that the turn is for.
    pub request: RequestId,
    /// When the lock is given up if the turn didn't end: no earlier than the request's own deadline.
    pub until: Timestamp,
    /// How long the session is kept from now on.
    pub ttl: Duration,
    /// How long anything that is said in it may be kept.
    pub retention: Retention,
}

/// A session, with the messages of some of its turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// When its first turn began.
    pub created_at: Timestamp,
    /// When its last turn was added.
    pub updated_at: Timestamp,
    /// When it is forgotten, unless it is used before.
    pub expires_at: Timestamp,
    /// How many turns it has had. The oldest may be gone.
    pub turns: u32,
    /// The model that answered last.
    pub model: Option<String>,
    /// What its oldest turns were about.
    pub summary: Option<String>,
    /// What is said in the turns that were asked for, oldest first.
    pub messages: Vec<Message>,
    /// The oldest of these turns, if there are others before it.
    pub before: Option<u32>,
}

impl Sessions {
    /// The sessions in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// Begins a turn: the session is locked until it ends. A session that doesn't exist, or no longer, begins with it.
    ///
    /// # Errors
    /// `Conflict` while another turn of the session goes on, `Unavailable` if the table can't be reached.
    pub async fn begin(&self, tenant: TenantId, id: &SessionId, opening: Opening) -> Result<Turn> {
        const ATTEMPTS: usize = 3;
        let table = self.table.tenant(tenant);
        let partition = table.session(id);
        for _ in 0..ATTEMPTS {
            match head::lock(&partition, &opening, self.clock.now()).await? {
                head::Lock::Taken(head) => return Ok(Turn::new(table, self.clock.clone(), id.clone(), opening, *head)),
                head::Lock::Busy => {
                    return Err(Error::Conflict(format!("a turn of session `{id}` is still being answered")));
                }
                // The new one must not begin with anything of the old one.
                head::Lock::Expired => head::clear(&partition, self.clock.now()).await?,
            }
        }
        Err(Error::Unavailable("a session expires again and again".into()))
    }

    /// A session with its last turns, or the last before number `before`; at most `limit`, and fewer if they are long.
    /// What may not be kept any more is not shown.
    ///
    /// # Errors
    /// `NotFound` if the tenant has no such session, or no longer.
    pub async fn get(
        &self,
        tenant: TenantId,
        id: &SessionId,
        retention: Retention,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Session> {
        let partition = self.table.tenant(tenant).session(id);
        let now = self.clock.now();
        let since = retention.since(now);
        let head: Option<Head> = partition.find(keys::HEAD).await?;
        let lives = |head: &Head| head.lives_at(now) && head.updated_at >= since && !retention.is_nothing();
        let head = head.filter(lives).ok_or_else(|| not_found(id))?;
        let end = before.unwrap_or(head.turns).min(head.turns);
        let (messages, before) = page(Backwards::from(&partition, head.born, end, now, since), limit).await?;
        let ends = retention.ends(head.updated_at, Timestamp(head.expires_at.saturating_mul(1000)));
        Ok(Session {
            created_at: head.created_at,
            updated_at: head.updated_at,
            expires_at: ends,
            turns: head.turns,
            model: head.model,
            summary: head.summary.filter(|summary| summary.since >= since).map(|summary| summary.text),
            messages,
            before,
        })
    }

    /// Deletes a session and all its turns. A turn that is being answered ends with a conflict and adds nothing. If it
    /// fails half-way, the session is gone and doing it again deletes what is left.
    ///
    /// # Errors
    /// `NotFound` if the tenant has no such session, or no longer.
    pub async fn delete(&self, tenant: TenantId, id: &SessionId) -> Result<()> {
        #[derive(serde::Deserialize)]
        struct Row {
            sk: String,
        }
        let partition = self.table.tenant(tenant).session(id);
        let now = self.clock.now();
        let Some(head) = head::expire(&partition, now).await? else { return Err(not_found(id)) };
        let mut rows = partition.begins_with::<Row>(&keys::turns(head.born)).only(keys::SK);
        while let Some(page) = rows.page().await? {
            let sorts: Vec<_> = page.into_iter().map(|row| row.sk).collect();
            partition.delete_all(&sorts).await?;
        }
        self.table.tenant(tenant).main().delete_all(&[keys::listed_session(id)]).await?;
        head::clear(&partition, now).await?;
        if head.lives_at(now) { Ok(()) } else { Err(not_found(id)) }
    }
}

/// A session in its tenant's list.
#[derive(serde::Serialize)]
struct Listed {
    /// In seconds since the epoch.
    expires_at: u64,
}

/// The messages of the next turns, oldest first, and the oldest of these turns if there are others before it.
async fn page(mut turns: Backwards, limit: usize) -> Result<(Vec<Message>, Option<u32>)> {
    let mut found = VecDeque::new();
    let (mut bytes, mut oldest) = (0, None);
    while let Some(turn) = turns.next().await? {
        bytes += turn.bytes;
        if found.len() == limit || (oldest.is_some() && bytes > MOST_IN_A_PAGE) {
            return Ok((found.into_iter().flatten().collect(), oldest));
        }
        oldest = Some(turn.number);
        found.push_front(turn.messages);
    }
    Ok((found.into_iter().flatten().collect(), None))
}

fn not_found(id: &SessionId) -> Error {
    Error::NotFound { kind: "session", id: id.to_string() }
}

/// Whether a transaction has the item at the moment. No SDK repeats what is refused for that.
fn is_contended(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("TransactionConflictException")
}
