//! How a run ends: undisturbed, and compared with the truth.

use std::{sync::Arc, time::Duration};

use lmo_shared::{clock::Timestamp, usage::UsageEvent};
use rand::Rng;

use super::{Faults, Step, World};
use crate::fault_model::truth;

/// After it an hour can't get entries any more.
const CLOSES_AFTER: Duration = Duration::from_mins(30);

impl World {
    /// Ends the run; returns how many entries it had.
    pub(super) async fn end(&mut self) -> Result<u64, String> {
        self.faults = Faults::default();
        self.finish().await?;
        if !self.lossy {
            self.publish_what_is_missing().await;
            self.drain().await?;
            self.compare().await.map_err(|wrong| format!("all is delivered, and {wrong}"))?;
        }
        self.pass_closing();
        self.take(Step::Sweep);
        self.finish().await?;
        if !self.swept {
            return Err("an undisturbed sweep failed".to_owned());
        }
        let entries = self.compare().await.map_err(|wrong| format!("all is closed, and {wrong}"))?;
        self.compare_books().await?;
        self.cables.stream.lock().expect("stream").rewind();
        self.drain().await?;
        self.compare().await.map_err(|wrong| format!("all is replayed, and {wrong}"))?;
        Ok(entries)
    }

    /// Lets everybody finish, undisturbed.
    async fn finish(&mut self) -> Result<(), String> {
        loop {
            self.settle_down().await?;
            if !self.cables.turns.waiting().is_empty() {
                self.give_a_turn();
            } else if self.processes.iter_mut().all(|process| process.busy() == 0) {
                return Ok(());
            }
        }
    }

    /// Delivers whatever is on the stream, by several handlers at once.
    async fn drain(&mut self) -> Result<(), String> {
        loop {
            self.settle_down().await?;
            let there = self.cables.stream.lock().expect("stream").next(0, 1).is_some();
            if !self.cables.turns.waiting().is_empty() && (!there || self.rng.random_bool(0.9)) {
                self.give_a_turn();
            } else if there {
                self.deliver(None);
            } else if self.processes.iter_mut().all(|process| process.busy() == 0) {
                return Ok(());
            }
        }
    }

    /// Puts those events on the stream whose process died before it could.
    async fn publish_what_is_missing(&mut self) {
        for tenant in self.requests.tenants {
            let cables = Arc::clone(&self.cables);
            for (id, _) in cables.turns.between(truth::requests(&self.table, tenant, &self.hours)).await {
                if !self.requests.is_published(id) {
                    let event = serde_json::to_vec(&UsageEvent::of(tenant, id)).expect("an event");
                    let mut stream = self.cables.stream.lock().expect("stream");
                    stream.append(&tenant.to_string(), event, false);
                }
            }
        }
    }

    /// Moves the clock to where no hour can get entries any more.
    fn pass_closing(&mut self) {
        let last = self.hours.last().map_or(Timestamp(0), |hour| hour.end());
        let rest = Duration::from_mins(self.rng.random_range(1..300));
        let by = last.after(CLOSES_AFTER + rest).since(self.clock.now());
        self.clock.advance(by.max(rest));
        self.sweepers_clock.advance(by.max(rest));
    }

    async fn compare(&self) -> Result<u64, String> {
        let mut entries = 0;
        for tenant in self.requests.tenants {
            let compared = truth::compare(&self.table, &self.clock, tenant, &self.hours);
            entries += self.cables.turns.between(compared).await?;
        }
        Ok(entries)
    }

    async fn compare_books(&self) -> Result<(), String> {
        for tenant in self.requests.tenants {
            let compared = truth::compare_books(&self.table, &self.clock, tenant, &self.hours);
            self.cables.turns.between(compared).await?;
        }
        Ok(())
    }
}
