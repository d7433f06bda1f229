//! Records on disk until they are aggregated, because the stream engine keeps them in memory alone.
//!
//! A request that puts records is appended before the engine sees it, and what was not acknowledged is put again at
//! the next start. It is written, not flushed: it survives the process, and the sweep of the ledger repairs
//! what a power cut takes. Two segments bound its size: the older one goes when all of it is acknowledged.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::frame::{self, Frame};

/// The kind of the entries that say up to which id everything is acknowledged.
const ACKNOWLEDGED: u8 = 0;
/// From this size on a segment is closed as soon as the other one is gone.
const SEGMENT: u64 = 8 * 1024 * 1024;

/// Where a record is in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub stream: Arc<str>,
    pub shard: String,
    pub sequence: String,
}

/// A handle on the log.
#[derive(Debug, Clone)]
pub(super) struct RecordLog {
    state: Arc<Mutex<State>>,
}

/// An entry whose fate is not known yet; forgetting it means that nobody waits for its records.
#[derive(Debug)]
pub(super) struct Pending {
    log: RecordLog,
    id: u64,
    positions: Vec<Position>,
}

#[derive(Debug)]
struct State {
    path: PathBuf,
    older: PathBuf,
    file: File,
    size: u64,
    /// The last id of the older segment, while there is one.
    older_ends: Option<u64>,
    next: u64,
    entries: VecDeque<Entry>,
    aggregated: HashMap<(Arc<str>, String), String>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    /// `None` until the engine answered.
    positions: Option<Vec<Position>>,
}

impl RecordLog {
    /// Opens the log in `dir`; returns what has to be put into the engine again, oldest first.
    pub fn open(dir: &Path) -> io::Result<(Self, Vec<Frame>)> {
        let (path, older) = (dir.join("records.log"), dir.join("records.old.log"));
        let mut frames = Vec::new();
        let mut older_ends = None;
        if older.exists() {
            frames = frame::open(&older)?.1;
            older_ends = Some(frames.iter().map(|frame| frame.id).max().unwrap_or(0));
        }
        let (file, newer) = frame::open(&path)?;
        frames.extend(newer);
        let size = file.metadata()?.len();
        let (marks, mut frames): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.kind == ACKNOWLEDGED);
        let done = marks.iter().map(|frame| frame.id).max().unwrap_or(0);
        frames.retain(|frame| frame.id > done);
        let last = frames.last().map_or(done, |frame| frame.id);
        let waits = |frame: &Frame| Entry { id: frame.id, positions: None };
        let state = State {
            path,
            older,
            file,
            size,
            older_ends,
            next: last + 1,
            entries: frames.iter().map(waits).collect(),
            aggregated: HashMap::new(),
            closed: false,
        };
        let log = Self { state: Arc::new(Mutex::new(state)) };
        log.lock().forget_front()?;
        Ok((log, frames))
    }

    /// Writes an entry of `kind` (not 0).
    pub fn append(&self, kind: u8, body: &[u8]) -> io::Result<Pending> {
        let mut state = self.lock();
        if state.closed {
            return Err(io::Error::other("the stream engine is closed"));
        }
        let id = state.next;
        state.write(kind, id, body)?;
        state.next += 1;
        state.entries.push_back(Entry { id, positions: None });
        drop(state);
        Ok(self.pending(id))
    }

    /// The entry with this id, which is about to be put again.
    pub fn pending(&self, id: u64) -> Pending {
        Pending { log: self.clone(), id, positions: Vec::new() }
    }

    /// Everything in `shard` up to `sequence` is aggregated; returns the records that nobody needs any more.
    pub fn acknowledge(&self, stream: &str, shard: &str, sequence: &str) -> io::Result<Vec<Position>> {
        let mut state = self.lock();
        state.aggregated.insert((stream.into(), shard.to_owned()), sequence.to_owned());
        state.forget_front()
    }

    /// Refuses whatever comes later.
    pub fn close(&self) {
        self.lock().closed = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// The engine answered: these are the records of the entry, none if it was refused.
    pub fn settle(mut self, positions: Vec<Position>) {
        self.positions = positions;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut state = self.log.lock();
        if let Ok(index) = state.entries.binary_search_by_key(&self.id, |entry| entry.id) {
            state.entries[index].positions = Some(std::mem::take(&mut self.positions));
        }
    }
}

impl State {
    fn write(&mut self, kind: u8, id: u64, body: &[u8]) -> io::Result<()> {
        if self.size >= SEGMENT && self.older_ends.is_none() {
            fs::rename(&self.path, &self.older)?;
            self.older_ends = Some(self.next.saturating_sub(1));
            (self.file, _) = frame::open(&self.path)?;
            self.size = 0;
        }
        let bytes = frame::encode(kind, id, body).ok_or_else(|| io::Error::from(ErrorKind::FileTooLarge))?;
        if let Err(error) = self.file.write_all(&bytes) {
            // Half an entry would hide all that follow it.
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn forget_front(&mut self) -> io::Result<Vec<Position>> {
        let mut released = Vec::new();
        let mut done = None;
        while let Some(front) = self.entries.front() {
            let aggregated =
                front.positions.as_ref().is_some_and(|all| all.iter().all(|position| self.is_aggregated(position)));
            if !aggregated {
                break;
            }
            if let Some(entry) = self.entries.pop_front() {
                done = Some(entry.id);
                released.extend(entry.positions.unwrap_or_default());
            }
        }
        if self.entries.is_empty() {
            if self.size > 0 {
                self.file.set_len(0)?;
                self.size = 0;
            }
            self.drop_older()?;
        } else if let Some(done) = done {
            self.write(ACKNOWLEDGED, done, &[])?;
            if self.older_ends.is_some_and(|last| last <= done) {
                self.drop_older()?;
            }
        }
        Ok(released)
    }

    fn drop_older(&mut self) -> io::Result<()> {
        if self.older_ends.take().is_some() {
            fs::remove_file(&self.older)?;
        }
        Ok(())
    }

    fn is_aggregated(&self, position: &Position) -> bool {
        let key = (Arc::clone(&position.stream), position.shard.clone());
        // Sequence numbers are decimal numbers without leading zeros.
        self.aggregated
            .get(&key)
            .is_some_and(|last| (position.sequence.len(), &position.sequence) <= (last.len(), last))
    }
}
