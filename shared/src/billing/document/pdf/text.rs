//! Text as glyphs: in the order in which they are read and in that in which they stand, on one line or on several.

use std::{collections::HashMap, ops::Range, rc::Rc};

use krilla::text::{GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};
use unicode_bidi::BidiInfo;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::font::{self, face_of, is_bold, missing};

/// A line of text as glyphs, for the size 1.
#[derive(Debug, Default)]
pub(super) struct Shaped {
    /// Its parts in one font each, in the order in which they are read.
    pub pieces: Vec<Piece>,
    /// How wide it is.
    pub width: f32,
}

/// A part of a line in one font and one direction.
#[derive(Debug)]
pub(super) struct Piece {
    /// The number of the font.
    pub face: usize,
    /// Where it begins, from the left.
    pub x: f32,
    /// What it says.
    pub text: String,
    /// The same as glyphs, from left to right.
    pub glyphs: Vec<KrillaGlyph>,
}

/// Shapes text, and remembers what it shaped.
#[derive(Debug, Default)]
pub(super) struct Typesetter {
    known: HashMap<(String, bool), Rc<Shaped>>,
}

impl Typesetter {
    /// The text on one line.
    pub fn line(&mut self, text: &str, bold: bool) -> Rc<Shaped> {
        self.shaped(&clean(text), bold)
    }

    /// The text on as many lines as it needs to be no wider than `width` (for the size 1). A word that is too long is broken.
    pub fn lines(&mut self, text: &str, bold: bool, width: f32) -> Vec<Rc<Shaped>> {
        text.lines().flat_map(|paragraph| self.wrapped(&clean(paragraph), bold, width)).collect()
    }

    fn shaped(&mut self, text: &str, bold: bool) -> Rc<Shaped> {
        let key = (text.to_owned(), bold);
        Rc::clone(self.known.entry(key).or_insert_with_key(|(text, bold)| Rc::new(shape(text, *bold))))
    }

    fn wrapped(&mut self, text: &str, bold: bool, width: f32) -> Vec<Rc<Shaped>> {
        let whole = shape(text, bold);
        if whole.width <= width {
            return vec![Rc::new(whole)];
        }
        let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0.0);
        for word in words(text) {
            let wide = self.shaped(word.trim_end(), bold).width;
            if used + wide > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            if wide > width {
                for letter in word.chars() {
                    let wide = self.shaped(letter.encode_utf8(&mut [0; 4]), bold).width;
                    if used + wide > width && !is_combining_mark(letter) && !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                        used = 0.0;
                    }
                    line.push(letter);
                    used += wide;
                }
            } else {
                line.push_str(word);
                used += self.shaped(word, bold).width;
            }
        }
        lines.push(line);
        lines.iter().map(|line| Rc::new(shape(line, bold))).collect()
    }
}

