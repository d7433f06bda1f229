//! What schedules want of the function.

use std::time::Duration;

use lmo_shared::{
    billing::run::Others,
    clock::{Granularity, Period, Timestamp},
    error::{Error, Result},
    mail::Mailer,
    platform::Platform,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long before Lambda ends the invocation what is long comes to an end.
const MARGIN: Duration = Duration::from_secs(30);

/// A schedule's `{"task": "..."}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// Begin the billing runs of months that are over, and go on with those that aren't finished. Every hour.
    Bill,
    /// Work on a part of a run. The function tells itself so.
    BillPart {
        /// The UTC month, as in `2026-10`.
        month: String,
        /// The part's number, from 0.
        part: u16,
    },
    /// See to the payment of invoices whose time has come. Every five minutes.
    Collect,
    /// Give tenants the limits of the terms that have begun, and of the credit that they have. Every five minutes.
    Terms,
    /// Post letters about quotas. Every minute.
    Letters,
    /// Export the usage of days that are over, if there is a bucket for it. Every night.
    Export,
}

impl Task {
    /// Performs it until `deadline`, when the invocation is ended. Twice at once is good enough.
    ///
    /// # Errors
    /// What keeps it from being done; the scheduler tries again.
    pub async fn perform(self, platform: &Platform, mailer: &Mailer, deadline: Timestamp) -> Result<Value> {
        let deadline = deadline.before(MARGIN);
        match self {
            // What is under way then asks Stripe, which takes its time.
            Self::Collect => said(&platform.payments(mailer.clone()).run_due(deadline.before(MARGIN)).await?),
            Self::Bill => said(&platform.runs().tick(Others::MayBeAtIt, deadline).await?),
            Self::BillPart { month, part } => {
                let period = Period::parse(&month).filter(|month| month.granularity == Granularity::Month);
                let period = period.ok_or(Error::NotFound { kind: "billing run", id: month })?;
                let worked = platform.runs().work_on(period, part, deadline).await?;
                tracing::info!(month = %period, part, ?worked, "billed");
                said(&worked)
            }
            Self::Terms => said(&platform.subscriptions().begin_terms(deadline).await?),
            Self::Letters => said(&platform.quota_letters(mailer.clone()).post(deadline).await?),
            Self::Export => match platform.export_bucket()? {
                Some(bucket) => said(&platform.exporter(bucket).run(deadline).await?),
                None => said(&json!({"bucket": null})),
            },
        }
    }
}

fn said(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedules_event_is_read() {
        let read = |event| serde_json::from_str::<Task>(event);
        assert_eq!(read(include_str!("../../../events/scheduler-bill.json")).unwrap(), Task::Bill);
        assert_eq!(read(include_str!("../../../events/scheduler-collect.json")).unwrap(), Task::Collect);
        let part = Task::BillPart { month: "2026-10".to_owned(), part: 3 };
        assert_eq!(read(include_str!("../../../events/scheduler-bill-part.json")).unwrap(), part);
        assert_eq!(read(include_str!("../../../events/scheduler-terms.json")).unwrap(), Task::Terms);
        assert_eq!(read(include_str!("../../../events/scheduler-letters.json")).unwrap(), Task::Letters);
        assert_eq!(read(include_str!("../../../events/scheduler-export.json")).unwrap(), Task::Export);
        assert!(read(r#"{"task": "sweep"}"#).is_err());
    }
}
