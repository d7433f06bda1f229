//! Which runs there are to be, and who is set to work on them.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::{
    Hands, Part, Run, RunProgress, RunSummary,
    work::{Others, Worked},
};
use crate::{
    audit::{Actor, Deed, record_for_operators},
    billing::{invoices::Invoices, repo::BillingSettings},
    clock::{Clock, Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    store::{Change, Committed, Order, Table, failure, keys},
    telemetry::metrics,
};

/// A part for so many tenants, until there are so many parts: finalising is one after the other anyway, for the sake of
/// gapless numbers.
const TENANTS_OF_A_PART: u64 = 2_000;
const MOST_BY_ITSELF: u16 = 16;
/// How many months without a run are made up for, if the schedule did not come.
const MONTHS_BACK: usize = 12;

/// Billing runs.
#[derive(Clone)]
pub struct Runs {
    pub(super) table: Table,
    pub(super) clock: Clock,
    pub(super) invoices: Invoices,
    hands: Hands,
}

/// How a run is begun by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begin {
    /// In how many parts at most, 1 to 256, if there is no run yet; by the number of tenants if absent.
    pub parts: Option<u16>,
    /// Whether a run that is finished goes through all tenants once more.
    pub again: bool,
}

impl Runs {
    /// The runs in `table`, in which `invoices` are made.
    #[must_use]
    pub fn new(table: Table, clock: Clock, invoices: Invoices, hands: Hands) -> Self {
        Self { table, clock, invoices, hands }
    }

    /// What is to be done once an hour: begins the runs of months that are over, and sets to work on whatever is due of those
    /// that aren't finished. In this process it is done until `deadline`; invocations are only begun.
    ///
    /// # Errors
    /// `Unavailable` if the table or a part can't be reached; what was done stays done.
    pub async fn tick(&self, others: Others, deadline: Timestamp) -> Result<Vec<RunProgress>> {
        if self.grace().await?.is_none() {
            // Nobody has said yet who sells.
            return Ok(Vec::new());
        }
        self.begin_what_is_over().await?;
        let mut open = Vec::new();
        for run in self.all().await?.into_iter().filter(|run| run.finished_at.is_none()) {
            let month = month_of(&run)?;
            self.set_to_work(month, &self.due(&run, month, others).await?, others, deadline).await?;
            open.push(self.progress(month).await?);
        }
        Ok(open)
    }

    /// Begins a run of a month by hand, or goes on with it at once.
    ///
    /// # Errors
    /// `Conflict` if the month isn't over or nobody has said yet who sells; `Invalid`; `Unavailable`.
    pub async fn begin(&self, month: Period, how: Begin, actor: &Actor) -> Result<Run> {
        let now = self.clock.now();
        if month.end() > now {
            return Err(Error::Conflict(format!("{month} is not over")));
        }
        if self.grace().await?.is_none() {
            return Err(no_settings());
        }
        if how.parts.is_some_and(|parts| !(1..=super::item::MOST_PARTS).contains(&parts)) {
            let detail = format!("parts must be from 1 to {}", super::item::MOST_PARTS);
            return Err(Error::invalid("parts", detail));
        }
        let run = match self.find(month).await? {
            Some(run) => run,
            None => self.plan(month, how.parts, actor).await?,
        };
        self.hasten(&run, month, how.again).await?;
        self.get(month).await
    }

