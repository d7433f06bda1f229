//! `POST /api/mcp/embed`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    answer::{Answers, EmbedAnswer, EmbedAsk, EmbedInputs},
    auth::Caller,
    clock::Clock,
    error::{Error, Result},
    http::{Body, Cost, Errors, Handled, rate_limit_fields},
    id::RequestId,
    llm::{
        Usage,
        embed::{EmbedInput, EmbedKind},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Texts to turn into vectors: either `input` or `inputs`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbedRequest {
    /// One text, not empty.
    #[schema(example = "The sky is blue.")]
    input: Option<String>,
    /// From 1 to 2048 texts, none of them empty.
    inputs: Option<Vec<String>>,
    /// A model or alias of the catalogue; that of the alias `embed` if absent.
    model: Option<String>,
    /// How long the vectors are to be; as the model makes them if absent.
    #[schema(minimum = 1)]
    dimensions: Option<u32>,
    /// Whether the texts are to be found or to find by. Some models make other vectors of the one than of the other.
    kind: Option<EmbedKind>,
}

impl EmbedRequest {
    fn into_ask(self) -> Result<EmbedAsk> {
        let text = EmbedInput::Text;
        let inputs = match (self.input, self.inputs) {
            (Some(one), None) => EmbedInputs::new("input", vec![text(one)]),
            (None, Some(several)) => EmbedInputs::new("inputs", several.into_iter().map(text).collect()),
            (Some(_), Some(_)) => Err(Error::invalid("inputs", "there can be only one of input and inputs")),
            (None, None) => Err(Error::invalid("input", "input or inputs is needed")),
        }?;
        Ok(EmbedAsk { model: self.model, inputs, dimensions: self.dimensions, kind: self.kind, user: None })
    }
}

/// Vectors of texts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EmbedResponse {
    /// The request's id.
    id: RequestId,
    /// The model that made the vectors.
    model: String,
    /// A vector for each text, in their order. Not every model makes them of length 1.
    embeddings: Vec<Vec<f32>>,
    /// How many numbers a vector has.
    dimensions: usize,
    /// The tokens that are charged.
    usage: Usage,
    /// Whether LMO counted the tokens, because the provider reported none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
    /// What they cost.
    cost: Cost,
}

impl From<EmbedAnswer> for EmbedResponse {
    fn from(answer: EmbedAnswer) -> Self {
        Self {
            id: answer.id,
            model: answer.model,
            dimensions: answer.vectors.first().map_or(0, Vec::len),
            embeddings: answer.vectors,
            usage: answer.usage,
            estimated: answer.estimated,
            cost: answer.cost.into(),
        }
    }
}

/// Turns texts into vectors.
///
/// The vectors are returned once the request is recorded for billing. The worst that it can cost is held while they are
/// made, and what was not used is given back. The model `lmo/hash-embed` needs no provider: it hashes words, pairs of
/// words and spelling, and knows nothing of their meaning.
#[utoipa::path(
    post,
    path = "/api/mcp/embed",
    operation_id = "embed",
    tag = "query",
    request_body = EmbedRequest,
    responses((status = 200, description = "The vectors", body = EmbedResponse), Errors)
)]
pub(super) async fn embed(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    Body(request): Body<EmbedRequest>,
) -> Handled<Response> {
    let answer = answers.embed(&caller, request.into_ask()?).await?;
    let rate = answer.rate;
    let mut response = Json(EmbedResponse::from(answer)).into_response();
    response.headers_mut().extend(rate_limit_fields(&rate, clock.now()));
    Ok(response)
}
