//! Answers kept to be given again: to the same tenant, for the same model and the same question. The rules are here; the
//! items are in `repo`, and `flights` lets identical questions that come at once call the model once.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    error::{Error, Result},
    llm::{Chunk, Prompt, Reported, Usage, catalogue::Model},
    money::Tokens,
    tenant::Retention,
};

mod flights;
mod repo;
mod semantic;

pub use flights::{Flights, Lead, Seat};
pub use repo::AnswerCache;
pub use semantic::{Group, Neighbours, question};

/// How long an answer is kept unless the tenant says otherwise.
const DAY: Duration = Duration::from_hours(24);

/// What a request says about the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheControl {
    /// Absent: the tenant's and the request's nature decide.
    pub mode: Option<CacheMode>,
    /// The oldest answer that will do.
    pub max_age: Option<Duration>,
}

/// Whether a request may be answered from the cache, and its answer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMode {
    /// Both.
    Default,
    /// Neither.
    NoStore,
    /// Only kept: the model is asked.
    Refresh,
    /// Only answered: if there is none, `not_cached`.
    OnlyIfCached,
}

/// A tenant's settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// Whether requests are cached that say nothing about it, if they are deterministic (`temperature` 0, one answer);
    /// `true` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// How long answers are kept, 1 s to 30 days; a day if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Answers to similar questions; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantic: Option<SemanticSettings>,
}

/// When a question is similar enough to one that was answered before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticSettings {
    /// The model that embeds the questions: a name or alias of the catalogue; `embed` if absent. What it costs is charged.
    #[serde(default = "embed")]
    pub model: String,
    /// The least cosine similarity, over 0 and up to 1.
    pub threshold: f64,
}

fn embed() -> String {
    "embed".to_owned()
}

impl CacheSettings {
    /// Whether everything is in range.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub fn check(&self) -> Result<()> {
        if self.ttl_seconds.is_some_and(|ttl| !(1..=30 * 24 * 3600).contains(&ttl)) {
            return Err(Error::invalid("cache.ttl_seconds", "cache.ttl_seconds must be from 1 to 2,592,000"));
        }
        if self.semantic.as_ref().is_some_and(|semantic| !(semantic.threshold > 0.0 && semantic.threshold <= 1.0)) {
            return Err(Error::invalid("cache.semantic.threshold", "cache.semantic.threshold must be over 0, up to 1"));
        }
        Ok(())
    }

    /// How long an answer is kept.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.ttl_seconds.map_or(DAY, Duration::from_secs)
    }
}

/// What the cache does for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Under which answers are the same.
    pub key: CacheKey,
    /// Whether a kept answer will do.
    pub reads: bool,
    /// Whether the answer is kept.
    pub writes: bool,
    /// Whether nothing but a kept answer will do.
    pub only: bool,
    /// The oldest answer that will do.
    pub max_age: Option<Duration>,
    /// How long the answer is kept.
    pub ttl: Duration,
}

impl Policy {
    /// What holds for a prompt as it will be sent; `None` if the cache has nothing to do with it.
    #[must_use]
    pub fn of(
        control: CacheControl,
        settings: &CacheSettings,
        retention: Retention,
        name: &str,
        model: &Model,
        asked: &Asked<'_>,
    ) -> Option<Self> {
        let deterministic = asked.prompt.temperature == Some(0.0) && asked.prompt.choices == 1;
        let (reads, writes) = match control.mode {
            None if deterministic && settings.automatic.unwrap_or(true) => (true, true),
            None | Some(CacheMode::NoStore) => return None,
            Some(CacheMode::Default) => (true, true),
            Some(CacheMode::Refresh) => (false, true),
            Some(CacheMode::OnlyIfCached) => (true, false),
        };
        let only = control.mode == Some(CacheMode::OnlyIfCached);
        // Where nothing is kept, what wants nothing but a kept answer still has to be told that there is none.
        if retention.is_nothing() && !only {
            return None;
        }
        let key = CacheKey::of(name, model, asked);
        let max_age = retention.0.into_iter().chain(control.max_age).min();
        Some(Self { key, reads, writes, only, max_age, ttl: retention.clip(settings.ttl()) })
    }
}

/// What decides which answer it is, beside the model.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// As it will be sent.
    pub prompt: &'a Prompt,
    /// The most tokens of each choice.
    pub max_output: Tokens,
}

/// Hash of model and normalised request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheKey(String);

/// Parameters that change nothing about the answer.
const HINTS: [&str; 7] =
    ["user", "metadata", "store", "safety_identifier", "prompt_cache_key", "stream_options", "prompt_cache_retention"];

impl CacheKey {
    /// The key of a request: the same for the same words, in whatever order a client writes its fields, streamed or not.
    #[must_use]
    pub fn of(name: &str, model: &Model, asked: &Asked<'_>) -> Self {
        let mut prompt = json!(asked.prompt);
        if let Some(fields) = prompt.as_object_mut() {
            fields.shift_remove("origin");
            fields.shift_remove("native");
            let own = asked.prompt.native.iter().flat_map(|native| &native.fields);
            let untranslated = own.filter(|(field, _)| asked.prompt.untranslated.contains(field));
            fields.insert("untranslated".to_owned(), untranslated.map(|(name, value)| json!([name, value])).collect());
        }
        if let Some(extra) = prompt["extra"].as_object_mut() {
            extra.retain(|name, value| !HINTS.contains(&name.as_str()) && !value.is_null());
        }
        prompt["max_output"] = json!(asked.max_output);
        Self::hash(&json!([name, model.provider, model.upstream, sorted(prompt)]))
    }

    fn hash(value: &Value) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(value.to_string())))
    }

    /// As text that is safe in a key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The same value with the fields of its objects in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// A kept answer: what its provider said, piece by piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The model that answered.
    pub model: String,
    /// Whether the pieces are those of a stream.
    pub stream: bool,
    /// The pieces.
    pub chunks: Vec<Chunk>,
    /// What the provider counted.
    pub reported: Reported,
}

impl Kept {
    /// The pieces as a client gets them that wants a stream or not: what a provider wrote for the one is not a native
    /// answer to the other.
    #[must_use]
    pub fn replay(self, stream: bool) -> (Vec<Chunk>, Reported) {
        let (mut chunks, mut reported) = (self.chunks, self.reported);
        if self.stream != stream {
            for chunk in &mut chunks {
                chunk.native = None;
            }
        }
        let tokens = Tokens(reported.usage.input_tokens.0.saturating_add(reported.usage.output_tokens.0));
        reported.usage = Usage { cache_hit_tokens: tokens, ..Usage::default() };
        (chunks, reported)
    }
}

#[cfg(test)]
mod tests;
