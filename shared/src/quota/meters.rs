//! Admission and settlement against the meters in the table.

use std::{sync::Arc, time::Duration};

use super::{
    Grant, Hold, Limits, Meter, Need, Rate, Scope,
    flight::{self, Asked, Flights, MeterId},
    gather::{self, Gathering},
};
use crate::{
    batch::Batcher,
    clock::{Clock, Period},
    config::Flush,
    error::{Error, Result},
    id::{KeyId, RequestId, TenantId},
    money::{NanoUsd, Tokens},
    store::{Table, keys, keys::MeterScope},
    tenant::{ApiKey, Tenant},
};

/// What a request is charged to.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's limits.
    pub limits: Limits,
    /// Into how many sub-meters the tenant's month is split; 1 up to about 300 requests in flight.
    pub shards: u8,
    /// The key.
    pub key: KeyId,
    /// The key's own limits.
    pub key_limits: Limits,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// The request.
    pub request: RequestId,
    /// What was held for it.
    pub need: Need,
    /// Tokens to charge, never more than held.
    pub tokens: Tokens,
    /// Money to charge, never more than held.
    pub cost: NanoUsd,
    /// Whether the ledger has the request, so that it counts as one.
    pub counts: bool,
    /// The minute in which it was admitted, to give what was not used back to its rate limit.
    pub window: Option<u64>,
}

/// All meters.
#[derive(Clone)]
pub struct Meters {
    table: Table,
    clock: Clock,
    holds: Arc<Batcher<MeterId, Asked, flight::Answer>>,
    /// What no sub-meter could hold alone.
    gathered: Arc<Batcher<(TenantId, Period), Asked, gather::Answer>>,
    settlements: Arc<Batcher<MeterId, Settlement, ()>>,
}

/// Keeps an update's expression under `DynamoDB`'s 4 KB.
const MOST_IN_ONE_UPDATE: usize = 32;

/// How long settlements are gathered where nobody waits for them: a moment longer that what was not used stays held.
const GATHER: Duration = Duration::from_millis(5);

impl Meters {
    /// The meters in `table`. Where nobody waits for a settlement, some are gathered first.
    #[must_use]
    pub fn new(table: Table, clock: Clock, flush: Flush) -> Self {
        let gather = if flush == Flush::Behind { GATHER } else { Duration::ZERO };
        let flights = Arc::new(Flights::new(table.clone(), clock.clone()));
        let gathering = Gathering::new(table.clone(), clock.clone(), Arc::clone(&flights));
        let for_settling = table.clone();
        let now = clock.clone();
        Self {
            table,
            clock,
            holds: Batcher::new(MOST_IN_ONE_UPDATE, move |meter, asked| Arc::clone(&flights).hold(meter, asked)),
            gathered: Batcher::new(MOST_IN_ONE_UPDATE, move |of, asked| gathering.clone().hold(of, asked)),
            settlements: Batcher::gathering(gather, MOST_IN_ONE_UPDATE, move |meter, settlements| {
                flight::settle(for_settling.clone(), now.now().minute(), meter, settlements)
            }),
        }
    }

    /// Admits a request: holds the worst that it can cost, on the key's meter if it has limits of its own and on the
    /// tenant's. The tenant's is last: what is held on the key's alone was never admitted.
    ///
    /// # Errors
    /// `Refused` if a cap or a rate limit doesn't allow it, `Unavailable` if the table can't be reached.
    pub async fn hold(&self, account: &Account, request: RequestId, hold: Hold) -> Result<Grant> {
        let month = Period::month(request.made_at());
        let need = hold.need();
        account.key_limits.ever_allow(&need, Scope::Key).map_err(Error::Refused)?;
        account.limits.ever_allow(&need, Scope::Tenant).map_err(Error::Refused)?;
        let key_meter = MeterId { tenant: account.tenant, month, scope: MeterScope::Key(account.key) };
        let mut on_key = None;
        if !account.key_limits.is_unlimited() {
            let asked = Asked { request, hold: hold.clone(), limits: account.key_limits, shards: 1 };
            on_key = Some(self.holds.submit(key_meter, asked).await?.map_err(Error::Refused)?);
        }
        let key_window = on_key.map(|(window, _)| window);
        let shards = account.shards.max(1);
        match self.hold_on_tenant(account.tenant, month, Asked { request, hold, limits: account.limits, shards }).await
        {
            Ok((shard, window, rate)) => {
                let rate = on_key.map_or(rate, |(_, of_key)| rate.tighter(of_key));
                Ok(Grant { request, key_window, shard, month, window, need, rate })
            }
            Err(error) => {
                if key_window.is_some() {
                    let nothing = Settlement::nothing(request, need, key_window);
                    if let Err(error) = self.settlements.submit(key_meter, nothing).await {
                        tracing::warn!(%request, error = ?error, "a key's hold is left to the sweep");
                    }
                }
                Err(error)
            }
        }
    }

