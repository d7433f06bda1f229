//! The items of a run.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{clock::Timestamp, id::TenantId};

/// The most parts of a run: all of its cuts are in one item.
pub const MOST_PARTS: u16 = 256;

/// A billing run of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The UTC month, as in `2026-10`.
    pub period: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How many tenants there were then.
    pub tenants: u64,
    /// The last tenant of each part but the last one, which has no end.
    pub cuts: Vec<TenantId>,
    /// When all that there was to do was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

impl Run {
    /// A run over these tenants, which are in order, in at most so many parts of about the same size.
    pub(super) fn new(period: String, at: Timestamp, tenants: &[TenantId], parts: u16) -> Self {
        let parts = usize::from(parts.clamp(1, MOST_PARTS)).min(tenants.len().max(1));
        let cuts = (1..parts).map(|part| tenants[tenants.len() * part / parts - 1]).collect();
        let tenants = tenants.len().try_into().unwrap_or(u64::MAX);
        Self { period, started_at: at, tenants, cuts, finished_at: None, version: 1 }
    }

    /// The numbers of its parts.
    pub fn parts(&self) -> impl Iterator<Item = u16> + use<> {
        0..=u16::try_from(self.cuts.len()).unwrap_or(MOST_PARTS)
    }

    /// Behind whom a part begins, and with whom it ends.
    pub(super) fn ends(&self, part: u16) -> (Option<TenantId>, Option<TenantId>) {
        let part = usize::from(part);
        let before = part.checked_sub(1).and_then(|before| self.cuts.get(before).copied());
        (before, self.cuts.get(part).copied())
    }
}

/// How far a part of a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 0.
    pub number: u16,
    /// How many passes were begun.
    pub passes: u32,
    /// Whom the pass that is under way, or else the next one, is for.
    pub scope: Scope,
    /// When the pass that is under way began; absent between passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// Behind whom it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<TenantId>,
    /// What became of its tenants so far.
    pub counts: Counts,
    /// Some of those that the last pass failed with, and of those whose drafts it could not finalise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
    /// Whom the pass after the one that is under way is for.
    pub left: Scope,
    /// The earliest time at which somebody's invoice can be finalised that can't be yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// When the next pass may begin; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Who is at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// When nothing was left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The number of its version.
    #[serde(default)]
    pub version: u64,
}

/// Whom a pass is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All tenants of the part.
    All,
    /// These, in order.
    These(Vec<TenantId>),
}

/// That somebody is at a part. Who dies is not known to; so a claim has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// A number by which who has it knows it again.
    pub by: u64,
    /// Its end.
    pub until: Timestamp,
}

/// What became of tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Tenants with an invoice that has a number.
    pub finalised: u64,
    /// Tenants that get no invoice for the month.
    pub nothing: u64,
    /// Drafts that wait until the grace period is over.
    pub waiting: u64,
    /// Drafts that can't be finalised, because the books differ.
    pub held: u64,
    /// Tenants that something failed with, and that are tried again.
    pub failed: u64,
}

impl Counts {
    /// All of them.
    #[must_use]
    pub fn tenants(&self) -> u64 {
        self.finalised + self.nothing + self.open()
    }

    /// Those that something is still open with.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.waiting + self.held + self.failed
    }

    /// Adds others.
    pub(super) fn add(&mut self, other: &Self) {
        let Self { finalised, nothing, waiting, held, failed } = other;
        self.finalised += finalised;
        self.nothing += nothing;
        self.waiting += waiting;
        self.held += held;
        self.failed += failed;
    }
}

/// A tenant whose invoice isn't there though it is time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Open {
    /// Which.
    pub tenant: TenantId,
    /// The code of the error that its invoice failed with, or `books_differ`.
    pub code: String,
    /// By how much the books differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Also who signs up later: between two others if clocks differ, and behind all.
        #[test]
        fn every_tenant_is_in_exactly_one_part(
            mut known in prop::collection::vec(0..1_000_u64, 0..60),
            parts in 0..100_u16,
            new in 0..2_000_u64,
        ) {
            known.sort_unstable();
            let ids: Vec<_> = known.into_iter().map(|at| TenantId::new(Timestamp(at))).collect();
            let ids: Vec<_> = { let mut ids = ids; ids.sort_unstable(); ids };
            let run = Run::new("2026-10".to_owned(), Timestamp(5_000), &ids, parts);
            for tenant in ids.iter().copied().chain([TenantId::new(Timestamp(new))]) {
                let holds = |part: &u16| {
                    let (behind, last) = run.ends(*part);
                    behind.is_none_or(|behind| tenant > behind) && last.is_none_or(|last| tenant <= last)
                };
                prop_assert_eq!(run.parts().filter(holds).count(), 1);
            }
        }

        #[test]
        fn parts_are_about_the_same_size(tenants in 1..500_usize, parts in 1..50_u16) {
            let ids: Vec<_> = (0..tenants).map(|at| TenantId::new(Timestamp(at as u64))).collect();
            let run = Run::new("2026-10".to_owned(), Timestamp(5_000), &ids, parts);
            let expected = usize::from(parts).min(tenants);
            prop_assert_eq!(run.parts().count(), expected);
            for part in run.parts() {
                let (behind, last) = run.ends(part);
                let at = |id: TenantId| ids.iter().position(|known| *known == id).unwrap();
                let size = last.map_or(tenants - 1, at) + 1 - behind.map_or(0, |id| at(id) + 1);
                prop_assert!(size >= tenants / expected && size <= tenants / expected + 1, "{}", size);
            }
        }
    }
}
