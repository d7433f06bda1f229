//! Kept answers as items: JSON, compressed, split over as many items as it needs, each in the tenant's own partition.

use std::{
    io::{Read, Write},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};

use super::{CacheKey, Kept};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::{Table, parse},
};

/// Below `DynamoDB`'s 400 KB an item, names and keys included.
const PART: usize = 380_000;
/// An answer that needs more is not kept.
const MOST_PARTS: usize = 10;
/// The most bytes that an answer unpacks to; more is a broken item.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The kept answers of all tenants, each through its own tenant's handle.
#[derive(Clone)]
pub struct AnswerCache {
    table: Table,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct Part {
    /// When the answer was kept.
    at: Timestamp,
    /// Of how many items.
    parts: usize,
    data: Bytes,
    /// In seconds since the epoch.
    expires_at: u64,
}

impl AnswerCache {
    /// The cache in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// A kept answer that is not older than `max_age`: one read, and another one if it is large.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn find(&self, tenant: TenantId, key: &CacheKey, max_age: Option<Duration>) -> Result<Option<Kept>> {
        let partition = self.table.tenant(tenant).cached(key.as_str());
        let Some(first) = partition.find::<Part>(&sort(0)).await? else { return Ok(None) };
        let now = self.clock.now();
        // TTL deletes late.
        let expired = first.expires_at <= now.seconds();
        if expired || max_age.is_some_and(|most| now.since(first.at) > most) {
            return Ok(None);
        }
        let mut packed = first.data.to_vec();
        if first.parts > 1 {
            let names: Vec<_> = (1..first.parts).map(sort).collect();
            let sorts: Vec<_> = names.iter().map(String::as_str).collect();
            let mut found = partition.find_all(&sorts).await?;
            for name in &names {
                let Some(part) = found.remove(name) else { return Ok(None) };
                let part: Part = parse(part)?;
                // Another answer is being written over this one.
                if part.at != first.at {
                    return Ok(None);
                }
                packed.extend_from_slice(&part.data);
            }
        }
        unpack(&packed).map(Some)
    }

    /// Keeps an answer for `ttl`, unless it is too large. The first item comes last, so that a reader who finds it finds
    /// all.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn keep(&self, tenant: TenantId, key: &CacheKey, kept: &Kept, ttl: Duration) -> Result<()> {
        let packed = Bytes::from(pack(kept)?);
        let parts = packed.len().div_ceil(PART);
        if parts > MOST_PARTS {
            return Ok(());
        }
        let (at, partition) = (self.clock.now(), self.table.tenant(tenant).cached(key.as_str()));
        for number in (0..parts).rev() {
            let data = packed.slice(number * PART..packed.len().min((number + 1) * PART));
            let part = Part { at, parts, data, expires_at: at.after(ttl).seconds() };
            partition.put(&sort(number), &part).await?;
        }
        Ok(())
    }
}

fn sort(part: usize) -> String {
    format!("PART#{part:02}")
}

fn pack(kept: &Kept) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(kept).map_err(Error::internal)?;
    let mut packer = ZlibEncoder::new(Vec::with_capacity(json.len() / 4), Compression::fast());
    packer.write_all(&json).and_then(|()| packer.finish()).map_err(Error::internal)
}

fn unpack(packed: &[u8]) -> Result<Kept> {
    let mut json = Vec::with_capacity(packed.len().saturating_mul(4));
    ZlibDecoder::new(packed).take(MOST_BYTES).read_to_end(&mut json).map_err(Error::internal)?;
    serde_json::from_slice(&json).map_err(Error::internal)
}