    /// Sets to work on all that is due of a run. In this process that goes on behind the call.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub async fn set_off(&self, month: Period) -> Result<()> {
        let due = self.due(&self.get(month).await?, month, Others::MayBeAtIt).await?;
        match self.hands {
            Hands::Invocations(_) => self.set_to_work(month, &due, Others::MayBeAtIt, FOREVER).await,
            Hands::Process => {
                let runs = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = runs.set_to_work(month, &due, Others::MayBeAtIt, FOREVER).await {
                        tracing::error!(%month, ?error, "a billing run is gone on with later");
                    }
                });
                Ok(())
            }
        }
    }

    /// Works on one part, and sees to it that it goes on if `deadline` comes first.
    ///
    /// # Errors
    /// As [`Self::work`].
    pub async fn work_on(&self, month: Period, part: u16, deadline: Timestamp) -> Result<Worked> {
        let worked = self.work(month, part, Others::MayBeAtIt, deadline).await?;
        if let (Worked::More, Hands::Invocations(invoker)) = (worked, &self.hands) {
            invoker.invoke(vec![event(month, part)]).await?;
        }
        Ok(worked)
    }

    /// A run, if there is one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find(&self, month: Period) -> Result<Option<Run>> {
        self.table.runs().find(&keys::run(month)).await
    }

    /// A run.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unavailable`.
    pub async fn get(&self, month: Period) -> Result<Run> {
        self.find(month).await?.ok_or_else(|| Error::NotFound { kind: "billing run", id: month.to_string() })
    }

    /// How far a run is.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unavailable`.
    pub async fn progress(&self, month: Period) -> Result<RunProgress> {
        let (run, parts) = (self.get(month).await?, self.parts(month).await?);
        Ok(RunProgress::of(&run, &parts, self.clock.now()))
    }

    /// A page of runs, the latest first, and behind which sort key to go on, if there are more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn page(&self, after: Option<&str>, limit: u16) -> Result<(Vec<RunSummary>, Option<String>)> {
        let partition = self.table.runs();
        let (runs, next) = partition.page::<Run>(keys::RUN_PREFIX, after, limit, Order::Descending).await?;
        Ok((runs.iter().map(RunSummary::from).collect(), next))
    }

    /// How long after a month late events are waited for; `None` if nobody has said yet who sells.
    pub(super) async fn grace(&self) -> Result<Option<Duration>> {
        let settings = BillingSettings::new(self.table.clone()).find().await?;
        Ok(settings.map(|settings| Duration::from_hours(settings.grace_hours.into())))
    }

    async fn all(&self) -> Result<Vec<Run>> {
        self.table.runs().begins_with(keys::RUN_PREFIX).collect().await
    }

    pub(super) async fn parts(&self, month: Period) -> Result<Vec<Part>> {
        self.table.runs().begins_with(&keys::run_parts(month)).collect().await
    }

    /// Begins the run of the last month, and of those before it that the schedule did not come for.
    async fn begin_what_is_over(&self) -> Result<()> {
        let last = Period::month(self.clock.now()).previous();
        let begun = self.all().await?.iter().map(month_of).collect::<Result<BTreeSet<_>>>()?;
        let months = std::iter::successors(Some(last), |month| Some(month.previous()));
        // Before the first run nobody was billed.
        let first = begun.first().copied().unwrap_or(last);
        let months = months.take(MONTHS_BACK).take_while(|month| *month >= first);
        let mut missing: Vec<_> = months.filter(|month| !begun.contains(month)).collect();
        while let Some(month) = missing.pop() {
            self.plan(month, None, &Actor::system()).await?;
        }
        Ok(())
    }

    /// Cuts the list of tenants into parts. Who comes second finds the run that is there.
    async fn plan(&self, month: Period, parts: Option<u16>, actor: &Actor) -> Result<Run> {
        #[derive(serde::Deserialize)]
        struct Row {
            id: TenantId,
        }
        let mut tenants = Vec::new();
        let mut rows = self.table.tenants().all::<Row>().only("id");
        while let Some(page) = rows.page().await? {
            tenants.extend(page.into_iter().map(|row| row.id));
        }
        let by_itself = u64::try_from(tenants.len()).unwrap_or(u64::MAX).div_ceil(TENANTS_OF_A_PART);
        let by_itself = u16::try_from(by_itself).unwrap_or(MOST_BY_ITSELF).min(MOST_BY_ITSELF);
        let now = self.clock.now();
        let run = Run::new(month.to_string(), now, &tenants, parts.unwrap_or(by_itself));
        let mut change = Change::new(&self.table);
        change.put_new(&self.table.runs(), &keys::run(month), &run)?;
        let after = json!({"tenants": run.tenants, "parts": run.parts().count()});
        let deed = Deed { action: "run.begin", target: month.to_string(), after, ..Deed::default() };
        record_for_operators(&mut change, actor, now, deed)?;
        match change.commit().await? {
            Committed::Yes => {
                metrics::run_began();
                Ok(run)
            }
            Committed::Refused(_) => self.get(month).await,
        }
    }

    /// Lets the parts that wait go on at once, and, `again`, those that are finished begin anew. Whoever is at one just goes
    /// on.
    async fn hasten(&self, run: &Run, month: Period, again: bool) -> Result<()> {
        let partition = self.table.runs();
        if again && run.finished_at.is_some() {
            // Before its parts: whoever sees them all finished now finds another version.
            let anew = Run { finished_at: None, version: run.version + 1, ..run.clone() };
            let mut change = Change::new(&self.table);
            change.replace(&partition, &keys::run(month), &anew, run.version)?;
            change.commit().await?.or(|| Error::Conflict("the run has just changed; try again".to_owned()))?;
        }
        for part in self.parts(month).await? {
            let update = partition.update(&keys::run_part(month, part.number));
            let update = match (again, part.finished_at.is_some()) {
                (true, true) => {
                    let update = update
                        .update_expression("SET #scope = :all, version = version + :one REMOVE finished_at, next_at");
                    let all = serde_dynamo::to_attribute_value(super::Scope::All).map_err(Error::internal)?;
                    let update = update.expression_attribute_names("#scope", "scope");
                    update
                        .expression_attribute_values(":all", all)
                        .expression_attribute_values(":one", crate::store::number(1))
                }
                (false, true) => continue,
                (_, false) => update.update_expression("REMOVE next_at"),
            };
            update.condition_expression("attribute_exists(pk)").send().await.map_err(failure)?;
        }
        Ok(())
    }

    /// The parts of a run that somebody should be at. If all are finished, so is the run.
    async fn due(&self, run: &Run, month: Period, others: Others) -> Result<Vec<u16>> {
        let (parts, now) = (self.parts(month).await?, self.clock.now());
        if self.finish(run, month, &parts).await? {
            return Ok(Vec::new());
        }
        let is_due = |number: &u16| match parts.iter().find(|part| part.number == *number) {
            None => true,
            Some(part) => others.let_go(part).is_due(now),
        };
        Ok(run.parts().filter(is_due).collect())
    }

    /// Notes that a run is finished, if all of its parts are.
    pub(super) async fn finish(&self, run: &Run, month: Period, parts: &[Part]) -> Result<bool> {
        let done = |number| parts.iter().any(|part| part.number == number && part.finished_at.is_some());
        if run.finished_at.is_some() || !run.parts().all(done) {
            return Ok(run.finished_at.is_some());
        }
        let finished = Run { finished_at: Some(self.clock.now()), version: run.version + 1, ..run.clone() };
        let mut change = Change::new(&self.table);
        change.replace(&self.table.runs(), &keys::run(month), &finished, run.version)?;
        if change.commit().await? == Committed::Yes {
            metrics::run_finished();
            tracing::info!(%month, tenants = run.tenants, "a billing run is finished");
        }
        Ok(true)
    }

    /// All of them, though one fails.
    async fn set_to_work(&self, month: Period, parts: &[u16], others: Others, deadline: Timestamp) -> Result<()> {
        match &self.hands {
            Hands::Invocations(invoker) => invoker.invoke(parts.iter().map(|part| event(month, *part)).collect()).await,
            Hands::Process => {
                let work = stream::iter(parts.to_vec()).map(|part| self.work(month, part, others, deadline));
                let done: Vec<_> = work.buffer_unordered(usize::from(MOST_BY_ITSELF)).collect().await;
                done.into_iter().try_for_each(|worked| worked.map(drop))
            }
        }
    }
}

/// The end of time, for what nobody ends.
pub const FOREVER: Timestamp = Timestamp(u64::MAX);

pub(super) fn no_settings() -> Error {
    Error::Conflict("there are no billing settings yet".to_owned())
}

fn event(month: Period, part: u16) -> serde_json::Value {
    json!({"task": "bill-part", "month": month.to_string(), "part": part})
}

fn month_of(run: &Run) -> Result<Period> {
    Period::parse(&run.period).ok_or_else(|| Error::internal("a billing run of no month"))
}
