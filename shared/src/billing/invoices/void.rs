//! An invoice that counts for nothing any more. Its number stays used.

use serde_json::json;

use super::{Invoices, draft::Waiting};
use crate::{
    audit::{Actor, Deed, IfMatch, record, record_for_operators},
    billing::{Adjustment, Amount, Grant, Invoice, InvoiceStatus, LineKind, Payment, PaymentStatus, payments, sum},
    error::{Error, Result},
    id::{InvoiceId, TenantId},
    store::{Change, Committed, keys},
    webhook::{Event, announce},
};

/// How often it is tried again that others changed the invoice meanwhile.
const TRIES: usize = 10;

impl Invoices {
    /// Declares an invoice void that nobody has paid anything of. Credit that it used is given back, and what it made up for is the
    /// next one's again; the month isn't billed again.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` unless it is finalised and unpaid, or if an attempt to pay it is under way; `PreconditionFailed`;
    /// `Unavailable`.
    pub async fn void(
        &self,
        tenant: TenantId,
        id: InvoiceId,
        version: IfMatch,
        reason: &str,
        actor: &Actor,
    ) -> Result<Invoice> {
        for _ in 0..TRIES {
            let (now, mut invoice) = (self.clock.now(), self.get(tenant, id).await?);
            version.check(invoice.version)?;
            voidable(&invoice)?;
            // Whoever begins one changes the invoice with it.
            let payments = self.of(tenant).begins_with::<Payment>(&keys::payments(id)).collect().await?;
            if payments.iter().any(Payment::is_under_way) {
                return Err(Error::Conflict("a payment of the invoice is under way; let it end first".to_owned()));
            }
            let before = json!({"status": invoice.status, "payment": invoice.payment});
            let of = invoice.version;
            invoice.status = InvoiceStatus::Void;
            invoice.payment = PaymentStatus::None;
            invoice.void_for = Some(reason.to_owned());
            let mut change = Change::new(&self.table);
            let main = self.table.tenant(tenant).main();
            for (id, used) in &invoice.credit_used {
                // Credit that is gone with a former life of the tenant can't be given back.
                let Some(mut grant) = main.find::<Grant>(&keys::grant(*id)).await? else { continue };
                let of_grant = grant.version;
                (grant.left, grant.version) = (grant.left.plus(*used)?, of_grant + 1);
                change.replace(&main, &keys::grant(*id), &grant, of_grant)?;
            }
            if !invoice.credit_used.is_empty() {
                change.put(&self.table.billing(), &keys::term(now, tenant), &json!({"tenant": tenant}))?;
            }
            let made_up_for =
                sum(invoice.lines.iter().filter(|line| line.kind == LineKind::Adjustment).map(|line| line.amount))?;
            if made_up_for != Amount::ZERO {
                let adjustment =
                    Adjustment { text: format!("Carried over from {}", invoice.period), amount: made_up_for };
                Waiting::put(&mut change, tenant, invoice.currency, adjustment, now)?;
            }
            payments::watch(&mut change, &mut invoice, Some(now))?;
            invoice.version = of + 1;
            change.replace(&self.of(tenant), &keys::invoice(id), &invoice, of)?;
            let after = json!({"status": invoice.status, "payment": invoice.payment, "reason": reason});
            let deed = || Deed {
                action: "invoice.void",
                target: id.to_string(),
                before: before.clone(),
                after: after.clone(),
            };
            record(&mut change, tenant, actor, now, deed())?;
            record_for_operators(&mut change, actor, now, deed())?;
            announce(&mut change, tenant, now, &Event::InvoiceVoided(&invoice))?;
            if change.commit().await? == Committed::Yes {
                return Ok(invoice);
            }
        }
        Err(Error::Conflict("others are changing the invoice at the same time; try again".to_owned()))
    }
}

fn voidable(invoice: &Invoice) -> Result<()> {
    let conflict = |why: &str| Err(Error::Conflict(why.to_owned()));
    match invoice.status {
        InvoiceStatus::Generating | InvoiceStatus::Draft => return conflict("the invoice isn't finalised"),
        InvoiceStatus::Void => return conflict("the invoice is void already"),
        InvoiceStatus::Finalised => {}
    }
    if invoice.paid > Amount::ZERO || invoice.credited > Amount::ZERO {
        return conflict("something of the invoice was paid or credited; make a credit note of the rest");
    }
    Ok(())
}
