//! `input`: what was said and called before, a list of items. Chat completions have one message for all that the model
//! says in a turn, so its reasoning, text and calls come together.

use lmo_shared::{
    error::{Error, Result},
    llm::{Content, Fields, Message, Part, Role, ToolCall, responses::reasoning},
};
use serde_json::{Value, json};

use super::{
    object::{Object, must_be},
    parts,
};

/// A conversation in chat completions' words.
#[derive(Default)]
pub(super) struct Conversation {
    pub messages: Vec<Message>,
    /// The paths of what these words can't say.
    pub untranslated: Vec<String>,
    /// Whether the model's turn may go on in the last message.
    open: bool,
}

impl Conversation {
    /// Reads a text, which is the user's, or a list of items.
    pub fn read(input: &Value) -> Result<Self> {
        let mut conversation = Self::default();
        match input {
            Value::String(text) => conversation.messages.push(Message::text(Role::User, text)),
            Value::Array(items) if items.is_empty() => return Err(Error::invalid("input", "input is empty")),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    conversation.item(&Object::at(format!("input[{at}]"), item)?)?;
                }
            }
            _ => return Err(must_be("input".to_owned(), "a string or a list")),
        }
        Ok(conversation)
    }

    fn item(&mut self, item: &Object<'_>) -> Result<()> {
        match item.text("type")? {
            None | Some("message") => self.message(item),
            Some("reasoning") => self.reasoning(item),
            Some("function_call") => self.function_call(item),
            Some("custom_tool_call") => self.custom_call(item),
            Some("function_call_output" | "custom_tool_call_output") => self.output(item),
            Some("item_reference") => {
                Err(item.refused("type", "is item_reference: LMO keeps no responses; send the item itself"))
            }
            Some(kind) => Err(item.refused("type", &format!("is {kind}, which is not supported"))),
        }
    }

    fn message(&mut self, item: &Object<'_>) -> Result<()> {
        let role = match item.needed("role")? {
            "user" => Role::User,
            "system" => Role::System,
            "developer" => Role::Developer,
            "assistant" => Role::Assistant,
            _ => return Err(item.refused("role", "must be user, assistant, system or developer")),
        };
        let content = self.content(item, "content")?;
        let extra = self.rest(item, &["type", "role", "content", "id", "status", "phase"]);
        let message = if role == Role::Assistant { self.turn() } else { self.begin(role) };
        message.extra.extend(extra);
        add(&mut message.content, content);
        Ok(())
    }

    fn content(&mut self, item: &Object<'_>, name: &str) -> Result<Content> {
        let content = item.get(name).ok_or_else(|| item.refused(name, "is needed"))?;
        parts::read(&item.path(name), content, &mut self.untranslated)
    }

    /// What the model reasoned: sealed, for the provider that sealed it, or else as text.
    fn reasoning(&mut self, item: &Object<'_>) -> Result<()> {
        let Some(encrypted) = item.text("encrypted_content")? else { return self.reasoning_text(item) };
        let block = reasoning::block(item.text("id")?.unwrap_or_default(), encrypted);
        let block = block.ok_or_else(|| item.refused("encrypted_content", "is not what LMO gave"))?;
        if !reasoning::is_sealed(encrypted) {
            // A provider that can open it may read the summary too.
            self.reasoning_text(item)?;
        }
        add(&mut self.turn().content, Content::Parts(vec![Part::Other(block)]));
        Ok(())
    }

    fn reasoning_text(&mut self, item: &Object<'_>) -> Result<()> {
        let mut texts = Vec::new();
        for list in ["summary", "content"] {
            for (at, part) in item.list(list)?.into_iter().flatten().enumerate() {
                texts.push(Object::at(format!("{}[{at}]", item.path(list)), part)?.needed("text")?);
            }
        }
        if texts.is_empty() {
            return Ok(());
        }
        let extra = &mut self.turn().extra;
        let before = extra.shift_remove("reasoning_content");
        texts.splice(0..0, before.as_ref().and_then(Value::as_str));
        extra.insert("reasoning_content".to_owned(), texts.join("\n\n").into());
        Ok(())
    }

    fn function_call(&mut self, item: &Object<'_>) -> Result<()> {
        const KNOWN: [&str; 7] = ["type", "id", "call_id", "name", "arguments", "status", "parsed_arguments"];
        let mut call = ToolCall::function(item.needed("call_id")?, item.needed("name")?, item.needed("arguments")?);
        call.extra = self.rest(item, &KNOWN);
        self.calling().tool_calls.push(call);
        Ok(())
    }

    /// A call of a custom tool, which only a provider of this format understands.
    fn custom_call(&mut self, item: &Object<'_>) -> Result<()> {
        let custom = json!({"name": item.needed("name")?, "input": item.needed("input")?});
        let mut extra = self.rest(item, &["type", "id", "call_id", "name", "input", "status"]);
        extra.insert("custom".to_owned(), custom);
        let id = item.needed("call_id")?.to_owned();
        self.untranslated.push(item.path("type"));
        self.calling().tool_calls.push(ToolCall { id, kind: "custom".to_owned(), function: None, extra });
        Ok(())
    }

    fn output(&mut self, item: &Object<'_>) -> Result<()> {
        let call = item.needed("call_id")?.to_owned();
        let content = self.content(item, "output")?;
        let extra = self.rest(item, &["type", "id", "call_id", "output", "status", "name"]);
        let message = self.begin(Role::Tool);
        (message.tool_call_id, message.content, message.extra) = (Some(call), Some(content), extra);
        Ok(())
    }

    /// What else an item says, which only a provider of this format understands.
    fn rest(&mut self, item: &Object<'_>, known: &'static [&'static str]) -> Fields {
        let others = item.others(known);
        others
            .map(|(name, value)| {
                self.untranslated.push(item.path(name));
                (name.clone(), value.clone())
            })
            .collect()
    }

    fn begin(&mut self, role: Role) -> &mut Message {
        self.open = role == Role::Assistant;
        let message = Message {
            role,
            content: None,
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            extra: Fields::new(),
        };
        self.messages.push_mut(message)
    }

    /// The message of the model's turn for more of its reasoning or text: another after text, but calls stay together,
    /// because their results must follow all of them.
    fn turn(&mut self) -> &mut Message {
        self.last_if(|message| !message.tool_calls.is_empty() || !says(message))
    }

    /// The message of the model's turn for a call.
    fn calling(&mut self) -> &mut Message {
        self.last_if(|_| true)
    }

    fn last_if(&mut self, goes_on: fn(&Message) -> bool) -> &mut Message {
        match self.messages.pop() {
            Some(message) if self.open && goes_on(&message) => self.messages.push_mut(message),
            last => {
                self.messages.extend(last);
                self.begin(Role::Assistant)
            }
        }
    }
}

