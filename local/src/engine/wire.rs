//! The SDK's HTTP client without a socket: a request is routed by its `x-amz-target` to an engine in this process.
//!
//! All three services speak AWS JSON over `POST /`, so the target header alone says which engine is meant.

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::json;

use super::{dynamo::Dynamo, kinesis::Kinesis, secrets::Secrets};

/// AWS JSON 1.0: `DynamoDB`.
pub(super) const JSON_1_0: &str = "application/x-amz-json-1.0";
/// AWS JSON 1.1: Kinesis and Secrets Manager.
pub(super) const JSON_1_1: &str = "application/x-amz-json-1.1";

/// An engine's answer as it goes back to the SDK.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The kind of JSON that the service speaks.
    pub content_type: &'static str,
    /// The answer, or an error with its `__type`.
    pub body: Bytes,
}

impl Reply {
    /// A success.
    pub(super) fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: 200, content_type, body: body.into() }
    }

    /// A failure that the SDK maps to its typed error by `kind`.
    pub(super) fn error(content_type: &'static str, status: u16, kind: &str, message: &str) -> Self {
        let body = json!({ "__type": kind, "message": message }).to_string();
        Self { status, content_type, body: body.into() }
    }

    /// Whether the engine did what was asked.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == 200
    }
}

/// The embedded engines as the SDK's transport.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    pub dynamo: Dynamo,
    pub kinesis: Kinesis,
    pub secrets: Secrets,
}

impl Transport {
    pub async fn answer(&self, target: &str, content_type: &str, body: Bytes) -> Reply {
        match target.split_once('.') {
            Some(("DynamoDB_20120810", operation)) => self.dynamo.call(operation, body).await,
            Some(("Kinesis_20131202", operation)) => self.kinesis.call(operation, content_type, body).await,
            Some(("secretsmanager", operation)) => self.secrets.call(operation, &body),
            _ => Reply::error(
                JSON_1_1,
                400,
                "UnknownOperationException",
                &format!("no embedded engine serves {target:?}"),
            ),
        }
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move {
            let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
            let (target, content_type) = (header("x-amz-target"), header("content-type"));
            let body = match request.body().bytes() {
                Some(bytes) => Bytes::copy_from_slice(bytes),
                None => {
                    request.into_body().collect().await.map_err(|error| ConnectorError::other(error, None))?.to_bytes()
                }
            };
            response(transport.answer(&target, &content_type, body).await)
        })
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn response(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(reply.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    response.headers_mut().insert("content-type", reply.content_type);
    Ok(response)
}
