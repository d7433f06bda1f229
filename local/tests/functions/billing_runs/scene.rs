//! Tenants whose month is over.

use std::time::Duration;

use futures_util::FutureExt;
use lmo_shared::{
    audit::Actor,
    billing::run::{FOREVER, Others, RunProgress, Runs},
    clock::{Period, Timestamp},
    id::TenantId,
    platform::Platform,
    tenant::Tenant,
};

use crate::{
    month::{assert_everybody_has_one_invoice, open_shop, plant, set},
    support::Ground,
};

pub const HOUR: Duration = Duration::from_hours(1);

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The month of all these tests.
pub fn october() -> Period {
    Period::parse("2035-10").unwrap()
}

/// A platform with billing settings.
pub struct Scene {
    ground: Ground,
}

impl Scene {
    pub async fn at(now: &str) -> Self {
        let ground = Ground::at(at(now)).await;
        open_shop(&ground.platform).await;
        Self { ground }
    }

    /// Tenants that have used something in the month; its grace period is just over.
    pub async fn plant(&self, count: usize) -> Vec<TenantId> {
        let tenants = plant(&self.ground.platform, october(), count).await;
        set(self.ground.platform.clock(), october().end().after(24 * HOUR));
        tenants
    }

    pub fn platform(&self) -> &Platform {
        &self.ground.platform
    }

    /// Tenants that were made then.
    pub async fn tenants(&self, count: usize, made: &str) -> Vec<TenantId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let tenant = Tenant::new("tenant", at(made));
            let mut change = self.ground.platform.tenants().change();
            self.ground.platform.tenants().create(&mut change, &tenant, &Actor::command_line()).unwrap();
            change.commit().await.unwrap().or(|| panic!("refused")).unwrap();
            ids.push(tenant.id);
        }
        ids.sort_unstable();
        ids
    }

    pub fn runs(&self) -> Runs {
        self.ground.platform.runs()
    }

    pub fn advance(&self, by: Duration) {
        self.ground.platform.clock().advance(by);
    }

    /// What is done on schedule.
    pub async fn tick(&self) -> Vec<RunProgress> {
        self.runs().tick(Others::MayBeAtIt, FOREVER).await.unwrap()
    }

    /// Whatever has this in it does not get through to the table.
    pub fn cut(&self, text: Option<String>) {
        *self.ground.cut.lock().unwrap() = text;
    }

    /// Only so many more calls get through: as if the process died then.
    pub fn die_after(&self, calls: usize) {
        *self.ground.left.lock().unwrap() = Some(calls);
    }

    /// Does something until the process dies, if it is to. Whether it came to its end.
    pub async fn until_death<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        // An earlier death is over.
        let _ = self.ground.dead.notified().now_or_never();
        tokio::select! {
            () = self.ground.dead.notified() => None,
            done = work => Some(done),
        }
    }

    /// Whether it died.
    pub fn is_dead(&self) -> bool {
        *self.ground.left.lock().unwrap() == Some(0)
    }

    pub fn live(&self) {
        *self.ground.left.lock().unwrap() = None;
    }

    pub async fn progress(&self) -> RunProgress {
        self.runs().progress(october()).await.unwrap()
    }

    /// Lets the grace period go by, and the run come to its end.
    pub async fn finish(&self) {
        let clock = self.ground.platform.clock();
        set(clock, clock.now().max(october().end().after(24 * HOUR)));
        for _ in 0..10 {
            self.runs().tick(Others::AreDead, FOREVER).await.unwrap();
            if self.runs().get(october()).await.unwrap().finished_at.is_some() {
                return;
            }
            self.advance(HOUR);
        }
        panic!("{:#?}", self.progress().await);
    }

    /// Every tenant of the month has an invoice, and only one, and their numbers have no gaps.
    pub async fn assert_everybody_has_one_invoice(&self) {
        assert_everybody_has_one_invoice(&self.ground.platform, october()).await;
    }
}
