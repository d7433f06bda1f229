//! The removal of tenants whose deletion was not taken back: every item of theirs, wherever it is.
//!
//! A tenant's partitions can't be listed: sessions are named by clients, kept answers by hashes. An index of them would be
//! one more write for each, and would leave behind whatever somebody forgot to put into it. So all of the table is read,
//! once for all tenants whose time has come, and not at all if there are none. That costs half a read unit for 4 KB, so
//! about 1.64 USD for 100 GB at 0.125 USD a million, and a write unit for each KB that is deleted.
//!
//! *Resumable.* After each page the [`Pass`] in the table says how far each segment is. It names the tenants that it is
//! for, so a pass that somebody else began is simply gone on with. Two at once delete twice what is there once.
//!
//! *In order.* First people, as long as the members are there to be seen, then the scan, and last the entry in the list of
//! tenants, which is what says that there is something to do.
//!
//! *Invoices stay,* with their payments and whatever is still to be collected of them, because the law wants it. Nothing of a
//! tenant is removed before its last invoice is final, unless that takes 60 days more.

use std::time::Duration;

use futures_util::future;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Listed, Member, Status, Tenants, deletion::GRACE};
use crate::{
    billing::{Invoice, InvoiceStatus, repo::Subscriptions},
    clock::{Clock, Granularity, Period, Timestamp},
    error::Result,
    id::{TenantId, UserId},
    people::User,
    store::{Change, Committed, Key, Partition, Table, keys},
};

/// How many segments are read beside each other.
const SEGMENTS: i32 = 4;
/// How many tenants a pass is for, at most: a filter is limited.
const MOST_AT_ONCE: usize = 20;
/// How much later than announced a tenant is removed: further than clocks differ, so that nobody takes back what has
/// begun.
const MARGIN: Duration = Duration::from_hours(1);
/// How much later at most it is removed because its last invoice isn't final.
const LONGEST: Duration = Duration::from_hours(60 * 24);

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Purged {
    /// Tenants that are gone.
    pub tenants: u64,
    /// People that are gone with them.
    pub people: u64,
    /// Items that were deleted by the scan.
    pub items: u64,
    /// Whether there is more to do, for which there was no time.
    pub unfinished: bool,
}

/// A reading of all of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pass {
    tenants: Vec<TenantId>,
    segments: Vec<Segment>,
}

/// A part of the table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Segment {
    /// The last key that was read.
    after: Option<Key>,
    /// Whether all of it was read.
    done: bool,
}

/// Removes tenants.
#[derive(Clone)]
pub struct Purge {
    table: Table,
    clock: Clock,
    subscriptions: Subscriptions,
}

impl Purge {
    /// The removal of tenants from `table`.
    #[must_use]
    pub fn new(table: Table, clock: Clock, subscriptions: Subscriptions) -> Self {
        Self { table, clock, subscriptions }
    }

    /// Removes whatever is due, or goes on with it, until `deadline`.
    ///
    /// # Errors
    /// `Unavailable` if the table can't be reached; what was done stays done, and the next run goes on.
    pub async fn run(&self, deadline: Timestamp) -> Result<Purged> {
        let mut purged = Purged::default();
        while let Some(pass) = self.pass(&mut purged).await? {
            let tenants = pass.tenants.clone();
            let (items, complete) = self.scan(pass, deadline).await?;
            purged.items += items;
            if !complete {
                purged.unfinished = true;
                break;
            }
            self.table
                .tenants()
                .delete_all(&tenants.iter().map(|tenant| keys::listed(*tenant)).collect::<Vec<_>>())
                .await?;
            self.table.purge().delete_all(&[keys::PASS.to_owned()]).await?;
            purged.tenants += u64::try_from(tenants.len()).unwrap_or(u64::MAX);
        }
        Ok(purged)
    }

    /// The pass that was begun, else one for what is due; `None` if nothing is.
    async fn pass(&self, purged: &mut Purged) -> Result<Option<Pass>> {
        let begun: Option<Pass> = self.table.purge().find(keys::PASS).await?;
        if begun.is_some() {
            return Ok(begun);
        }
        let due = self.due().await?;
        if due.is_empty() {
            return Ok(None);
        }
        for tenant in &due {
            self.let_go(tenant, purged).await?;
        }
        let tenants = due.iter().map(|tenant| tenant.id).collect();
        let segments = (0..SEGMENTS).map(|_| Segment::default()).collect();
        let pass = Pass { tenants, segments };
        self.table.purge().put(keys::PASS, &pass).await?;
        Ok(Some(pass))
    }

    async fn due(&self) -> Result<Vec<Listed>> {
        let past = self.clock.now().before(MARGIN);
        let mut due = Vec::new();
        let mut rows = self.table.tenants().all::<Listed>();
        while let Some(page) = rows.page().await? {
            let is_due = |tenant: &Listed| {
                tenant.status == Status::Deleting && tenant.delete_after.is_some_and(|after| after <= past)
            };
            for tenant in page.into_iter().filter(is_due) {
                if due.len() < MOST_AT_ONCE && !self.is_owed(&tenant, past).await? {
                    due.push(tenant);
                }
            }
        }
        Ok(due)
    }

