//! Reads a request's JSON as strictly as the providers do, and says what is wrong with it: each of them words the same
//! flaws in its own way.

use serde_json::{Map, Value};

/// What is wrong with a request. Paths are like `messages.0.content`.
#[derive(Debug)]
pub(super) enum Flaw {
    /// What the parser says.
    NotJson(String),
    Missing(String),
    Type {
        path: String,
        expected: Kind,
    },
    /// A list without entries.
    Empty(String),
    /// A field that the format doesn't have.
    Unknown(String),
    /// Anything else, in the provider's own words.
    Other {
        message: String,
        path: Option<String>,
        code: Option<&'static str>,
    },
}

impl Flaw {
    pub(super) fn other(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), path: None, code: None }
    }
}

/// A type of JSON value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Object,
    List,
    Text,
    Count,
    Flag,
}

/// An object, and where it is.
pub(super) struct Object<'a> {
    pub path: String,
    pub fields: &'a Map<String, Value>,
}

/// What may be a text or a list of parts.
pub(super) enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Object<'a>>),
}

/// The JSON of a body.
pub(super) fn parse(body: &[u8]) -> Result<Value, Flaw> {
    serde_json::from_slice(body).map_err(|error| Flaw::NotJson(error.to_string()))
}

impl<'a> Object<'a> {
    /// A whole body.
    pub(super) fn root(value: &'a Value) -> Result<Self, Flaw> {
        Self::at(String::new(), value)
    }

    /// The path of one of its fields.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Refuses all fields but these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Flaw> {
        match self.fields.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Flaw::Unknown(self.path_of(key))),
        }
    }

    /// The value of a field that has to be there.
    pub(super) fn need<T>(&self, key: &str, value: Option<T>) -> Result<T, Flaw> {
        value.ok_or_else(|| Flaw::Missing(self.path_of(key)))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Flaw> {
        self.typed(key, Kind::Text, Value::as_str)
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, Flaw> {
        self.typed(key, Kind::Count, Value::as_u64)
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Flaw> {
        Ok(self.typed(key, Kind::Flag, Value::as_bool)?.unwrap_or(false))
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a Vec<Value>>, Flaw> {
        self.typed(key, Kind::List, Value::as_array)
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Self>, Flaw> {
        self.value(key).map(|value| Self::at(self.path_of(key), value)).transpose()
    }

    pub(super) fn objects(&self, key: &str) -> Result<Option<Vec<Self>>, Flaw> {
        let path = self.path_of(key);
        self.list(key)?.map(|items| entries(&path, items)).transpose()
    }

    /// The texts of a list of them.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Flaw> {
        let text = |(index, item): (usize, &Value)| match item {
            Value::String(text) => Ok(text.clone()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(Flaw::Type { path: format!("{}.{index}", self.path_of(key)), expected: Kind::Text })
            }
        };
        self.list(key)?.map(|items| items.iter().enumerate().map(text).collect()).transpose()
    }

    /// A list that has to be there, with at least one entry.
    pub(super) fn some_objects(&self, key: &str) -> Result<Vec<Self>, Flaw> {
        let objects = self.need(key, self.objects(key)?)?;
        if objects.is_empty() { Err(Flaw::Empty(self.path_of(key))) } else { Ok(objects) }
    }

    pub(super) fn content(&self, key: &str) -> Result<Option<Content<'a>>, Flaw> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(Content::Text(text))),
            Some(Value::Array(items)) => Ok(Some(Content::Parts(entries(&self.path_of(key), items)?))),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                Err(Flaw::Type { path: self.path_of(key), expected: Kind::Text })
            }
        }
    }

    /// A field that is there and not null.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn at(path: String, value: &'a Value) -> Result<Self, Flaw> {
        match value.as_object() {
            Some(fields) => Ok(Self { path, fields }),
            None => Err(Flaw::Type { path, expected: Kind::Object }),
        }
    }

    fn typed<T>(&self, key: &str, expected: Kind, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, Flaw> {
        let wrong = || Flaw::Type { path: self.path_of(key), expected };
        self.value(key).map(|value| read(value).ok_or_else(wrong)).transpose()
    }
}

fn entries<'a>(path: &str, items: &'a [Value]) -> Result<Vec<Object<'a>>, Flaw> {
    items.iter().enumerate().map(|(index, item)| Object::at(format!("{path}.{index}"), item)).collect()
}
