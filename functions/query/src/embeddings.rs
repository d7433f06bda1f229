//! `POST /v1/embeddings`: `OpenAI`'s wire format (API reference, "Create embeddings").

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use lmo_shared::{
    answer::{Answers, EmbedAnswer, EmbedAsk, EmbedInputs},
    auth::Caller,
    clock::Clock,
    error::Result,
    http::{Body, Errors, Handled, rate_limit_fields},
    llm::embed::{EmbedInput, to_base64},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Texts to turn into vectors.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingRequest {
    /// From 1 to 2048 texts, or their tokens; none of them empty.
    input: Input,
    /// A model or alias of the catalogue; that of the alias `embed` if absent.
    model: Option<String>,
    /// How long the vectors are to be; as the model makes them if absent.
    #[schema(minimum = 1)]
    dimensions: Option<u32>,
    /// How the vectors are written; `float` if absent.
    encoding_format: Option<EncodingFormat>,
    /// Your own name for your user; a hint to the provider.
    user: Option<String>,
}

/// One text or several, as texts or as tokens of the model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Input {
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A text's tokens.
    Tokens(Vec<u32>),
    /// Several texts' tokens.
    TokenLists(Vec<Vec<u32>>),
}

impl Input {
    fn into_list(self) -> Vec<EmbedInput> {
        match self {
            Self::Text(text) => vec![EmbedInput::Text(text)],
            Self::Texts(texts) => texts.into_iter().map(EmbedInput::Text).collect(),
            Self::Tokens(tokens) => vec![EmbedInput::Tokens(tokens)],
            Self::TokenLists(lists) => lists.into_iter().map(EmbedInput::Tokens).collect(),
        }
    }
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EncodingFormat {
    /// As lists of numbers.
    #[default]
    Float,
    /// As base64 of little-endian 32-bit floats.
    Base64,
}

impl EmbeddingRequest {
    fn into_ask(self) -> Result<EmbedAsk> {
        let inputs = EmbedInputs::new("input", self.input.into_list())?;
        let Self { model, dimensions, user, .. } = self;
        Ok(EmbedAsk { model, inputs, dimensions, kind: None, user })
    }
}

/// The vectors of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingList {
    /// `list`.
    object: &'static str,
    /// A vector for each input, in their order.
    data: Vec<EmbeddingEntry>,
    /// The model that made them.
    model: String,
    /// What it took.
    usage: EmbeddingUsage,
}

/// The vector of an input.
#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingEntry {
    /// `embedding`.
    object: &'static str,
    /// Which input, from 0.
    index: usize,
    /// The vector.
    embedding: Vector,
}

/// A vector in either form.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Vector {
    /// As numbers.
    Numbers(Vec<f32>),
    /// As base64.
    Base64(String),
}

/// Tokens that are charged.
#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingUsage {
    /// Tokens of the inputs.
    prompt_tokens: u64,
    /// The same.
    total_tokens: u64,
}

/// Turns texts into vectors as `OpenAI`'s API does.
///
/// The vectors are returned once the request is recorded for billing. The model `lmo/hash-embed` needs no provider: it
/// hashes words, pairs of words and spelling, and knows nothing of their meaning.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    operation_id = "createEmbedding",
    tag = "openai",
    request_body = EmbeddingRequest,
    responses((status = 200, description = "The vectors", body = EmbeddingList), Errors)
)]
pub(super) async fn create(
    caller: Caller,
    State(answers): State<Answers>,
    State(clock): State<Clock>,
    Body(request): Body<EmbeddingRequest>,
) -> Handled<Response> {
    let encoding = request.encoding_format.unwrap_or_default();
    let answer = answers.embed(&caller, request.into_ask()?).await?;
    let rate = answer.rate;
    let mut response = Json(list(answer, encoding)).into_response();
    response.headers_mut().extend(rate_limit_fields(&rate, clock.now()));
    Ok(response)
}

fn list(answer: EmbedAnswer, encoding: EncodingFormat) -> EmbeddingList {
    let written = |vector: Vec<f32>| match encoding {
        EncodingFormat::Float => Vector::Numbers(vector),
        EncodingFormat::Base64 => Vector::Base64(to_base64(&vector)),
    };
    let embedding = |(index, vector)| EmbeddingEntry { object: "embedding", index, embedding: written(vector) };
    let tokens = answer.usage.input_tokens.0;
    EmbeddingList {
        object: "list",
        data: answer.vectors.into_iter().enumerate().map(embedding).collect(),
        model: answer.model,
        usage: EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens },
    }
}
