//! Admission and settlement against the meters in the table.

use std::sync::Arc;

use super::{
    Grant, Hold, Limits, Meter, Need, Rate, Refusal,
    flight::{self, Asked, Flights, MeterId},
    gather,
};
use crate::{
    batch::Batcher,
    clock::{Clock, Period},
    error::{Error, Result},
    id::{KeyId, RequestId, TenantId},
    money::{NanoUsd, Tokens},
    store::{Table, keys::MeterScope},
    tenant::Tenant,
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
    /// The minute in which it was admitted, to give unused tokens back to its rate limit.
    pub window: Option<u64>,
}

/// All meters.
#[derive(Clone)]
pub struct Meters {
    table: Table,
    clock: Clock,
    holds: Arc<Batcher<MeterId, Asked, std::result::Result<(u64, Rate), Refusal>>>,
    settlements: Arc<Batcher<MeterId, Settlement, ()>>,
}

/// Keeps an update's expression under DynamoDB's 4 KB.
const MOST_IN_ONE_UPDATE: usize = 32;

impl Meters {
    /// The meters in `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        let flights = Arc::new(Flights::new(table.clone(), clock.clone()));
        let for_settling = table.clone();
        let now = clock.clone();
        Self {
            table,
            clock,
            holds: Batcher::new(MOST_IN_ONE_UPDATE, move |meter, asked| Arc::clone(&flights).hold(meter, asked)),
            settlements: Batcher::new(MOST_IN_ONE_UPDATE, move |meter, settlements| {
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
        let key_metered = !account.key_limits.is_unlimited();
        let key_meter = MeterId { tenant: account.tenant, month, scope: MeterScope::Key(account.key) };
        let mut key_rate = None;
        let mut window = request.made_at().minute();
        if key_metered {
            let asked = Asked { request, hold: hold.clone(), limits: account.key_limits };
            key_rate = Some(self.holds.submit(key_meter, asked).await?.map_err(Error::Refused)?.1);
        }
        match self.hold_on_tenant(account, request, &hold, month).await {
            Ok((shard, admitted_in, rate)) => {
                window = window.max(admitted_in);
                let rate = key_rate.filter(|key| key.requests < rate.requests).unwrap_or(rate);
                Ok(Grant { request, key_metered, shard, month, window, need, rate })
            }
            Err(error) => {
                if key_metered {
                    let nothing = Settlement::nothing(request, need, Some(window));
                    self.settlements.submit(key_meter, nothing).await?;
                }
                Err(error)
            }
        }
    }

    /// Tries the sub-meters in turn, from one that the request's id chooses; with all of them refusing for the cap,
    /// gathers what they have left into one and tries that again.
    async fn hold_on_tenant(
        &self,
        account: &Account,
        request: RequestId,
        hold: &Hold,
        month: Period,
    ) -> Result<(u8, u64, Rate)> {
        let shards = account.shards.max(1);
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 256")]
        let first = (request.ulid().random() % u128::from(shards)) as u8;
        let try_one = async |shard: u8| {
            let meter = MeterId { tenant: account.tenant, month, scope: MeterScope::Tenant(shard) };
            let asked = Asked { request, hold: hold.clone(), limits: account.limits.share(shard, shards) };
            Ok::<_, Error>(self.holds.submit(meter, asked).await?.map(|(window, rate)| (shard, window, rate)))
        };
        let mut refusal = match try_one(first).await? {
            Ok(held) => return Ok(held),
            Err(refusal) => refusal,
        };
        for shard in (1..shards).map(|step| (first + step) % shards) {
            match try_one(shard).await? {
                Ok(held) => return Ok(held),
                Err(other) if refusal.is_rate() => refusal = other,
                Err(_) => {}
            }
        }
        let by_cap = matches!(refusal, Refusal::Quota { .. });
        if by_cap && shards > 1 && gather::into_one(&self.table, account, month, first, hold.need()).await? {
            return try_one(first).await?.map_err(Error::Refused);
        }
        Err(Error::Refused(refusal))
    }

    /// Ends a grant's holds. Doing it again, or after the sweep did, changes nothing.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached; the sweep will settle it.
    pub async fn settle(&self, account: &Account, grant: &Grant, tokens: Tokens, cost: NanoUsd) -> Result<()> {
        let settlement = Settlement {
            request: grant.request,
            need: grant.need,
            tokens,
            cost,
            counts: true,
            window: Some(grant.window),
        };
        let meter = |scope| MeterId { tenant: account.tenant, month: grant.month, scope };
        let tenant = self.settlements.submit(meter(MeterScope::Tenant(grant.shard)), settlement);
        if grant.key_metered {
            let key = self.settlements.submit(meter(MeterScope::Key(account.key)), settlement);
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
    /// a higher limit takes effect at the first request that the lower one refuses, a lower one next month.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn recap(&self, tenant: &Tenant) -> Result<()> {
        let month = Period::month(self.clock.now());
        for (scope, meter) in self.of(tenant.id, month).await? {
            if let MeterScope::Tenant(shard) = scope {
                let limits = tenant.limits.share(shard, tenant.meter_shards);
                flight::recap(&self.table, MeterId { tenant: tenant.id, month, scope }, &meter, &limits).await?;
            }
        }
        Ok(())
    }

    /// All meters of a tenant's month, with what they count for.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached.
    pub async fn of(&self, tenant: TenantId, month: Period) -> Result<Vec<(MeterScope, Meter)>> {
        flight::meters_of(&self.table, tenant, month).await
    }
}

impl Settlement {
    /// The end of a hold that was never used.
    #[must_use]
    pub fn nothing(request: RequestId, need: Need, window: Option<u64>) -> Self {
        Self { request, need, tokens: Tokens::ZERO, cost: NanoUsd::ZERO, counts: false, window }
    }
}
