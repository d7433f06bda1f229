//! What keeps the program from starting: one line for a person.

use lmo_shared::{config::BadVariable, error::Error};

use crate::engine::EngineError;

/// A line that says what is wrong.
#[derive(Debug)]
pub struct Problem(pub String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        Self(error.to_string())
    }
}

impl From<BadVariable> for Problem {
    fn from(error: BadVariable) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for Problem {
    /// An operator may see the cause.
    fn from(error: Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}