/// The text without what can't be seen: control characters, and those that would turn its direction round.
fn clean(text: &str) -> String {
    let seen = text.nfc().filter(|letter| {
        !matches!(letter, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' | '\u{61c}')
    });
    seen.map(|letter| match letter {
        letter if letter.is_control() || letter.is_whitespace() && letter != '\u{3000}' => ' ',
        // PDF/A wants to know what each glyph means: neither private use nor what is no character says that.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'.. | '\u{fdd0}'..='\u{fdef}' => '\u{fffd}',
        letter if u32::from(letter) & 0xfffe == 0xfffe => '\u{fffd}',
        letter => letter,
    })
    .collect()
}

/// The text in parts between which a line may end: behind spaces, and around ideographs.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut from) = (Vec::new(), 0);
    let mut before = None;
    for (at, letter) in text.char_indices() {
        let may_end = before.is_some_and(|before: char| {
            (before == ' ' && letter != ' ')
                || (is_ideograph(before) && letter != ' ' && letter.is_alphanumeric())
                || (is_ideograph(letter) && before.is_alphanumeric())
        });
        if may_end {
            words.push(&text[from..at]);
            from = at;
        }
        before = Some(letter);
    }
    words.push(&text[from..]);
    words
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn shape(text: &str, bold: bool) -> Shaped {
    // A name in two weights would look like two.
    let bold = bold && text.chars().all(is_bold);
    let (mut shaped, mut starts) = (Shaped::default(), Vec::new());
    for (run, right_to_left) in runs(text) {
        let mut parts = parts(text, run, bold);
        if right_to_left {
            parts.reverse();
        }
        for (face, range) in parts {
            let (piece, width) = piece(&text[range.clone()], face, right_to_left);
            shaped.pieces.push(Piece { x: shaped.width, ..piece });
            shaped.width += width;
            starts.push(range.start);
        }
    }
    let mut pieces: Vec<_> = starts.into_iter().zip(shaped.pieces).collect();
    pieces.sort_by_key(|(start, _)| *start);
    Shaped { pieces: pieces.into_iter().map(|(_, piece)| piece).collect(), ..shaped }
}

/// The runs of one direction, from left to right, and whether each is from right to left (UAX #9).
fn runs(text: &str) -> Vec<(Range<usize>, bool)> {
    if text.chars().all(|letter| letter < '\u{590}') {
        return vec![(0..text.len(), false)];
    }
    let bidi = BidiInfo::new(text, None);
    let all = bidi.paragraphs.iter().flat_map(|paragraph| {
        let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
        runs.into_iter().map(move |run| (run.clone(), levels.get(run.start).is_some_and(unicode_bidi::Level::is_rtl)))
    });
    all.collect()
}

/// The parts of a run that are in one font each; letters that no font has are parts without one.
fn parts(text: &str, run: Range<usize>, bold: bool) -> Vec<(Option<usize>, Range<usize>)> {
    let mut parts: Vec<(Option<usize>, Range<usize>)> = Vec::new();
    for (at, letter) in text[run.clone()].char_indices() {
        let (from, to) = (run.start + at, run.start + at + letter.len_utf8());
        let before = parts.last().and_then(|(face, _)| *face);
        let face = face_of(letter, bold, before);
        match parts.last_mut() {
            Some((last, range)) if *last == face => range.end = to,
            Some(_) | None => parts.push((face, from..to)),
        }
    }
    parts
}

/// One part as glyphs, and how wide it is.
fn piece(text: &str, face: Option<usize>, right_to_left: bool) -> (Piece, f32) {
    let (face, glyphs) = face
        .and_then(|face| glyphs(text, face, right_to_left).map(|glyphs| (face, glyphs)))
        .unwrap_or_else(|| boxes(text));
    let width = glyphs.iter().map(|glyph| glyph.x_advance).sum();
    (Piece { face, x: 0.0, text: text.to_owned(), glyphs }, width)
}

/// As glyphs of a font; `None` if it lacks any, which no archivable document may show.
#[expect(clippy::cast_precision_loss, reason = "a font's coordinates are 16 bits wide")]
fn glyphs(text: &str, face: usize, right_to_left: bool) -> Option<Vec<KrillaGlyph>> {
    let shaper = &font::face(face)?.shaper;
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    buffer.set_direction(if right_to_left { Direction::RightToLeft } else { Direction::LeftToRight });
    let output = rustybuzz::shape(shaper, &[], buffer);
    let em = shaper.units_per_em() as f32;
    let mut starts: Vec<usize> = output.glyph_infos().iter().map(|glyph| glyph.cluster as usize).collect();
    starts.push(text.len());
    starts.sort_unstable();
    let glyphs = output.glyph_infos().iter().zip(output.glyph_positions()).map(|(glyph, position)| {
        let start = glyph.cluster as usize;
        let end = starts.get(starts.partition_point(|other| *other <= start)).copied().unwrap_or(text.len());
        let [advance, x, y] = [position.x_advance, position.x_offset, position.y_offset].map(|units| units as f32 / em);
        let id = Some(glyph.glyph_id).filter(|id| *id != 0)?;
        Some(KrillaGlyph::new(GlyphId::new(id), advance, x, y, 0.0, start..end, None))
    });
    glyphs.collect()
}

/// A box for each letter.
#[expect(clippy::cast_precision_loss, reason = "a font's coordinates are 16 bits wide")]
fn boxes(text: &str) -> (usize, Vec<KrillaGlyph>) {
    let (face, glyph) = missing();
    let advance = font::face(face).map_or(1.0, |face| {
        let advance = face.shaper.glyph_hor_advance(glyph).unwrap_or_default();
        f32::from(advance) / face.shaper.units_per_em() as f32
    });
    let each = text.char_indices().map(|(at, letter)| {
        KrillaGlyph::new(GlyphId::new(u32::from(glyph.0)), advance, 0.0, 0.0, 0.0, at..at + letter.len_utf8(), None)
    });
    (face, each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[Rc<Shaped>]) -> Vec<String> {
        let of = |line: &Rc<Shaped>| line.pieces.iter().map(|piece| piece.text.as_str()).collect();
        lines.iter().map(of).collect()
    }

    #[test]
    fn lines_end_between_words_and_long_words_are_broken() {
        let mut set = Typesetter::default();
        let lines = set.lines("one two three Donaudampfschifffahrt four", false, 5.0);
        assert!(lines.iter().all(|line| line.width <= 5.3), "{lines:?}");
        assert_eq!(said(&lines), ["one two ", "three ", "Donauda", "mpfschifff", "ahrt four"]);
        assert!(set.lines(&"株式会社".repeat(9), false, 5.0).iter().all(|line| line.width <= 5.0));
    }

    #[test]
    fn right_to_left_is_written_so_and_read_in_order() {
        let line = shape("אבג (Data 2000) דה", false);
        let mut pieces: Vec<_> = line.pieces.iter().map(|piece| (piece.x, piece.text.trim())).collect();
        pieces.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert_eq!(pieces.first().unwrap().1, "דה");
        assert_eq!(line.pieces.first().unwrap().text.trim(), "אבג");
    }

    #[test]
    fn what_no_font_has_is_a_box_that_is_still_its_letter() {
        let line = shape("a\u{1f600}", false);
        let piece = line.pieces.last().unwrap();
        assert_eq!((piece.face, piece.text.as_str(), piece.glyphs.len()), (missing().0, "\u{1f600}", 1));
        assert_eq!(piece.glyphs[0].glyph_id, GlyphId::new(u32::from(missing().1.0)));
    }

    #[test]
    fn nothing_turns_the_direction_of_a_name_round() {
        assert_eq!(clean("\u{202e}a\u{2066}b\u{feff}\0\u{e000}\u{fffe}"), "ab \u{fffd}\u{fffd}");
        assert_eq!(clean("e\u{301}"), "é");
    }
}
