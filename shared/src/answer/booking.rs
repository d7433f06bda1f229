//! One request in the books: held before a provider is called, recorded and settled after it.

use std::time::Duration;

use tracing::Instrument;

use super::{Parts, route::Attempts};
use crate::{
    error::Result,
    id::RequestId,
    llm::{Usage, catalogue::Model},
    money::{NanoUsd, Tokens},
    quota::{Account, Grant, Hold, Need},
    telemetry::{metrics, spans::step},
    usage::{self, Entry, Outcome, Recorded, UsageEvent},
};

/// How much longer than the request its hold lives: what settling may take.
pub(super) const GRACE: Duration = Duration::from_mins(1);

/// One request, whose it is, and the books that it goes into.
#[derive(Clone, Copy)]
pub(super) struct Booking<'a> {
    pub parts: &'a Parts,
    pub account: &'a Account,
    pub id: RequestId,
}

/// What a request amounts to.
pub(super) struct Charge<'a> {
    /// The model that answered, as the catalogue calls it, and its entry there.
    pub model: (&'a str, &'a Model),
    /// The version of the catalogue.
    pub prices: &'a str,
    /// Whether it was asked with a key of the tenant's own.
    pub byok: bool,
    /// The worst that this model could cost; no more is charged.
    pub need: Need,
    pub usage: Usage,
    pub estimated: bool,
    pub outcome: Outcome,
    pub attempts: Attempts,
    pub first_ms: Option<u64>,
    pub total_ms: u64,
}

impl Booking<'_> {
    /// Takes the worst that the request can cost out of what remains.
    pub async fn hold(&self, need: Need, model: &str, prices: &str, byok: bool) -> Result<Grant> {
        let hold = Hold {
            input: need.input,
            output: need.output,
            cost: need.cost,
            deadline: self.parts.clock.now().after(self.parts.deadline + GRACE),
            key: self.account.key,
            model: model.to_owned(),
            prices: prices.to_owned(),
            byok,
        };
        self.parts.meters.hold(self.account, self.id, hold).instrument(step!("admit")).await
    }

    /// Puts the request into the ledger. What is there already stays, and is what is charged.
    pub async fn record(&self, charge: Charge<'_>) -> Result<Entry> {
        let (name, model) = charge.model;
        let (charged, unbilled) = usage::clip(charge.usage, &charge.need);
        if unbilled > Tokens::ZERO {
            tracing::error!(request = %self.id, model = name, unbilled = unbilled.0, "a provider reported more tokens than can be");
        }
        let entry = Entry {
            key: self.account.key,
            model: name.to_owned(),
            prices: charge.prices.to_owned(),
            usage: charged,
            nano_usd: if charge.byok { NanoUsd::ZERO } else { usage::rate(&charged, model)? },
            byok: charge.byok,
            estimated: charge.estimated,
            unbilled,
            outcome: charge.outcome,
            attempts: charge.attempts.made,
            failed_attempts: charge.attempts.failed,
            first_ms: charge.first_ms,
            total_ms: charge.total_ms,
            expires_at: usage::expires_at(self.id),
        };
        let record = self.parts.ledger.record(self.account.tenant, self.id, entry.clone());
        match record.instrument(step!("record")).await? {
            Recorded::New => {
                metrics::booked(&entry);
                Ok(entry)
            }
            Recorded::Before(entry) => Ok(*entry),
        }
    }

    /// Gives back what was not used and tells the aggregation, beside each other. What fails here the sweep repairs.
    pub async fn settle(&self, grant: &Grant, entry: &Entry) {
        let settle = async {
            let tokens = entry.tokens()?;
            self.parts.meters.settle(self.account, grant, tokens, entry.nano_usd).await
        };
        let publish = self.parts.publisher.publish(UsageEvent::of(self.account.tenant, self.id));
        let both = async { tokio::join!(settle, publish) };
        let (settled, published) = both.instrument(step!("settle")).await;
        if let Err(error) = settled {
            tracing::warn!(request = %self.id, error = ?error, "a hold is left to the sweep");
        }
        if let Err(error) = published {
            tracing::warn!(request = %self.id, error = ?error, "a usage event is left to the sweep");
        }
    }
}
