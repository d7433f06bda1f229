//! A regex search over a text that comes in pieces. After each piece it knows the earliest place where a match could
//! still begin; all text before that can go out.
//!
//! `regex-automata` finds matches in whole texts only, but its NFA is public. This walks it as its `PikeVM` does:
//! leftmost-first, each byte against each state at most once, so that there is nothing that a pattern could blow up. What
//! is ours is that the walk can stop anywhere and go on later, and that its steps are counted.

use std::{mem, sync::Arc};

use regex_automata::{
    nfa::thompson::{NFA, State},
    util::primitives::StateID,
};

/// Patterns in the form that is searched for. A clone is the same one.
#[derive(Debug, Clone)]
pub(super) struct Automaton {
    nfa: NFA,
    /// With which bytes a match can begin.
    first: Arc<[bool]>,
}

/// The steps that may still be spent on a text.
#[derive(Debug)]
pub(super) struct Work(pub usize);

/// A search. All positions are in bytes from the beginning of the whole text.
#[derive(Debug)]
pub(super) struct Search {
    automaton: Automaton,
    /// What was not yet given out, and at least one character before it, for what looks behind.
    text: String,
    /// Where `text` begins.
    base: usize,
    /// Up to where the text was given out.
    sent: usize,
    /// The next byte to be read.
    at: usize,
    /// Whether no text will follow.
    ended: bool,
    /// What could become a match, the preferred first; so those that began earlier come before those that began later.
    threads: Vec<Thread>,
    spare: Vec<Thread>,
    stack: Vec<StateID>,
    /// The round in which each state was last visited.
    seen: Vec<u64>,
    round: u64,
    /// Whether a preferred thread depends on the character that is still to come.
    undecided: bool,
}

/// A match under way.
#[derive(Debug, Clone, Copy)]
struct Thread {
    state: StateID,
    start: usize,
}

/// A match that ends where the search is.
#[derive(Debug)]
pub(super) struct Hit {
    /// Which of the patterns.
    pub pattern: usize,
    pub start: usize,
}

impl Automaton {
    /// One for patterns that don't match the empty text.
    pub fn new(nfa: NFA) -> Self {
        let mut first = vec![false; 256];
        let mut seen = vec![false; nfa.states().len()];
        let mut stack = vec![nfa.start_anchored()];
        while let Some(id) = stack.pop() {
            if seen.get_mut(id.as_usize()).is_none_or(|seen| mem::replace(seen, true)) {
                continue;
            }
            let state = nfa.state(id);
            first.iter_mut().zip(0..=u8::MAX).for_each(|(first, byte)| *first |= after(state, byte).is_some());
            match state {
                State::Look { next, .. } | State::Capture { next, .. } => stack.push(*next),
                State::Union { alternates } => stack.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Fail | State::Match { .. } => {}
            }
        }
        Self { nfa, first: first.into() }
    }
}

impl Search {
    /// A search that has read nothing.
    pub fn new(automaton: &Automaton) -> Self {
        Self {
            automaton: automaton.clone(),
            text: String::new(),
            base: 0,
            sent: 0,
            at: 0,
            ended: false,
            threads: Vec::new(),
            spare: Vec::new(),
            stack: Vec::new(),
            seen: vec![0; automaton.nfa.states().len()],
            round: 0,
            undecided: false,
        }
    }

    /// Appends a piece; `last` says that nothing follows it.
    pub fn push(&mut self, piece: &str, last: bool) {
        // Of what went out, one character is enough.
        let cut = self.text.floor_char_boundary((self.sent - self.base).saturating_sub(1));
        self.text.drain(..cut);
        self.base += cut;
        self.text.push_str(piece);
        self.ended = last;
    }

    /// The position that the search has come to.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Where the earliest match under way begins.
    pub fn earliest(&self) -> Option<usize> {
        self.threads.first().map(|thread| thread.start)
    }

    /// Text from `start` to `end`, as far as it was not given out.
    pub fn text(&self, start: usize, end: usize) -> &str {
        self.text.get(start - self.base..end - self.base).unwrap_or_default()
    }

