//! The framing of the append-only files: a length and a checksum before each entry, so that a torn tail is recognised.
//!
//! `u32` length, `u32` CRC-32 of the payload, then the payload: one byte of kind, a `u64` id, the body. Little endian.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
};

const PREFIX: usize = 8;
const HEAD: usize = 9;

/// One entry of an append-only file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub kind: u8,
    pub id: u64,
    pub body: Vec<u8>,
}

/// The bytes of an entry, to be written with one call; `None` if it is larger than 4 GiB.
pub(super) fn encode(kind: u8, id: u64, body: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(HEAD + body.len()).ok()?;
    let mut bytes = Vec::with_capacity(PREFIX + HEAD + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(kind);
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.extend_from_slice(body);
    let checksum = crc32fast::hash(&bytes[PREFIX..]);
    bytes[4..PREFIX].copy_from_slice(&checksum.to_le_bytes());
    Some(bytes)
}

/// Opens `path` for appending and returns what it holds, after cutting off a torn tail.
pub(super) fn open(path: &Path) -> io::Result<(File, Vec<Frame>)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut frames = Vec::new();
    let mut whole = 0;
    while let Some((frame, length)) = decode(&bytes[whole..]) {
        frames.push(frame);
        whole += length;
    }
    if whole < bytes.len() {
        tracing::warn!(file = %path.display(), bytes = bytes.len() - whole, "dropped a torn tail");
        file.set_len(whole as u64)?;
    }
    Ok((file, frames))
}

fn decode(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    if crc32fast::hash(payload) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (kind, rest) = payload.split_first()?;
    let (id, body) = rest.split_first_chunk::<8>()?;
    let frame = Frame { kind: *kind, id: u64::from_le_bytes(*id), body: body.to_vec() };
    Some((frame, PREFIX + payload.len()))
}
