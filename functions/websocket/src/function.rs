//! The events of an API Gateway WebSocket API.

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use lambda_runtime::Error;
use lmo_shared::{
    answer::Answers,
    auth::{Authenticator, Connections},
    config::OriginToken,
    error,
    http::{Problem, check_origin_token, source, status},
    platform::Platform,
    telemetry::{Exchange, trace::Trace},
};

use crate::{
    handshake,
    posts::Posts,
    reply::{Outlet, PATH, Replies},
};

/// The function.
#[derive(Clone)]
pub struct Function {
    authenticator: Authenticator,
    connections: Connections,
    replies: Replies,
    posts: Posts,
    origin: Option<OriginToken>,
}

impl Function {
    /// A function that answers with this pipeline and posts what it has to say.
    #[must_use]
    pub fn new(platform: &Platform, answers: Answers, posts: Posts) -> Self {
        let authenticator = platform.authenticator();
        let replies = Replies::new(authenticator.clone(), answers, platform.clock().clone());
        let origin = platform.config().origin_token.clone();
        Self { authenticator, connections: platform.connections(), replies, posts, origin }
    }

    /// Handles whatever triggers the function. A message is answered when this returns, and everything about it settled.
    ///
    /// # Errors
    /// An event that is none of a WebSocket API's.
    pub async fn handle(&self, event: ApiGatewayWebsocketProxyRequest) -> Result<ApiGatewayProxyResponse, Error> {
        let context = &event.request_context;
        let connection = context.connection_id.as_deref().ok_or("an event without a connection")?;
        match context.event_type.as_deref() {
            Some("CONNECT") => Ok(self.connect(connection, &event).await),
            Some("MESSAGE") => {
                let message = context.message_id.as_deref().ok_or("a message without an id")?;
                self.message(connection, message, &event).await?;
                Ok(answer(200, HeaderMap::new()))
            }
            Some("DISCONNECT") => {
                if let Err(error) = self.connections.close(connection).await {
                    // It expires.
                    tracing::warn!(error = ?error, "a connection was not forgotten");
                }
                Ok(answer(200, HeaderMap::new()))
            }
            other => Err(format!("there is no event `{}`", other.unwrap_or_default()).into()),
        }
    }

    async fn connect(&self, connection: &str, event: &ApiGatewayWebsocketProxyRequest) -> ApiGatewayProxyResponse {
        // Only these have all values of a header field.
        let headers = if event.multi_value_headers.is_empty() { &event.headers } else { &event.multi_value_headers };
        let request = event.request_context.request_id.as_deref().unwrap_or_default();
        let exchange = Exchange::begin(request, "GET", PATH, Trace::of(headers));
        let opened = exchange.scope(async {
            check_origin_token(self.origin.as_ref(), headers)?;
            let peer = || event.request_context.identity.source_ip.as_deref()?.parse().ok();
            let from = source(headers, request, peer, self.origin.is_some());
            let by = handshake::admitted(&self.authenticator, headers, from).await?;
            self.connections.open(connection, by).await
        });
        let answer = match opened.await {
            Ok(()) => {
                let mut answered = HeaderMap::new();
                if handshake::offers_protocol(headers) {
                    let protocol = HeaderValue::from_static(handshake::PROTOCOL);
                    answered.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
                }
                answer(200, answered)
            }
            Err(error) => {
                exchange.failed(&error);
                refusal(&error, request)
            }
        };
        exchange.status(u16::try_from(answer.status_code).unwrap_or_default());
        exchange.end().await;
        answer
    }

    async fn message(
        &self,
        connection: &str,
        message: &str,
        event: &ApiGatewayWebsocketProxyRequest,
    ) -> Result<(), Error> {
        let body = event.body.as_deref().unwrap_or_default();
        let text = if event.is_base64_encoded { STANDARD.decode(body)? } else { body.as_bytes().to_vec() };
        let opener = Box::pin(self.connections.take(connection, message));
        self.replies.reply(&text, opener, &Outlet::Post(self.posts.peer(connection))).await;
        Ok(())
    }
}

/// API Gateway refuses a handshake with whatever status is not a success.
fn refusal(error: &error::Error, request: &str) -> ApiGatewayProxyResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    let mut refusal = answer(status(error).as_u16(), headers);
    refusal.body = serde_json::to_string(&Problem::of(error, request)).ok().map(Into::into);
    refusal
}

fn answer(status: u16, headers: HeaderMap) -> ApiGatewayProxyResponse {
    let mut answer = ApiGatewayProxyResponse::default();
    answer.status_code = status.into();
    answer.headers = headers;
    answer
}
