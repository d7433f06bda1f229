//! Reads `[[…]]` directives out of a prompt or a model's name.

use std::time::Duration;

use super::syntax::{Pairs, duration, error_code, failure, number, pair, tool_call};

/// Everything one request asks of the stand-in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Directives {
    pub tokens: Option<usize>,
    pub say: Option<String>,
    pub tools: Vec<ToolCall>,
    pub reason: u64,
    pub cached: u64,
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub finish: Option<String>,
    pub delay: Duration,
    pub chunk_delay: Duration,
    pub writes: Writes,
    pub failures: Vec<Failure>,
    pub fault: Option<Fault>,
    /// What an error in the stream is called.
    pub error_code: Option<String>,
    pub no_usage: bool,
    pub unknown: bool,
}

/// How a body is divided into writes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Writes {
    #[default]
    Batched,
    Flushed,
    Dripped,
}

/// A tool call to answer with; `arguments` is JSON text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolCall {
    pub name: String,
    pub arguments: String,
}

/// An error to answer with, the first `times` times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub status: u16,
    pub retry_after: Option<String>,
    pub times: Option<u32>,
    pub id: Option<String>,
    pub code: Option<String>,
}

/// What goes wrong with an answer, and after how many chunks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Stall,
    StallAfter(usize),
    Cut,
    CutAfter(usize),
    MalformedAfter(usize),
    CorruptAfter(usize),
    ErrorInStream(Option<usize>),
}

impl Directives {
    /// Adds the directives in `text`; says which one it does not understand.
    pub(super) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        while let Some(start) = rest.find("[[") {
            rest = self.read_one(&rest[start + 2..])?;
        }
        Ok(())
    }

    fn read_one<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        if let Some(said) = text.strip_prefix("say=") {
            let (said, rest) = said.split_once("]]").ok_or("the directive `say` is not closed")?;
            self.say = Some(said.to_owned());
            return Ok(rest);
        }
        let mut pairs = Vec::with_capacity(1);
        let mut rest = text.trim_start();
        loop {
            if let Some(after) = rest.strip_prefix("]]") {
                self.apply(&pairs)?;
                return Ok(after);
            }
            let (pair, after) = pair(rest).ok_or_else(|| format!("a directive is not closed: `[[{text}`"))?;
            pairs.push(pair);
            rest = after.trim_start();
        }
    }

    fn apply(&mut self, pairs: &Pairs<'_>) -> Result<(), String> {
        let Some(&(name, value)) = pairs.first() else {
            return Err("an empty directive".into());
        };
        match (name, value) {
            ("fail", Some(status)) => {
                self.failures.push(failure(status, &pairs[1..])?);
                return Ok(());
            }
            ("tool", Some(tool)) => {
                self.tools.push(tool_call(tool, &pairs[1..])?);
                return Ok(());
            }
            ("error_in_stream", count) => {
                self.fault = Some(Fault::ErrorInStream(count.map(number).transpose()?));
                self.error_code = error_code(&pairs[1..])?;
                return Ok(());
            }
            ("tokens", Some(count)) => self.tokens = Some(number(count)?),
            ("reason", Some(count)) => self.reason = number(count)?,
            ("cached", Some(count)) => self.cached = number(count)?,
            ("cache_write", Some(count)) => self.cache_write = number(count)?,
            ("cache_write_1h", Some(count)) => self.cache_write_1h = number(count)?,
            ("finish", Some(reason)) => self.finish = Some(reason.to_owned()),
            ("delay", Some(time)) => self.delay = duration(time)?,
            ("chunk_delay", Some(time)) => self.chunk_delay = duration(time)?,
            ("flush", None) => self.writes = Writes::Flushed,
            ("drip", None) => self.writes = Writes::Dripped,
            ("no_usage", None) => self.no_usage = true,
            ("unknown", None) => self.unknown = true,
            ("stall", None) => self.fault = Some(Fault::Stall),
            ("stall_after", Some(count)) => self.fault = Some(Fault::StallAfter(number(count)?)),
            ("cut", None) => self.fault = Some(Fault::Cut),
            ("cut_after", Some(count)) => self.fault = Some(Fault::CutAfter(number(count)?)),
            ("malformed_after", Some(count)) => {
                self.fault = Some(Fault::MalformedAfter(number(count)?));
            }
            ("corrupt_after", Some(count)) => self.fault = Some(Fault::CorruptAfter(number(count)?)),
            _ => {
                return Err(format!("the stand-in knows no directive `{name}` of this form"));
            }
        }
        match pairs.get(1) {
            None => Ok(()),
            Some((extra, _)) => Err(format!("the directive `{name}` takes no `{extra}`")),
        }
    }
}
