//! One write of a meter on behalf of all requests that wait for it: what to try, and what to conclude from a refusal.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput},
};
use serde::Deserialize;

use super::{
    Active, Hold, Limits, Meter, Rate, Refusal, Scope, Settlement, caps,
    expression::{self, Window},
};
use crate::{
    clock::{Clock, Granularity, Period, Timestamp},
    error::{Error, Result},
    id::{RequestId, TenantId},
    store::{Partition, Table, failure, keys, keys::MeterScope},
};

/// Which meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MeterId {
    pub tenant: TenantId,
    pub month: Period,
    pub scope: MeterScope,
}

impl MeterId {
    fn sort(&self) -> String {
        keys::meter(self.month, self.scope)
    }

    fn scope(&self) -> Scope {
        match self.scope {
            MeterScope::Tenant(_) => Scope::Tenant,
            MeterScope::Key(_) => Scope::Key,
        }
    }
}

/// A request that wants to be held.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub request: RequestId,
    pub hold: Hold,
    pub limits: Limits,
}

/// The minute that a hold was taken in and what remains of it, or why it wasn't.
pub(super) type Answer = std::result::Result<(u64, Rate), Refusal>;

/// How often a flight tries before it gives up on a meter that changes under it.
const TRIES: usize = 8;

/// Makes the flights of holds. It remembers which minute each meter was last seen in, so that the first try is right.
pub(super) struct Flights {
    table: Table,
    clock: Clock,
    seen: Mutex<HashMap<MeterId, u64>>,
}

impl Flights {
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock, seen: Mutex::default() }
    }

    pub async fn hold(self: Arc<Self>, meter: MeterId, asked: Vec<Asked>) -> Vec<Result<Answer>> {
        let mut answers: Vec<Option<Answer>> = vec![None; asked.len()];
        let outcome = self.try_hold(meter, &asked, &mut answers).await;
        let failed = || match &outcome {
            Ok(()) => Error::internal("a hold was left unanswered"),
            Err(error) => Error::Unavailable(error.to_string().into()),
        };
        answers.into_iter().map(|answer| answer.ok_or_else(failed)).collect()
    }

    async fn try_hold(&self, meter: MeterId, asked: &[Asked], answers: &mut [Option<Answer>]) -> Result<()> {
        let partition = self.table.tenant(meter.tenant).main();
        let limits = asked.last().map(|asked| asked.limits).unwrap_or_default();
        let now = self.clock.now();
        let mut minute = now.minute().max(self.seen(meter).unwrap_or(0));
        let mut open: Vec<usize> = (0..asked.len()).collect();
        if self.seen(meter) != Some(minute) {
            // A full window still bounds what one update may take.
            open = self.refuse_what_no_window_holds(meter, asked, answers, now, open);
        }
        for _ in 0..TRIES {
            if open.is_empty() {
                return Ok(());
            }
            let window = if self.seen(meter) == Some(minute) { Window::Same(minute) } else { Window::New(minute) };
            let holds: Vec<_> = open.iter().map(|&index| (asked[index].request, &asked[index].hold)).collect();
            let update = expression::hold(partition.update(&meter.sort()), &holds, window, &limits)?;
            match update.send().await {
                Ok(updated) => {
                    self.saw(meter, minute);
                    let rate = rate(&updated, minute, limits)?;
                    open.drain(..).for_each(|index| answers[index] = Some(Ok((minute, rate))));
                    return Ok(());
                }
                Err(error) => match refused(error)? {
                    None => open_meter(&self.table, meter, &limits, now).await?,
                    Some(old) => {
                        self.saw(meter, old.window);
                        minute = minute.max(old.window);
                        if (old.limit_tokens, old.limit_nano_usd) != caps(&limits) {
                            recap(&self.table, meter, &old, &limits).await?;
                        } else {
                            open = conclude(meter, asked, answers, now, old.in_window(minute, &limits), open);
                        }
                    }
                },
            }
        }
        Err(Error::Unavailable("the meter is contended".into()))
    }

    fn refuse_what_no_window_holds(
        &self,
        meter: MeterId,
        asked: &[Asked],
        answers: &mut [Option<Answer>],
        now: Timestamp,
        open: Vec<usize>,
    ) -> Vec<usize> {
        let unseen = Meter { tokens_left: i64::MAX, nano_usd_left: i64::MAX, ..Meter::default() };
        let limits = asked.last().map(|asked| asked.limits).unwrap_or_default();
        let minute = now.minute().max(self.seen(meter).unwrap_or(0));
        conclude(meter, asked, answers, now, unseen.in_window(minute, &limits), open)
    }

    fn seen(&self, meter: MeterId) -> Option<u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&meter).copied()
    }

    fn saw(&self, meter: MeterId, minute: u64) {
        const ENOUGH: usize = 100_000;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ENOUGH {
            seen.clear();
        }
        seen.insert(meter, minute);
    }
}

