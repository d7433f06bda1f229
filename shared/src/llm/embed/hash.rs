//! The model `lmo/hash-embed`: signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask
//! Learning", 2009), so that everything around embeddings works without a provider. It knows no language. Its vectors
//! are close if the texts share words, pairs of words or spelling; two words for one thing are strangers to it.
//!
//! The features of a text are its lower-cased words (what is alphanumeric), each two neighbours, and each three
//! characters of it with white space as one space. A feature adds 1 to one place of the vector or takes 1 from it; the
//! hash of the feature says where and which. Then the vector is brought to length 1.
//!
//! The hash is FNV-1a with 64 bits, finished by `MurmurHash3`'s mixer because FNV's own upper bits hardly depend on the
//! last letter. It is the same everywhere and for ever: vectors that somebody stored must stay comparable.

use tokio::task::yield_now;

use super::{EmbedCall, EmbedInput, Embedded};
use crate::{llm::ProviderError, money::Tokens};

/// How long a vector is if nobody says it.
const DIMENSIONS: u32 = 256;
/// The longest vector.
const MOST_DIMENSIONS: u32 = 4096;

/// Embeds. A text's tokens are its words. Given tokens are features themselves, alone and in pairs; a text and its
/// tokens have nothing in common.
///
/// # Errors
/// `Unsupported` if the vectors are to be longer than 4096 numbers, or empty.
pub(in crate::llm) async fn embed(call: EmbedCall<'_>) -> Result<Embedded, ProviderError> {
    let dimensions = call.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        let message = format!("the vectors of lmo/hash-embed have from 1 to {MOST_DIMENSIONS} dimensions");
        return Err(ProviderError::unsupported("dimensions", message));
    }
    let mut embedded = Embedded { vectors: Vec::with_capacity(call.inputs.len()), input_tokens: None };
    let mut tokens: u64 = 0;
    for input in call.inputs {
        embedded.vectors.push(vector(input, dimensions));
        tokens = tokens.saturating_add(count(input));
        // A long list must not keep others from their turn.
        yield_now().await;
    }
    embedded.input_tokens = Some(Tokens(tokens));
    Ok(embedded)
}

fn count(input: &EmbedInput) -> u64 {
    match input {
        EmbedInput::Text(text) => super::length(text.split_whitespace().count()).max(1),
        EmbedInput::Tokens(tokens) => super::length(tokens.len()),
    }
}

/// The vector of an input; all zeros if there is nothing in it but white space.
fn vector(input: &EmbedInput, dimensions: u32) -> Vec<f32> {
    let length = usize::try_from(dimensions).unwrap_or_default();
    let mut sums = Sums { numbers: vec![0.0; length], first: None };
    match input {
        EmbedInput::Text(text) => sums.text(&text.to_lowercase()),
        EmbedInput::Tokens(tokens) => sums.tokens(tokens),
    }
    sums.normalised()
}

/// A vector while its features come in.
struct Sums {
    numbers: Vec<f32>,
    /// The first feature, which stands for all if they cancel each other out.
    first: Option<u64>,
}

impl Sums {
    fn text(&mut self, text: &str) {
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        for word in &words {
            self.add("word", &[word.as_bytes()]);
        }
        for (one, next) in words.iter().zip(words.iter().skip(1)) {
            self.add("pair", &[one.as_bytes(), b" ", next.as_bytes()]);
        }
        let spaced = format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "));
        let starts: Vec<usize> = spaced.char_indices().map(|(at, _)| at).chain([spaced.len()]).collect();
        for (from, to) in starts.iter().zip(starts.iter().skip(3)) {
            let three = spaced.get(*from..*to).unwrap_or_default();
            self.add("3", &[three.as_bytes()]);
        }
    }

    fn tokens(&mut self, tokens: &[u32]) {
        for token in tokens {
            self.add("token", &[&token.to_le_bytes()]);
        }
        for (one, next) in tokens.iter().zip(tokens.iter().skip(1)) {
            self.add("tokens", &[&one.to_le_bytes(), &next.to_le_bytes()]);
        }
    }

    fn add(&mut self, kind: &str, pieces: &[&[u8]]) {
        let hash = hash(kind.bytes().chain([0]).chain(pieces.iter().flat_map(|piece| piece.iter().copied())));
        self.first.get_or_insert(hash);
        self.count(hash);
    }

    fn count(&mut self, hash: u64) {
        let place = usize::try_from((hash >> 1) % super::length(self.numbers.len()).max(1)).unwrap_or_default();
        if let Some(number) = self.numbers.get_mut(place) {
            *number += if hash & 1 == 0 { 1.0 } else { -1.0 };
        }
    }

    fn normalised(mut self) -> Vec<f32> {
        if self.numbers.iter().all(|number| *number == 0.0)
            && let Some(first) = self.first
        {
            self.count(first);
        }
        let norm = self.numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
        if norm > 0.0 {
            self.numbers.iter_mut().for_each(|number| *number /= norm);
        }
        self.numbers
    }
}

fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    const MIX: [u64; 2] = [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53];
    let mixed = MIX.iter().fold(fnv1a(bytes), |hash, factor| (hash ^ (hash >> 33)).wrapping_mul(*factor));
    mixed ^ (mixed >> 33)
}

fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests;
