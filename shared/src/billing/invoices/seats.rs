//! How many members a tenant had at once. Nobody counts them: who is one now is known, and the audit log tells who came and went.

use std::collections::BTreeMap;

use super::Invoices;
use crate::{audit::Audit, billing::Segment, clock::Timestamp, error::Result, id::TenantId, store::Order};

/// How many entries of the audit log are read at once.
const PAGE: u16 = 500;

impl Invoices {
    /// Fills in the most members that there were at once in each part of a month whose plan asks for it.
    pub(super) async fn count_seats(&self, tenant: TenantId, segments: &mut [Segment]) -> Result<()> {
        let Some(from) = segments.iter().find(|segment| segment.plan.seats.is_some()).map(|segment| segment.from)
        else {
            return Ok(());
        };
        let now = self.members.list(tenant).await?.len();
        let changes = self.comings_and_goings(tenant, from).await?;
        for segment in segments.iter_mut().filter(|segment| segment.plan.seats.is_some()) {
            segment.seats = most(now, &changes, segment.from, segment.to);
        }
        Ok(())
    }

    /// By how many there were more, at each time since `from` at which somebody came or went.
    async fn comings_and_goings(&self, tenant: TenantId, from: Timestamp) -> Result<BTreeMap<Timestamp, i64>> {
        let audit = Audit::new(self.table.clone());
        let mut changes = BTreeMap::new();
        let mut after = None;
        loop {
            let (entries, next) = audit.page(tenant, after.as_deref(), PAGE, Order::Descending).await?;
            for entry in &entries {
                if entry.at < from {
                    return Ok(changes);
                }
                let by = match entry.action.as_str() {
                    "member.add" => 1,
                    "member.remove" | "member.leave" => -1,
                    _ => continue,
                };
                *changes.entry(entry.at).or_default() += by;
            }
            let Some(next) = next else { return Ok(changes) };
            after = Some(next);
        }
    }
}

/// The most that there were at once between two times, if there are so many now.
fn most(now: usize, changes: &BTreeMap<Timestamp, i64>, from: Timestamp, to: Timestamp) -> u32 {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    // Since a time there are those that came and went behind it.
    let since = |at: Timestamp| now - changes.iter().filter(|(change, _)| **change > at).map(|(_, by)| by).sum::<i64>();
    let within = changes.keys().copied().filter(|at| from < *at && *at < to);
    let most = within.chain([from]).map(since).max().unwrap_or(now);
    u32::try_from(most.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_once_is_what_counts() {
        let changes = BTreeMap::from([(Timestamp(10), 1), (Timestamp(20), 2), (Timestamp(30), -2), (Timestamp(40), 1)]);
        // 1 until 10, 2 until 20, 4 until 30, 2 until 40, 3 since.
        for (from, to, expected) in [
            (0, 10, 1),
            (0, 11, 2),
            (0, 50, 4),
            (10, 20, 2),
            (25, 28, 4),
            (30, 40, 2),
            (0, 5, 1),
            (30, 41, 3),
            (40, 50, 3),
            (45, 50, 3),
        ] {
            assert_eq!(most(3, &changes, Timestamp(from), Timestamp(to)), expected, "{from} to {to}");
        }
        assert_eq!(most(2, &BTreeMap::new(), Timestamp(0), Timestamp(9)), 2);
        // Who leaves at the first moment isn't there in it.
        assert_eq!(most(1, &BTreeMap::from([(Timestamp(10), -1)]), Timestamp(10), Timestamp(20)), 1);
        assert_eq!(most(1, &BTreeMap::from([(Timestamp(11), -1)]), Timestamp(10), Timestamp(20)), 2);
    }
}
