//! The fonts that are built in, each unpacked and read when the first letter asks for it. A character is written in the
//! first that has it.

use std::{io::Read, sync::LazyLock};

use krilla::text::Font;
use lzma_rust2::LzmaReader;
use rustybuzz::ttf_parser::GlyphId;

/// A font: for shaping, and for embedding.
pub(super) struct Face {
    /// What krilla embeds.
    pub font: Font,
    /// What shapes text with it.
    pub shaper: rustybuzz::Face<'static>,
}

/// All of them. The bold one has what LMO says itself, so it comes last and is asked for by number.
static FACES: [LazyLock<Option<Face>>; BOLD + 1] = [
    LazyLock::new(|| Face::read(include_bytes!("../fonts/latin.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/hebrew.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/arabic.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/devanagari.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/thai.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/hangul.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/han.ttf.lzma"))),
    LazyLock::new(|| Face::read(include_bytes!("../fonts/latin-bold.ttf.lzma"))),
];

const HANGUL: usize = 5;
const BOLD: usize = 7;
/// The most KiB that a font may take to be unpacked.
const LARGEST: u32 = 4 << 10;
const BOX: char = '\u{25a1}';

impl Face {
    /// Unpacks a font, which stays until the process ends.
    fn read(packed: &[u8]) -> Option<Self> {
        let mut file = Vec::new();
        LzmaReader::new_mem_limit(packed, LARGEST, None).ok()?.read_to_end(&mut file).ok()?;
        let file: &'static [u8] = file.leak();
        Some(Self { font: Font::new(file.into(), 0)?, shaper: rustybuzz::Face::from_slice(file, 0)? })
    }

    fn has(&self, letter: char) -> bool {
        self.shaper.glyph_index(letter).is_some_and(|glyph| glyph != GlyphId(0))
    }
}

/// The font with this number.
pub(super) fn face(number: usize) -> Option<&'static Face> {
    FACES.get(number).and_then(|face| face.as_ref())
}

/// The number of the font for a letter that stands behind one in the font `before`; `None` if no font has it.
pub(super) fn face_of(letter: char, bold: bool, before: Option<usize>) -> Option<usize> {
    let has = |number: &usize| face(*number).is_some_and(|face| face.has(letter));
    // Marks, joiners and punctuation belong to the letters that they stand with.
    let stays = before.filter(|number| !letter.is_alphanumeric() && (is_joiner(letter) || has(number)));
    let bold = bold.then_some(BOLD).filter(has);
    stays.or(bold).or_else(|| (0..BOLD).find(has))
}

/// Whether the bold font has it.
pub(super) fn is_bold(letter: char) -> bool {
    face(BOLD).is_some_and(|face| face.has(letter))
}

/// A box, which stands for a letter that no font has: its font and its number in it.
pub(super) fn missing() -> (usize, GlyphId) {
    let glyph = face(HANGUL).and_then(|face| face.shaper.glyph_index(BOX));
    (HANGUL, glyph.unwrap_or_default())
}

/// Whether it shows nothing, and only says whether its neighbours are to be joined.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_font_is_read_and_none_is_restricted() {
        assert!((0..FACES.len()).all(|number| face(number).is_some()));
        assert_ne!(missing().1, GlyphId(0));
    }

    #[test]
    fn a_letter_is_written_in_a_font_that_has_it() {
        for (letter, face) in [
            ('a', 0),
            ('Ω', 0),
            ('Ж', 0),
            ('ễ', 0),
            ('€', 0),
            ('ש', 1),
            ('ع', 2),
            ('क', 3),
            ('ก', 4),
            ('한', 5),
            ('株', 6),
            ('臺', 6),
        ] {
            assert_eq!(face_of(letter, false, None), Some(face), "{letter}");
        }
        assert_eq!(face_of('a', true, None), Some(BOLD));
        assert_eq!(face_of('株', true, None), Some(6));
        assert_eq!(face_of('\u{1f600}', false, None), None);
    }
}
