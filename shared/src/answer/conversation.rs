//! A session's part in a request: what was said before goes to the model, and what is said now is added.

use std::{pin::Pin, sync::Arc};

use super::{Answers, Ask, Completion, Options, Parts};
use crate::{
    auth::Caller,
    error::Result,
    id::{RequestId, SessionId},
    llm::{Content, Message, Prompt, Role, catalogue::Model},
    money::Tokens,
    session::{Asked, Opening, Reach, Room, SUMMARY_TOKENS, Said, Summary, Turn, assemble, summary_prompt, trim},
    telemetry,
    tenant::TenantConfig,
};

/// A turn that is being answered.
pub(super) struct Conversation {
    turn: Turn,
    asked: Asked,
    /// The summary that was made for this turn.
    summary: Option<Summary>,
}

/// Whose turn it is, and who is to answer it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub parts: &'a Arc<Parts>,
    pub caller: &'a Caller,
    pub request: RequestId,
    /// The model that is asked, as the catalogue calls it, and its entry there.
    pub model: (&'a str, &'a Model),
}

impl Conversation {
    /// Begins a turn of a session, and puts what was said before into the prompt, as far as the model has room for it.
    ///
    /// # Errors
    /// `Conflict` if another turn of it is being answered; `Invalid` if there is nothing to keep; `ContextTooLong`;
    /// `Blocked` if the tenant's guardrails deny by now what was said before.
    pub async fn begin(asking: Asking<'_>, id: &SessionId, prompt: &mut Prompt) -> Result<Self> {
        let Asking { parts, caller, request, .. } = asking;
        let asked = Asked::new(&prompt.messages)?;
        let until = parts.clock.now().after(parts.deadline + super::booking::GRACE);
        let config = caller.config();
        let opening = Opening { request, until, ttl: config.session_ttl(), retention: config.retention() };
        let mut turn = parts.sessions.begin(caller.tenant().id, id, opening).await?;
        match recall(asking, &mut turn, prompt).await {
            Ok(summary) => Ok(Self { turn, asked, summary }),
            Err(error) => {
                give_up(turn).await;
                Err(error)
            }
        }
    }

    /// Adds the turn.
    ///
    /// # Errors
    /// `Conflict` if the session was deleted meanwhile; `Invalid` if the answer is longer than a session keeps.
    pub async fn add(self, said: Completion, model: &str) -> Result<()> {
        let answered = said.into_first().map(|choice| Message {
            role: Role::Assistant,
            content: choice.text.map(Content::Text),
            name: None,
            tool_calls: choice.tool_calls,
            tool_call_id: None,
            extra: choice.message_extra,
        });
        let Self { turn, asked, summary } = self;
        turn.commit(Said { asked, answered: answered.into_iter().collect(), model: model.to_owned(), summary }).await
    }

    /// Leaves the conversation as it was.
    pub async fn give_up(self) {
        give_up(self.turn).await;
    }
}

async fn give_up(turn: Turn) {
    if let Err(error) = turn.abandon().await {
        tracing::warn!(?error, "a session stays locked until its turn's deadline");
    }
}

/// Puts what fits of the conversation ahead of the new messages; returns a summary of the rest, if one was made.
async fn recall(asking: Asking<'_>, turn: &mut Turn, prompt: &mut Prompt) -> Result<Option<Summary>> {
    let (name, model) = asking.model;
    let config = asking.caller.config();
    let summarises = config.session_summary || turn.summary().is_some();
    let mut room = Room::beside(prompt, name, model, most_output(config, model));
    if summarises {
        room = room.without(SUMMARY_TOKENS);
    }
    let reach = if config.session_summary { Reach::Unsummarised } else { Reach::Fitting };
    let history = turn.history(&room, reach).await?;
    let mut trimmed = trim(history, &room, &prompt.messages)?;
    let mut summary = None;
    if config.session_summary
        && let Some(task) = summary_prompt(turn.summary(), &trimmed.dropped, Tokens(model.context_window))
    {
        let text = summarise(asking, task).await;
        summary = text.and_then(|text| Summary::new(&text, turn.summary(), &trimmed.dropped));
    }
    let mut told = summary.as_ref().or(turn.summary()).cloned();
    let said = trimmed.kept.iter_mut().flat_map(|turn| &mut turn.messages);
    asking.caller.guard()?.check_recalled(told.as_mut().map(|summary| &mut summary.text), said)?;
    let messages = std::mem::take(&mut prompt.messages);
    prompt.messages = assemble(messages, told.as_ref(), trimmed.kept);
    prompt.native = None;
    Ok(summary)
}

fn most_output(config: &TenantConfig, model: &Model) -> Tokens {
    Tokens(config.max_tokens.unwrap_or(u64::MAX).min(model.max_output_tokens))
}

/// A request of its own, held and billed like any other. Without it the conversation goes on, and the next turn asks
/// again.
async fn summarise(asking: Asking<'_>, prompt: Prompt) -> Option<String> {
    let ask = Ask { model: Some(asking.model.0.to_owned()), prompt, stream: false, options: Options::default() };
    let asked = ask_in_between(Answers(Arc::clone(asking.parts)), asking.caller.clone(), ask);
    // What becomes known of it is none of the turn's.
    match telemetry::apart(asked).await {
        Ok(completion) => completion.choices.into_iter().next()?.text,
        Err(error) => {
            tracing::warn!(request = %asking.request, ?error, "a conversation could not be summarised");
            None
        }
    }
}

/// Boxed, because a request that asks for another one would have no size.
fn ask_in_between(
    answers: Answers,
    caller: Caller,
    ask: Ask,
) -> Pin<Box<dyn Future<Output = Result<Completion>> + Send>> {
    // The turn itself needs most of the time.
    let most = answers.0.deadline / 4;
    Box::pin(async move { answers.answer_within(most, &caller, ask).await?.collect().await })
}
