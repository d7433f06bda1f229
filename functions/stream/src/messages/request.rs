//! The request: in the pipeline's words, and as it is for a provider that speaks the same.

use lmo_shared::{
    answer::{Ask, Options},
    error::Result,
    llm::{Fields, Native, Prompt, WireFormat, responses::reasoning},
};
use serde_json::{Value, json};

use super::{
    content::{self, Unsaid},
    node::Node,
    tools,
};

/// The parameters that LMO passes on. Others could change the price (`service_tier`, `speed`, `inference_geo`), reach
/// what is not the caller's (`container`, `mcp_servers`), or are not known to be harmless.
const KNOWN: [&str; 16] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "output_config",
    "output_format",
    "cache_control",
];

/// A request that is read.
pub(super) struct Asked {
    pub model: String,
    pub stream: bool,
    pub prompt: Prompt,
}

/// What the pipeline is asked.
pub(super) fn ask(fields: Fields) -> Result<Ask> {
    let root = Node::root(&fields);
    root.needed("max_tokens", root.count("max_tokens")?)?;
    let Asked { model, stream, prompt } = read(fields)?;
    Ok(Ask { model: Some(model), prompt, stream, options: Options::default() })
}

/// Reads a body, with or without an output limit.
pub(super) fn read(mut fields: Fields) -> Result<Asked> {
    Node::root(&fields).only(&KNOWN)?;
    rename_output_format(&mut fields)?;
    content::drop_blocks(&mut fields, content::is_unsigned);
    let root = Node::root(&fields);
    let model = root.needed_text("model")?.to_owned();
    let stream = root.flag("stream")?.unwrap_or(false);
    let prompt = prompt(&root)?;
    // Only a provider of Responses can read these, and it isn't given the body.
    content::drop_blocks(&mut fields, reasoning::holds_item);
    let native = Some(Box::new(Native { format: WireFormat::Messages, fields }));
    Ok(Asked { model, stream, prompt: Prompt { native, ..prompt } })
}

fn prompt(root: &Node) -> Result<Prompt> {
    let mut unsaid = Unsaid::default();
    let mut messages = content::messages(root, &mut unsaid)?;
    if let Some(system) = content::system(root)? {
        messages.insert(0, system);
    }
    let mut extra = Fields::new();
    let mut set = |name: &str, value: Option<Value>| extra.extend(value.map(|value| (name.to_owned(), value)));
    set("top_p", root.number("top_p")?.map(Value::from));
    set("top_k", root.count("top_k")?.map(Value::from));
    set("thinking", root.node("thinking")?.map(|thinking| json!(thinking.fields)));
    set("cache_control", root.node("cache_control")?.map(|marker| json!(marker.fields)));
    set("user", user(root)?.map(Value::from));
    set("reasoning_effort", effort(root)?.map(Value::from));
    let choice = tools::choice(root)?;
    if choice.one_at_a_time {
        set("parallel_tool_calls", Some(false.into()));
    }
    Ok(Prompt {
        messages,
        tools: tools::tools(root, &mut unsaid)?,
        tool_choice: choice.chosen,
        response_format: response_format(root)?,
        temperature: root.number("temperature")?,
        stop: stop(root)?,
        max_output: root.count("max_tokens")?,
        extra,
        origin: WireFormat::Messages,
        untranslated: unsaid.0,
        ..Prompt::default()
    })
}

fn stop(root: &Node) -> Result<Vec<String>> {
    let Some(list) = root.get("stop_sequences") else { return Ok(Vec::new()) };
    let texts = list.as_array().and_then(|list| list.iter().map(|text| Some(text.as_str()?.to_owned())).collect());
    root.needed("stop_sequences", texts).map_err(|_| root.wrong("stop_sequences", "it must be a list of strings"))
}

fn user(root: &Node) -> Result<Option<String>> {
    let Some(metadata) = root.node("metadata")? else { return Ok(None) };
    Ok(metadata.text("user_id")?.map(str::to_owned))
}

/// The effort. Chat completions' words end at `xhigh`.
fn effort(root: &Node) -> Result<Option<&'static str>> {
    let Some(config) = root.node("output_config")? else { return Ok(None) };
    config.only(&["effort", "format"])?;
    match config.text("effort")? {
        None => Ok(None),
        Some("low") => Ok(Some("low")),
        Some("medium") => Ok(Some("medium")),
        Some("high") => Ok(Some("high")),
        Some("xhigh" | "max") => Ok(Some("xhigh")),
        Some(_) => Err(config.wrong("effort", "it must be `low`, `medium`, `high`, `xhigh` or `max`")),
    }
}

fn response_format(root: &Node) -> Result<Option<Value>> {
    let Some(config) = root.node("output_config")? else { return Ok(None) };
    let Some(format) = config.node("format")? else { return Ok(None) };
    if format.needed_text("type")? != "json_schema" {
        return Err(format.wrong("type", "it must be `json_schema`"));
    }
    let schema = format.needed("schema", format.node("schema")?)?;
    let named = json!({"name": "answer", "schema": schema.fields, "strict": true});
    Ok(Some(json!({"type": "json_schema", "json_schema": named})))
}

/// `output_format` is what `output_config.format` was called before it was done.
fn rename_output_format(fields: &mut Fields) -> Result<()> {
    let Some(format) = fields.shift_remove("output_format").filter(|format| !format.is_null()) else { return Ok(()) };
    let config = fields.entry("output_config").or_insert(Value::Null);
    if config.is_null() {
        *config = json!({});
    }
    match config.as_object_mut() {
        Some(config) if config.get("format").is_none_or(Value::is_null) => {
            config.insert("format".to_owned(), format);
            Ok(())
        }
        Some(_) | None => {
            Err(Node::root(fields).wrong("output_format", "`output_config.format` says the same; give one"))
        }
    }
}
