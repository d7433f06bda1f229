//! The end of a tenant: announced, and taken back within 30 days. What happens afterwards is in [`super::purge`].

use std::time::Duration;

use super::{Authority, Members, Status, Tenant, Tenants, UNPAID};
use crate::{
    audit::{Edit, IfMatch},
    auth::Role,
    billing::{Invoice, Pause, Subscription},
    clock::{Period, Timestamp},
    error::{Error, Result},
    id::TenantId,
    mail::{EmailAddress, Mail, Mailer},
    store::{Change, keys},
};

/// How long a deletion can be taken back.
pub const GRACE: Duration = Duration::from_hours(30 * 24);
/// How many deletions that were taken back invoices have regard to: in a month, and ever.
const MOST_PAUSES: (usize, usize) = (3, 100);

impl Tenants {
    /// Announces the removal of a tenant. From now on it may do nothing but be restored and exported.
    ///
    /// # Errors
    /// `Invalid` unless `name` is the tenant's; `Forbidden` unless the caller is an owner; `TenantSuspended` if it isn't
    /// active; `PreconditionFailed`, `Conflict`, `Unavailable`.
    pub async fn announce_deletion(
        &self,
        id: TenantId,
        name: &str,
        version: IfMatch,
        by: &Authority,
        at: Timestamp,
    ) -> Result<Tenant> {
        let decide = |tenant: &mut Tenant, _: &mut Change| {
            if tenant.status != Status::Active {
                return Err(Error::TenantSuspended);
            }
            if tenant.name != name {
                return Err(Error::invalid("name", "name must be the tenant's name, to confirm that it is meant"));
            }
            tenant.status = Status::Deleting;
            tenant.delete_after = Some(at.after(GRACE));
            Ok(())
        };
        self.edit_by_owner(id, "tenant.delete", version, by, at, decide).await
    }

    /// Takes a deletion back. No fees are charged for the time in between. Whoever was to be suspended for an invoice that is
    /// unpaid is so now.
    ///
    /// # Errors
    /// `Conflict` unless the tenant is being deleted and the time for taking it back isn't over; `Forbidden` unless the
    /// caller is an owner; `Unavailable`.
    pub async fn restore(&self, id: TenantId, by: &Authority, at: Timestamp) -> Result<Tenant> {
        let handle = self.of(id);
        // Before its invoices: what is paid meanwhile makes another one of it.
        let tenant = self.get(id).await?;
        let invoices = handle.invoices().begins_with::<Invoice>(keys::INVOICE_PREFIX).collect().await?;
        let is_unpaid = invoices.iter().any(Invoice::keeps_suspended);
        let main = handle.main();
        let subscription = main.find::<Subscription>(keys::SUBSCRIPTION).await?.unwrap_or_default();
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            let left = tenant.status == Status::Deleting && tenant.delete_after.is_some_and(|after| at < after);
            if !left {
                return Err(Error::Conflict("there is no deletion that could be taken back".to_owned()));
            }
            let mut paused = subscription.clone();
            // Whoever leaves and comes back without end pays for the rest of it.
            let (a_month, ever) = MOST_PAUSES;
            let since = Period::month(at).start();
            let calm = paused.pauses.iter().filter(|pause| pause.to >= since).count() < a_month;
            if let Some(after) = tenant.delete_after.filter(|_| calm && paused.pauses.len() < ever) {
                paused.pauses.push(Pause { from: after.before(GRACE), to: at });
                paused.version += 1;
                change.replace(&main, keys::SUBSCRIPTION, &paused, subscription.version)?;
            }
            (tenant.status, tenant.suspended_for) =
                if is_unpaid { (Status::Suspended, Some(UNPAID.to_owned())) } else { (Status::Active, None) };
            tenant.delete_after = None;
            Ok(())
        };
        let version = IfMatch::Version(tenant.version);
        match self.edit_by_owner(id, "tenant.restore", version, by, at, decide).await {
            Err(Error::PreconditionFailed) => Err(Error::Conflict("the tenant has just changed; try again".to_owned())),
            done => done,
        }
    }

    /// An edit by somebody who is an owner when it takes place.
    async fn edit_by_owner(
        &self,
        id: TenantId,
        action: &'static str,
        version: IfMatch,
        by: &Authority,
        at: Timestamp,
        mut decide: impl FnMut(&mut Tenant, &mut Change) -> Result<()>,
    ) -> Result<Tenant> {
        let (table, name) = (self.of(id), id.to_string());
        let main = table.main();
        let standing = by.now(&main, at).await?;
        standing.may(Role::Owner)?;
        let edit = Edit { table: &table, sort: keys::TENANT, id: &name, version, action, actor: &by.actor, at };
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            decide(tenant, change)?;
            standing.demand(change, &main)?;
            self.list(change, tenant)
        };
        edit.apply(decide).await
    }
}

/// Tells a tenant's owners what becomes of it. What has happened stays, whether or not they can be told.
#[derive(Debug, Clone)]
pub struct Announcements {
    members: Members,
    mailer: Mailer,
}

impl Announcements {
    /// Announcements to `members` by `mailer`.
    #[must_use]
    pub fn new(members: Members, mailer: Mailer) -> Self {
        Self { members, mailer }
    }

    /// It will be removed.
    pub async fn deleted(&self, tenant: &Tenant) {
        let at = tenant.delete_after.map(|at| at.to_string()).unwrap_or_default();
        self.tell(tenant.id, |owner| Mail::tenant_deleted(owner, &tenant.name, &at)).await;
    }

    /// It will not be removed after all.
    pub async fn restored(&self, tenant: &Tenant) {
        self.tell(tenant.id, |owner| Mail::tenant_restored(owner, &tenant.name)).await;
    }

    async fn tell(&self, tenant: TenantId, mail: impl Fn(EmailAddress) -> Mail) {
        if let Err(error) = self.try_to_tell(tenant, mail).await {
            tracing::error!(error = ?error, "not all owners were told");
        }
    }

    async fn try_to_tell(&self, tenant: TenantId, mail: impl Fn(EmailAddress) -> Mail) -> Result<()> {
        for owner in self.members.with_role(tenant, Role::Owner).await? {
            self.mailer.send(&mail(EmailAddress::parse(&owner.email)?)).await?;
        }
        Ok(())
    }
}
