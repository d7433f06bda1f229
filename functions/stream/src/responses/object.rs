//! An object of a request and where it is, so that whatever is wrong in it is named by its path.

use lmo_shared::{
    error::{Error, Result},
    llm::Fields,
};
use serde_json::Value;

/// An object. A field that is null counts as absent, as everywhere in this API.
pub(super) struct Object<'a> {
    path: String,
    fields: &'a Fields,
}

impl<'a> Object<'a> {
    /// The request itself.
    pub fn top(fields: &'a Fields) -> Self {
        Self { path: String::new(), fields }
    }

    /// The value at `path`, if it is an object.
    pub fn at(path: String, value: &'a Value) -> Result<Self> {
        match value.as_object() {
            Some(fields) => Ok(Self { path, fields }),
            None => Err(must_be(path, "an object")),
        }
    }

    /// Where a field is.
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The fields that are none of these.
    pub fn others(&self, known: &'static [&'static str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.fields.iter().filter(move |(name, value)| !value.is_null() && !known.contains(&name.as_str()))
    }

    /// Fails if there is a field that is none of these.
    pub fn only(&self, known: &'static [&'static str]) -> Result<()> {
        match self.others(known).next() {
            Some((name, _)) => Err(self.refused(name, "is not supported")),
            None => Ok(()),
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.read(name, "a string", Value::as_str)
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.read(name, "a number", Value::as_f64)
    }

    pub fn count(&self, name: &str) -> Result<Option<u64>> {
        self.read(name, "a whole number from 0", Value::as_u64)
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>> {
        self.read(name, "a list", Value::as_array)
    }

    pub fn object(&self, name: &str) -> Result<Option<Object<'a>>> {
        self.get(name).map(|value| Self::at(self.path(name), value)).transpose()
    }

    /// A text that must be there.
    pub fn needed(&self, name: &str) -> Result<&'a str> {
        self.text(name)?.ok_or_else(|| self.refused(name, "is needed"))
    }

    /// What is wrong with a field.
    pub fn refused(&self, name: &str, problem: &str) -> Error {
        let path = self.path(name);
        let detail = format!("{path} {problem}");
        Error::invalid(path, detail)
    }

    fn read<T>(&self, name: &str, expected: &str, of: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let read = |value| of(value).ok_or_else(|| must_be(self.path(name), expected));
        self.get(name).map(read).transpose()
    }
}

/// A value of a wrong type.
pub(super) fn must_be(path: String, expected: &str) -> Error {
    let detail = format!("{path} must be {expected}");
    Error::invalid(path, detail)
}