    /// Whether its last invoice is still to be made, out of what the tenant has left.
    async fn is_owed(&self, listed: &Listed, past: Timestamp) -> Result<bool> {
        let tenants = Tenants::new(self.table.clone());
        let Some(tenant) = tenants.find(listed.id).await? else { return Ok(false) };
        let Some(after) = tenant.delete_after.filter(|after| past < after.after(LONGEST)) else {
            tracing::error!(tenant = %tenant.id, "a tenant is removed without a last invoice");
            return Ok(false);
        };
        let last = Period::month(after.before(GRACE));
        let Some(subscribed) = self.subscriptions.find(&tenant).await? else { return Ok(false) };
        // The one before the last may be a draft still, if its books differ.
        for month in [last.previous(), last] {
            let sort = keys::invoice(keys::invoice_of(tenant.id, month));
            let invoice: Option<Invoice> = tenants.of(tenant.id).invoices().find(&sort).await?;
            let owed = match invoice {
                Some(invoice) => invoice.status < InvoiceStatus::Finalised,
                None => month == last && !subscribed.segments(month).is_empty(),
            };
            if owed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes a tenant from what is looked at on a schedule, and from its people.
    async fn let_go(&self, tenant: &Listed, purged: &mut Purged) -> Result<()> {
        // The sweep would count its hours again.
        let mut month = Period::of(Granularity::Month, tenant.created_at);
        while month.start() <= self.clock.now() {
            self.table.active(month).delete_all(&[tenant.id.to_string()]).await?;
            month = month.next();
        }
        let main = self.table.tenant(tenant.id).main();
        let mut members = main.begins_with::<Member>(keys::MEMBER_PREFIX);
        while let Some(page) = members.page().await? {
            for member in page {
                purged.people += u64::from(self.release(member.user, tenant.id).await?);
                // Last: as long as it is there, its person is to be seen to.
                main.delete_all(&[keys::member(member.user)]).await?;
            }
        }
        Ok(())
    }

    /// Ends a membership, and the person with it unless it is a member elsewhere or works for the operator. Whether the
    /// person is gone.
    async fn release(&self, user: UserId, tenant: TenantId) -> Result<bool> {
        const TRIES: u32 = 5;
        let own = self.table.user(user);
        own.delete_all(&[keys::membership(tenant)]).await?;
        for _ in 0..TRIES {
            // Before the memberships: whoever becomes a member elsewhere changes its person with it.
            let person: Option<User> = own.find(keys::USER).await?;
            let others = own.begins_with::<serde::de::IgnoredAny>(keys::MEMBER_PREFIX).collect().await?;
            if !others.is_empty() || person.as_ref().is_some_and(|person| person.operator) {
                return Ok(false);
            }
            if let Some(person) = &person {
                let address = self.table.email(&person.email.hash());
                // Before it is let go: afterwards it may be somebody else's.
                let mut left = sorts(&address).await?;
                left.retain(|sort| sort != keys::USER);
                let mut change = Change::new(&self.table);
                change.delete_version(&own, keys::USER, person.version)?;
                change.delete(&address, keys::USER)?;
                if change.commit().await? != Committed::Yes {
                    continue;
                }
                address.delete_all(&left).await?;
            }
            own.delete_all(&sorts(&own).await?).await?;
            return Ok(person.is_some());
        }
        // It is being changed all the time, so it is in use.
        Ok(false)
    }

    /// Reads what is left of a pass and deletes what it finds. How many items, and whether it came to the end.
    async fn scan(&self, pass: Pass, deadline: Timestamp) -> Result<(u64, bool)> {
        let (everything, tenants) = (self.table.everything(), pass.tenants.clone());
        let segments = pass.segments.clone();
        let progress = Mutex::new(pass);
        let of = i32::try_from(segments.len()).unwrap_or(SEGMENTS);
        let scans = (0..of).zip(segments).map(|(number, mut segment)| {
            let (everything, tenants, progress) = (&everything, &tenants, &progress);
            async move {
                let mut items = 0;
                while !segment.done && self.clock.now() < deadline {
                    let (found, next) = everything.page(tenants, number, of, segment.after.as_ref()).await?;
                    everything.delete(&found).await?;
                    items += found.len() as u64;
                    segment = Segment { done: next.is_none(), after: next };
                    let mut pass = progress.lock().await;
                    if let Some(place) = usize::try_from(number).ok().and_then(|number| pass.segments.get_mut(number)) {
                        *place = segment.clone();
                    }
                    self.table.purge().put(keys::PASS, &*pass).await?;
                }
                Ok::<_, crate::error::Error>((items, segment.done))
            }
        });
        let scanned = future::try_join_all(scans).await?;
        Ok((scanned.iter().map(|(items, _)| items).sum(), scanned.iter().all(|(_, done)| *done)))
    }
}

/// The sort keys of all items of a partition.
async fn sorts(partition: &Partition) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Row {
        sk: String,
    }
    let rows = partition.all::<Row>().only(keys::SK).collect().await?;
    Ok(rows.into_iter().map(|row| row.sk).collect())
}
