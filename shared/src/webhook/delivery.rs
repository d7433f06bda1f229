//! How far it came to tell a webhook something: its attempts, and when the next one is (pure).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EventType;
use crate::{clock::Timestamp, id::MessageId};

/// How long after an attempt the next one comes: ten attempts within 3 days and 4 hours (Standard Webhooks 1.0.0,
/// "Retry schedule").
const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// The longest wait that a receiver may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// How many attempts are remembered: replays come on top of the schedule's.
const REMEMBERED: usize = 20;
/// For how long events and what became of them are kept.
pub const KEPT: Duration = Duration::from_hours(30 * 24);

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is to be attempted, for the first time or again.
    Pending,
    /// The webhook has answered with a status of 200 to 299.
    Delivered,
    /// It is not attempted any more, unless somebody wants it replayed.
    Dead,
}

/// An attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

impl Attempt {
    /// Whether the webhook has taken it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the webhook says that it is no more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event's `webhook-id`.
    pub message: MessageId,
    /// Its kind.
    pub kind: EventType,
    /// What became of it.
    pub status: DeliveryStatus,
    /// When it is attempted next; which names its item in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// How many attempts of the schedule have failed.
    #[serde(default)]
    pub failures: usize,
    /// The latest attempts, the oldest first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The number of its version.
    pub version: u64,
    /// When it may be deleted, in seconds since the epoch.
    pub expires_at: u64,
}

impl Delivery {
    /// A delivery that is due at once.
    #[must_use]
    pub fn begin(message: MessageId, kind: EventType, at: Timestamp) -> Self {
        Self {
            message,
            kind,
            status: DeliveryStatus::Pending,
            due: Some(at),
            failures: 0,
            attempts: Vec::new(),
            version: 1,
            expires_at: message.made_at().after(KEPT).seconds(),
        }
    }

    /// Makes it due at once, with the whole schedule before it.
    pub fn begin_again(&mut self, at: Timestamp) {
        (self.status, self.due, self.failures) = (DeliveryStatus::Pending, Some(at), 0);
    }

    /// Gives it up.
    pub fn give_up(&mut self) {
        (self.status, self.due) = (DeliveryStatus::Dead, None);
    }

    /// Notes an attempt that ended at `now` and decides how it goes on. `retry_after` is how long the webhook wants to be
    /// left alone; `jitter`, from 0 to 1, spreads attempts that failed together.
    pub fn conclude(&mut self, attempt: Attempt, now: Timestamp, retry_after: Option<Duration>, jitter: f64) {
        (self.status, self.due) = if attempt.is_success() {
            (DeliveryStatus::Delivered, None)
        } else if attempt.is_gone() {
            (DeliveryStatus::Dead, None)
        } else {
            let planned = SCHEDULE.get(self.failures).map(|wait| wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0));
            self.failures += 1;
            match planned {
                Some(wait) => {
                    let wanted = retry_after.unwrap_or_default().min(LONGEST_WAIT);
                    (DeliveryStatus::Pending, Some(now.after(wait.max(wanted))))
                }
                None => (DeliveryStatus::Dead, None),
            }
        };
        self.attempts.push(attempt);
        let forgotten = self.attempts.len().saturating_sub(REMEMBERED);
        self.attempts.drain(..forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn pending() -> Delivery {
        Delivery::begin(MessageId::new(NOW), EventType::WebhookTest, NOW)
    }

    fn answer(status: Option<u16>) -> Attempt {
        Attempt { at: NOW, ms: 1, status, error: None, body: String::new() }
    }

    #[test]
    fn ten_attempts_take_three_days_and_then_it_is_dead() {
        let mut delivery = pending();
        let mut now = NOW;
        for _ in 0..9 {
            delivery.conclude(answer(None), now, None, 0.0);
            assert_eq!(delivery.status, DeliveryStatus::Pending);
            now = delivery.due.unwrap();
        }
        assert_eq!(now.since(NOW), Duration::from_secs(5 + 60 * (35 + 60 * 75)));
        delivery.conclude(answer(Some(500)), now, None, 0.0);
        assert_eq!((delivery.status, delivery.due, delivery.attempts.len()), (DeliveryStatus::Dead, None, 10));
        delivery.begin_again(now);
        delivery.conclude(answer(Some(302)), now, None, 0.0);
        assert_eq!(delivery.due, Some(now.after(SCHEDULE[0])));
    }

    #[test]
    fn a_status_of_success_ends_it_and_410_too() {
        for (status, end) in
            [(200, DeliveryStatus::Delivered), (299, DeliveryStatus::Delivered), (410, DeliveryStatus::Dead)]
        {
            let mut delivery = pending();
            delivery.conclude(answer(Some(status)), NOW, Some(Duration::from_secs(9)), 0.5);
            assert_eq!((delivery.status, delivery.due), (end, None));
        }
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_up_to_a_day_and_not_for_less() {
        let due = |retry_after| {
            let mut delivery = pending();
            delivery.conclude(answer(Some(503)), NOW, Some(Duration::from_secs(retry_after)), 0.0);
            delivery.due.unwrap().since(NOW).as_secs()
        };
        assert_eq!([due(0), due(5), due(600), due(u64::MAX / 2)], [5, 5, 600, 24 * 3_600]);
    }

    #[test]
    fn jitter_makes_a_wait_up_to_a_tenth_longer() {
        let due = |jitter| {
            let mut delivery = pending();
            delivery.conclude(answer(None), NOW, None, jitter);
            delivery.due.unwrap().since(NOW).as_millis()
        };
        assert_eq!([due(0.0), due(0.5), due(1.0), due(7.0)], [5_000, 5_250, 5_500, 5_500]);
    }

    #[test]
    fn of_many_replays_the_latest_attempts_are_remembered() {
        let mut delivery = pending();
        for number in 0..50 {
            delivery.begin_again(NOW);
            delivery.conclude(Attempt { ms: number, ..answer(Some(500)) }, NOW, None, 0.0);
        }
        assert_eq!((delivery.attempts.len(), delivery.attempts[0].ms), (REMEMBERED, 30));
    }
}
