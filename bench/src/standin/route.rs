//! What a path asks for.

use http::{HeaderMap, Uri};

use super::body::Flaw;
use super::conversation::Conversation;
use super::directives::Directives;
use super::embeddings::{Embedder, EmbeddingRequest};
use super::format::Format;
use super::vendor::Vendor;

/// What a path asks for.
pub(super) enum Route {
    /// An answer in words. Some formats have the model, and whether to stream, in the path.
    Converse { format: Format, model: String, streams: bool },
    /// Vectors.
    Embed { embedder: Embedder, model: String },
    /// A model that Bedrock doesn't have for this.
    UnknownModel,
    /// A stream of Gemini's that is not server-sent events, which the stand-in doesn't speak.
    NotSse,
}

/// A request that has been read.
pub(super) enum Asked {
    Words(Format, Conversation),
    Vectors(EmbeddingRequest),
}

impl Route {
    /// The route of a POST.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
        let converse = |format, model: &str, streams| Self::Converse { format, model: decoded(model), streams };
        match *segments.as_slice() {
            ["v1", "chat", "completions"] => Some(converse(Format::Chat, "", false)),
            ["v1", "messages"] => Some(converse(Format::Messages, "", false)),
            ["v1", "responses"] => Some(converse(Format::Responses, "", false)),
            ["v1", "embeddings"] => Some(Self::Embed { embedder: Embedder::OpenAi, model: String::new() }),
            ["v1beta", "models", last] => {
                // A client may encode the colon.
                let last = decoded(last);
                let (model, method) = last.rsplit_once(':')?;
                Self::of_gemini(model, method, uri.query().unwrap_or_default())
            }
            ["model", model, "converse"] => Some(converse(Format::Converse, model, false)),
            ["model", model, "converse-stream"] => Some(converse(Format::Converse, model, true)),
            ["model", model, "invoke"] => {
                let model = decoded(model);
                Some(match Embedder::of_bedrock(&model) {
                    Some(embedder) => Self::Embed { embedder, model },
                    None => Self::UnknownModel,
                })
            }
            _ => None,
        }
    }

    pub(super) fn vendor(&self) -> Vendor {
        match self {
            Self::Converse { format, .. } => format.vendor(),
            Self::Embed { embedder, .. } => embedder.vendor(),
            Self::UnknownModel => Vendor::Aws,
            Self::NotSse => Vendor::Google,
        }
    }

    /// Reads a request and its directives.
    pub(super) fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<(Asked, Directives), Flaw> {
        let asked = match self {
            Self::Converse { format, model, streams } => {
                Asked::Words(*format, format.read(model, *streams, headers, body)?)
            }
            Self::Embed { embedder, model } => Asked::Vectors(embedder.read(model, body)?),
            Self::UnknownModel => return Err(Flaw::other("The provided model identifier is invalid.")),
            Self::NotSse => return Err(Flaw::other("The stand-in streams with alt=sse alone.")),
        };
        let directives = asked.directives().map_err(Flaw::other)?;
        Ok((asked, directives))
    }

    fn of_gemini(model: &str, method: &str, query: &str) -> Option<Self> {
        let converse = |streams| Self::Converse { format: Format::Gemini, model: model.to_owned(), streams };
        match method {
            "generateContent" => Some(converse(false)),
            "streamGenerateContent" if query.split('&').any(|pair| pair == "alt=sse") => Some(converse(true)),
            "streamGenerateContent" => Some(Self::NotSse),
            "batchEmbedContents" => Some(Self::Embed { embedder: Embedder::Gemini, model: model.to_owned() }),
            _ => None,
        }
    }
}

impl Asked {
    /// The text that names a failure without an id.
    pub(super) fn prompt(&self) -> String {
        match self {
            Self::Words(_, conversation) => conversation.prompt(),
            Self::Vectors(request) => request.texts.concat(),
        }
    }

    fn directives(&self) -> Result<Directives, String> {
        match self {
            Self::Words(_, conversation) => conversation.directives(),
            Self::Vectors(request) => request.directives(),
        }
    }
}

/// A segment of a path without its percent-encoding; as it is if that is wrong.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
