//! Bodies and query strings as extractors, with errors that say what is wrong and where.

use axum::{
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{header, request::Parts},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
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
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE) {
            let text = kind.to_str().unwrap_or_default();
            let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if essence != "application/json" && !essence.ends_with("+json") {
                return Err(Failure(Error::UnsupportedMediaType(essence)));
            }
        }
        let length =
            request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > BODY_LIMIT) {
            return Err(Failure(Error::BodyTooLarge { limit: BODY_LIMIT }));
        }
        let bytes = Limited::new(request.into_body(), BODY_LIMIT).collect().await;
        let bytes = bytes.map_err(|error| match error.downcast::<LengthLimitError>() {
            Ok(_) => Error::BodyTooLarge { limit: BODY_LIMIT },
            Err(_) => Error::BadJson("it ends too early".to_owned()),
        })?;
        Ok(Self(parse(&bytes.to_bytes())?))
    }
}

/// JSON as a `T`; what is wrong is looked for only if something is.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut source) {
        Err(error) => error,
        Ok(_) => return Err(Error::BadJson("there is something behind its end".to_owned())),
    };
    let path = error.path().to_string();
    let inner = error.into_inner();
    if inner.classify() == serde_json::error::Category::Data {
        let detail = if path == "." { inner.to_string() } else { format!("{path}: {inner}") };
        return Err(Error::invalid(path, detail));
    }
    Err(Error::BadJson(inner.to_string()))
}

/// The query string.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let parsed = Query::try_from_uri(&parts.uri);
        let wrong = |error: axum::extract::rejection::QueryRejection| Error::invalid("query string", error.body_text());
        Ok(parsed.map(|Query(params)| Self(params)).map_err(wrong)?)
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
