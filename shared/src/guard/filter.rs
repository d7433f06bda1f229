//! What the rules do to one text that comes in pieces: first what is denied, in the text as it was written; then each
//! mask in turn, in what the ones before it left.

use std::{ops::Range, sync::Arc};

use super::{
    pii::Pii,
    search::{Automaton, Search, Work},
};

/// The longest match in bytes. A mask takes what has matched so far when a match grows longer, and nothing if none has;
/// a longer text that is denied is found all the same, but its beginning is out by then.
pub(super) const LONGEST: usize = 4096;

/// Steps that a text may take, and steps more for each of its bytes. An ordinary rule takes one step for most bytes;
/// rules for which this isn't enough were made to be slow.
const STEPS: usize = 1 << 24;
const STEPS_PER_BYTE: usize = 256;

/// A mask as it is applied.
#[derive(Debug)]
pub(super) struct MaskRule {
    pub automaton: Automaton,
    /// What stands in place of a match.
    pub label: String,
    /// What a match must be beside matching.
    pub kind: Option<Pii>,
}

/// What comes after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    More,
    /// Another text of the same choice: what is held goes out, though this one may go on.
    Other,
    Nothing,
}

/// One text under the rules.
#[derive(Debug)]
pub(super) struct Filter {
    deny: Option<Deny>,
    masks: Vec<Mask>,
    work: Work,
}

/// What may go out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Passed {
    pub text: String,
    /// Why this was the last that may go out.
    pub denied: Option<Denied>,
}

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// This one of the denied patterns was found.
    Pattern(usize),
    /// The rules would take too long for it.
    TooComplex,
}

impl Filter {
    /// A filter for one text; `json` if it is JSON that must stay JSON.
    pub fn new(deny: Option<&Automaton>, masks: &[Arc<MaskRule>], json: bool) -> Self {
        let deny = deny.map(|automaton| Deny { search: Search::new(automaton), safe: 0 });
        Self { deny, masks: masks.iter().map(|rule| Mask::new(rule, json)).collect(), work: Work(STEPS) }
    }

    /// Takes a piece, and returns what of the text is decided by now.
    pub fn pass(&mut self, piece: &str, then: Then) -> Passed {
        self.work.0 = self.work.0.saturating_add(piece.len().saturating_mul(STEPS_PER_BYTE));
        let (mut text, denied) = match &mut self.deny {
            Some(deny) => deny.pass(piece, then, &mut self.work),
            None => (piece.to_owned(), None),
        };
        let last = then != Then::More || denied.is_some();
        for mask in &mut self.masks {
            text = mask.pass(&text, last, &mut self.work);
        }
        if self.work.0 == 0 {
            return Passed { text: String::new(), denied: Some(Denied::TooComplex) };
        }
        Passed { text, denied: denied.map(Denied::Pattern) }
    }

    /// Whether anything was masked since this was last asked.
    pub fn take_masked(&mut self) -> bool {
        let masked = self.masks.iter().any(|mask| mask.masked);
        self.masks.iter_mut().for_each(|mask| mask.masked = false);
        masked
    }
}

/// Looks for all denied patterns at once.
#[derive(Debug)]
struct Deny {
    search: Search,
    /// Up to where nothing can be part of a match, or is too far back.
    safe: usize,
}

impl Deny {
    fn pass(&mut self, piece: &str, then: Then, work: &mut Work) -> (String, Option<usize>) {
        self.search.push(piece, then == Then::Nothing);
        loop {
            if let Some(hit) = self.search.arrive(true, work) {
                let before = self.search.take(self.safe.max(hit.start));
                return (before.to_owned(), Some(hit.pattern));
            }
            let at = self.search.at();
            let open = self.search.earliest().unwrap_or(at);
            self.safe = self.safe.max(open).max(at.saturating_sub(LONGEST));
            if !self.search.step(work) {
                break;
            }
        }
        if then != Then::More {
            self.safe = self.search.at();
        }
        (self.search.take(self.safe).to_owned(), None)
    }
}

/// Replaces the matches of one pattern.
#[derive(Debug)]
struct Mask {
    rule: Arc<MaskRule>,
    search: Search,
    /// The best match so far, which may still grow or give way to one that began earlier.
    found: Option<Range<usize>>,
    /// Whether something was masked.
    masked: bool,
    quotes: Option<Quotes>,
}

impl Mask {
    fn new(rule: &Arc<MaskRule>, json: bool) -> Self {
        let quotes = json.then(Quotes::default);
        Self { rule: Arc::clone(rule), search: Search::new(&rule.automaton), found: None, masked: false, quotes }
    }

    fn pass(&mut self, piece: &str, last: bool, work: &mut Work) -> String {
        let mut out = String::new();
        self.search.push(piece, last);
        loop {
            if let Some(hit) = self.search.arrive(self.found.is_none(), work) {
                self.found = Some(hit.start..self.search.at());
            }
            self.search.give_up(LONGEST);
            let went_on = self.search.step(work);
            let decided = self.search.earliest().is_none();
            match self.found.take_if(|_| decided) {
                Some(found) => self.decide(found, &mut out),
                None if went_on => {}
                None => break,
            }
        }
        let open = self.search.earliest().into_iter().chain(self.found.as_ref().map(|found| found.start)).min();
        self.give_out(open.unwrap_or(self.search.at()), &mut out);
        out
    }

    /// Masks a match, or as much of it as is what the pattern looks for, and goes on behind it.
    fn decide(&mut self, found: Range<usize>, out: &mut String) {
        let text = self.search.text(found.start, found.end);
        let real = self.rule.kind.map_or(Some(text.len()), |kind| kind.accept(text));
        let first = text.chars().next().map_or(1, char::len_utf8);
        let Some(length) = real else { return self.search.restart(found.start + first) };
        self.give_out(found.start, out);
        self.masked = true;
        let label = &self.rule.label;
        match &self.quotes {
            // A number, or anything else that isn't a string: only a string can say the label.
            Some(quotes) if !quotes.inside => out.extend(["\"[", label, "]\""]),
            Some(_) | None => out.extend(["[", label, "]"]),
        }
        self.give_out(found.start + length, &mut String::new());
        self.search.restart(found.start + length);
    }

    fn give_out(&mut self, end: usize, out: &mut String) {
        let piece = self.search.take(end);
        if let Some(quotes) = &mut self.quotes {
            quotes.read(piece);
        }
        out.push_str(piece);
    }
}

/// Whether a place in JSON is inside of a string.
#[derive(Debug, Default)]
struct Quotes {
    inside: bool,
    escaped: bool,
}

impl Quotes {
    fn read(&mut self, json: &str) {
        for byte in json.bytes() {
            self.inside ^= byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
        }
    }
}
