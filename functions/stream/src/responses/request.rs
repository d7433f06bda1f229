//! The request: what it says in chat completions' words, beside the client's own, which a provider of the same format
//! gets. Only parameters that LMO knows are taken, because others could cost more than the output limit says.

use lmo_shared::{
    answer::{Ask, Options},
    error::Result,
    llm::{Fields, Message, Native, Prompt, Role, WireFormat},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    conversation::{Conversation, without_others_thoughts},
    object::{Object, must_be},
    schema::PARAMETERS,
    tools,
};

/// A request as it was written.
#[derive(Debug, Deserialize)]
pub(crate) struct ResponseRequest(Fields);

impl ResponseRequest {
    #[cfg(test)]
    pub fn example(request: Value) -> Self {
        serde_json::from_value(request).unwrap()
    }

    /// What the response repeats of it.
    pub fn echo(&self) -> Fields {
        let default = [
            ("instructions", Value::Null),
            ("max_output_tokens", Value::Null),
            ("metadata", json!({})),
            ("parallel_tool_calls", json!(true)),
            ("prompt_cache_key", Value::Null),
            ("reasoning", json!({"effort": null, "summary": null})),
            ("safety_identifier", Value::Null),
            ("temperature", Value::Null),
            ("text", json!({"format": {"type": "text"}})),
            ("tool_choice", json!("auto")),
            ("tools", json!([])),
            ("top_logprobs", json!(0)),
            ("top_p", Value::Null),
            ("user", Value::Null),
        ];
        let own = |name: &str| self.0.get(name).filter(|value| !value.is_null());
        let repeated = |(name, default): (&str, Value)| match (own(name), default) {
            (Some(Value::Object(given)), Value::Object(mut fields)) => {
                fields.extend(given.clone());
                (name.to_owned(), fields.into())
            }
            (given, default) => (name.to_owned(), given.cloned().unwrap_or(default)),
        };
        default.into_iter().map(repeated).collect()
    }

    pub fn into_ask(self) -> Result<Ask> {
        let own = Object::top(&self.0);
        check(&own)?;
        let model = own.text("model")?.map(str::to_owned);
        let stream = own.flag("stream")?.unwrap_or(false);
        let mut prompt = prompt(&own)?;
        let native = Native { format: WireFormat::Responses, fields: without_others_thoughts(self.0) };
        prompt.native = Some(Box::new(native));
        Ok(Ask { model, prompt, stream, options: Options::default() })
    }
}

/// Refuses what LMO doesn't know, and what it can't do.
fn check(own: &Object<'_>) -> Result<()> {
    const KNOWN: [&str; PARAMETERS.len()] = {
        let mut names = [""; PARAMETERS.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = PARAMETERS[at].0;
            at += 1;
        }
        names
    };
    const STATE: &str = "is not supported: LMO keeps no responses, `store` is always false; send all items in `input`";
    own.only(&KNOWN)?;
    for name in ["previous_response_id", "conversation", "prompt"] {
        if own.get(name).is_some() {
            return Err(own.refused(name, STATE));
        }
    }
    if own.flag("background")? == Some(true) {
        return Err(own.refused("background", STATE));
    }
    for name in ["max_tool_calls", "context_management"] {
        if own.get(name).is_some() {
            return Err(own.refused(name, "is not supported"));
        }
    }
    one_of(own, "truncation", &["disabled"])?;
    one_of(own, "service_tier", &["auto", "default"])?;
    if own.count("max_output_tokens")? == Some(0) {
        return Err(own.refused("max_output_tokens", "must be at least 1"));
    }
    own.flag("store")?;
    own.text("prompt_cache_retention")?;
    own.object("prompt_cache_options")?.map_or(Ok(()), |options| options.only(&["mode", "ttl"]))?;
    own.object("stream_options")?.map_or(Ok(()), |options| options.only(&["include_obfuscation"]))?;
    metadata(own)
}

fn metadata(own: &Object<'_>) -> Result<()> {
    let Some(fields) = own.get("metadata") else { return Ok(()) };
    let fields = fields.as_object().ok_or_else(|| must_be("metadata".to_owned(), "an object"))?;
    match fields.iter().find(|(_, value)| !value.is_string()) {
        Some((name, _)) => Err(must_be(format!("metadata.{name}"), "a string")),
        None => Ok(()),
    }
}

