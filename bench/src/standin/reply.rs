//! Responses: answers with what was asked of them, and errors, which are ready when they start.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::answer::Answer;
use super::conversation::Conversation;
use super::directives::{Directives, Fault};
use super::embeddings::EmbeddingRequest;
use super::envelope::Envelope;
use super::format::Format;
use super::route::Asked;
use super::script::Script;
use super::stats::Shared;
use super::steps::{self, Step};
use super::vendor::{Refusal, Vendor};
use super::watch::{Outcome, Watch};

/// 2026-01-01, so that the first answer of every run is the same.
pub(super) const EPOCH: u64 = 1_767_225_600;

/// The answer to a request, with the faults that were asked for.
pub(super) fn answer(shared: &Shared, asked: &Asked, directives: &Directives, watch: Watch) -> Response<Script> {
    match asked {
        Asked::Words(format, conversation) => words(*format, shared, conversation, directives, watch),
        Asked::Vectors(request) => vectors(request, directives, watch),
    }
}

/// An error.
pub(super) fn refuse(vendor: Vendor, refusal: Refusal, watch: Option<Watch>) -> Response<Script> {
    let mut response = whole(vendor, refusal.status, refusal.body, watch, Outcome::Failed);
    response.headers_mut().extend(refusal.headers);
    response
}

/// A body that is complete at once.
pub(super) fn whole(
    vendor: Vendor,
    status: StatusCode,
    body: Bytes,
    watch: Option<Watch>,
    outcome: Outcome,
) -> Response<Script> {
    let mut headers = vendor.headers(watch.as_ref().map_or(0, |watch| watch.number));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut response = Response::new(Script::new(vec![Step::Send(body)], watch, outcome));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn words(
    format: Format,
    shared: &Shared,
    conversation: &Conversation,
    directives: &Directives,
    mut watch: Watch,
) -> Response<Script> {
    let answer = Answer::to(conversation, directives);
    let envelope = Envelope {
        number: watch.number,
        created: EPOCH + shared.started.elapsed().as_secs(),
        asked: conversation,
        usage: !directives.no_usage && (!conversation.streams || conversation.wants_usage),
        unknown: directives.unknown,
    };
    let fails_half_way = conversation.streams && matches!(directives.fault, Some(Fault::ErrorInStream(_)));
    if envelope.usage {
        watch.reports(answer.usage);
    }
    let mut headers = format.vendor().headers(watch.number);
    let steps = if conversation.streams {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.stream_type()));
        steps::streamed(&format.stream(&answer, &envelope), directives, format)
    } else {
        let body = format.body(&answer, &envelope);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(steps::announced(&body, directives)));
        steps::buffered(&body, directives)
    };
    let outcome = if fails_half_way { Outcome::Broken } else { Outcome::Finished };
    let mut response = Response::new(Script::new(steps, Some(watch), outcome));
    *response.headers_mut() = headers;
    response
}

fn vectors(request: &EmbeddingRequest, directives: &Directives, mut watch: Watch) -> Response<Script> {
    let mut headers = request.vendor().headers(watch.number);
    let body = Bytes::from(request.body(&mut headers, watch.number, directives));
    if !directives.no_usage {
        watch.reports(request.usage());
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(steps::announced(&body, directives)));
    let steps = steps::buffered(&body, directives);
    let mut response = Response::new(Script::new(steps, Some(watch), Outcome::Finished));
    *response.headers_mut() = headers;
    response
}
