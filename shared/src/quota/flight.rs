//! One write of a meter on behalf of all requests that wait for it: what to try, and what to conclude from a refusal.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use serde::Deserialize;

use super::{
    Active, Hold, Limits, Meter, Rate, Refusal, Scope, Settlement,
    expression::{self, Window},
    sent::{Sent, send},
};
use crate::{
    clock::{Clock, Granularity, Period, Timestamp},
    error::{Error, Result},
    id::{RequestId, TenantId},
    store::{Partition, Table, keys, keys::MeterScope},
    tenant::{Tenant, Tenants},
};

/// Which meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MeterId {
    pub tenant: TenantId,
    pub month: Period,
    pub scope: MeterScope,
}

impl MeterId {
    pub fn sort(&self) -> String {
        keys::meter(self.month, self.scope)
    }

    /// The part of the limits that counts for this meter.
    pub fn share(&self, limits: &Limits, shards: u8) -> Limits {
        match self.scope {
            MeterScope::Tenant(shard) => limits.share(shard, shards),
            MeterScope::Key(_) => *limits,
        }
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
    /// The limits of the tenant or the key, as they are known here: up to 30 s old.
    pub limits: Limits,
    /// Into how many sub-meters they are split.
    pub shards: u8,
}

/// The minute that a hold was taken in and what remains of it, or why it wasn't.
pub(super) type Answer = std::result::Result<(u64, Rate), Refusal>;

/// How often a flight tries before it gives up on a meter that changes under it.
pub(super) const TRIES: usize = 8;

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
        if outcome.is_err() {
            self.release(meter, &asked, &answers).await;
        }
        let failed = || match &outcome {
            Ok(()) => Error::internal("a hold was left unanswered"),
            Err(error) => Error::Unavailable(error.to_string().into()),
        };
        answers.into_iter().map(|answer| answer.ok_or_else(failed)).collect()
    }

    async fn try_hold(&self, meter: MeterId, asked: &[Asked], answers: &mut [Option<Answer>]) -> Result<()> {
        let partition = self.table.tenant(meter.tenant).main();
        let Some(last) = asked.last() else { return Ok(()) };
        let mut limits = meter.share(&last.limits, last.shards);
        let now = self.clock.now();
        let mut minute = now.minute().max(self.seen(meter).unwrap_or(0));
        let mut open: Vec<usize> = (0..asked.len()).collect();
        for _ in 0..TRIES {
            let window = if self.seen(meter) == Some(minute) { Window::Same(minute) } else { Window::New(minute) };
            if window == Window::New(minute) {
                // A full window still bounds what one update may take.
                open = conclude(meter, asked, answers, now, Meter::unseen(minute, &limits), open);
            }
            if open.is_empty() {
                return Ok(());
            }
            let holds: Vec<_> = open.iter().map(|&index| (asked[index].request, &asked[index].hold)).collect();
            let old = match send(expression::hold(partition.update(&meter.sort()), &holds, window, &limits)?).await? {
                Sent::Done(updated) => {
                    self.saw(meter, minute);
                    let rate = rate(&updated, minute, last.limits)?;
                    open.drain(..).for_each(|index| answers[index] = Some(Ok((minute, rate))));
                    return Ok(());
                }
                Sent::NoMeter => {
                    limits = self.open(meter, last).await?;
                    continue;
                }
                Sent::Refused(old) => *old,
            };
            self.saw(meter, old.window);
            minute = minute.max(old.window);
            let old = if old.is_capped_by(&limits) {
                old
            } else {
                // Either the limits that are known here are old, or the meter's.
                limits = self.fresh(meter, last).await?;
                match recap(&self.table, meter, old, &limits).await? {
                    Some(recapped) => recapped,
                    None => continue,
                }
            };
            open = conclude(meter, asked, answers, now, old.in_window(minute, &limits), open);
        }
        Err(Error::Unavailable("the meter is contended".into()))
    }

    /// Gives back what a write may have taken whose answer never came: the sweep would charge it.
    async fn release(&self, meter: MeterId, asked: &[Asked], answers: &[Option<Answer>]) {
        let unanswered = asked.iter().zip(answers).filter(|(_, answer)| answer.is_none());
        let nothing =
            unanswered.map(|(asked, _)| Settlement::nothing(asked.request, asked.hold.need(), None)).collect();
        let released = settle(self.table.clone(), 0, meter, nothing).await;
        if let Some(Err(error)) = released.into_iter().next() {
            tracing::warn!(error = ?error, "holds that may be there are left to the sweep");
        }
    }

    /// Opens a meter with nothing used, and returns the limits that it is capped by. The tenant is first entered among
    /// the active ones, so that no meter is ever missed by the sweep.
    pub async fn open(&self, meter: MeterId, asked: &Asked) -> Result<Limits> {
        let limits = self.fresh(meter, asked).await?;
        let active = Active::since(first_hour(meter.month, self.clock.now()));
        self.table.active(meter.month).put_new(&meter.tenant.to_string(), &active).await?;
        self.table.tenant(meter.tenant).main().put_new(&meter.sort(), &Meter::open(&limits)).await?;
        Ok(limits)
    }

    /// The meter's limits as the table has them now.
    async fn fresh(&self, meter: MeterId, asked: &Asked) -> Result<Limits> {
        let tenants = Tenants::new(self.table.clone());
        let found = match meter.scope {
            MeterScope::Tenant(_) => match tenants.find(meter.tenant).await? {
                Some(tenant) => Some(meter.share(&self.in_month(&tenant, meter.month).await?, tenant.meter_shards)),
                None => None,
            },
            MeterScope::Key(id) => tenants.find_key(meter.tenant, id).await?.map(|key| key.limits),
        };
        Ok(found.unwrap_or_else(|| meter.share(&asked.limits, asked.shards)))
    }

    /// A tenant's limits as they are for a month. What prepaid credit leaves for it was computed for an earlier month, as long as
    /// no schedule has come by: it is less by what was used since then, so that no credit is spent in two months.
    async fn in_month(&self, tenant: &Tenant, month: Period) -> Result<Limits> {
        let mut limits = tenant.limits;
        let months = std::iter::successors(tenant.prepaid_in.map(Period::month), |month| Some(month.next()));
        for earlier in months.take_while(|earlier| *earlier < month) {
            let taken = taken(&self.table, tenant.id, earlier).await?;
            limits.monthly_nano_usd = limits.monthly_nano_usd.map(|most| most.saturating_sub(taken));
        }
        Ok(limits)
    }

    fn seen(&self, meter: MeterId) -> Option<u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&meter).copied()
    }

    pub fn saw(&self, meter: MeterId, minute: u64) {
        const ENOUGH: usize = 100_000;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ENOUGH {
            seen.clear();
        }
        seen.insert(meter, minute);
    }
}