/// A request without the reasoning of other providers' models, which one of this format would refuse: it can't open what
/// they sealed, and as it keeps no responses, it doesn't know an item by its id alone.
pub(super) fn without_others_thoughts(mut request: Fields) -> Fields {
    let is_own = |item: &Value| match item.get("encrypted_content").and_then(Value::as_str) {
        Some(encrypted) => !reasoning::is_sealed(encrypted),
        None => item.get("content").and_then(Value::as_array).is_some_and(|content| !content.is_empty()),
    };
    if let Some(Value::Array(items)) = request.get_mut("input") {
        items.retain(|item| item["type"] != "reasoning" || is_own(item));
    }
    request
}

/// Whether a message has anything but reasoning.
fn says(message: &Message) -> bool {
    match &message.content {
        Some(Content::Parts(parts)) => parts.iter().any(|part| !is_thinking(part)),
        Some(Content::Text(_)) => true,
        None => false,
    }
}

fn is_thinking(part: &Part) -> bool {
    matches!(part, Part::Other(value) if value["type"] == "thinking" || value["type"] == "redacted_thinking")
}

/// Adds to a content.
fn add(content: &mut Option<Content>, more: Content) {
    *content = Some(match content.take() {
        Some(before) => Content::Parts(into_parts(before).into_iter().chain(into_parts(more)).collect()),
        None => more,
    });
}

fn into_parts(content: Content) -> Vec<Part> {
    match content {
        Content::Text(text) => vec![Part::Text { text, extra: Fields::new() }],
        Content::Parts(parts) => parts,
    }
}
