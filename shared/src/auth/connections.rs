//! Open WebSocket connections: API Gateway keeps them, and tells their callers' key only when they are opened. What is
//! kept here says who that was. Neither the key's text nor a hash of it is in it.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::Principal;
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::{Table, Written, keys, number},
    tenant::KeyScope,
};

/// How long a connection is kept: API Gateway ends one after two hours.
const LIFE: Duration = Duration::from_mins(125);

/// Who opened a connection. Only a [`super::Caller`] makes one, and only [`super::Authenticator::again`] makes a caller
/// of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    pub(super) tenant: TenantId,
    pub(super) who: Principal,
    /// What its token was narrowed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scopes: Option<BTreeSet<KeyScope>>,
    /// When the access token that opened it expires, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// The page that opened it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<String>,
    /// The address that it was opened from, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<IpAddr>,
}

/// Open connections in the table.
#[derive(Debug, Clone)]
pub struct Connections {
    table: Table,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct Opened {
    by: Proved,
    at: Timestamp,
    /// In seconds since the epoch.
    expires_at: u64,
}

#[derive(Serialize)]
struct Taken {
    /// Tells a message that comes again from a put that does, because its answer got lost.
    run: u64,
    /// In seconds since the epoch.
    expires_at: u64,
}

impl Connections {
    /// The connections in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// Remembers who opened a connection.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn open(&self, connection: &str, by: Proved) -> Result<()> {
        let at = self.clock.now();
        let opened = Opened { by, at, expires_at: at.after(LIFE).seconds() };
        self.table.connection(connection).put(keys::CONNECTION, &opened).await
    }

    /// Forgets a connection, if it is known.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn close(&self, connection: &str) -> Result<()> {
        self.table.connection(connection).delete_if(keys::CONNECTION, "attribute_exists(pk)", &[]).await.map(drop)
    }

    /// Takes a message that came over a connection, once: who opened the connection, or `None` if the message was taken
    /// before. It is remembered for longer than the connection may last.
    ///
    /// # Errors
    /// `Unauthenticated` if the connection isn't open; `Unavailable` if the table can't be reached.
    pub async fn take(&self, connection: &str, message: &str) -> Result<Option<Proved>> {
        let (partition, now) = (self.table.connection(connection), self.clock.now());
        let (message, taken) =
            (keys::message(message), Taken { run: rand::random(), expires_at: now.after(LIFE).seconds() });
        let run = [(":run", number(taken.run))];
        let put = partition.put_if(&message, &taken, "attribute_not_exists(pk) OR run = :run", &run);
        let (opened, taken) = tokio::join!(partition.find::<Opened>(keys::CONNECTION), put);
        if taken? == Written::Refused {
            return Ok(None);
        }
        // TTL deletes late.
        let opened = opened?.filter(|opened| opened.expires_at > now.seconds());
        opened.map(|opened| Some(opened.by)).ok_or(Error::Unauthenticated("this connection is not open; connect again"))
    }
}
