//! One request, from its first byte to its answer's last: what all of its log lines have in common, and the one line
//! that says how it went.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::{metrics, spans, trace::Trace};
use crate::{
    auth::Caller,
    error::Error,
    id::{KeyId, RequestId, TenantId},
    llm::Usage,
    money::NanoUsd,
};

tokio::task_local! {
    static CURRENT: Exchange;
}

/// One request. Whoever answers it begins one, works in its [`Exchange::scope`] and ends it. If nobody ends it, because
/// the client left, it ends with the last of the work on it.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    request: String,
    method: String,
    route: String,
    trace: Trace,
    span: Span,
    began: Instant,
    facts: Mutex<Facts>,
}

/// What becomes known of a request on its way.
#[derive(Default)]
struct Facts {
    status: Option<u16>,
    tenant: Option<TenantId>,
    key: Option<KeyId>,
    answer: Answer,
    failure: Option<Failure>,
    ended: bool,
}

/// What becomes known of its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Its entry in the ledger.
    pub entry: Option<RequestId>,
    /// Who was asked, and then who answered.
    pub model: Option<String>,
    /// What the cache had to do with it.
    pub cache: Option<&'static str>,
    /// Calls of providers.
    pub attempts: Option<u32>,
    /// What was charged.
    pub usage: Option<Usage>,
    pub cost: Option<NanoUsd>,
    /// Milliseconds from admission to the first piece.
    pub first_ms: Option<u64>,
}

struct Failure {
    code: &'static str,
    refused: bool,
    /// What is to be looked into.
    fault: Option<String>,
}

impl Exchange {
    /// A request begins, called `request` in logs. `route` is the pattern that it matched, never what a caller wrote.
    #[must_use]
    pub fn begin(request: &str, method: &str, route: &str, trace: Trace) -> Self {
        let span = spans::of_request(request, method, route, &trace);
        let (request, method, route) = (request.to_owned(), method.to_owned(), route.to_owned());
        let facts = Mutex::default();
        Self(Arc::new(Inner { request, method, route, trace, span, began: Instant::now(), facts }))
    }

    /// The request that is being worked on here.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Works on it.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work.instrument(self.0.span.clone())).await
    }

    /// It is answered with this HTTP status.
    pub fn status(&self, status: u16) {
        self.0.facts().status = Some(status);
    }

    /// It failed. The first failure is the one that counts.
    pub fn failed(&self, error: &Error) {
        let failure = || Failure {
            code: error.code(),
            refused: matches!(error, Error::Refused(_)),
            fault: error.is_fault().then(|| format!("{error:?}")),
        };
        self.0.facts().failure.get_or_insert_with(failure);
    }

    /// This is who sent it.
    pub fn sent_by(&self, caller: &Caller) {
        let mut facts = self.0.facts();
        (facts.tenant, facts.key) = (Some(caller.tenant().id), Some(caller.metered_as()));
    }

    /// The trace that it belongs to.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// The same request without what is known of it; nobody is told of its end.
    fn aside(&self) -> Self {
        let Inner { request, method, route, trace, span, began, .. } = &*self.0;
        let (request, method, route) = (request.clone(), method.clone(), route.clone());
        let facts = Mutex::new(Facts { tenant: self.0.facts().tenant, ended: true, ..Facts::default() });
        Self(Arc::new(Inner { request, method, route, trace: trace.clone(), span: span.clone(), began: *began, facts }))
    }

    /// The last byte of the answer is there: counts and logs the request, and sends out what was gathered, where the
    /// process may be frozen behind it.
    pub async fn end(self) {
        self.0.end(false);
        drop(self);
        super::flush().await;
    }

    /// What lines that are written meanwhile say of it.
    pub(super) fn describe(&self, mut field: impl FnMut(&str, Value)) {
        field("request", self.0.request.as_str().into());
        field("trace_id", self.0.trace.id.to_string().into());
        let facts = self.0.facts();
        if let Some(tenant) = facts.tenant {
            field("tenant", tenant.to_string().into());
        }
        if let Some(model) = &facts.answer.model {
            field("model", model.as_str().into());
        }
    }
}

/// Something became known of the answer to the request that is being worked on here.
pub(crate) fn learn(of: impl FnOnce(&mut Answer)) {
    let _ = CURRENT.try_with(|exchange| of(&mut exchange.0.facts().answer));
}

/// It failed.
pub(crate) fn failed(error: &Error) {
    let _ = CURRENT.try_with(|exchange| exchange.failed(error));
}

/// Takes the request that is being worked on here, if there is one, along into a task of its own.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let (exchange, span) = (Exchange::current(), Span::current());
    async move {
        let work = work.instrument(span);
        match exchange {
            Some(exchange) => CURRENT.scope(exchange, work).await,
            None => work.await,
        }
    }
}

/// Does work for the request that is being worked on here, if there is one, that is a request of its own: its lines and
/// calls are the request's, what becomes known of it is not.
pub(crate) async fn apart<F: Future>(work: F) -> F::Output {
    match Exchange::current() {
        Some(exchange) => CURRENT.scope(exchange.aside(), work).await,
        None => work.await,
    }
}

impl Inner {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, left: bool) {
        let facts = {
            let mut facts = self.facts();
            if facts.ended {
                return;
            }
            std::mem::replace(&mut *facts, Facts { ended: true, ..Facts::default() })
        };
        let latency = self.began.elapsed();
        metrics::answered(latency, facts.failure.as_ref().is_some_and(|failure| failure.refused));
        spans::end_request(&self.span, facts.status, facts.tenant, facts.failure.as_ref().map(|failure| failure.code));
        self.log(&facts, latency, left);
    }

    fn log(&self, facts: &Facts, latency: Duration, left: bool) {
        let Facts { status, tenant, key, answer, failure, .. } = facts;
        let usage = answer.usage.as_ref();
        let code = failure.as_ref().map(|failure| failure.code);
        let fault = failure.as_ref().and_then(|failure| failure.fault.as_deref());
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    request = self.request,
                    trace_id = %self.trace.id,
                    tenant = tenant.map(tracing::field::display),
                    key = key.map(tracing::field::display),
                    method = self.method,
                    route = self.route,
                    status,
                    code,
                    error = fault,
                    model = answer.model.as_deref(),
                    cache = answer.cache,
                    attempts = answer.attempts,
                    entry = answer.entry.map(tracing::field::display),
                    input_tokens = usage.map(|usage| usage.input_tokens.0),
                    output_tokens = usage.map(|usage| usage.output_tokens.0),
                    cache_hit_tokens = usage.map(|usage| usage.cache_hit_tokens.0).filter(|tokens| *tokens > 0),
                    cost_nano_usd = answer.cost.map(|cost| cost.0),
                    first_ms = answer.first_ms,
                    latency_ms = millis(latency),
                    left = left.then_some(true),
                    $message
                )
            };
        }
        if fault.is_some() {
            line!(error, "request failed");
        } else {
            line!(info, "request");
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end(true);
    }
}
