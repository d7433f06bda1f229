//! The work on one part: page by page, and a note behind each of how far it came.

use std::{future, time::Duration};

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{Claim, Part, Run, Runs, Scope, part::Outcome, schedule::no_settings};
use crate::{
    billing::invoices::Billed,
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::{Order, Written, keys, number},
    telemetry::metrics,
};

/// How many tenants are billed between two notes of how far it came.
const PAGE: u16 = 64;
/// How many of them at once.
const AT_ONCE: usize = 16;
/// How long a claim lasts if nobody renews it: longer than a page takes.
const CLAIM: Duration = Duration::from_mins(3);
/// Waits before a tenant is tried again, in milliseconds, where it may help; each up to as much longer as chance has it.
/// Nobody else takes its place meanwhile, so a table that is throttled is asked less.
const PAUSES: [u64; 3] = [100, 400, 1_600];

/// Whether somebody else may be at a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Whoever has a claim that isn't over may be.
    MayBeAtIt,
    /// Whoever has a claim is known to be dead.
    AreDead,
}

impl Others {
    /// The part without a claim that counts for nothing.
    pub(super) fn let_go(self, part: &Part) -> Part {
        let claim = part.claim.filter(|_| self == Self::MayBeAtIt);
        Part { claim, ..part.clone() }
    }
}

/// How far work on a part came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Worked {
    /// Somebody else is at it, or it isn't time for its next pass.
    Nothing,
    /// There was no time for all of it.
    More,
    /// A pass came to its end, and there will be another one.
    Open,
    /// All is done.
    Finished,
}

impl Runs {
    /// Works on a part until a pass is at its end, or until `deadline`; at least on some tenants, so that it gets on however
    /// often it is called.
    ///
    /// # Errors
    /// `NotFound` if there is no such run or part; `Unavailable` if the table can't be reached. What was done stays done.
    pub async fn work(&self, month: Period, part: u16, others: Others, deadline: Timestamp) -> Result<Worked> {
        let run = self.get(month).await?;
        if !run.parts().any(|number| number == part) {
            let id = format!("{month}/{part}");
            return Err(Error::NotFound { kind: "part of a billing run", id });
        }
        let found: Option<Part> = self.table.runs().find(&keys::run_part(month, part)).await?;
        let found = others.let_go(&found.unwrap_or_else(|| Part::new(part)));
        if found.finished_at.is_some() {
            // Whoever finished it may have died before it could say so of the run.
            self.finish(&run, month, &self.parts(month).await?).await?;
            return Ok(Worked::Finished);
        }
        let mut work = Work { runs: self, run, month, part: found, by: rand::random() };
        work.go_on(deadline).await
    }
}

/// Work on a part.
struct Work<'a> {
    runs: &'a Runs,
    run: Run,
    month: Period,
    part: Part,
    by: u64,
}

