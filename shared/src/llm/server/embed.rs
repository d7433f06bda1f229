//! One call for vectors.

use tokio::time::Instant;

use super::{MAX_ANSWER, MAX_ERROR, Server};
use crate::llm::{
    ProviderError,
    body::{Body, after},
    embed::{EmbedCall, EmbedFormat, Embedded},
};

impl Server {
    /// Makes one attempt, as `Provider::embed`.
    ///
    /// # Errors
    /// Any `ProviderError`.
    pub async fn embed(&self, call: EmbedCall<'_>) -> Result<Embedded, ProviderError> {
        let deadline = after(Instant::now(), call.time_left);
        let format = EmbedFormat::of(self.endpoint.format, call.model)?;
        let response = self.send(format.request(&call)?, "application/json", deadline).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Body::new(response, deadline, call.time_left, deadline);
        if !status.is_success() {
            let body = body.whole(MAX_ERROR).await.unwrap_or_default();
            return Err(self.endpoint.format.failure(status.as_u16(), &headers, &body));
        }
        format.read(call.inputs.len(), &headers, &body.whole(MAX_ANSWER).await?)
    }

    /// The most inputs of one call.
    ///
    /// # Errors
    /// `Unsupported` if the model has no embeddings.
    pub fn most_inputs(&self, model: &str) -> Result<usize, ProviderError> {
        EmbedFormat::of(self.endpoint.format, model).map(EmbedFormat::most_inputs)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpStream, sync::Arc, time::Duration};

    use super::*;
    use crate::llm::{
        WireFormat,
        embed::EmbedInput,
        server::stand_in::{LONG, serve},
    };

    fn respond(socket: &mut TcpStream, head: &str, body: &str) {
        write!(socket, "HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    async fn embed(server: &Server, model: &str, time_left: Duration) -> Result<Embedded, ProviderError> {
        let inputs = [EmbedInput::Text("hi".to_owned())];
        server.embed(EmbedCall { model, inputs: &inputs, dimensions: None, kind: None, user: None, time_left }).await
    }

    #[tokio::test]
    async fn vectors_are_asked_for_and_read() {
        let (server, requests) = serve(|mut socket| {
            respond(
                &mut socket,
                "200 OK",
                r#"{"data":[{"index":0,"embedding":"AACAPw=="}],"usage":{"prompt_tokens":1}}"#,
            );
        });
        let embedded = embed(&server, "m", LONG).await.unwrap();
        assert_eq!(embedded.vectors, [[1.0]]);
        let request = requests.recv().unwrap();
        assert!(request.starts_with("POST /v1/embeddings?api-version=1 HTTP/1.1\r\n"), "{request}");
        assert!(request.to_ascii_lowercase().contains("authorization: bearer sk-test\r\n"));
    }

    #[tokio::test]
    async fn bedrock_says_its_tokens_in_the_head() {
        let (mut server, requests) = serve(|mut socket| {
            let head = "200 OK\r\nx-amzn-bedrock-input-token-count: 7";
            respond(&mut socket, head, r#"{"embeddings":{"float":[[0.5]]}}"#);
        });
        Arc::make_mut(&mut server.endpoint).format = WireFormat::Converse;
        let embedded = embed(&server, "cohere.embed-v4:0", LONG).await.unwrap();
        assert_eq!(embedded.input_tokens.unwrap().0, 7);
        assert!(requests.recv().unwrap().starts_with("POST /v1/model/cohere.embed-v4:0/invoke"));
    }

    #[tokio::test]
    async fn a_refusal_is_its_error() {
        let (server, _requests) = serve(|mut socket| {
            respond(&mut socket, "429 Slow\r\nretry-after: 2", "");
        });
        let limited = ProviderError::RateLimited { retry_after: Some(Duration::from_secs(2)) };
        assert_eq!(embed(&server, "m", LONG).await, Err(limited));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_cut() {
        let (server, _requests) = serve(|mut socket| {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":[").unwrap();
        });
        assert_eq!(embed(&server, "m", LONG).await, Err(ProviderError::Cut));
    }

    #[tokio::test]
    async fn no_answer_by_the_deadline_is_a_timeout() {
        let (server, _requests) = serve(|socket| {
            std::thread::sleep(Duration::from_millis(300));
            drop(socket);
        });
        assert_eq!(embed(&server, "m", Duration::from_millis(50)).await, Err(ProviderError::Timeout));
    }

    #[tokio::test]
    async fn a_format_without_embeddings_is_not_asked() {
        let (mut server, requests) = serve(drop);
        Arc::make_mut(&mut server.endpoint).format = WireFormat::Messages;
        assert!(matches!(embed(&server, "m", LONG).await, Err(ProviderError::Unsupported { .. })));
        assert!(requests.try_recv().is_err());
    }
}
