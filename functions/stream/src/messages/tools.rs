//! Tools and which of them to call.

use lmo_shared::error::Result;
use serde_json::{Value, json};

use super::{content::Unsaid, node::Node};

/// What a tool of the client's own may have.
const KNOWN: [&str; 10] = [
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "input_examples",
    "eager_input_streaming",
    "defer_loading",
    "allowed_callers",
];

/// Which tool is to be called.
#[derive(Default)]
pub(super) struct Choice {
    /// As chat completions say it.
    pub chosen: Option<Value>,
    /// Whether not several at once.
    pub one_at_a_time: bool,
}

/// The tools, as chat completions have them.
pub(super) fn tools(root: &Node, unsaid: &mut Unsaid) -> Result<Vec<Value>> {
    root.nodes("tools")?.iter().map(|node| tool(node, unsaid)).collect()
}

fn tool(node: &Node, unsaid: &mut Unsaid) -> Result<Value> {
    if node.text("type")?.is_some_and(|kind| kind != "custom") {
        return Err(node.wrong("type", "tools that the provider runs itself are not supported, only your own"));
    }
    node.only(&KNOWN)?;
    // Both are for tools that run at the provider.
    if node.flag("defer_loading")? == Some(true) {
        return Err(node.wrong("defer_loading", "it is not supported"));
    }
    if node.get("allowed_callers").is_some_and(|callers| *callers != json!(["direct"])) {
        return Err(node.wrong("allowed_callers", "only `direct` is supported"));
    }
    let schema = node.needed("input_schema", node.node("input_schema")?)?;
    let mut function = json!({"name": node.needed_text("name")?});
    if let Some(description) = node.text("description")? {
        function["description"] = description.into();
    }
    function["parameters"] = json!(schema.fields);
    if let Some(strict) = node.flag("strict")? {
        function["strict"] = strict.into();
    }
    let mut tool = json!({"type": "function", "function": function});
    for name in ["cache_control", "input_examples", "eager_input_streaming"] {
        if let Some(value) = node.get(name) {
            tool[name] = value.clone();
        }
    }
    if node.get("input_examples").is_some() {
        unsaid.add(node, "input_examples");
    }
    Ok(tool)
}

/// `tool_choice`.
pub(super) fn choice(root: &Node) -> Result<Choice> {
    let Some(node) = root.node("tool_choice")? else { return Ok(Choice::default()) };
    let chosen = match node.needed_text("type")? {
        "auto" => json!("auto"),
        "any" => json!("required"),
        "none" => json!("none"),
        "tool" => json!({"type": "function", "function": {"name": node.needed_text("name")?}}),
        _ => return Err(node.wrong("type", "it must be `auto`, `any`, `tool` or `none`")),
    };
    let one_at_a_time = node.flag("disable_parallel_tool_use")?.unwrap_or(false);
    Ok(Choice { chosen: Some(chosen), one_at_a_time })
}
