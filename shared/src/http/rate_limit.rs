//! The `RateLimit` and `RateLimit-Policy` header fields (draft-ietf-httpapi-ratelimit-headers-10).

use axum::http::{HeaderName, HeaderValue};

use crate::{
    clock::Timestamp,
    quota::{Counted, Rate, Refusal},
};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What remains of the minute's limits; nothing for what isn't limited.
#[must_use]
pub fn fields(rate: &Rate, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    let resets = rate.resets.since(now).as_secs() + 1;
    let limits = [
        ("requests", rate.limits.requests_per_minute, rate.requests),
        ("tokens", rate.limits.tokens_per_minute, rate.tokens),
    ];
    let limited = || limits.iter().filter_map(|(name, limit, left)| limit.map(|limit| (name, limit, left)));
    let policy: Vec<_> = limited().map(|(name, limit, _)| format!("\"{name}\";q={limit};w=60")).collect();
    let left: Vec<_> = limited().map(|(name, _, left)| format!("\"{name}\";r={left};t={resets}")).collect();
    field(POLICY, &policy.join(", ")).into_iter().chain(field(LIMIT, &left.join(", "))).collect()
}

/// The limit that refused a request.
pub(super) fn of_refusal(refusal: &Refusal, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    let name = |what: &Counted| match what {
        Counted::Requests => "requests",
        Counted::Tokens => "tokens",
        Counted::Money => "nano-usd",
    };
    let (policy, left) = match refusal {
        Refusal::Rate { what, limit, retry_after, .. } => (
            format!("\"{}\";q={limit};w=60", name(what)),
            format!("\"{}\";r=0;t={}", name(what), retry_after.as_secs().max(1)),
        ),
        Refusal::Quota { what, left, resets, .. } => {
            (String::new(), format!("\"monthly-{}\";r={left};t={}", name(what), resets.since(now).as_secs() + 1))
        }
        Refusal::NeverFits { limit, .. } => (format!("\"tokens\";q={limit};w=60"), String::new()),
    };
    field(POLICY, &policy).into_iter().chain(field(LIMIT, &left)).collect()
}

fn field(name: HeaderName, value: &str) -> Option<(HeaderName, HeaderValue)> {
    if value.is_empty() { None } else { HeaderValue::from_str(value).ok().map(|value| (name, value)) }
}
