//! Sub-meters share what remains: when one of them alone has too little, what the others have left is gathered into
//! one, in a transaction, so that a split meter refuses nothing that a whole one would admit, and admits nothing more.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::{error::ProvideErrorMetadata, types::TransactWriteItem};

use super::{
    Meter, Need, Rate, Refusal,
    expression::{self, Amounts},
    flight::{self, Asked, Flights, MeterId},
    meter::signed,
};
use crate::{
    clock::{Clock, Period},
    error::{Error, Result},
    id::TenantId,
    store::{Table, failure, keys, keys::MeterScope},
};

/// The sub-meter that holds, its minute and what remains of it; or why none does.
pub(super) type Answer = std::result::Result<(u8, u64, Rate), Refusal>;

/// How often it tries again when the sub-meters change meanwhile.
const TRIES: u64 = 10;

/// Gathers.
#[derive(Clone)]
pub(super) struct Gathering {
    table: Table,
    clock: Clock,
    flights: Arc<Flights>,
}

impl Gathering {
    pub fn new(table: Table, clock: Clock, flights: Arc<Flights>) -> Self {
        Self { table, clock, flights }
    }

    /// Holds on one sub-meter, after it got from the others what it lacks, whatever fits into all of them together.
    pub async fn hold(self, (tenant, month): (TenantId, Period), asked: Vec<Asked>) -> Vec<Result<Answer>> {
        let mut answers: Vec<Option<Answer>> = vec![None; asked.len()];
        let outcome = self.try_hold(tenant, month, &asked, &mut answers).await;
        let failed = || match &outcome {
            Ok(()) => Error::internal("a hold was left unanswered"),
            Err(error) => Error::Unavailable(error.to_string().into()),
        };
        answers.into_iter().map(|answer| answer.ok_or_else(failed)).collect()
    }

    async fn try_hold(
        &self,
        tenant: TenantId,
        month: Period,
        asked: &[Asked],
        answers: &mut [Option<Answer>],
    ) -> Result<()> {
        let Some(last) = asked.last() else { return Ok(()) };
        let id = |shard| MeterId { tenant, month, scope: MeterScope::Tenant(shard) };
        let mut open: Vec<usize> = (0..asked.len()).collect();
        for attempt in 0..TRIES {
            let now = self.clock.now();
            let shards = self.shards(tenant, month, last).await?;
            let minute = shards.first().map_or(now.minute(), |shard| shard.now.window);
            let mut decided = vec![None; asked.len()];
            open = flight::conclude(id(0), asked, &mut decided, now, whole(&shards), open);
            for (answer, decided) in answers.iter_mut().zip(decided) {
                if let Some(Err(refusal)) = decided {
                    *answer = Some(Err(refusal));
                }
            }
            if open.is_empty() {
                return Ok(());
            }
            let Some((target, moves)) = cheapest(&shards, need(asked, &open)) else { continue };
            if moves.is_empty() || transfer(&self.table, tenant, month, &shards, &moves).await? {
                self.flights.saw(id(target), minute);
                open = self.hold_on(id(target), target, asked, &open, answers).await?;
            } else {
                tokio::time::sleep(Duration::from_millis(5 * attempt)).await;
            }
        }
        Err(Error::Unavailable("the sub-meters are contended".into()))
    }

