//! Bodies and query strings as extractors, with errors that say what is wrong and where.

use std::time::Duration;

use axum::{
    body::HttpBody as _,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::QueryRejection},
    http::{HeaderMap, header, request::Parts},
};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::error::Error;

/// The largest body, in bytes: what API Gateway and Lambda let through.
pub const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        Ok(Self(parse(&read(request).await?)?))
    }
}

/// A JSON body that may be left out.
pub struct MaybeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let bytes = read(request).await?;
        Ok(Self(if bytes.is_empty() { T::default() } else { parse(&bytes)? }))
    }
}

/// A body as it came, to the byte: what is signed is not the JSON but its text.
pub struct Raw(pub Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        Ok(Self(read(request).await?))
    }
}

/// A form, as browsers and `OAuth` clients post it. What is absent in it and what it has more is the type's to say; a field
/// that comes twice is refused.
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        match essence(request.headers()) {
            Some(essence) if essence == "application/x-www-form-urlencoded" => {}
            other => return Err(Error::UnsupportedMediaType(other.unwrap_or_default()).into()),
        }
        let form = serde_urlencoded::from_bytes(&bytes(request).await?);
        Ok(form.map(Self).map_err(|error| Error::invalid("body", error.to_string()))?)
    }
}

/// The type of a body, without its parameters, if it is said.
fn essence(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The bytes of a JSON body.
pub(super) async fn read(request: Request) -> Result<Vec<u8>, Error> {
    match essence(request.headers()) {
        Some(essence) if essence != "application/json" && !essence.ends_with("+json") => {
            Err(Error::UnsupportedMediaType(essence))
        }
        _ => bytes(request).await,
    }
}

/// The bytes of a body.
async fn bytes(request: Request) -> Result<Vec<u8>, Error> {
    // Whoever asks before sending is told before sending.
    let asks = request.headers().contains_key(header::EXPECT);
    let mut body = request.into_body();
    let announced = body.size_hint().lower();
    let most = u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX);
    if asks && announced > most {
        return Err(Error::BodyTooLarge { limit: BODY_LIMIT });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced.min(most)).unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::BadJson("it ends too early".to_owned()))?;
        let piece = frame.into_data().unwrap_or_default();
        if piece.len() > BODY_LIMIT - bytes.len() {
            discard(body).await;
            return Err(Error::BodyTooLarge { limit: BODY_LIMIT });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Reads on for a while: a client that is sending doesn't see the answer, only that the connection breaks.
async fn discard(mut body: axum::body::Body) {
    const AT_MOST: usize = 10 * BODY_LIMIT;
    const FOR: Duration = Duration::from_secs(5);
    let reading = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await
            && discarded < AT_MOST
        {
            discarded += frame.into_data().unwrap_or_default().len();
        }
    };
    let _ = tokio::time::timeout(FOR, reading).await;
}

/// JSON as a `T`; what is wrong is looked for only if something is.
///
/// # Errors
/// `BadJson`, or `Invalid` with the path to what is wrong.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut source) else {
        return Err(Error::BadJson("there is something behind its end".to_owned()));
    };
    let inner = error.inner();
    if inner.classify() == serde_json::error::Category::Data {
        return Err(wrong(error.path(), &inner.to_string()));
    }
    Err(Error::BadJson(inner.to_string()))
}

/// The same for JSON that is read already.
///
/// # Errors
/// `Invalid` with the path to what is wrong.
pub fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| wrong(error.path(), &error.inner().to_string()))
}

/// A value that is not what it must be, named by its path.
fn wrong(path: &serde_path_to_error::Path, problem: &str) -> Error {
    let mut param = path.to_string();
    // serde names a missing field in its text alone.
    if let Some(missing) = problem.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        param = if path.iter().len() == 0 { missing.to_owned() } else { format!("{param}.{missing}") };
    }
    let problem = plain(problem);
    let detail = if path.iter().len() == 0 { problem } else { format!("{path}: {problem}") };
    Error::invalid(param, detail)
}

/// serde's words without the names of our types.
fn plain(problem: &str) -> String {
    if problem.starts_with("data did not match any variant") {
        return "it is of none of the types that it may have".to_owned();
    }
    match problem.split_once("expected struct ") {
        None => problem.to_owned(),
        Some((before, after)) => {
            format!("{before}expected an object{}", after.trim_start_matches(|c: char| c.is_alphanumeric()))
        }
    }
}

/// The query string.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let parsed = Query::try_from_uri(&parts.uri);
        Ok(parsed.map(|Query(params)| Self(params)).map_err(|error| wrong_param(&error))?)
    }
}

fn wrong_param(error: &QueryRejection) -> Error {
    type Cause = serde_path_to_error::Error<serde::de::value::Error>;
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    match causes.find_map(|cause| cause.downcast_ref::<Cause>()) {
        Some(cause) => wrong(cause.path(), &cause.inner().to_string()),
        None => Error::invalid("query string", error.body_text()),
    }
}

/// The variable part of a path.
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        // What is not UTF-8 names nothing.
        let found = Path::from_request_parts(parts, state).await;
        let none = |_| Error::NoRoute(format!("{} {}", parts.method, parts.uri.path()));
        Ok(found.map(|Path(text)| Self(text)).map_err(none)?)
    }
}

/// The two variable parts of a path.
pub struct Segments(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let found = Path::from_request_parts(parts, state).await;
        let none = |_| Error::NoRoute(format!("{} {}", parts.method, parts.uri.path()));
        Ok(found.map(|Path((first, second))| Self(first, second)).map_err(none)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Message;

    #[test]
    fn a_wrong_type_is_named_by_its_path_and_broken_json_by_its_place() {
        #[derive(Debug, serde::Deserialize)]
        struct Asked {
            #[expect(dead_code, reason = "only its parsing is of interest")]
            messages: Vec<Message>,
        }
        let wrong = parse::<Asked>(br#"{"messages":[{"role":"user","content":"a"},{"role":5}]}"#).unwrap_err();
        assert!(matches!(wrong, Error::Invalid { param, .. } if param.starts_with("messages[1]")));
        assert!(matches!(parse::<Asked>(br#"{"messages":["#), Err(Error::BadJson(_))));
        assert!(matches!(parse::<Asked>(b""), Err(Error::BadJson(_))));
    }
}