/// Decides from a meter's values which of the requests fit, in their order: answers those that don't (and those that
/// are held already), and returns the others for the next try.
fn conclude(
    meter: MeterId,
    asked: &[Asked],
    answers: &mut [Option<Answer>],
    now: Timestamp,
    mut left: Meter,
    open: Vec<usize>,
) -> Vec<usize> {
    let mut fitting = Vec::with_capacity(open.len());
    for index in open {
        let Asked { request, hold, limits } = &asked[index];
        if left.holds.contains_key(&keys::request(*request)) {
            answers[index] = Some(Ok((left.window, rate_of(&left, *limits))));
            continue;
        }
        match left.take(&hold.need(), meter.scope(), meter.month, now, limits) {
            Ok(()) => fitting.push(index),
            Err(refusal) => answers[index] = Some(Err(refusal)),
        }
    }
    fitting
}

/// Settles what is still held; what isn't was settled before.
pub(super) async fn settle(table: Table, minute: u64, meter: MeterId, settlements: Vec<Settlement>) -> Vec<Result<()>> {
    let partition = table.tenant(meter.tenant).main();
    let outcome = try_settle(&partition, minute, meter, settlements.clone()).await;
    let answer = |_| match &outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(Error::Unavailable(error.to_string().into())),
    };
    settlements.iter().map(answer).collect()
}

async fn try_settle(partition: &Partition, minute: u64, meter: MeterId, mut open: Vec<Settlement>) -> Result<()> {
    let mut window = open.iter().all(|settlement| settlement.window == Some(minute)).then_some(minute);
    for _ in 0..TRIES {
        if open.is_empty() {
            return Ok(());
        }
        match expression::settle(partition.update(&meter.sort()), &open, window).send().await {
            Ok(_) => return Ok(()),
            Err(error) => {
                let Some(old) = refused(error)? else { return Ok(()) };
                window = window.filter(|window| *window == old.window);
                open.retain(|settlement| old.holds.contains_key(&keys::request(settlement.request)));
            }
        }
    }
    Err(Error::Unavailable("the meter is contended".into()))
}

/// All meters of a tenant's month.
pub(super) async fn meters_of(table: &Table, tenant: TenantId, month: Period) -> Result<Vec<(MeterScope, Meter)>> {
    #[derive(Deserialize)]
    struct Row {
        sk: String,
        #[serde(flatten)]
        meter: Meter,
    }
    let rows = table.tenant(tenant).main().begins_with::<Row>(&keys::meters(month)).collect().await?;
    let scoped = |row: Row| keys::parse_meter(&row.sk).map(|scope| (scope, row.meter));
    Ok(rows.into_iter().filter_map(scoped).collect())
}

/// Opens a meter with nothing used. The tenant is first entered among the active ones, so that no meter is ever
/// missed by the sweep.
async fn open_meter(table: &Table, meter: MeterId, limits: &Limits, now: Timestamp) -> Result<()> {
    let active = Active { closed_before: Period::of(Granularity::Hour, now).start() };
    table.active(meter.month).put_new(&meter.tenant.to_string(), &active).await?;
    table.tenant(meter.tenant).main().put_new(&meter.sort(), &Meter::open(limits)).await?;
    Ok(())
}

/// Moves a meter's cap to its limits, unless somebody else does at the same time.
pub(super) async fn recap(table: &Table, id: MeterId, meter: &Meter, limits: &Limits) -> Result<()> {
    let was = (meter.limit_tokens, meter.limit_nano_usd);
    if was == caps(limits) {
        return Ok(());
    }
    let update = table.tenant(id.tenant).main().update(&id.sort());
    match expression::recap(update, was, limits).send().await {
        Ok(_) => Ok(()),
        Err(error) => refused(error).map(|_| ()),
    }
}

/// The meter that refused an update, `None` if there is no such meter yet; any other failure is an error.
fn refused(error: SdkError<UpdateItemError>) -> Result<Option<Meter>> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
            let item = refusal.item().filter(|item| !item.is_empty());
            item.cloned().map(|item| serde_dynamo::from_item(item).map_err(Error::internal)).transpose()
        }
        _ => Err(failure(error)),
    }
}

fn rate(updated: &UpdateItemOutput, minute: u64, limits: Limits) -> Result<Rate> {
    #[derive(Deserialize)]
    struct Left {
        window_requests: i64,
        window_tokens: i64,
    }
    let item = updated.attributes().cloned().unwrap_or_default();
    let left: Left = serde_dynamo::from_item(item).map_err(Error::internal)?;
    let meter = Meter {
        window: minute,
        window_requests: left.window_requests,
        window_tokens: left.window_tokens,
        ..Meter::default()
    };
    Ok(rate_of(&meter, limits))
}

fn rate_of(meter: &Meter, limits: Limits) -> Rate {
    Rate {
        limits,
        requests: meter.window_requests.max(0).cast_unsigned(),
        tokens: meter.window_tokens.max(0).cast_unsigned(),
        resets: Timestamp((meter.window + 1) * 60_000),
    }
}
