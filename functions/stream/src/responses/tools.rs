//! Tools and their choice: chat completions nest what this format has flat. Tools that a provider runs are refused:
//! they cost what no output limit bounds.

use lmo_shared::{error::Result, llm::Fields};
use serde_json::{Value, json};

use super::object::{Object, must_be};

/// What is said of a function, in either format.
const FUNCTION: [&str; 5] = ["type", "name", "description", "parameters", "strict"];

/// The tools of a request. Whether chat completions can't say all of them is added to `untranslated`.
pub(super) fn read(own: &Object<'_>, untranslated: &mut Vec<String>) -> Result<Vec<Value>> {
    let mut tools = Vec::new();
    let mut translated = true;
    for (at, tool) in own.list("tools")?.into_iter().flatten().enumerate() {
        let tool = Object::at(format!("tools[{at}]"), tool)?;
        let nested = match tool.needed("type")? {
            "function" => {
                tool.text("description")?;
                tool.object("parameters")?;
                tool.flag("strict")?;
                translated &= tool.others(&FUNCTION).next().is_none();
                "function"
            }
            "custom" => {
                translated = false;
                "custom"
            }
            kind => {
                let problem = format!("is {kind}, which is not supported: neither LMO nor a provider runs tools");
                return Err(tool.refused("type", &problem));
            }
        };
        tool.needed("name")?;
        let fields: Fields = tool.others(&["type"]).map(|(name, value)| (name.clone(), value.clone())).collect();
        tools.push(json!({"type": nested, nested: fields}));
    }
    if !translated {
        untranslated.push("tools".to_owned());
    }
    Ok(tools)
}

/// Which tool must, may or mustn't be called.
pub(super) fn choice(own: &Object<'_>) -> Result<Option<Value>> {
    let Some(choice) = own.get("tool_choice") else { return Ok(None) };
    if let Some(word) = choice.as_str() {
        let known = matches!(word, "none" | "auto" | "required");
        return if known {
            Ok(Some(word.into()))
        } else {
            Err(must_be("tool_choice".to_owned(), "none, auto or required"))
        };
    }
    let choice = Object::at("tool_choice".to_owned(), choice)?;
    if choice.text("type")? != Some("allowed_tools") {
        return named(&choice).map(Some);
    }
    let mode = choice.needed("mode")?;
    let tools = choice.list("tools")?.ok_or_else(|| choice.refused("tools", "is needed"))?;
    let tool = |(at, tool)| named(&Object::at(format!("tool_choice.tools[{at}]"), tool)?);
    let tools: Vec<Value> = tools.iter().enumerate().map(tool).collect::<Result<_>>()?;
    Ok(Some(json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})))
}

fn named(tool: &Object<'_>) -> Result<Value> {
    match tool.needed("type")? {
        kind @ ("function" | "custom") => Ok(json!({"type": kind, kind: {"name": tool.needed("name")?}})),
        _ => Err(tool.refused("type", "must be function or custom")),
    }
}
