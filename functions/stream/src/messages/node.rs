//! JSON of a request, read with the place of each value, so that an error can name it.

use lmo_shared::{
    error::{Error, Result},
    llm::Fields,
};
use serde_json::Value;

/// An object of a request, and where it stands in it.
pub(super) struct Node<'a> {
    pub fields: &'a Fields,
    path: String,
}

impl<'a> Node<'a> {
    /// The whole body.
    pub fn root(fields: &'a Fields) -> Self {
        Self { fields, path: String::new() }
    }

    /// The path of a field, as in `messages[0].role`.
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// That a field is wrong.
    pub fn wrong(&self, name: &str, problem: &str) -> Error {
        wrong(self.path(name), problem)
    }

    /// A field's value; `null` is none.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.read(name, Value::as_str, "a string")
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.read(name, Value::as_bool, "a boolean")
    }

    pub fn count(&self, name: &str) -> Result<Option<u64>> {
        self.read(name, Value::as_u64, "a whole number that is not negative")
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.read(name, Value::as_f64, "a number")
    }

    /// A field that is an object.
    pub fn node(&self, name: &str) -> Result<Option<Self>> {
        let fields = self.read(name, Value::as_object, "an object")?;
        Ok(fields.map(|fields| Self { fields, path: self.path(name) }))
    }

    /// A field that is a list of objects; absent, an empty one.
    pub fn nodes(&self, name: &str) -> Result<Vec<Self>> {
        let list = self.read(name, Value::as_array, "a list")?.map_or(&[][..], Vec::as_slice);
        let node = |(at, value): (usize, &'a Value)| {
            let path = format!("{}[{at}]", self.path(name));
            match value.as_object() {
                Some(fields) => Ok(Self { fields, path }),
                None => Err(wrong(path, "it must be an object")),
            }
        };
        list.iter().enumerate().map(node).collect()
    }

    /// What a field holds, which must be there.
    pub fn needed<T>(&self, name: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| self.wrong(name, "it is missing"))
    }

    /// A text that must be there.
    pub fn needed_text(&self, name: &str) -> Result<&'a str> {
        self.needed(name, self.text(name)?)
    }

    /// Refuses every field but these.
    pub fn only(&self, names: &[&str]) -> Result<()> {
        let unknown = self.fields.iter().find(|(name, value)| !value.is_null() && !names.contains(&name.as_str()));
        match unknown {
            Some((name, _)) => Err(self.wrong(name, "it is not supported")),
            None => Ok(()),
        }
    }

    fn read<T>(&self, name: &str, as_kind: impl Fn(&'a Value) -> Option<T>, kind: &str) -> Result<Option<T>> {
        let read = |value| as_kind(value).ok_or_else(|| self.wrong(name, &format!("it must be {kind}")));
        self.get(name).map(read).transpose()
    }
}

fn wrong(path: String, problem: &str) -> Error {
    let detail = format!("{path}: {problem}");
    Error::invalid(path, detail)
}
