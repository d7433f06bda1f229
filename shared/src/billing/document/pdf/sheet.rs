//! What stands where: pages are filled from top to bottom, before anything is written, because each page says how many there are.

use std::rc::Rc;

use super::text::{Shaped, Typesetter};

/// A4, in points.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
/// Where text begins and ends.
pub(super) const LEFT: f32 = 50.0;
pub(super) const RIGHT: f32 = WIDTH - 50.0;
const TOP: f32 = 56.0;
const BOTTOM: f32 = HEIGHT - 84.0;
/// From one line of text to the next, as a part of its size.
const LEADING: f32 = 1.4;

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub size: f32,
    pub bold: bool,
    /// From 0, black, to 255, white.
    pub grey: u8,
}

impl Style {
    pub const TEXT: Self = Self { size: 9.0, bold: false, grey: 0 };
    pub const BOLD: Self = Self { bold: true, ..Self::TEXT };
    pub const SMALL: Self = Self { size: 8.0, bold: false, grey: 90 };

    pub fn leading(self) -> f32 {
        self.size * LEADING
    }
}

/// What a part of the document is, for those who have it read to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Title,
    Paragraph,
    Table,
    Row,
    /// The head of a column.
    Column,
    /// The head of a row.
    Head,
    Cell,
}

/// The number of a part; `None` for what only decorates or repeats.
pub(super) type Part = Option<usize>;

/// What stands on a page.
#[derive(Debug)]
pub(super) enum Mark {
    /// Text, from its left end on its base line.
    Text { x: f32, y: f32, line: Rc<Shaped>, style: Style, part: Part },
    /// A horizontal line.
    Rule { from: f32, to: f32, y: f32, width: f32, grey: u8 },
}

/// The pages so far.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// What stands on each.
    pub pages: Vec<Vec<Mark>>,
    /// The parts of the document in the order in which they are read: what each is, and what it is in.
    pub parts: Vec<(Role, Part)>,
    /// Where the next line begins on the last page.
    pub y: f32,
    type_: Typesetter,
}

impl Sheet {
    pub fn new() -> Self {
        Self { pages: vec![Vec::new()], y: TOP, ..Self::default() }
    }

    /// A part in another one.
    #[expect(clippy::unnecessary_wraps, reason = "the whole is a part, too, and in none")]
    pub fn part(&mut self, role: Role, of: Part) -> Part {
        self.parts.push((role, of));
        Some(self.parts.len() - 1)
    }

    /// Whether so much fits below what there is.
    pub fn fits(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }

    /// Goes on at the top of a new page.
    pub fn break_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Makes room for so much, on a new page if need be.
    pub fn room(&mut self, height: f32) {
        if !self.fits(height) && self.y > TOP {
            self.break_page();
        }
    }

    /// The text on lines no wider than `width`.
    pub fn lines(&mut self, text: &str, style: Style, width: f32) -> Vec<Rc<Shaped>> {
        self.type_.lines(text, style.bold, width / style.size)
    }

    /// Text on one line, smaller if it would be wider than `width`; with how wide it is then.
    pub fn fitted(&mut self, text: &str, style: Style, width: f32) -> (Rc<Shaped>, Style, f32) {
        let line = self.type_.line(text, style.bold);
        let size = if line.width > 0.0 { style.size.min(width / line.width) } else { style.size };
        let wide = line.width * size;
        (line, Style { size, ..style }, wide)
    }

    /// Puts a line down whose top is at `y`.
    pub fn put(&mut self, line: Rc<Shaped>, x: f32, y: f32, style: Style, part: Part) {
        self.mark(Mark::Text { x, y: y + style.size, line, style, part });
    }

    /// Puts text down whose top is at `y`, from `x` on.
    pub fn left(&mut self, text: &str, x: f32, y: f32, style: Style, part: Part) {
        let (line, style, _) = self.fitted(text, style, RIGHT - x);
        self.put(line, x, y, style, part);
    }

    /// Puts text down that ends at `x`, no wider than `width`.
    pub fn right(&mut self, text: &str, (x, width): (f32, f32), y: f32, style: Style, part: Part) {
        let (line, style, wide) = self.fitted(text, style, width);
        self.put(line, x - wide, y, style, part);
    }

    /// Puts text down on as many lines as it needs, from `y` on; gives where the next one begins. It stays on the page.
    pub fn block(&mut self, text: &str, (x, width): (f32, f32), mut y: f32, style: Style, part: Part) -> f32 {
        for line in self.lines(text, style, width) {
            self.put(line, x, y, style, part);
            y += style.leading();
        }
        y
    }

    /// The same as a paragraph below what there is, on a new page if need be.
    pub fn paragraph(&mut self, text: &str, style: Style) {
        let part = self.part(Role::Paragraph, None);
        for line in self.lines(text, style, RIGHT - LEFT) {
            self.room(style.leading());
            self.put(line, LEFT, self.y, style, part);
            self.y += style.leading();
        }
    }

    /// A line across.
    pub fn rule(&mut self, from: f32, y: f32, width: f32, grey: u8) {
        self.mark(Mark::Rule { from, to: RIGHT, y, width, grey });
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }
}
