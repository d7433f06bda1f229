//! What is to be done about the payment of an invoice, and when: pure rules.

use std::time::Duration;

use super::UNKNOWN;
use crate::{
    billing::{
        Amount, Dunning, Invoice, InvoiceStatus, PaymentState, PaymentStatus,
        stripe::{Intent, IntentStatus, LastError, coin},
    },
    clock::Timestamp,
    error::Result,
};

const DAY: Duration = Duration::from_hours(24);

/// What is known of an invoice's payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'a> {
    /// The invoice.
    pub invoice: &'a Invoice,
    /// Whether there is something to charge.
    pub chargeable: bool,
    /// The attempt whose end isn't there.
    pub under_way: Option<PaymentState>,
    /// How what fails is followed up.
    pub dunning: &'a Dunning,
    /// Whether somebody wants it to be paid now.
    pub wanted: bool,
    /// The time.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nothing before then, or at all.
    Wait(Option<Timestamp>),
    /// There is nothing open: note that it is paid.
    Paid,
    /// Charge what is open.
    Charge,
    /// Remind the buyer.
    Remind,
    /// Suspend the tenant.
    Suspend,
    /// Let the tenant go on.
    Resume,
    /// Give the invoice up.
    GiveUp,
}

/// What is still owed: nothing of an invoice that isn't finalised, or is void.
pub(super) fn owed(invoice: &Invoice) -> Result<Amount> {
    match invoice.status {
        InvoiceStatus::Finalised => invoice.open(),
        InvoiceStatus::Generating | InvoiceStatus::Draft | InvoiceStatus::Void => Ok(Amount::ZERO),
    }
}

/// Whether so little is open that nobody follows it up.
pub(super) fn is_settled(invoice: &Invoice) -> Result<bool> {
    Ok(owed(invoice)? < coin(invoice.currency))
}

/// What is to be done.
pub(super) fn duty(situation: Situation<'_>) -> Result<Duty> {
    let Situation { invoice, chargeable, under_way, dunning, wanted, now } = situation;
    let collection = &invoice.collection;
    let over = || if collection.suspended { Duty::Resume } else { Duty::Wait(look_again(under_way, now)) };
    match (invoice.status, invoice.payment) {
        (InvoiceStatus::Generating | InvoiceStatus::Draft | InvoiceStatus::Void, _)
        | (InvoiceStatus::Finalised, PaymentStatus::Paid | PaymentStatus::None) => return Ok(over()),
        (InvoiceStatus::Finalised, PaymentStatus::Uncollectible) => {
            let may = wanted && chargeable && under_way.is_none();
            return Ok(match is_settled(invoice)? {
                true => Duty::Paid,
                false if may => Duty::Charge,
                false => Duty::Wait(look_again(under_way, now)),
            });
        }
        (InvoiceStatus::Finalised, PaymentStatus::Pending | PaymentStatus::ActionRequired | PaymentStatus::Failed) => {}
    }
    if is_settled(invoice)? {
        return Ok(Duty::Paid);
    }
    // Money may be on its way; nobody is suspended meanwhile.
    if matches!(under_way, Some(PaymentState::Begun | PaymentState::Processing)) {
        return Ok(Duty::Wait(look_again(under_way, now)));
    }
    let free = chargeable && under_way.is_none();
    let Some(since) = since(invoice, free, now) else {
        let due = invoice.due_at.filter(|_| !chargeable);
        return Ok(if free { Duty::Charge } else { Duty::Wait(earliest(look_again(under_way, now), due)) });
    };
    let after = |days: u32| since.after(DAY * days);
    let is_over = |days: Option<u32>| days.is_some_and(|days| after(days) <= now);
    if is_over(dunning.give_up_after_days) {
        return Ok(Duty::GiveUp);
    }
    if !collection.suspended && is_over(dunning.suspend_after_days) {
        return Ok(Duty::Suspend);
    }
    if wanted && free {
        return Ok(Duty::Charge);
    }
    if steps(dunning, since, now) > collection.step {
        return Ok(if free { Duty::Charge } else { Duty::Remind });
    }
    let suspend = dunning.suspend_after_days.filter(|_| !collection.suspended);
    let ahead = dunning.days.iter().copied().chain(suspend).chain(dunning.give_up_after_days);
    let next = ahead.map(after).filter(|at| *at > now).min();
    Ok(Duty::Wait(earliest(next, look_again(under_way, now))))
}

/// Since when the invoice is followed up. One that nothing can be charged for is from the day on by which it was to be paid.
pub(super) fn since(invoice: &Invoice, free: bool, now: Timestamp) -> Option<Timestamp> {
    invoice.collection.since.or_else(|| invoice.due_at.filter(|due| !free && *due <= now))
}

/// How many of dunning's days are behind `now`.
pub(super) fn steps(dunning: &Dunning, since: Timestamp, now: Timestamp) -> u32 {
    let behind = dunning.days.iter().filter(|days| since.after(DAY * **days) <= now).count();
    u32::try_from(behind).unwrap_or(u32::MAX)
}

/// When an attempt is looked at again, if nothing is heard of it.
fn look_again(under_way: Option<PaymentState>, now: Timestamp) -> Option<Timestamp> {
    match under_way? {
        PaymentState::Begun => Some(now.after(UNKNOWN)),
        PaymentState::Processing => Some(now.after(Duration::from_hours(6))),
        PaymentState::ActionRequired => Some(now.after(DAY)),
        PaymentState::Failed | PaymentState::Succeeded => None,
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

/// What has become of an attempt at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub state: PaymentState,
    /// What Stripe calls it.
    pub reference: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What came, in Stripe's units.
    pub received: i64,
}

impl Outcome {
    /// That nothing comes of it.
    pub fn failed(reference: Option<String>, why: &str) -> Self {
        Self { state: PaymentState::Failed, reference, failure: Some(why.to_owned()), received: 0 }
    }

    /// What a payment at Stripe says.
    pub fn of(intent: &Intent) -> Self {
        let error = intent.last_payment_error.as_ref();
        let state = match intent.status {
            IntentStatus::Succeeded => PaymentState::Succeeded,
            IntentStatus::Processing | IntentStatus::RequiresCapture | IntentStatus::Unknown => {
                PaymentState::Processing
            }
            IntentStatus::RequiresAction | IntentStatus::RequiresConfirmation => PaymentState::ActionRequired,
            // Without its buyer it failed; with its buyer it can go on.
            IntentStatus::RequiresPaymentMethod if error.is_some_and(LastError::wants_authentication) => {
                PaymentState::ActionRequired
            }
            IntentStatus::RequiresPaymentMethod | IntentStatus::Canceled => PaymentState::Failed,
        };
        let canceled = (intent.status == IntentStatus::Canceled).then_some("canceled");
        let failure = match state {
            PaymentState::Failed | PaymentState::ActionRequired => error.map(LastError::reason).or(canceled),
            PaymentState::Begun | PaymentState::Processing | PaymentState::Succeeded => None,
        };
        Self {
            state,
            reference: Some(intent.id.clone()),
            failure: failure.map(str::to_owned),
            received: intent.amount_received,
        }
    }
}

#[cfg(test)]
mod tests;
