//! What follows when nobody pays: reminders, suspension, and in the end the invoice is given up. Whoever is suspended for
//! that goes on as soon as all of it is paid.

use super::{
    Payments, TRIES, contended,
    rules::{self, Duty},
    settle, watch,
};
use crate::{
    audit::{Actor, Deed, IfMatch, record},
    billing::{Dunning, Invoice, Letter, PaymentStatus},
    clock::Timestamp,
    error::{Error, Result},
    id::{InvoiceId, TenantId},
    store::{Change, keys},
    tenant::{Operation, Status, Tenant, UNPAID},
    webhook::{Event, announce},
};

impl Payments {
    /// Does what the rules say, if the invoice is still as it was read.
    pub(super) async fn follow_up(&self, mut invoice: Invoice, duty: Duty, dunning: &Dunning) -> Result<()> {
        let now = self.clock.now();
        let mut change = Change::new(&self.table);
        match duty {
            Duty::Wait(_) | Duty::Charge => return Ok(()),
            Duty::Paid => settle::settled(&mut change, &mut invoice, now)?,
            Duty::Remind => {
                let letter = match invoice.payment {
                    PaymentStatus::ActionRequired => Letter::ActionRequired,
                    PaymentStatus::None
                    | PaymentStatus::Pending
                    | PaymentStatus::Failed
                    | PaymentStatus::Paid
                    | PaymentStatus::Uncollectible => Letter::Reminder,
                };
                settle::write_to(&mut invoice, letter);
                invoice.collection.step = invoice.collection.since.map_or(0, |since| rules::steps(dunning, since, now));
            }
            Duty::GiveUp => give_up(&mut change, &mut invoice, &Actor::system(), now)?,
            Duty::Suspend => return self.suspend(invoice, now).await,
            Duty::Resume => return self.resume(invoice, now).await,
        }
        watch(&mut change, &mut invoice, Some(now))?;
        // If somebody was quicker it is read again and looked at anew.
        self.write(change, invoice).await.map(drop)
    }

    /// Gives an invoice up, as the operator wants it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if nothing of it is open; `Unavailable`.
    pub async fn give_up(&self, tenant: TenantId, id: InvoiceId, actor: &Actor) -> Result<Invoice> {
        for _ in 0..TRIES {
            let mut invoice = self.read(tenant, id).await?.invoice;
            if rules::is_settled(&invoice)? {
                return Err(Error::Conflict("there is nothing open of this invoice".to_owned()));
            }
            if invoice.payment == PaymentStatus::Uncollectible {
                return Ok(invoice);
            }
            let now = self.clock.now();
            let mut change = Change::new(&self.table);
            give_up(&mut change, &mut invoice, actor, now)?;
            watch(&mut change, &mut invoice, Some(now))?;
            let written = invoice.clone();
            if self.write(change, invoice).await? {
                return Ok(written);
            }
        }
        Err(contended())
    }

    /// Suspends the tenant and notes for which invoice, in one change: an invoice that is being paid right now keeps it from
    /// taking place.
    async fn suspend(&self, invoice: Invoice, now: Timestamp) -> Result<()> {
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            let mut invoice = invoice.clone();
            invoice.collection.suspended = true;
            if tenant.status == Status::Active {
                (tenant.status, tenant.suspended_for) = (Status::Suspended, Some(UNPAID.to_owned()));
                settle::write_to(&mut invoice, Letter::Suspended);
            }
            watch(change, &mut invoice, Some(now))?;
            self.put_invoice(change, &mut invoice)
        };
        self.operate(&invoice, "tenant.suspend", IfMatch::Any, now, decide).await
    }

    /// Lets the tenant go on, unless another invoice keeps it from that.
    async fn resume(&self, invoice: Invoice, now: Timestamp) -> Result<()> {
        // Before the others are read: whoever is suspended for one of them meanwhile is another one.
        let tenant = self.tenants.find(invoice.tenant).await?;
        let version = tenant.map_or(IfMatch::Any, |tenant| IfMatch::Version(tenant.version));
        let others = self.table.tenant(invoice.tenant).invoices().begins_with::<Invoice>(keys::INVOICE_PREFIX);
        let others = others.collect().await?;
        let stays = others.iter().any(|other| other.id != invoice.id && other.keeps_suspended());
        let decide = |tenant: &mut Tenant, change: &mut Change| {
            let mut invoice = invoice.clone();
            invoice.collection.suspended = false;
            let is_for_this = tenant.status == Status::Suspended && tenant.suspended_for.as_deref() == Some(UNPAID);
            if is_for_this && !stays {
                (tenant.status, tenant.suspended_for) = (Status::Active, None);
            }
            watch(change, &mut invoice, Some(now))?;
            self.put_invoice(change, &mut invoice)
        };
        self.operate(&invoice, "tenant.resume", version, now, decide).await
    }

    async fn operate(
        &self,
        invoice: &Invoice,
        action: &'static str,
        version: IfMatch,
        now: Timestamp,
        mut decide: impl FnMut(&mut Tenant, &mut Change) -> Result<()>,
    ) -> Result<()> {
        let actor = Actor::system();
        let operation = Operation { tenant: invoice.tenant, version, actor: &actor, at: now };
        match self.tenants.operate(operation, action, &mut decide).await {
            // Of the others: invoice or tenant are another by now, and are looked at anew.
            Ok(_) | Err(Error::Conflict(_) | Error::PreconditionFailed) => Ok(()),
            // The tenant is gone; its invoices aren't.
            Err(Error::NotFound { .. }) => {
                let mut change = Change::new(&self.table);
                let mut gone = Tenant::new("", now);
                gone.status = Status::Deleting;
                decide(&mut gone, &mut change)?;
                // Refused: the invoice is another one by now, and is looked at anew.
                change.commit().await.map(drop)
            }
            Err(error) => Err(error),
        }
    }
}

/// Gives an invoice up. Should it be paid after all, it is paid.
fn give_up(change: &mut Change, invoice: &mut Invoice, actor: &Actor, now: Timestamp) -> Result<()> {
    let before = serde_json::json!({"payment": invoice.payment});
    invoice.payment = PaymentStatus::Uncollectible;
    settle::write_to(invoice, Letter::Uncollectible);
    announce(change, invoice.tenant, now, &Event::InvoiceUncollectible(invoice))?;
    let after = serde_json::json!({"payment": invoice.payment});
    let deed = Deed { action: "invoice.give_up", target: invoice.id.to_string(), before, after };
    record(change, invoice.tenant, actor, now, deed)
}
