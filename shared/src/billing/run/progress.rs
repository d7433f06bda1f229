//! A run as those who work for the operator see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Counts, Open, Part, Run};
use crate::clock::Timestamp;

/// The most tenants that are named in a run.
const MOST_NAMED: usize = 100;

/// How a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Somebody is at it, or may begin.
    Running,
    /// It goes on later: drafts wait for the grace period to be over, or can't be finalised, or something failed.
    Waiting,
    /// Every tenant has its invoice, or gets none.
    Finished,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunSummary {
    /// The UTC month, as in `2026-10`.
    pub period: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When everything was done, RFC 3339; absent as long as it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// How many tenants there were when it began.
    pub tenants: u64,
    /// How many parts are worked off beside each other.
    pub parts: usize,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunProgress {
    /// The UTC month, as in `2026-10`.
    pub period: String,
    /// How it is.
    pub status: RunState,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When everything was done, RFC 3339; absent as long as it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// When it goes on, RFC 3339, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// How many tenants there were when it began.
    pub tenants: u64,
    /// What became of tenants, in the passes that are under way or were the last ones.
    pub counts: Counts,
    /// Its parts.
    pub parts: Vec<PartProgress>,
    /// Tenants whose invoices aren't there though it is time, at most 20 of a part and 100 in all.
    pub open: Vec<Open>,
}

/// How far a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartProgress {
    /// Its number, from 0.
    pub part: u16,
    /// How it is.
    pub status: RunState,
    /// How many passes over its tenants were begun.
    pub passes: u32,
    /// What became of its tenants.
    pub counts: Counts,
}

impl From<&Run> for RunSummary {
    fn from(run: &Run) -> Self {
        Self {
            period: run.period.clone(),
            started_at: run.started_at.to_string(),
            finished_at: run.finished_at.map(|at| at.to_string()),
            tenants: run.tenants,
            parts: run.parts().count(),
        }
    }
}

impl RunProgress {
    /// What is known of a run and its parts, in order, at this time.
    pub(super) fn of(run: &Run, parts: &[Part], now: Timestamp) -> Self {
        let mut counts = Counts::default();
        let mut open = Vec::new();
        for part in parts {
            counts.add(&part.counts);
            open.extend_from_slice(&part.open);
        }
        open.truncate(MOST_NAMED);
        let known = |number| parts.iter().find(|part| part.number == number);
        let parts: Vec<_> = run
            .parts()
            .map(|number| known(number).map_or_else(|| Part::new(number).progress(now), |part| part.progress(now)))
            .collect();
        let any = |state| parts.iter().any(|part| part.status == state);
        let status = match run.finished_at {
            Some(_) => RunState::Finished,
            None if any(RunState::Running) || !any(RunState::Waiting) => RunState::Running,
            None => RunState::Waiting,
        };
        let next_at = run.parts().filter_map(|number| known(number)?.next_at).min();
        Self {
            period: run.period.clone(),
            status,
            started_at: run.started_at.to_string(),
            finished_at: run.finished_at.map(|at| at.to_string()),
            next_at: next_at.filter(|_| status == RunState::Waiting).map(|at| at.to_string()),
            tenants: run.tenants,
            counts,
            parts,
            open,
        }
    }
}

impl Part {
    fn progress(&self, now: Timestamp) -> PartProgress {
        let waits = self.began.is_none() && self.next_at.is_some_and(|at| at > now);
        let status = match self.finished_at {
            Some(_) => RunState::Finished,
            None if waits => RunState::Waiting,
            None => RunState::Running,
        };
        PartProgress { part: self.number, status, passes: self.passes, counts: self.counts }
    }
}
