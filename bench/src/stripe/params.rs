//! A request's parameters. Each is taken once; what is left at the end was unknown, as Stripe says, or is nothing that the
//! stand-in does, so that a misspelt one can't make a test pass.

use serde_json::{Map, Value, json};

use super::problem::Problem;

/// Parameters, and what they are in.
#[derive(Debug)]
pub(super) struct Params {
    within: Option<String>,
    fields: Map<String, Value>,
}

impl Params {
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self { within: None, fields }
    }

    /// A parameter's whole name.
    fn name(&self, name: &str) -> String {
        self.within.as_ref().map_or_else(|| name.to_owned(), |within| format!("{within}[{name}]"))
    }

    /// A text. An empty one asks to unset what can't be unset.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let full = self.name(name);
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => {
                let message = format!(
                    "You passed an empty string for '{full}'. We assume empty values are an attempt to unset a parameter; \
                     however '{full}' cannot be unset. You should remove '{full}' from your request or supply a non-empty \
                     value."
                );
                Err(Problem::parameter("parameter_invalid_empty", message, &full))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Problem::combination(&format!("Invalid string: {other}"), &full)),
        }
    }

    pub(super) fn needed(&mut self, name: &str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| Problem::missing_parameter(&self.name(name)))
    }

    /// A text that may be unset by an empty one, which is null.
    pub(super) fn settable(&mut self, name: &str) -> Result<Option<Value>, Problem> {
        if self.fields.get(name) == Some(&json!("")) {
            self.fields.remove(name);
            return Ok(Some(Value::Null));
        }
        Ok(self.text(name)?.map(Value::String))
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        let full = self.name(name);
        let wrong = |text| Problem::parameter("parameter_invalid_integer", format!("Invalid integer: {text}"), &full);
        self.text(name)?.map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        let full = self.name(name);
        let flag = |text: String| match text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(Problem::combination(&format!("Invalid boolean: {other}"), &full)),
        };
        self.text(name)?.map(flag).transpose()
    }

    pub(super) fn one_of(&mut self, name: &str, known: &[&str]) -> Result<Option<String>, Problem> {
        let full = self.name(name);
        let found = self.text(name)?;
        match found {
            Some(text) if !known.contains(&text.as_str()) => {
                Err(Problem::combination(&format!("Invalid {full}: must be one of {}", known.join(", ")), &full))
            }
            other => Ok(other),
        }
    }

    /// A list of texts.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(mut inner) = self.object(name)? else { return Ok(None) };
        let names: Vec<String> = inner.fields.keys().cloned().collect();
        let mut list = Vec::with_capacity(names.len());
        for name in names {
            list.push(inner.needed(&name)?);
        }
        Ok(Some(list))
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Problem> {
        let full = self.name(name);
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self { within: Some(full), fields })),
            Some(_) => Err(Problem::combination("Invalid object", &full)),
        }
    }

    /// Changes metadata by `metadata[name]=value`; an empty value takes the name away, an empty `metadata` all of them.
    pub(super) fn metadata(&mut self, into: &mut Value) -> Result<(), Problem> {
        if self.fields.get("metadata") == Some(&json!("")) {
            self.fields.remove("metadata");
            *into = json!({});
            return Ok(());
        }
        let Some(given) = self.object("metadata")? else { return Ok(()) };
        let mut all = into.as_object().cloned().unwrap_or_default();
        for (name, value) in given.fields {
            let full = format!("metadata[{name}]");
            let Value::String(text) = value else {
                return Err(Problem::combination("Metadata values must be strings", &full));
            };
            if name.chars().count() > 40 || text.chars().count() > 500 {
                let message = format!("Metadata keys can have up to 40 characters, and values up to 500: {name}");
                return Err(Problem::combination(&message, &full));
            }
            if text.is_empty() {
                all.remove(&name);
            } else {
                all.insert(name, Value::String(text));
            }
        }
        if all.len() > 50 {
            return Err(Problem::combination("You can have up to 50 metadata keys.", "metadata"));
        }
        *into = Value::Object(all);
        Ok(())
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(Problem::unknown_parameter(&self.name(name))),
        }
    }
}