    /// Holds on one sub-meter; returns those that it refused, because somebody else was quicker.
    async fn hold_on(
        &self,
        meter: MeterId,
        number: u8,
        asked: &[Asked],
        open: &[usize],
        answers: &mut [Option<Answer>],
    ) -> Result<Vec<usize>> {
        let batch = open.iter().map(|&index| asked[index].clone()).collect();
        let (mut again, mut failed) = (Vec::new(), None);
        for (&index, held) in open.iter().zip(Arc::clone(&self.flights).hold(meter, batch).await) {
            match held {
                Ok(Ok((window, rate))) => answers[index] = Some(Ok((number, window, rate))),
                Ok(Err(_)) => again.push(index),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(again), Err)
    }

    /// All sub-meters; those that were not used yet are opened.
    async fn shards(&self, tenant: TenantId, month: Period, asked: &Asked) -> Result<Vec<Shard>> {
        let mut found = found(&self.table, tenant, month).await?;
        let missing = (0..asked.shards).filter(|number| !found.iter().any(|(known, _)| known == number));
        let missing: Vec<u8> = missing.collect();
        for number in &missing {
            let id = MeterId { tenant, month, scope: MeterScope::Tenant(*number) };
            self.flights.open(id, asked).await?;
        }
        if !missing.is_empty() {
            found = self::found(&self.table, tenant, month).await?;
        }
        let minute = found.iter().map(|(_, meter)| meter.window).fold(self.clock.now().minute(), u64::max);
        let shard = |(number, found): (u8, Meter)| {
            let now = found.clone().in_window(minute, &asked.limits.share(number, asked.shards));
            Shard { number, found, now }
        };
        Ok(found.into_iter().map(shard).collect())
    }
}

/// Gives sub-meters that are overdrawn, after the cap was lowered, what others have left.
pub(super) async fn level(table: &Table, tenant: TenantId, month: Period) -> Result<()> {
    for attempt in 0..TRIES * u64::from(u8::MAX) {
        let shards = found(table, tenant, month).await?.into_iter();
        let shards: Vec<_> = shards.map(|(number, found)| Shard { number, now: found.clone(), found }).collect();
        let moves = shards.iter().map(|debtor| plan(&shards, debtor, Amounts::default()));
        let Some(moves) = moves.into_iter().find(|moves| !moves.is_empty()) else { return Ok(()) };
        if !transfer(table, tenant, month, &shards, &moves).await? {
            tokio::time::sleep(Duration::from_millis(5 * attempt.min(TRIES))).await;
        }
    }
    Err(Error::Unavailable("the sub-meters are contended".into()))
}

/// A sub-meter as it was found, and the same in the present minute.
struct Shard {
    number: u8,
    found: Meter,
    now: Meter,
}

async fn found(table: &Table, tenant: TenantId, month: Period) -> Result<Vec<(u8, Meter)>> {
    let meters = flight::meters_of(table, tenant, &keys::tenant_meters(month)).await?;
    let number = |(scope, meter)| match scope {
        MeterScope::Tenant(number) => Some((number, meter)),
        MeterScope::Key(_) => None,
    };
    Ok(meters.into_iter().filter_map(number).collect())
}

/// What all sub-meters have together.
fn whole(shards: &[Shard]) -> Meter {
    let sum = |of: fn(&Meter) -> i64| shards.iter().map(|shard| of(&shard.now)).sum();
    Meter {
        tokens_left: sum(|meter| meter.tokens_left),
        nano_usd_left: sum(|meter| meter.nano_usd_left),
        window: shards.first().map_or(0, |shard| shard.now.window),
        window_requests: sum(|meter| meter.window_requests),
        window_tokens: sum(|meter| meter.window_tokens),
        ..Meter::default()
    }
}

fn need(asked: &[Asked], open: &[usize]) -> Amounts {
    let sum = |of: fn(&Need) -> u64| open.iter().map(|&index| of(&asked[index].hold.need())).sum::<u64>();
    let tokens = signed(sum(Need::tokens));
    let window_requests = signed(open.len() as u64);
    Amounts { tokens, nano_usd: signed(sum(|need| need.cost.0)), window_requests, window_tokens: tokens }
}

/// The sub-meter that needs the fewest gifts, and the moves that give it what it lacks.
fn cheapest(shards: &[Shard], need: Amounts) -> Option<(u8, Vec<(usize, Amounts)>)> {
    let plans = shards.iter().map(|target| (target.number, plan(shards, target, need)));
    plans.min_by_key(|(_, moves)| moves.len())
}

/// What moves where (by index) so that `target` has what is needed, or as much of it as there is: gifts, and their sum
/// to the target. Nothing if it has enough.
fn plan(shards: &[Shard], target: &Shard, need: Amounts) -> Vec<(usize, Amounts)> {
    let mut lack = need.lacking_in(&target.now);
    let mut received = Amounts::default();
    let mut moves = Vec::new();
    let mut own = None;
    for (index, shard) in shards.iter().enumerate() {
        if shard.number == target.number {
            own = Some(index);
            continue;
        }
        let gift = lack.available_in(&shard.now);
        if gift != Amounts::default() {
            lack = lack.plus(gift.negated());
            received = received.plus(gift);
            moves.push((index, gift.negated()));
        }
    }
    if !moves.is_empty() {
        moves.extend(own.map(|index| (index, received)));
    }
    moves
}

/// Whether the moves took place; `false` if a giver has no longer what it was to give.
async fn transfer(
    table: &Table,
    tenant: TenantId,
    month: Period,
    shards: &[Shard],
    moves: &[(usize, Amounts)],
) -> Result<bool> {
    let partition = table.tenant(tenant).main();
    let part = |(index, amounts): &(usize, Amounts)| {
        let shard = &shards[*index];
        let id = MeterId { tenant, month, scope: MeterScope::Tenant(shard.number) };
        let update = partition.update_in_transaction(&id.sort());
        let update = expression::transfer(update, *amounts, &shard.found, &shard.now)?;
        Ok(TransactWriteItem::builder().update(update).build())
    };
    let parts = moves.iter().map(part).collect::<Result<Vec<_>>>()?;
    match table.client().transact_write_items().set_transact_items(Some(parts)).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("TransactionCanceledException") => Ok(false),
        Err(error) => Err(failure(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Limits;

    fn shards(left: &[i64]) -> Vec<Shard> {
        let meter = |tokens: &i64| Meter { tokens_left: *tokens, ..Meter::open(&Limits::default()) };
        let shard = |(number, meter): (u8, Meter)| Shard { number, now: meter.clone(), found: meter };
        (0..).zip(left.iter().map(meter)).map(shard).collect()
    }

    fn tokens(moves: &[(usize, Amounts)]) -> Vec<(usize, i64)> {
        moves.iter().map(|(index, amounts)| (*index, amounts.tokens)).collect()
    }

    #[test]
    fn what_is_lacking_comes_from_the_others() {
        let shards = shards(&[10, 10, 10]);
        let need = Amounts { tokens: 25, ..Amounts::default() };
        assert_eq!(tokens(&plan(&shards, &shards[1], need)), [(0, -10), (2, -5), (1, 15)]);
    }

    #[test]
    fn one_that_has_enough_alone_is_chosen() {
        let chosen = cheapest(&shards(&[5, 30, 10]), Amounts { tokens: 25, ..Amounts::default() });
        assert_eq!(chosen, Some((1, Vec::new())));
    }

    #[test]
    fn a_debt_is_paid_as_far_as_there_is_something() {
        let shards = shards(&[-20, 5, -1, 3]);
        assert_eq!(tokens(&plan(&shards, &shards[0], Amounts::default())), [(1, -5), (3, -3), (0, 8)]);
    }
}
