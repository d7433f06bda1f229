//! A model of a Kinesis stream with its event source mapping: shards by hash of the partition key, resharding, and a
//! place per shard up to which records are delivered. It may deliver twice, late, out of order, and from the start again.

use std::hash::{DefaultHasher, Hash, Hasher};

use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};

/// How often a record is tried before it goes to the on-failure destination.
const TRIES: u32 = 3;

#[derive(Clone)]
struct Record {
    sequence: String,
    data: Vec<u8>,
    poison: bool,
}

#[derive(Default)]
struct Shard {
    records: Vec<Record>,
    /// Records before this one are delivered.
    place: usize,
    tries: u32,
    closed: bool,
}

/// What is delivered at once.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    shard: usize,
    from: usize,
    to: usize,
}

/// The stream.
pub struct Stream {
    shards: Vec<Shard>,
    sequence: u64,
}

impl Stream {
    pub fn new(shards: usize) -> Self {
        Self { shards: (0..shards).map(|_| Shard::default()).collect(), sequence: 0 }
    }

    /// Appends a record; returns its shard and its sequence number.
    pub fn append(&mut self, key: &str, data: Vec<u8>, poison: bool) -> (usize, String) {
        let open: Vec<_> = (0..self.shards.len()).filter(|&shard| !self.shards[shard].closed).collect();
        let mut hash = DefaultHasher::new();
        key.hash(&mut hash);
        let shard = open[usize::try_from(hash.finish() % open.len() as u64).unwrap_or_default()];
        self.sequence += 1;
        let sequence = format!("4959{:052}", self.sequence);
        self.shards[shard].records.push(Record { sequence: sequence.clone(), data, poison });
        (shard, sequence)
    }

    /// Closes a shard and opens two instead.
    pub fn reshard(&mut self, any: usize) {
        let shard = any % self.shards.len();
        if !self.shards[shard].closed {
            self.shards[shard].closed = true;
            self.shards.extend([Shard::default(), Shard::default()]);
        }
    }

    /// Loses a record for good.
    pub fn lose(&mut self, any: usize) {
        let shards = self.shards.len();
        let shard = &mut self.shards[any % shards];
        if !shard.records.is_empty() {
            let lost = any % shard.records.len();
            shard.records.remove(lost);
            shard.place -= usize::from(lost < shard.place);
        }
    }

    /// Starts again at the oldest record of every shard.
    pub fn rewind(&mut self) {
        for shard in &mut self.shards {
            (shard.place, shard.tries) = (0, 0);
        }
    }

    /// The next batch of some shard, of at most `size` records.
    pub fn next(&self, any: usize, size: usize) -> Option<Batch> {
        let order = (0..self.shards.len()).map(|step| (any + step) % self.shards.len());
        let mut due = order.filter(|&shard| self.shards[shard].place < self.shards[shard].records.len());
        let shard = due.next()?;
        let (from, there) = (self.shards[shard].place, self.shards[shard].records.len());
        Some(Batch { shard, from, to: there.min(from + size) })
    }

    /// The batch as the function gets it.
    pub fn event(&self, batch: Batch) -> KinesisEvent {
        let mut event = KinesisEvent::default();
        event.records = self.records(batch).iter().map(event_record).collect();
        event
    }

    /// A handler has finished a batch, and names what failed; a record that fails too often is given up, unless it
    /// has to come through.
    pub fn finished(&mut self, batch: Batch, failed: &[String], give_up: bool) {
        let first = self.records(batch).iter().position(|record| failed.contains(&record.sequence));
        let shard = &mut self.shards[batch.shard];
        let Some(first) = first else {
            shard.place = shard.place.max(batch.to.min(shard.records.len()));
            shard.tries = 0;
            return;
        };
        shard.place = shard.place.max(batch.from + first);
        shard.tries += 1;
        if shard.tries >= TRIES && shard.records.get(shard.place).is_some_and(|record| record.poison || give_up) {
            (shard.place, shard.tries) = (shard.place + 1, 0);
        }
    }

    fn records(&self, batch: Batch) -> &[Record] {
        let records = &self.shards[batch.shard].records;
        &records[batch.from.min(records.len())..batch.to.min(records.len())]
    }
}

fn event_record(record: &Record) -> KinesisEventRecord {
    let mut event = KinesisEventRecord::default();
    event.kinesis.sequence_number.clone_from(&record.sequence);
    event.kinesis.data.0.clone_from(&record.data);
    event
}
