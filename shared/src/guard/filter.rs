//! What the rules do to one text that comes in pieces: first what is denied, in the text as it was written; then each
//! mask in turn, in what the ones before it left.

use std::{ops::Range, sync::Arc};

use regex_automata::nfa::thompson::NFA;

use super::{pii::Pii, search::Search};

/// The longest match in bytes. A mask takes what has matched so far when a match grows longer, and nothing if none has;
/// a longer text that is denied is found all the same, but its beginning is out by then.
pub(super) const LONGEST: usize = 4096;

/// A mask as it is applied.
#[derive(Debug)]
pub(super) struct MaskRule {
    pub nfa: NFA,
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
}

/// What may go out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Passed {
    pub text: String,
    /// Which of the denied patterns was found: this was the last that may go out.
    pub denied: Option<usize>,
}

impl Filter {
    /// A filter for one text; `json` if it is JSON that must stay JSON.
    pub fn new(deny: Option<&NFA>, masks: &[Arc<MaskRule>], json: bool) -> Self {
        let deny = deny.map(|nfa| Deny { search: Search::new(nfa), safe: 0 });
        Self { deny, masks: masks.iter().map(|rule| Mask::new(rule, json)).collect() }
    }

    /// Takes a piece, and returns what of the text is decided by now.
    pub fn pass(&mut self, piece: &str, then: Then) -> Passed {
        let (mut text, denied) = match &mut self.deny {
            Some(deny) => deny.pass(piece, then),
            None => (piece.to_owned(), None),
        };
        let last = then != Then::More || denied.is_some();
        for mask in &mut self.masks {
            text = mask.pass(&text, last);
        }
        Passed { text, denied }
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
    fn pass(&mut self, piece: &str, then: Then) -> (String, Option<usize>) {
        self.search.push(piece, then == Then::Nothing);
        loop {
            if let Some(hit) = self.search.arrive(true) {
                let before = self.search.take(self.safe.max(hit.start));
                return (before.to_owned(), Some(hit.pattern));
            }
            let at = self.search.at();
            let open = self.search.earliest().unwrap_or(at);
            self.safe = self.safe.max(open).max(at.saturating_sub(LONGEST));
            if !self.search.step() {
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
        Self { rule: Arc::clone(rule), search: Search::new(&rule.nfa), found: None, masked: false, quotes }
    }

    fn pass(&mut self, piece: &str, last: bool) -> String {
        let mut out = String::new();
        self.search.push(piece, last);
        loop {
            if let Some(hit) = self.search.arrive(self.found.is_none()) {
                self.found = Some(hit.start..self.search.at());
            }
            self.search.give_up(LONGEST);
            let went_on = self.search.step();
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
