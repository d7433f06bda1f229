//! What a function that answers HTTP is given, and what it gives back. Pure. `lambda_http` does the same, but panics, and
//! so ends the process, at a query or a header field that an address can't have, and keeps one of several header fields
//! of a name.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{body::Body, extract::ConnectInfo};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};

use super::Error;

/// A request as API Gateway and function URLs hand it over: payload format 2.0 (Amazon API Gateway developer guide, "AWS
/// Lambda proxy integrations for HTTP APIs").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpEvent {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    #[serde(default)]
    source_ip: String,
}

impl HttpEvent {
    /// The request. Who sent it is told as a server tells its peer, without a port.
    ///
    /// # Errors
    /// It is none: a name of a header field or a method that HTTP doesn't know, a body that isn't base64.
    pub fn into_request(self) -> Result<Request<Body>, Error> {
        let mut address = escaped(&self.raw_path, stands_in_path);
        if !self.raw_query_string.is_empty() {
            address.push('?');
            address.push_str(&escaped(&self.raw_query_string, stands_in_query));
        }
        let Http { method, source_ip } = self.request_context.http;
        let mut request = Request::builder().method(method.as_str()).uri(address);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            request = request.header(COOKIE, self.cookies.join("; "));
        }
        if let Ok(address) = source_ip.parse() {
            request = request.extension(ConnectInfo(SocketAddr::new(address, 0)));
        }
        let body = self.body.unwrap_or_default();
        let body = if self.is_base64_encoded { STANDARD.decode(body)? } else { body.into_bytes() };
        Ok(request.body(Body::from(body))?)
    }
}

/// What an address can't have as it can have it. What is escaped stays as it is.
fn escaped(text: &str, stands: fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stands(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(["%", &format!("{byte:02X}")]);
        }
    }
    escaped
}

/// RFC 3986, section 3.3, and the slash and the percent sign.
fn stands_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

/// What [`http::Uri`] takes: more than RFC 3986 does, as browsers do.
fn stands_in_query(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~')
}

/// How a response begins.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    status_code: u16,
    /// Those of one name are one (RFC 9110, section 5.3).
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
}

impl Head {
    pub fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let texts = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>();
        let names = headers.keys().filter(|name| *name != SET_COOKIE);
        Self {
            status_code: status.as_u16(),
            headers: names.map(|name| (name.as_str().to_owned(), texts(name).join(", "))).collect(),
            cookies: texts(&SET_COOKIE),
        }
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// A response in one piece.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    #[serde(flatten)]
    head: Head,
    body: String,
    is_base64_encoded: bool,
}

impl Whole {
    /// Waits for the end of a response.
    ///
    /// # Errors
    /// Its body broke.
    pub async fn of(response: Response<Body>) -> Result<Self, axum::Error> {
        let (parts, body) = response.into_parts();
        let head = Head::of(parts.status, &parts.headers);
        Ok(match String::from_utf8(body.collect().await?.to_bytes().into()) {
            Ok(body) => Self { head, body, is_base64_encoded: false },
            Err(bytes) => Self { head, body: STANDARD.encode(bytes.as_bytes()), is_base64_encoded: true },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({
            "rawPath": "/api/tenant/usage",
            "rawQueryString": "",
            "headers": {"host": "example.com", "x-forwarded-proto": "no scheme"},
            "requestContext": {"http": {"method": "GET", "sourceIp": "2001:db8::17"}},
            "isBase64Encoded": false,
        })
    }

    fn request(event: Value) -> Request<Body> {
        serde_json::from_value::<HttpEvent>(event).unwrap().into_request().unwrap()
    }

    #[test]
    fn what_a_query_can_have_is_kept_and_the_rest_is_escaped() {
        assert_eq!(escaped("query=a b\"<ä>#", stands_in_query), "query=a%20b%22%3C%C3%A4%3E%23");
        let kept = "a%20b+c&x=~!?'";
        assert_eq!(escaped(kept, stands_in_query), kept);
    }

    #[test]
    fn every_byte_of_an_address_is_taken() {
        let all: String = (0..=0x7f_u8).map(char::from).chain(['ä', '\u{1f980}']).collect();
        for (path, query) in [("/", all.as_str()), (&format!("/{all}"), ""), ("//", "?"), ("/", "/")] {
            let mut event = event();
            (event["rawPath"], event["rawQueryString"]) = (path.into(), query.into());
            let request = request(event);
            assert_eq!(request.uri().path(), escaped(path, stands_in_path));
            assert_eq!(request.uri().query().unwrap_or_default(), escaped(query, stands_in_query));
        }
    }

    #[tokio::test]
    async fn method_fields_cookies_body_and_sender_are_passed_on() {
        let mut event = event();
        event["requestContext"]["http"]["method"] = "PATCH".into();
        event["cookies"] = json!(["a=1", "b=2"]);
        (event["body"], event["isBase64Encoded"]) = ("/w==".into(), true.into());
        let request = request(event);
        assert_eq!(request.method(), "PATCH");
        assert_eq!(
            (&request.headers()["host"], &request.headers()["cookie"]),
            (&"example.com".parse().unwrap(), &"a=1; b=2".parse().unwrap())
        );
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
        assert_eq!(peer.0.ip().to_string(), "2001:db8::17");
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), [0xff].as_slice());
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for (pointer, value) in
            [("/requestContext/http/method", "GET THIS"), ("/headers/host", "two\nlines"), ("/rawPath", "")]
        {
            let mut event = event();
            *event.pointer_mut(pointer).unwrap() = value.into();
            let event: HttpEvent = serde_json::from_value(event).unwrap();
            assert!(event.into_request().is_err(), "{pointer}");
        }
    }

    async fn whole(response: http::response::Builder, body: &'static [u8]) -> Value {
        let response = response.body(Body::from(body)).unwrap();
        serde_json::to_value(Whole::of(response).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn fields_of_one_name_are_one_and_cookies_are_apart() {
        let response = Response::builder().status(404).header("vary", "Origin").header("vary", "Accept");
        let response = response.header("set-cookie", "a=1; Path=/").header("set-cookie", "b=2");
        let expected = json!({
            "statusCode": 404, "headers": {"vary": "Origin, Accept"}, "cookies": ["a=1; Path=/", "b=2"],
            "body": "ä", "isBase64Encoded": false,
        });
        assert_eq!(whole(response, "ä".as_bytes()).await, expected);
    }

    #[tokio::test]
    async fn a_body_that_is_no_text_goes_as_base64() {
        let answer = whole(Response::builder(), &[0xff]).await;
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }
}
