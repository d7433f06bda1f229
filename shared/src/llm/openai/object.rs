//! Reads a JSON object into a struct that knows some of its fields and keeps the others. It does what serde's `flatten`
//! does, without buffering every field first: chunks are read at the rate of tokens.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};

use crate::llm::Fields;

/// Something that takes the fields of a JSON object one by one.
pub(super) trait Object<'de> {
    /// Takes the value of the field `name` out of `map` and returns true, or leaves it there and returns false.
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;

    /// Where the fields go that it left.
    fn extra(&mut self) -> &mut Fields;
}

/// A field's name, borrowed unless it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads one object. `null` is an object without fields.
pub(super) struct One<'a, T>(pub(super) &'a mut T);

impl<'de, T: Object<'de>> DeserializeSeed<'de> for One<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for One<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if !self.0.field(&name, &mut map)? {
                let value = map.next_value()?;
                self.0.extra().insert(name.into_owned(), value);
            }
        }
        Ok(())
    }
}

/// Reads a list of objects, each made for its position first. `null` is an empty list.
pub(super) struct All<'a, T> {
    pub(super) items: &'a mut Vec<T>,
    pub(super) at: fn(u32) -> T,
}

impl<'de, T: Object<'de>> DeserializeSeed<'de> for All<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for All<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for position in 0.. {
            let mut item = (self.at)(position);
            if list.next_element_seed(One(&mut item))?.is_none() {
                break;
            }
            self.items.push(item);
        }
        Ok(())
    }
}
