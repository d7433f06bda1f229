//! Vectors that depend on their text alone, and are the nearer to each other the more words they share.

/// The unit vector of a text, as all embedding models of the stand-in answer it.
#[must_use]
pub fn embedding(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = sum(text, dimensions);
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        for number in &mut vector {
            *number /= length;
        }
    }
    vector
}

/// The sum of the vectors of a text's words; of the text itself if it has none.
pub(super) fn sum(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dimensions];
    let mut words = text.split_whitespace().peekable();
    if words.peek().is_none() {
        add_word(&mut sum, text);
    }
    words.for_each(|word| add_word(&mut sum, word));
    sum
}

fn add_word(sum: &mut [f32], word: &str) {
    let mut state = fnv1a(word);
    for number in sum {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let [high, low, ..] = mix(state).to_be_bytes();
        *number += f32::from(i16::from_be_bytes([high, low])) / 32768.0;
    }
}

fn fnv1a(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// `SplitMix64`'s finaliser.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
