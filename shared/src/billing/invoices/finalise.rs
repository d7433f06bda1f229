//! Finalising: invoices get their numbers, several in one transaction, and with it everything that follows from that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{
    draft::{Drafted, Waiting},
    number::Numbers,
};
use crate::{
    audit::{Actor, Deed, record},
    billing::{Adjustment, Amount, Grant, Invoice, InvoiceStatus, Settings, payments},
    clock::Timestamp,
    error::{Error, Result},
    id::AdjustmentId,
    store::{Change, Committed, Step, Table, keys, keys::Sequence},
    webhook::{Event, announce},
};

/// How often it is tried again that others were quicker to take a number.
const TRIES: usize = 50;
/// How many writes a transaction has room for beside that of the numbers.
const ROOM: usize = 99;

/// An invoice that may be finalised.
pub(super) struct Ready {
    invoice: Invoice,
    /// The version that it takes the place of.
    of: u64,
    adjustments: Vec<AdjustmentId>,
    grants: Vec<Grant>,
    prepaid: bool,
    prefix: String,
}

impl Ready {
    /// A draft whose time has come.
    pub fn of(draft: Drafted, kept: &Invoice, settings: &Settings, now: Timestamp) -> Self {
        let Drafted { mut invoice, adjustments, grants, prepaid, .. } = draft;
        invoice.status = InvoiceStatus::Finalised;
        invoice.finalised_at = Some(now);
        invoice.due_at = Some(now.after(Duration::from_hours(24) * settings.payment_days));
        let prefix = settings.invoice_prefix.clone();
        Self { invoice, of: kept.version, adjustments, grants, prepaid, prefix }
    }

    /// How many writes it takes.
    fn writes(&self) -> usize {
        8 + self.adjustments.len() + self.grants.len()
    }

    /// Adds to a change that it is finalised under a number.
    fn add(&self, change: &mut Change, number: String, now: Timestamp) -> Result<Vec<Step>> {
        let mut invoice = self.invoice.clone();
        let table = change.table().tenant(invoice.tenant);
        invoice.number = Some(number);
        invoice.finalised_at = Some(now);
        payments::begin(change, &mut invoice, now)?;
        invoice.version = self.of + 1;
        let mut steps = vec![change.replace(&table.invoices(), &keys::invoice(invoice.id), &invoice, self.of)?];
        for grant in &self.grants {
            let after = Grant { version: grant.version + 1, ..grant.clone() };
            steps.push(change.replace(&table.main(), &keys::grant(grant.id), &after, grant.version)?);
        }
        for id in &self.adjustments {
            steps.push(change.delete_if(&table.main(), &keys::adjustment(*id), "attribute_exists(pk)", &[])?);
        }
        if invoice.carried < Amount::ZERO {
            let text = format!("Carried over from {}", invoice.period);
            let adjustment = Adjustment { text, amount: invoice.carried };
            Waiting::put(change, invoice.tenant, invoice.currency, adjustment, now)?;
        }
        if self.prepaid {
            change.put(
                &change.table().billing(),
                &keys::term(now, invoice.tenant),
                &json!({"tenant": invoice.tenant}),
            )?;
        }
        let after =
            json!({"number": invoice.number, "period": invoice.period, "total": invoice.total, "due": invoice.due});
        let deed = Deed { action: "invoice.finalise", target: invoice.id.to_string(), after, ..Deed::default() };
        record(change, invoice.tenant, &Actor::system(), now, deed)?;
        announce(change, invoice.tenant, now, &Event::InvoiceFinalised(&invoice))?;
        Ok(steps)
    }
}

/// Finalises invoices; says of each whether it was. One that others have changed meanwhile isn't.
pub(super) async fn all(table: Table, now: Timestamp, ready: Vec<Ready>) -> Vec<Result<bool>> {
    let mut answers: BTreeMap<usize, Result<bool>> = BTreeMap::new();
    let mut left: Vec<usize> = (0..ready.len()).collect();
    let mut room = ROOM;
    for _ in 0..TRIES {
        let Some(together) = some(&ready, &left, room) else { break };
        match together_at_once(&table, now, &ready, &together).await {
            Ok(Outcome::Done) => {
                left.retain(|index| !together.contains(index));
                answers.extend(together.into_iter().map(|index| (index, Ok(true))));
            }
            Ok(Outcome::Again) => {}
            Ok(Outcome::Changed(changed)) => {
                left.retain(|index| !changed.contains(index));
                answers.extend(changed.into_iter().map(|index| (index, Ok(false))));
            }
            // One that can't be written must not keep the others from it: each is tried by itself.
            Err(error) if together.len() > 1 => {
                tracing::warn!(?error, "invoices could not be finalised together");
                room = 0;
            }
            Err(error) => {
                left.retain(|index| !together.contains(index));
                answers.extend(together.into_iter().zip([Err(error)]));
            }
        }
    }
    let unavailable = || Err(Error::Unavailable("the invoice could not be finalised".into()));
    (0..ready.len()).map(|index| answers.remove(&index).unwrap_or_else(unavailable)).collect()
}

enum Outcome {
    Done,
    /// Somebody else took the numbers.
    Again,
    /// These were changed by others.
    Changed(Vec<usize>),
}

/// As many as there is room for, and at least one; one of a tenant, because two may use the same credit, and are the same if
/// two were at it.
fn some(ready: &[Ready], left: &[usize], room: usize) -> Option<Vec<usize>> {
    let (mut used, mut tenants, mut together) = (0, BTreeSet::new(), Vec::new());
    for index in left {
        let Some(one) = ready.get(*index).filter(|one| tenants.insert(one.invoice.tenant)) else { continue };
        used += one.writes();
        if used > room && !together.is_empty() {
            break;
        }
        together.push(*index);
    }
    (!together.is_empty()).then_some(together)
}

async fn together_at_once(table: &Table, now: Timestamp, ready: &[Ready], together: &[usize]) -> Result<Outcome> {
    let numbers = Numbers::read(table, Sequence::Invoices, now).await?;
    let mut change = Change::new(table);
    let taken = numbers.take(&mut change, together.len())?;
    let mut steps = Vec::new();
    for (place, index) in together.iter().enumerate() {
        let Some(one) = ready.get(*index) else { continue };
        let of_one = one.add(&mut change, numbers.at(&one.prefix, place), now)?;
        steps.extend(of_one.into_iter().map(|step| (step, *index)));
    }
    Ok(match change.commit().await? {
        Committed::Yes => Outcome::Done,
        Committed::Refused(refused) => {
            let mut changed: Vec<_> =
                steps.iter().filter(|(step, _)| refused.contains(step)).map(|(_, index)| *index).collect();
            changed.dedup();
            match (changed.is_empty(), refused.contains(&taken)) {
                (false, _) => Outcome::Changed(changed),
                (true, true) => Outcome::Again,
                (true, false) => return Err(Error::internal("a change was refused for no reason that is known")),
            }
        }
    })
}
