//! Late events: what gets into the ledger of a month after its invoice was finalised. The next invoice makes up for it: by the
//! difference that it would have made, so that tiers, included tokens and caps stay right.

use serde::Deserialize;
use serde_json::json;

use super::{Invoices, draft::Waiting, gather::late_hour};
use crate::{
    audit::{Actor, Deed, record},
    billing::{Account, Adjustment, Amount, Invoice, InvoiceStatus, Line, LineKind, rate, repo::Subscribed, sum},
    clock::{Period, Timestamp},
    error::Result,
    store::{Change, Committed, keys, number},
    tenant::Tenant,
};

/// The mark of an hour, and of what was late last.
#[derive(Debug, Clone, Deserialize)]
struct Mark {
    sk: String,
    event: u64,
}

impl Invoices {
    /// Makes adjustments of what came late for months before `month` whose invoices are finalised.
    pub(super) async fn late(&self, tenant: &Tenant, month: Period, now: Timestamp) -> Result<()> {
        let main = self.table.tenant(tenant.id).main();
        let marks: Vec<Mark> = main.begins_with(keys::LATE_PREFIX).collect().await?;
        let mut months: Vec<_> =
            marks.iter().filter_map(|mark| late_hour(&mark.sk)).map(|hour| Period::month(hour.start())).collect();
        months.dedup();
        for past in months.into_iter().filter(|past| *past < month) {
            let Some(invoice) = self.find(tenant.id, keys::invoice_of(tenant.id, past)).await? else { continue };
            if invoice.status < InvoiceStatus::Finalised {
                continue;
            }
            let of_month = |mark: &&Mark| late_hour(&mark.sk).is_some_and(|hour| Period::month(hour.start()) == past);
            let marks: Vec<_> = marks.iter().filter(of_month).cloned().collect();
            self.make_up(tenant, past, invoice, marks, now).await?;
        }
        Ok(())
    }

    async fn make_up(
        &self,
        tenant: &Tenant,
        month: Period,
        mut invoice: Invoice,
        marks: Vec<Mark>,
        now: Timestamp,
    ) -> Result<()> {
        let Some(subscribed) = self.subscriptions.find(tenant).await? else { return Ok(()) };
        let anew = self.usage_and_fees(tenant, &subscribed, month, &invoice).await?;
        // A void invoice charges for nothing, so nothing is late.
        let charged = of_itself(&invoice.lines)?.plus(invoice.late)?;
        let difference = match invoice.status {
            InvoiceStatus::Void => Amount::ZERO,
            InvoiceStatus::Generating | InvoiceStatus::Draft | InvoiceStatus::Finalised => anew.minus(charged)?,
        };
        let mut change = Change::new(&self.table);
        let main = self.table.tenant(tenant.id).main();
        // A change has room for 100 writes; the rest is found to make no difference later.
        for mark in marks.iter().take(90) {
            // What came since the ledger was read has another one.
            change.delete_if(&main, &mark.sk, "event = :event", &[(":event", number(mark.event))])?;
        }
        if difference != Amount::ZERO {
            let adjustment = Adjustment { text: format!("Late usage of {month}"), amount: difference };
            let after = json!({"period": month.to_string(), "amount": difference, "currency": invoice.currency});
            Waiting::put(&mut change, tenant.id, invoice.currency, adjustment, now)?;
            invoice.late = invoice.late.plus(difference)?;
            let of = invoice.version;
            invoice.version = of + 1;
            change.replace(&self.of(tenant.id), &keys::invoice(invoice.id), &invoice, of)?;
            let deed = Deed { action: "invoice.adjust", target: invoice.id.to_string(), after, ..Deed::default() };
            record(&mut change, tenant.id, &Actor::system(), now, deed)?;
        }
        match change.commit().await? {
            // Refused: somebody else is at it; the next run looks again.
            Committed::Yes | Committed::Refused(_) => Ok(()),
        }
    }

    /// What a month comes to by the ledger as it is now, without what other months left over.
    async fn usage_and_fees(
        &self,
        tenant: &Tenant,
        subscribed: &Subscribed,
        month: Period,
        invoice: &Invoice,
    ) -> Result<Amount> {
        let mut segments = self.gather(tenant.id, subscribed, month).await?.segments;
        self.count_seats(tenant.id, &mut segments).await?;
        let account = Account {
            from: month.start(),
            to: month.end(),
            currency: invoice.currency,
            segments,
            discounts: subscribed.subscription.discounts(month, invoice.currency),
            adjustments: Vec::new(),
        };
        of_itself(&rate(&account)?.lines)
    }
}

/// What lines come to without adjustments.
fn of_itself(lines: &[Line]) -> Result<Amount> {
    sum(lines.iter().filter(|line| line.kind != LineKind::Adjustment).map(|line| line.amount))
}