    /// Tries the sub-meter that the request's id chooses; if it refuses, what all of them have left is gathered.
    async fn hold_on_tenant(&self, tenant: TenantId, month: Period, asked: Asked) -> Result<(u8, u64, Rate)> {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 256")]
        let first = (asked.request.ulid().random() % u128::from(asked.shards)) as u8;
        let meter = MeterId { tenant, month, scope: MeterScope::Tenant(first) };
        match self.holds.submit(meter, asked.clone()).await? {
            Ok((window, rate)) => Ok((first, window, rate)),
            Err(refusal) if asked.shards == 1 => Err(Error::Refused(refusal)),
            Err(_) => self.gathered.submit((tenant, month), asked).await?.map_err(Error::Refused),
        }
    }

    /// Ends a grant's holds. Doing it again, or after the sweep did, changes nothing.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached; the sweep will settle it.
    pub async fn settle(&self, account: &Account, grant: &Grant, tokens: Tokens, cost: NanoUsd) -> Result<()> {
        let Grant { request, need, .. } = *grant;
        let settlement = |window| Settlement { request, need, tokens, cost, counts: true, window: Some(window) };
        let meter = |scope| MeterId { tenant: account.tenant, month: grant.month, scope };
        let tenant = self.settlements.submit(meter(MeterScope::Tenant(grant.shard)), settlement(grant.window));
        if let Some(window) = grant.key_window {
            let key = self.settlements.submit(meter(MeterScope::Key(account.key)), settlement(window));
            tokio::try_join!(tenant, key)?;
        } else {
            tenant.await?;
        }
        Ok(())
    }

    /// Ends a hold that the sweep found on a meter.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn settle_on(
        &self,
        tenant: TenantId,
        month: Period,
        scope: MeterScope,
        settlement: Settlement,
    ) -> Result<()> {
        self.settlements.submit(MeterId { tenant, month, scope }, settlement).await
    }

    /// Moves the caps of this month's meters to the tenant's limits; what remains moves by the difference. Without it
    /// they move at each meter's next request, and sub-meters keep what they may owe each other.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn recap(&self, tenant: &Tenant) -> Result<()> {
        let month = Period::month(self.clock.now());
        for (scope, meter) in self.of(tenant.id, month).await? {
            if let MeterScope::Tenant(shard) = scope {
                let limits = tenant.limits.share(shard, tenant.meter_shards);
                flight::recap(&self.table, MeterId { tenant: tenant.id, month, scope }, meter, &limits).await?;
            }
        }
        gather::level(&self.table, tenant.id, month).await
    }

    /// Moves the caps of this month's meter of a key to its limits, likewise. Whoever still knows the key as it was is bound
    /// by the meter, and not by what it knows.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached, or if others move them again and again.
    pub async fn recap_key(&self, tenant: TenantId, key: &ApiKey) -> Result<()> {
        let month = Period::month(self.clock.now());
        let id = MeterId { tenant, month, scope: MeterScope::Key(key.id) };
        for _ in 0..flight::TRIES {
            let meter: Option<Meter> = self.table.tenant(tenant).main().find(&id.sort()).await?;
            let Some(meter) = meter else { return Ok(()) };
            if flight::recap(&self.table, id, meter, &key.limits).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::Unavailable("the meter is contended".into()))
    }

    /// What a tenant's month has spent and holds, in nano-USD at the catalogue's prices.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn taken(&self, tenant: TenantId, month: Period) -> Result<u64> {
        flight::taken(&self.table, tenant, month).await
    }

    /// All meters of a tenant's month, with what they count for.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of(&self, tenant: TenantId, month: Period) -> Result<Vec<(MeterScope, Meter)>> {
        flight::meters_of(&self.table, tenant, &keys::meters(month)).await
    }
}

impl Settlement {
    /// The end of a hold that was never used.
    #[must_use]
    pub fn nothing(request: RequestId, need: Need, window: Option<u64>) -> Self {
        Self { request, need, tokens: Tokens::ZERO, cost: NanoUsd::ZERO, counts: false, window }
    }
}
