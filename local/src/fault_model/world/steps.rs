//! What may happen at any moment.

use std::time::Duration;

use lmo_shared::clock::{Granularity, Period};
use rand::Rng;

use super::{Faults, World};
use crate::fault_model::{process::Role, stream::Batch, turns::Verdict};

/// The longest that a request may take from its start to its hold.
const UNTIL_HELD: Duration = Duration::from_mins(10);

impl World {
    /// Some call goes on, and may fail.
    pub(super) fn give_a_turn(&mut self) {
        let waiting = self.cables.turns.waiting();
        let index = self.rng.random_range(0..waiting.len());
        let Faults { refused, unheard, last } = self.faults;
        let luck = self.rng.random::<f64>();
        let verdict = if luck < last {
            self.doomed = Some(waiting[index]);
            Verdict::Last
        } else if luck < last + refused {
            Verdict::Refused
        } else if luck < last + refused + unheard {
            Verdict::Unheard
        } else {
            Verdict::Answered
        };
        self.cables.turns.give(index, verdict);
    }

    pub(super) fn send(&mut self) {
        let process = self.rng.random_range(0..2);
        let request = self.requests.next(&mut self.rng, &self.clock, process);
        self.hours.insert(Period::of(Granularity::Hour, request.id.made_at()));
        self.processes[process].request(request);
    }

    /// Delivers the next batch, or one that is being delivered already.
    pub(super) fn deliver(&mut self, again: Option<Batch>) {
        let Some(process) = self.free(Role::Handler) else { return };
        let (any, size) = (self.rng.random_range(0..64), self.rng.random_range(1..8));
        let stream = self.cables.stream.lock().expect("stream");
        let Some(batch) = again.or_else(|| stream.next(any, size)) else { return };
        let event = stream.event(batch);
        drop(stream);
        self.delivering.push(batch);
        self.processes[process].batch(batch, event, self.cables.wrong);
    }

    pub(super) fn free(&mut self, role: Role) -> Option<usize> {
        let mut free = self.processes.iter_mut().map(|process| process.role == role && process.busy() == 0);
        free.position(|free| free)
    }

    /// The clock goes on, unless a request would then have waited for its hold longer than any does.
    pub(super) fn advance(&mut self, by: Duration) {
        let now = self.clock.now().after(by);
        if self.requests.waits_since().is_none_or(|since| now.since(since) < UNTIL_HELD) {
            self.clock.advance(by);
            self.sweepers_clock.advance(by);
            if self.cables.trace {
                eprintln!("the clock goes on by {by:?} to {}", self.clock.now());
            }
        }
    }

    /// Something happens to the stream.
    pub(super) fn upset(&mut self) {
        let any = self.rng.random_range(0..1000);
        let tenant = self.requests.tenants[0];
        let mut stream = self.cables.stream.lock().expect("stream");
        match self.rng.random_range(0..6) {
            0 => stream.reshard(any),
            1 => stream.rewind(),
            2 if self.lossy => stream.lose(any),
            3 => drop(stream.append("poison", b"{\"v\":1,\"tenant\":".to_vec(), true)),
            4 => {
                drop(stream.append("poison", format!("{{\"v\":2,\"tenant\":\"{tenant}\",\"bucket\":0}}").into(), true));
            }
            _ => drop(stream.append("stray", format!("{{\"v\":1,\"tenant\":\"{tenant}\",\"bucket\":0}}").into(), true)),
        }
    }
}