impl Work<'_> {
    async fn go_on(&mut self, deadline: Timestamp) -> Result<Worked> {
        let clock = &self.runs.clock;
        if !self.part.is_due(clock.now()) {
            return Ok(Worked::Nothing);
        }
        let grace = self.runs.grace().await?.ok_or_else(no_settings)?;
        let closes = self.month.end().after(grace);
        self.part.begin_pass(clock.now(), closes);
        if !self.note(Some(CLAIM)).await? {
            return Ok(Worked::Nothing);
        }
        loop {
            let (page, is_last) = self.page().await?;
            let all = page.len();
            let mut failed = 0;
            let billed = self.bill(page, deadline).await;
            let is_last = is_last && billed.len() == all;
            for (tenant, outcome) in billed {
                failed += u64::from(matches!(outcome, Outcome::Failed(_)));
                self.part.put_down(tenant, outcome, closes);
            }
            metrics::run_failures(failed);
            if is_last {
                self.part.end_pass(clock.now(), closes);
            }
            let out_of_time = clock.now() >= deadline;
            if !self.note((!is_last && !out_of_time).then_some(CLAIM)).await? {
                // Somebody else took it over.
                return Ok(Worked::Nothing);
            }
            match self.part.finished_at {
                Some(_) => {
                    self.runs.finish(&self.run, self.month, &self.runs.parts(self.month).await?).await?;
                    return Ok(Worked::Finished);
                }
                None if is_last => return Ok(Worked::Open),
                None if out_of_time => return Ok(Worked::More),
                None => {}
            }
        }
    }

    /// Notes how far it came, and that somebody is at it for so long. Whether nobody else is.
    async fn note(&mut self, claim: Option<Duration>) -> Result<bool> {
        let (partition, sort) = (self.runs.table.runs(), keys::run_part(self.month, self.part.number));
        let until = |duration| self.runs.clock.now().after(duration);
        let before = self.part.version;
        self.part.claim = claim.map(|duration| Claim { by: self.by, until: until(duration) });
        self.part.version += 1;
        let written = match before {
            0 => partition.put_new(&sort, &self.part).await?,
            _ => partition.put_if(&sort, &self.part, "version = :version", &[(":version", number(before))]).await?,
        };
        if written == Written::Yes {
            return Ok(true);
        }
        // It may have been written by this very call, whose answer was lost.
        Ok(partition.find::<Part>(&sort).await?.as_ref() == Some(&self.part))
    }

    /// The next tenants of the pass, and whether they are the last.
    async fn page(&self) -> Result<(Vec<TenantId>, bool)> {
        let (behind, last) = self.run.ends(self.part.number);
        match &self.part.scope {
            Scope::These(these) => {
                let left = these.iter().copied().filter(|tenant| self.part.after.is_none_or(|after| *tenant > after));
                let mut page: Vec<_> = left.take(usize::from(PAGE) + 1).collect();
                let is_last = page.len() <= usize::from(PAGE);
                page.truncate(PAGE.into());
                Ok((page, is_last))
            }
            Scope::All => {
                let after = self.part.after.or(behind).map(keys::listed);
                let (page, next) = self.runs.list(after.as_deref(), PAGE).await?;
                let whole = page.len();
                let page: Vec<_> =
                    page.into_iter().take_while(|tenant| last.is_none_or(|last| *tenant <= last)).collect();
                let is_last = next.is_none() || page.len() < whole || page.last().copied() == last && last.is_some();
                Ok((page, is_last))
            }
        }
    }

    /// Bills tenants, and tells in their order what became of each. When the time is up, those that weren't begun are left
    /// out.
    async fn bill(&self, tenants: Vec<TenantId>, deadline: Timestamp) -> Vec<(TenantId, Outcome)> {
        let in_time = |(number, _): &(usize, TenantId)| future::ready(*number == 0 || self.runs.clock.now() < deadline);
        let one = |(_, tenant)| async move { (tenant, self.one(tenant).await) };
        stream::iter(tenants.into_iter().enumerate()).take_while(in_time).map(one).buffered(AT_ONCE).collect().await
    }

    async fn one(&self, tenant: TenantId) -> Outcome {
        let mut pauses = PAUSES.into_iter();
        loop {
            let error = match self.runs.invoices.bill(tenant, self.month, self.runs.clock.now()).await {
                Ok(billed) => return Outcome::of(billed),
                Err(error) => error,
            };
            let Some(pause) = pauses.next().filter(|_| error.is_retryable()) else {
                tracing::error!(%tenant, month = %self.month, ?error, "a tenant was not billed; it is tried again");
                return Outcome::Failed(error.code());
            };
            tokio::time::sleep(Duration::from_millis(pause).mul_f64(1.0 + rand::random::<f64>())).await;
        }
    }
}

impl Runs {
    /// A page of the list of tenants.
    async fn list(&self, after: Option<&str>, limit: u16) -> Result<(Vec<TenantId>, Option<String>)> {
        #[derive(serde::Deserialize)]
        struct Row {
            id: TenantId,
        }
        let (rows, next) = self.table.tenants().page::<Row>("", after, limit, Order::Ascending).await?;
        Ok((rows.into_iter().map(|row| row.id).collect(), next))
    }
}

impl Outcome {
    fn of(billed: Billed) -> Self {
        match billed {
            Billed::Nothing => Self::Nothing,
            Billed::Waiting { until } => Self::Waiting(until),
            Billed::Draft { why } => Self::Held(why),
            Billed::Finalised { new } => {
                metrics::invoices_finalised(u64::from(new));
                Self::Finalised
            }
        }
    }
}
