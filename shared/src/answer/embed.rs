//! Texts to vectors, in the same books as answers: caller -> admit -> model -> settle + publish.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Answers, Parts};
use crate::{
    auth::{Caller, Permission},
    error::{Error, Result},
    guard::Guard,
    id::RequestId,
    llm::{
        Usage,
        catalogue::{Catalogue, EMBED_ALIAS},
        embed::{EmbedInput, EmbedKind},
    },
    money::NanoUsd,
    quota::Rate,
    telemetry::{carry, learn},
};

mod plan;
mod run;

/// The most inputs of a request, as at `OpenAI`.
const MOST_INPUTS: usize = 2048;

/// What is to be embedded: from 1 to 2048 inputs, none of them empty.
#[derive(Debug, Clone)]
pub struct EmbedInputs(Vec<EmbedInput>);

impl EmbedInputs {
    /// These. `param` is what the request calls them.
    ///
    /// # Errors
    /// `Invalid` if there are none or too many, or if one is empty.
    pub fn new(param: &str, inputs: Vec<EmbedInput>) -> Result<Self> {
        if inputs.is_empty() {
            return Err(Error::invalid(param, format!("{param} is empty")));
        }
        if inputs.len() > MOST_INPUTS {
            let detail = format!("{param} has {} entries, which is more than {MOST_INPUTS}", inputs.len());
            return Err(Error::invalid(param, detail));
        }
        if let Some(at) = inputs.iter().position(EmbedInput::is_empty) {
            let param = if inputs.len() == 1 { param.to_owned() } else { format!("{param}[{at}]") };
            return Err(Error::invalid(param.clone(), format!("{param} is empty")));
        }
        Ok(Self(inputs))
    }
}

/// Applies the caller's guardrails.
fn inspect(guard: &Guard, ask: &mut EmbedAsk) -> Result<()> {
    let inputs = &mut ask.inputs.0;
    if guard.reads_input() && inputs.iter().any(|input| matches!(input, EmbedInput::Tokens(_))) {
        return Err(Error::invalid("input", "the guardrails can't read tokens: send texts instead"));
    }
    let texts = inputs.iter_mut().filter_map(|input| match input {
        EmbedInput::Text(text) => Some(text),
        EmbedInput::Tokens(_) => None,
    });
    guard.check_texts("input", texts.chain(&mut ask.user))
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct EmbedAsk {
    /// A model's name or alias; the one of the alias `embed` if absent.
    pub model: Option<String>,
    /// What to embed.
    pub inputs: EmbedInputs,
    /// How long the vectors are to be; as the model makes them if absent.
    pub dimensions: Option<u32>,
    /// What they are for, if the caller says so.
    pub kind: Option<EmbedKind>,
    /// The caller's own name for its user; a hint to the provider.
    pub user: Option<String>,
}

impl EmbedAsk {
    /// The model that is asked, by the name that the request has for it.
    fn model<'a>(&'a self, catalogue: &Catalogue) -> Result<&'a str> {
        match &self.model {
            Some(model) => Ok(model),
            None if catalogue.aliases.contains_key(EMBED_ALIAS) => Ok(EMBED_ALIAS),
            None => {
                let detail = format!("model is needed: the catalogue has no alias `{EMBED_ALIAS}`");
                Err(Error::invalid("model", detail))
            }
        }
    }
}

/// Vectors. The request is in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedAnswer {
    /// The request's id, in the ledger too.
    pub id: RequestId,
    /// The model that embedded, as the catalogue calls it.
    pub model: String,
    /// What remains in the minute.
    pub rate: Rate,
    /// One for each input, in their order; all of one length. Not every model makes them of length 1.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that are charged.
    pub usage: Usage,
    /// Whether LMO counted the tokens, because the provider reported none.
    pub estimated: bool,
    /// What they cost.
    pub cost: NanoUsd,
}

impl Answers {
    /// Admits the request, and returns its vectors when it is recorded.
    ///
    /// # Errors
    /// Whatever went wrong. It is settled like any other end.
    pub async fn embed(&self, caller: &Caller, mut ask: EmbedAsk) -> Result<EmbedAnswer> {
        caller.require(Permission::Embed)?;
        let catalogue = self.0.catalogues.current().await?;
        let asked = ask.model(&catalogue)?;
        caller.access().model(&catalogue, asked)?;
        inspect(caller.guard()?, &mut ask)?;
        let answer = embed(&self.0, catalogue, caller, ask).await?;
        learn(|known| {
            known.entry = Some(answer.id);
            known.model = Some(answer.model.clone());
            (known.usage, known.cost) = (Some(answer.usage), Some(answer.cost));
        });
        Ok(answer)
    }
}

/// The same for a caller who may use the model, if it is offered where the tenant allows it. The work is done in a task of its own, so whoever drops this
/// loses the vectors and nothing of the books.
pub(super) async fn embed(
    parts: &Arc<Parts>,
    catalogue: Arc<Catalogue>,
    caller: &Caller,
    ask: EmbedAsk,
) -> Result<EmbedAnswer> {
    let access = caller.access();
    let plan = plan::plan(access, catalogue, ask)?;
    let targets = parts.upstreams.upstream(plan.provider()?, access.regions, plan.own.as_ref()).await?.in_turn();
    let upstream = run::Upstream::of(targets, &plan.spec()?.upstream)?;
    let id = RequestId::new(parts.clock.now());
    let (sender, answer) = oneshot::channel();
    let tracker = parts.tasks.tracker.clone();
    tracker.spawn(carry(run::run(Arc::clone(parts), caller.account(), id, plan, upstream, sender)));
    answer.await.unwrap_or_else(|_| Err(Error::internal("an embedding ended without its end")))
}
