//! A turn as it is stored: its messages as deflated JSON text, cut into items.

use std::io::{Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};

use super::Weight;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    id::RequestId,
    llm::{Message, Role},
    store::keys,
};

/// The most bytes of text that a turn may have. Its items then fit into the 4 MB of one transaction, deflated or not.
pub(super) const MOST_BYTES: usize = 3_500_000;

/// The bytes of one item's share, well below the 400 KB of an item.
const PART: usize = 350_000;

/// A turn that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Its place in the conversation, from 0.
    pub number: u32,
    /// The request that it was.
    pub request: RequestId,
    /// When it was added.
    pub at: Timestamp,
    /// How much of a model's window it takes.
    pub weight: Weight,
    /// What was asked, then what was answered.
    pub messages: Vec<Message>,
    /// The length of its JSON text.
    pub(super) bytes: usize,
    /// How many items it has.
    pub(super) parts: u8,
    /// When its items may be deleted, in seconds since the epoch.
    pub(super) expires_at: u64,
}

impl Past {
    /// Whether it begins with the result of a tool that the turn before it called. Models refuse one without the other.
    #[must_use]
    pub fn continues(&self) -> bool {
        continues(&self.messages)
    }
}

/// Whether messages begin with the result of a tool, whose call is in what came before them.
pub(super) fn continues(messages: &[Message]) -> bool {
    messages.first().is_some_and(|first| first.role == Role::Tool)
}

/// A part of a turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub number: u32,
    /// Which part, from 0.
    pub index: u8,
    pub parts: u8,
    pub request: RequestId,
    pub at: Timestamp,
    pub weight: Weight,
    #[serde(with = "binary")]
    pub body: Vec<u8>,
    pub expires_at: u64,
}

impl Part {
    pub fn sort(&self, born: RequestId) -> String {
        keys::turn(born, self.number, self.index)
    }
}

/// The JSON text of messages.
pub(super) fn write(messages: &[Message]) -> Result<Vec<u8>> {
    serde_json::to_vec(messages).map_err(Error::internal)
}

/// Cuts a turn, whose JSON text is at most [`MOST_BYTES`] long, into its parts. `turn` is the first of them, without its
/// share.
pub(super) fn cut(turn: &Part, json: &[u8]) -> Result<Vec<Part>> {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflated.write_all(json).map_err(Error::internal)?;
    let body = deflated.finish().map_err(Error::internal)?;
    let shares: Vec<&[u8]> = body.chunks(PART).collect();
    let parts = u8::try_from(shares.len()).map_err(Error::internal)?;
    let part = |(index, share): (u8, &&[u8])| Part { index, parts, body: share.to_vec(), ..turn.clone() };
    Ok((0..).zip(&shares).map(part).collect())
}

/// The turn whose parts these are, in their order; `None` if some are missing.
pub(super) fn join(parts: &[Part]) -> Result<Option<Past>> {
    let Some(first) = parts.first().filter(|first| usize::from(first.parts) == parts.len()) else { return Ok(None) };
    let body: Vec<u8> = parts.iter().flat_map(|part| &part.body).copied().collect();
    let mut json = Vec::new();
    ZlibDecoder::new(body.as_slice()).read_to_end(&mut json).map_err(Error::internal)?;
    Ok(Some(Past {
        number: first.number,
        request: first.request,
        at: first.at,
        weight: first.weight.clone(),
        messages: serde_json::from_slice(&json).map_err(Error::internal)?,
        bytes: json.len(),
        parts: first.parts,
        expires_at: first.expires_at,
    }))
}

/// Bytes as `DynamoDB`'s binary, which serde takes for a list of numbers.
mod binary {
    use std::fmt;

    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    };

    pub fn serialize<S: Serializer>(bytes: &[u8], target: S) -> Result<S::Ok, S::Error> {
        target.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<u8>, D::Error> {
        source.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, distr::Alphanumeric, rngs::StdRng};

    use super::*;

    fn turn() -> Part {
        Part {
            number: 7,
            index: 0,
            parts: 0,
            request: RequestId::new(Timestamp(5)),
            at: Timestamp(9),
            weight: Weight::default(),
            body: Vec::new(),
            expires_at: 11,
        }
    }

    /// A message that hardly gets smaller.
    fn noise(bytes: usize) -> Vec<Message> {
        let text: String = StdRng::seed_from_u64(1).sample_iter(Alphanumeric).take(bytes).map(char::from).collect();
        vec![Message::text(Role::User, text)]
    }

    #[test]
    fn a_turn_of_the_largest_size_fits_into_a_transaction_and_reads_back() {
        let messages = noise(MOST_BYTES - 100);
        let parts = cut(&turn(), &write(&messages).unwrap()).unwrap();
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|part| part.body.len() <= PART));
        assert!(parts.iter().map(|part| part.body.len() + 1_000).sum::<usize>() < 4_000_000);
        assert_eq!(join(&parts).unwrap().unwrap().messages, messages);
    }

    #[test]
    fn a_turn_with_a_part_missing_is_none() {
        let parts = cut(&turn(), &write(&noise(1_000_000)).unwrap()).unwrap();
        assert!(join(&parts[1..]).unwrap().is_none());
        assert!(join(&[]).unwrap().is_none());
    }

    #[test]
    fn a_turn_is_smaller_than_what_was_said() {
        let messages = vec![Message::text(Role::User, "the same again and again. ".repeat(1_000))];
        let json = write(&messages).unwrap();
        let parts = cut(&turn(), &json).unwrap();
        assert_eq!(parts.len(), 1);
        assert!(parts[0].body.len() < json.len() / 10);
    }
}
