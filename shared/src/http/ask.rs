//! The body of LMO's own query endpoints.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    answer::{Ask, Options, Templated},
    cache::{CacheControl, CacheMode},
    error::{Error, Result},
    id::SessionId,
    llm::{Content, Message, Prompt, Role},
    money::NanoUsd,
    template::TemplateUse,
};

/// A question, alone or in its conversation. At least one of `query`, `messages` and `template` is needed; `query` is
/// the last message.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// The question, as the user's last message.
    #[schema(example = "What is the capital of France?")]
    pub query: Option<String>,
    /// The conversation, oldest first, in `OpenAI`'s message format.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// A template of the tenant's, whose messages come before `messages` and `query`.
    pub template: Option<TemplateUse>,
    /// What came before.
    #[serde(default)]
    pub context: Context,
    /// A model or alias of the catalogue; the tenant's default if absent.
    pub model: Option<String>,
    /// Sampling temperature, 0 to 2.
    pub temperature: Option<f64>,
    /// The most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// Where the answer ends: one text or several.
    pub stop: Option<StopSequences>,
    /// Tools that the model may call, in `OpenAI`'s format.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub tools: Vec<Value>,
    /// Whether and which tools must be called, in `OpenAI`'s format.
    #[schema(value_type = Object)]
    pub tool_choice: Option<Value>,
    /// The format of the answer, in `OpenAI`'s format.
    #[schema(value_type = Object)]
    pub response_format: Option<Value>,
    /// Models to try, in this order, if the one asked for fails before it has said anything; the tenant's if absent.
    pub fallbacks: Option<Vec<String>>,
    /// After how many milliseconds without a first piece the next model is asked as well; the first to answer wins.
    pub hedge_after_ms: Option<u64>,
    /// Whether the answer may come from the cache and be kept there.
    pub cache: Option<CacheMode>,
    /// The oldest answer from the cache that will do, in seconds.
    pub max_age: Option<u64>,
}

/// What came before the question.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Earlier messages of the conversation, oldest first.
    #[serde(default, rename = "previousMessages")]
    pub previous_messages: Vec<Message>,
    /// A conversation that LMO keeps: what was said in it comes before `messages` and `query`, and they and the answer
    /// are added to it. It begins with its first use. A system prompt applies to its own request alone. Not together
    /// with `previousMessages`.
    #[serde(default, rename = "sessionId")]
    pub session_id: Option<SessionId>,
}

/// One text or several.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum StopSequences {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl StopSequences {
    /// As a list.
    #[must_use]
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

impl AskRequest {
    /// What the pipeline is asked; what the body says of routing and caching comes before the header's `options`.
    ///
    /// # Errors
    /// `Invalid` if there is nothing to answer, or if two places say what came before.
    pub fn into_ask(self, stream: bool, options: Options) -> Result<Ask> {
        let Context { previous_messages: mut messages, session_id } = self.context;
        let options = Options {
            fallbacks: self.fallbacks.or(options.fallbacks),
            hedge_after: self.hedge_after_ms.map(Duration::from_millis).or(options.hedge_after),
            cache: CacheControl {
                mode: self.cache.or(options.cache.mode),
                max_age: self.max_age.map(Duration::from_secs).or(options.cache.max_age),
            },
            session: session_id.or(options.session),
            template: self.template.map(|wanted| Templated { wanted, earlier: messages.len() }),
        };
        if options.session.is_some() && !messages.is_empty() {
            let detail = "previousMessages can't be given together with sessionId, which says what came before";
            return Err(Error::invalid("context.previousMessages", detail));
        }
        messages.extend(self.messages);
        match self.query {
            Some(query) if query.trim().is_empty() => return Err(Error::invalid("query", "query is empty")),
            Some(query) => messages.push(Message::text(Role::User, query)),
            None if messages.is_empty() && options.template.is_none() => {
                return Err(Error::invalid("query", "query, messages or template is needed"));
            }
            None => {}
        }
        if options.template.is_none() && messages.iter().all(is_empty) {
            return Err(Error::invalid("messages", "all messages are empty"));
        }
        let prompt = Prompt {
            messages,
            tools: self.tools,
            tool_choice: self.tool_choice,
            response_format: self.response_format,
            temperature: self.temperature,
            stop: self.stop.map(StopSequences::into_list).unwrap_or_default(),
            max_output: self.max_tokens,
            choices: 1,
            ..Prompt::default()
        };
        Ok(Ask { model: self.model, prompt, stream, options })
    }
}

fn is_empty(message: &Message) -> bool {
    let no_text = message.content.as_ref().is_none_or(|content| match content {
        Content::Text(text) => text.is_empty(),
        Content::Parts(parts) => parts.is_empty(),
    });
    no_text && message.tool_calls.is_empty()
}

/// An amount of money in a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// In nano-USD (10^-9 USD).
    pub nano_usd: u64,
    /// The same as decimal text.
    #[schema(example = "0.000012345")]
    pub usd: String,
}

impl From<NanoUsd> for Cost {
    fn from(amount: NanoUsd) -> Self {
        Self { nano_usd: amount.0, usd: amount.to_usd() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(context: &Value) -> Result<Ask> {
        let request: AskRequest = serde_json::from_value(json!({"query": "hi", "context": context})).unwrap();
        request.into_ask(false, Options::default())
    }

    #[test]
    fn a_session_is_handed_on() {
        let asked = ask(&json!({"sessionId": "chat-42"})).unwrap();
        assert_eq!(asked.options.session, SessionId::parse("chat-42"));
        assert_eq!(ask(&json!({})).unwrap().options.session, None);
    }

    #[test]
    fn earlier_messages_come_from_the_session_or_from_the_request() {
        let both = json!({"sessionId": "s", "previousMessages": [{"role": "user", "content": "a"}]});
        assert!(matches!(ask(&both), Err(Error::Invalid { param, .. }) if param == "context.previousMessages"));
        assert!(ask(&json!({"sessionId": "s", "previousMessages": []})).is_ok());
    }
}