    /// Gives out the text up to `end`, or to the character that `end` is in.
    pub fn take(&mut self, end: usize) -> &str {
        let end = self.base + self.text.floor_char_boundary(end - self.base);
        let start = self.sent;
        self.sent = end.max(start);
        self.text(start, self.sent)
    }

    /// Forgets all matches under way, and goes on from `at`, which was not given out.
    pub fn restart(&mut self, at: usize) {
        self.threads.clear();
        self.at = at;
    }

    /// Forgets matches that are `longest` bytes long and still not decided.
    pub fn give_up(&mut self, longest: usize) {
        if self.next().is_some() {
            self.threads.retain(|thread| thread.start + longest > self.at);
        }
    }

    /// Says whether a match ends here, and drops what is less preferred than it. If none does, and `begin`, one may
    /// begin here. Where that takes the next character, and it isn't there yet, nothing is said until it is.
    pub fn arrive(&mut self, begin: bool, work: &mut Work) -> Option<Hit> {
        self.round += 1;
        self.undecided = false;
        let mut threads = mem::replace(&mut self.threads, mem::take(&mut self.spare));
        let hit = threads.drain(..).find_map(|thread| self.follow(thread, work));
        self.spare = threads;
        let first = |byte| self.automaton.first.get(usize::from(byte)).copied().unwrap_or_default();
        let begin = begin && hit.is_none() && self.next().is_some_and(first);
        if begin && self.text.is_char_boundary(self.at - self.base) {
            self.follow(Thread { state: self.automaton.nfa.start_anchored(), start: self.at }, work);
        }
        hit
    }

    /// Reads the next byte; `false` if there is none, or no work left.
    pub fn step(&mut self, work: &mut Work) -> bool {
        work.0 = work.0.saturating_sub(1);
        if work.0 == 0 {
            return false;
        }
        let Some(byte) = self.next() else {
            if self.ended {
                self.threads.clear();
            }
            return false;
        };
        self.at += 1;
        self.threads.retain_mut(|thread| {
            let next = after(self.automaton.nfa.state(thread.state), byte);
            thread.state = next.unwrap_or(thread.state);
            next.is_some()
        });
        true
    }

    /// Goes wherever a thread can go without reading, in the order of preference, until it is a match.
    fn follow(&mut self, thread: Thread, work: &mut Work) -> Option<Hit> {
        let known = self.ended || self.next().is_some();
        self.stack.clear();
        self.stack.push(thread.state);
        while let Some(state) = self.stack.pop() {
            work.0 = work.0.saturating_sub(1);
            match self.seen.get_mut(state.as_usize()) {
                Some(round) if *round != self.round => *round = self.round,
                Some(_) | None => continue,
            }
            match self.automaton.nfa.state(state) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
                    self.threads.push(Thread { state, ..thread });
                }
                State::Look { .. } if !known => {
                    self.undecided = true;
                    self.threads.push(Thread { state, ..thread });
                }
                State::Look { look, next } => {
                    let here = self.at - self.base;
                    if self.automaton.nfa.look_matcher().matches(*look, self.text.as_bytes(), here) {
                        self.stack.push(*next);
                    }
                }
                State::Union { alternates } => self.stack.extend(alternates.iter().rev()),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([*alt2, *alt1]),
                State::Capture { next, .. } => self.stack.push(*next),
                State::Fail => {}
                State::Match { .. } if self.undecided => self.threads.push(Thread { state, ..thread }),
                State::Match { pattern_id } => {
                    return Some(Hit { pattern: pattern_id.as_usize(), start: thread.start });
                }
            }
        }
        None
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at - self.base).copied()
    }
}

/// Where a state goes with a byte.
fn after(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(transitions) => transitions.matches_byte(byte),
        State::Dense(transitions) => transitions.matches_byte(byte),
        State::Look { .. }
        | State::Union { .. }
        | State::BinaryUnion { .. }
        | State::Capture { .. }
        | State::Fail
        | State::Match { .. } => None,
    }
}