/// What is asked, without the client's own words.
fn prompt(own: &Object<'_>) -> Result<Prompt> {
    let input = own.get("input").ok_or_else(|| own.refused("input", "is needed"))?;
    let Conversation { mut messages, mut untranslated, .. } = Conversation::read(input)?;
    if let Some(instructions) = own.text("instructions")? {
        messages.insert(0, Message::text(Role::System, instructions));
    }
    let mut extra = Fields::new();
    for name in ["user", "safety_identifier", "prompt_cache_key"] {
        extra.extend(own.text(name)?.map(|text| (name.to_owned(), text.into())));
    }
    extra.extend(own.number("top_p")?.map(|number| ("top_p".to_owned(), json!(number))));
    extra.extend(own.count("top_logprobs")?.map(|count| ("top_logprobs".to_owned(), count.into())));
    extra.extend(own.flag("parallel_tool_calls")?.map(|flag| ("parallel_tool_calls".to_owned(), flag.into())));
    include(own, &mut extra)?;
    reasoning(own, &mut extra, &mut untranslated)?;
    Ok(Prompt {
        messages,
        tools: tools::read(own, &mut untranslated)?,
        tool_choice: tools::choice(own)?,
        response_format: response_format(own, &mut extra)?,
        temperature: own.number("temperature")?,
        max_output: own.count("max_output_tokens")?,
        extra,
        origin: WireFormat::Responses,
        untranslated,
        ..Prompt::default()
    })
}

/// What else the response is to hold. Reasoning that is to be brought back is always given, if there is any.
fn include(own: &Object<'_>, extra: &mut Fields) -> Result<()> {
    for (at, what) in (0..).zip(own.list("include")?.into_iter().flatten()) {
        match what.as_str() {
            Some("message.output_text.logprobs") => drop(extra.insert("logprobs".to_owned(), true.into())),
            Some("reasoning.encrypted_content" | "message.input_image.image_url") => {}
            Some(_) | None => return Err(own.refused(&format!("include[{at}]"), "is not supported")),
        }
    }
    Ok(())
}

fn reasoning(own: &Object<'_>, extra: &mut Fields, untranslated: &mut Vec<String>) -> Result<()> {
    let Some(reasoning) = own.object("reasoning")? else { return Ok(()) };
    reasoning.only(&["effort", "summary", "generate_summary", "context", "mode"])?;
    // Others may think several times over.
    one_of(&reasoning, "mode", &["standard"])?;
    if let Some(effort) = reasoning.text("effort")? {
        extra.insert("reasoning_effort".to_owned(), effort.into());
    }
    for name in ["summary", "generate_summary", "context"] {
        if reasoning.text(name)?.is_some_and(|word| word != "auto") {
            untranslated.push(reasoning.path(name));
        }
    }
    Ok(())
}

fn response_format(own: &Object<'_>, extra: &mut Fields) -> Result<Option<Value>> {
    let Some(text) = own.object("text")? else { return Ok(None) };
    text.only(&["format", "verbosity"])?;
    extra.extend(text.text("verbosity")?.map(|word| ("verbosity".to_owned(), word.into())));
    let Some(format) = text.object("format")? else { return Ok(None) };
    match format.needed("type")? {
        kind @ ("text" | "json_object") => {
            format.only(&["type"])?;
            Ok(Some(json!({"type": kind})))
        }
        "json_schema" => {
            format.only(&["type", "name", "description", "schema", "strict"])?;
            format.needed("name")?;
            format.object("schema")?.ok_or_else(|| format.refused("schema", "is needed"))?;
            let nested: Fields = format.others(&["type"]).map(|(name, value)| (name.clone(), value.clone())).collect();
            Ok(Some(json!({"type": "json_schema", "json_schema": nested})))
        }
        _ => Err(format.refused("type", "must be text, json_object or json_schema")),
    }
}

fn one_of(object: &Object<'_>, name: &str, allowed: &[&str]) -> Result<()> {
    match object.text(name)? {
        Some(word) if !allowed.contains(&word) => {
            Err(object.refused(name, &format!("must be {}", allowed.join(" or "))))
        }
        Some(_) | None => Ok(()),
    }
}