/// The first hour that may have requests of a meter which is opened now: one that was made just before it may still be
/// on its way here.
fn first_hour(month: Period, now: Timestamp) -> Timestamp {
    let before = Period::of(Granularity::Hour, now.before(Duration::from_hours(1))).start();
    before.max(month.start())
}

/// Decides from a meter's values which of the requests fit, in their order: answers those that don't (and those that
/// are held already), and returns the others for the next try.
pub(super) fn conclude(
    meter: MeterId,
    asked: &[Asked],
    answers: &mut [Option<Answer>],
    now: Timestamp,
    mut left: Meter,
    open: Vec<usize>,
) -> Vec<usize> {
    let mut fitting = Vec::with_capacity(open.len());
    for index in open {
        let Asked { request, hold, limits, .. } = &asked[index];
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
    let mut window = open.iter().any(|settlement| settlement.window == Some(minute)).then_some(minute);
    for _ in 0..TRIES {
        if open.is_empty() {
            return Ok(());
        }
        match send(expression::settle(partition.update(&meter.sort()), &open, window)).await? {
            Sent::Done(_) | Sent::NoMeter => return Ok(()),
            Sent::Refused(old) => {
                window = window.filter(|window| *window == old.window);
                open.retain(|settlement| old.holds.contains_key(&keys::request(settlement.request)));
            }
        }
    }
    Err(Error::Unavailable("the meter is contended".into()))
}

/// The tenant's meters whose sort keys begin with `prefix`.
pub(super) async fn meters_of(table: &Table, tenant: TenantId, prefix: &str) -> Result<Vec<(MeterScope, Meter)>> {
    #[derive(Deserialize)]
    struct Row {
        sk: String,
        #[serde(flatten)]
        meter: Meter,
    }
    let rows = table.tenant(tenant).main().begins_with::<Row>(prefix).collect().await?;
    let scoped = |row: Row| keys::parse_meter(&row.sk).map(|scope| (scope, row.meter));
    Ok(rows.into_iter().filter_map(scoped).collect())
}

/// What a tenant's month has spent and holds, in nano-USD.
pub(super) async fn taken(table: &Table, tenant: TenantId, month: Period) -> Result<u64> {
    let meters = meters_of(table, tenant, &keys::meters(month)).await?;
    let of_tenant = meters.iter().filter(|(scope, _)| matches!(scope, MeterScope::Tenant(_)));
    Ok(of_tenant.map(|(_, meter)| meter.nano_usd_spent.saturating_add(meter.held().1)).sum())
}

/// Moves a meter's cap to its limits. Returns the meter as it is then; `None` if somebody else moved it meanwhile.
pub(super) async fn recap(table: &Table, id: MeterId, meter: Meter, limits: &Limits) -> Result<Option<Meter>> {
    if meter.is_capped_by(limits) {
        return Ok(Some(meter));
    }
    let was = (meter.limit_tokens, meter.limit_nano_usd);
    let update = table.tenant(id.tenant).main().update(&id.sort());
    match send(expression::recap(update, was, limits)).await? {
        Sent::Done(_) => Ok(Some(meter.recapped(limits))),
        Sent::Refused(_) | Sent::NoMeter => Ok(None),
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
