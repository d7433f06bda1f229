//! Vectors as base64 of their little-endian `f32`s: what `OpenAI`'s clients ask for, at a third of the size of JSON.

use base64::{Engine, prelude::BASE64_STANDARD};

/// A vector as text.
#[must_use]
pub fn to_base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}

/// A vector from its text; `None` if it is none.
pub(super) fn from_base64(text: &str) -> Option<Vec<f32>> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_and_minus_a_half_are_as_openai_writes_them() {
        assert_eq!(to_base64(&[1.0, -0.5]), "AACAPwAAAL8=");
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for text in ["AACAPwAA", "AACA Pw==", "*"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_on_the_way(vector in prop::collection::vec(-1e30_f32..1e30, 0..20)) {
            prop_assert_eq!(from_base64(&to_base64(&vector)), Some(vector));
        }
    }
}
