//! What is counted. Labels are names of the catalogue's models and nothing that a caller can choose, so that there are
//! never more series than models. Tenants are in the log lines: a metric for each would cost more than it tells.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::{
    llm::ProviderError,
    usage::{Entry, Swept},
};

/// Tells the exporter units and meanings.
pub fn describe() {
    describe_counter!("Requests", Unit::Count, "HTTP requests and messages answered");
    describe_histogram!("Latency", Unit::Milliseconds, "From a request's first byte to its answer's last");
    describe_counter!("Refusals", Unit::Count, "Requests refused by a cap or a rate limit");
    describe_histogram!("TimeToFirstToken", Unit::Milliseconds, "From admission to the first piece of a stream");
    describe_counter!("InputTokens", Unit::Count, "Tokens of prompts that were charged");
    describe_counter!("OutputTokens", Unit::Count, "Tokens of answers that were charged");
    describe_counter!("CostNanoUsd", Unit::Count, "What was charged, in 10^-9 USD");
    describe_counter!("CacheHits", Unit::Count, "Answers out of LMO's own cache");
    describe_counter!("UpstreamErrors", Unit::Count, "Calls of a provider that failed");
    describe_counter!("Retries", Unit::Count, "Calls of a provider after a request's first");
    describe_counter!("HoldsSwept", Unit::Count, "Holds that the sweep settled or released");
    describe_counter!("BooksDiffer", Unit::Count, "Months of tenants whose meter and totals say different things");
    describe_counter!("InvoicesHeld", Unit::Count, "Invoices that stay drafts, because the books differ");
    describe_counter!("BillingRunsBegun", Unit::Count, "Billing runs that began");
    describe_counter!("BillingRunsFinished", Unit::Count, "Billing runs after which every tenant has its invoice");
    describe_counter!("InvoicesFinalised", Unit::Count, "Invoices that got their number");
    describe_counter!("RunFailures", Unit::Count, "Tenants that a pass of a billing run failed with");
    describe_counter!("PaymentsFailed", Unit::Count, "Attempts to have an invoice paid that failed");
    describe_counter!("PaymentsUnknown", Unit::Count, "Calls of Stripe of which it isn't known what became of them");
    describe_counter!("PaymentsDisputed", Unit::Count, "Payments that a buyer disputes at its bank");
    describe_counter!("RefundsFailed", Unit::Count, "Money that was to go back and couldn't");
}

/// A request was answered.
pub(super) fn answered(latency: Duration, refused: bool) {
    counter!("Requests").increment(1);
    histogram!("Latency").record(latency.as_secs_f64() * 1000.0);
    if refused {
        counter!("Refusals").increment(1);
    }
}

/// A request is in the ledger.
pub fn booked(entry: &Entry) {
    let add = |name, amount| {
        if amount > 0 {
            counter!(name, "Model" => entry.model.clone()).increment(amount);
        }
    };
    add("InputTokens", entry.usage.input_tokens.0);
    add("OutputTokens", entry.usage.output_tokens.0);
    add("CostNanoUsd", entry.nano_usd.0);
    add("CacheHits", u64::from(entry.is_cache_hit()));
}

/// The first piece of a streamed answer came after so many milliseconds.
pub(crate) fn first_token(model: &str, ms: u64) {
    let ms = Duration::from_millis(ms).as_secs_f64() * 1000.0;
    histogram!("TimeToFirstToken", "Model" => model.to_owned()).record(ms);
}

/// A provider is called once more for the same request.
pub(crate) fn retried(model: &str) {
    counter!("Retries", "Model" => model.to_owned()).increment(1);
}

/// A call of a provider failed. What the caller did wrong is no failure, and neither is a bad key of the tenant's own.
pub(crate) fn upstream_failed(model: &str, error: &ProviderError) {
    if !error.is_callers() && *error != ProviderError::KeyRefused {
        counter!("UpstreamErrors", "Model" => model.to_owned()).increment(1);
    }
}

/// The sweep put something right.
pub(crate) fn swept(swept: &Swept) {
    counter!("HoldsSwept").increment(swept.settled + swept.estimated + swept.released);
}

/// The books of so many months of tenants differ.
pub(crate) fn books_differ(months: u64) {
    counter!("BooksDiffer").increment(months);
}

/// An invoice stays a draft, because the books differ.
pub(crate) fn invoice_held() {
    counter!("InvoicesHeld").increment(1);
}

/// A billing run began.
pub(crate) fn run_began() {
    counter!("BillingRunsBegun").increment(1);
}

/// A billing run is finished.
pub(crate) fn run_finished() {
    counter!("BillingRunsFinished").increment(1);
}

/// So many invoices got their number.
pub(crate) fn invoices_finalised(invoices: u64) {
    counter!("InvoicesFinalised").increment(invoices);
}

/// A billing run failed with so many tenants of a page.
pub(crate) fn run_failures(tenants: u64) {
    counter!("RunFailures").increment(tenants);
}
