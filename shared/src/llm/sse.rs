//! Reads a stream of server-sent events as its bytes come (WHATWG HTML, section 9.2 "Server-sent events"). It borrows
//! what it can: an event with one `data` line is never copied out of the buffer.

use std::{mem, ops::Range, str, time::Duration};

use memchr::{memchr, memchr2};

/// The most bytes that one event may have, its comments and line ends included.
pub const MAX_EVENT: usize = 8 * 1024 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// An event that was dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its type, `message` unless the stream names another.
    pub event: &'a str,
    /// Its `data` lines, joined by line feeds. Not yet checked to be UTF-8.
    pub data: &'a [u8],
}

/// An event is longer than [`MAX_EVENT`]. The stream can't be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {MAX_EVENT} bytes")]
pub struct TooLong;

/// The parser: bytes are pushed in, events are taken out.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    /// Where the event that is being read begins. Nothing before it is needed any more.
    event: usize,
    /// Where the line that is being read begins.
    line: usize,
    /// Up to where the line was searched for its end.
    searched: usize,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    /// The first line, which may begin with a byte order mark, is over.
    after_bom: bool,
    /// The event's type, where it is in the buffer; `0..0` if it has none.
    name: Range<usize>,
    data: Data,
    joined: Vec<u8>,
    id: String,
    retry: Option<Duration>,
}

/// The `data` lines of an event so far.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One, where it is in the buffer.
    Line(Range<usize>),
    /// Several, in `joined`.
    Joined,
}

impl Parser {
    /// Adds the next bytes of the stream, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.event > 0 {
            self.buffer.drain(..self.event);
            self.line -= self.event;
            self.searched -= self.event;
            let moved = |range: &Range<usize>| range.start - self.event..range.end - self.event;
            if !self.name.is_empty() {
                self.name = moved(&self.name);
            }
            if let Data::Line(range) = &self.data {
                self.data = Data::Line(moved(range));
            }
            self.event = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event; `None` until more bytes are pushed. What is left at the end of the stream is not an
    /// event.
    ///
    /// # Errors
    /// `TooLong`, then always.
    pub fn next_event(&mut self) -> Result<Option<Frame<'_>>, TooLong> {
        while let Some(line) = self.next_line()? {
            if !line.is_empty() {
                self.field(line);
                if self.name.is_empty() && matches!(self.data, Data::None) {
                    self.event = self.line;
                }
                continue;
            }
            self.event = self.line;
            let name = mem::take(&mut self.name);
            let data = match mem::take(&mut self.data) {
                Data::None => continue,
                Data::Line(range) => &self.buffer[range],
                Data::Joined => self.joined.as_slice(),
            };
            let event = match str::from_utf8(&self.buffer[name]) {
                Ok("") | Err(_) => "message",
                Ok(name) => name,
            };
            return Ok(Some(Frame { event, data }));
        }
        Ok(None)
    }

    /// The last `id` that the stream set, empty if none: what a client sends as `Last-Event-ID` when it comes back.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.id
    }

    /// How long the stream wants a client to wait before it comes back.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The next line, without its end.
    fn next_line(&mut self) -> Result<Option<Range<usize>>, TooLong> {
        if self.after_cr && self.line < self.buffer.len() {
            self.after_cr = false;
            if self.buffer[self.line] == b'\n' {
                self.line += 1;
                self.searched = self.line;
            }
        }
        let found = memchr2(b'\n', b'\r', &self.buffer[self.searched..]).map(|offset| self.searched + offset);
        self.searched = found.unwrap_or(self.buffer.len());
        if self.searched - self.event > MAX_EVENT {
            return Err(TooLong);
        }
        let Some(end) = found else { return Ok(None) };
        let mut line = self.line..end;
        if !mem::replace(&mut self.after_bom, true) && self.buffer[line.clone()].starts_with(BOM) {
            line.start += BOM.len();
        }
        self.after_cr = self.buffer[end] == b'\r';
        self.line = end + 1;
        self.searched = self.line;
        Ok(Some(line))
    }

    fn field(&mut self, line: Range<usize>) {
        let text = &self.buffer[line.clone()];
        let colon = memchr(b':', text).unwrap_or(text.len());
        let (name, rest) = text.split_at(colon);
        let skipped = if rest.starts_with(b": ") { 2 } else { rest.len().min(1) };
        let value = line.start + colon + skipped..line.end;
        match name {
            b"data" => self.add_data(value),
            b"event" => self.name = if value.is_empty() { 0..0 } else { value },
            b"id" => match str::from_utf8(&self.buffer[value]) {
                Ok(id) if !id.contains('\0') => id.clone_into(&mut self.id),
                Ok(_) | Err(_) => {}
            },
            b"retry" => {
                let digits = &self.buffer[value];
                if digits.iter().all(u8::is_ascii_digit) {
                    let millis = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                    self.retry = millis.map(Duration::from_millis).or(self.retry);
                }
            }
            // A comment, whose name is empty, or a field that the standard ignores.
            _ => {}
        }
    }

    fn add_data(&mut self, value: Range<usize>) {
        match mem::replace(&mut self.data, Data::Joined) {
            Data::None => {
                self.data = Data::Line(value);
                return;
            }
            Data::Line(first) => {
                self.joined.clear();
                self.joined.extend_from_slice(&self.buffer[first]);
            }
            Data::Joined => {}
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(&self.buffer[value]);
    }
}

#[cfg(test)]
mod tests;
