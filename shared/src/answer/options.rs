//! How a request wants to be routed and cached.

use std::time::Duration;

use crate::{cache::CacheControl, id::SessionId, template::TemplateUse};

/// What a request may say beside the question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Models to try where the one asked for fails; absent: the tenant's.
    pub fallbacks: Option<Vec<String>>,
    /// After how long without a first piece the next of them is asked as well, and the first to answer wins. Without
    /// fallbacks it is the same model once more.
    pub hedge_after: Option<Duration>,
    /// Whether the cache may answer.
    pub cache: CacheControl,
    /// The conversation that the request continues; none if its prompt is all there is.
    pub session: Option<SessionId>,
    /// The template that the prompt begins with.
    pub template: Option<Templated>,
}

/// A template that a prompt is to be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templated {
    /// Which, and what for its variables.
    pub wanted: TemplateUse,
    /// How many messages of the prompt were said before: the template's own come behind them.
    pub earlier: usize,
}
