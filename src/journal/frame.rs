//! One record as a line of the file, and the chain of hashes over all lines.
//!
//! What is whole, what is cut off and what was changed is decided here, for the writer and for readers alike.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::base::Base;

/// Longest JSON of one record, so that a reader's memory is bounded.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// The newest format version that is understood.
pub(super) const VERSION: u32 = 2;
/// Of a journal that has all its records.
const COMPLETE: u32 = 1;
/// Of one that begins with a base, in the place of records that were dropped.
const WITH_BASE: u32 = 2;

const MAGIC: &str = "recant-journal ";
/// `<length up to 7 digits> <64 hex digits> `
const MAX_PREFIX_BYTES: usize = 7 + 1 + 64 + 1;

/// A record with its place in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<R> {
    /// Counts from 0.
    pub sequence: u64,
    /// When it was appended, by the writer's clock.
    pub at: Timestamp,
    /// Hash of the entry before it; of the header line for the first.
    pub previous: String,
    pub record: R,
}

/// The line a journal begins with.
pub(super) fn header() -> String {
    format!("{MAGIC}{COMPLETE}\n")
}

/// The line that a journal begins with of which the first records were dropped.
pub(super) fn header_with_base() -> String {
    format!("{MAGIC}{WITH_BASE}\n")
}

/// What the first line says.
pub(super) enum Header {
    /// A record comes next.
    Known,
    /// A base comes next.
    Based,
    /// Nothing, or the beginning of a header: the writer died while it created the file.
    Unfinished,
    Newer(u32),
    Foreign(&'static str),
}

/// Reads the first line; leaves `reader` behind it.
pub(super) fn read_header(reader: &mut impl BufRead) -> io::Result<Header> {
    let mut line = Vec::new();
    reader.take(64).read_until(b'\n', &mut line)?;
    let known = header();
    if line == known.as_bytes() {
        return Ok(Header::Known);
    }
    if line == header_with_base().as_bytes() {
        return Ok(Header::Based);
    }
    if known.as_bytes().starts_with(&line) {
        return Ok(Header::Unfinished);
    }
    let version = std::str::from_utf8(&line)
        .ok()
        .and_then(|line| line.strip_suffix('\n')?.strip_prefix(MAGIC)?.parse().ok());
    Ok(match version {
        Some(version) if version > VERSION => Header::Newer(version),
        Some(_) => Header::Foreign("its header names a version that never was"),
        None => Header::Foreign("its first line is not `recant-journal <version>`"),
    })
}

/// What comes next in a file.
pub(super) enum Line {
    /// With its newline.
    Whole,
    End,
    /// The file ends within a record: the beginning of a record, perhaps followed by blocks never written.
    Cut,
    /// Neither a record nor the beginning of one.
    Broken,
}

/// Reads the next line into `line`, in bounded memory.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let limit = MAX_PREFIX_BYTES + MAX_RECORD_BYTES + 1;
    reader.by_ref().take(limit as u64).read_until(b'\n', line)?;
    if line.is_empty() {
        return Ok(Line::End);
    }
    if line.ends_with(b"\n") {
        return Ok(Line::Whole);
    }
    // A file system may have grown the file without having written its blocks: they read as zeros. JSON has none.
    let written = line
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(line.len());
    let (begun, rest) = line.split_at(written);
    // Below the limit the end of the file was met. It must not be looked for again: a writer may have gone on since.
    let unwritten =
        rest.iter().all(|byte| *byte == 0) && (line.len() < limit || only_zeros(reader)?);
    Ok(if unwritten && is_begun(begun) {
        Line::Cut
    } else {
        Line::Broken
    })
}

fn only_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(true);
        }
        if chunk.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let length = chunk.len();
        reader.consume(length);
    }
}

/// Whether these bytes, which no newline follows, may be the first of a record that was being written.
fn is_begun(bytes: &[u8]) -> bool {
    match split_length(bytes) {
        Some((length, rest)) => rest.len() <= 64 + 1 + length,
        None => bytes.len() <= 7 && bytes.iter().all(u8::is_ascii_digit),
    }
}

fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let space = bytes.iter().take(8).position(|byte| *byte == b' ')?;
    let (digits, rest) = bytes.split_at_checked(space)?;
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((length, rest.get(1..)?))
}

/// The end of the chain: what the next entry must be linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    pub(super) next: u64,
    last: String,
    /// Hash of the base that this journal begins with, until a record has named it.
    unnamed: Option<String>,
}

/// Why a whole line is not the next entry.
pub(super) enum Misfit {
    /// It is not what was written there.
    Chain(Break),
    /// It is the next entry, but its record cannot be read.
    Record(String),
}

/// How the chain of a journal is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("is not what was written: its bytes do not fit their hash")]
    Changed,
    #[error("is missing, and so is everything up to record {found}, which comes next")]
    Gap { found: u64 },
    #[error("does not fit the one before it: one of them was put in the place of another")]
    Replaced,
    #[error(
        "comes after a state in the place of records that were dropped, and that state is not what was written there"
    )]
    Base,
}

impl Chain {
    /// The chain before the first record.
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            last: hash(header().as_bytes()),
            unnamed: None,
        }
    }

    /// The chain behind a base.
    pub(super) fn behind(base: &Base) -> Self {
        Self {
            next: base.dropped.through + 1,
            last: base.dropped.last.clone(),
            unnamed: Some(base.hash.clone()),
        }
    }

    /// At the end of a journal: whether the base that it begins with is the one that its records name.
    pub(super) fn base_is_named(&self) -> bool {
        self.unnamed.is_none()
    }

    /// Appends the next entry's line to `out`.
    pub(super) fn encode<R: Serialize>(
        &mut self,
        at: Timestamp,
        record: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let entry = Entry {
            sequence: self.next,
            at,
            previous: std::mem::take(&mut self.last),
            record,
        };
        let json = serde_json::to_vec(&entry).map_err(|error| error.to_string())?;
        self.last = line(&json, out)?;
        self.next += 1;
        Ok(())
    }

    /// Reads a whole line as the next entry.
    pub(super) fn decode<R: DeserializeOwned>(&mut self, line: &[u8]) -> Result<Entry<R>, Misfit> {
        let json = self.verify(line).map_err(Misfit::Chain)?;
        let entry = serde_json::from_slice(json);
        // The chain goes on behind a record that is not understood: the hash held.
        self.advance(json);
        entry.map_err(|error| Misfit::Record(error.to_string()))
    }

    /// Checks a whole line without looking into its record.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<(), Misfit> {
        let json = self.verify(line).map_err(Misfit::Chain)?;
        self.advance(json);
        Ok(())
    }

    fn advance(&mut self, json: &[u8]) {
        if self.unnamed.as_ref().is_some_and(|base| names(json, base)) {
            self.unnamed = None;
        }
        self.last = hash(json);
        self.next += 1;
    }

    /// The number of the last entry and its hash; `None` before the first.
    pub(super) fn head(&self) -> Option<(u64, &str)> {
        Some((self.next.checked_sub(1)?, self.last.as_str()))
    }

    fn verify<'a>(&self, line: &'a [u8]) -> Result<&'a [u8], Break> {
        #[derive(Deserialize)]
        struct Link {
            sequence: u64,
            previous: String,
        }
        let json = whole(line).ok_or(Break::Changed)?;
        let link: Link = serde_json::from_slice(json).map_err(|_| Break::Changed)?;
        if link.sequence > self.next {
            return Err(Break::Gap {
                found: link.sequence,
            });
        }
        if link.sequence != self.next || link.previous != self.last {
            return Err(Break::Replaced);
        }
        Ok(json)
    }
}

/// Whether this entry says that the base of this hash was written.
fn names(json: &[u8], base: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        record: Compacted,
    }
    #[derive(Deserialize)]
    struct Compacted {
        record: String,
        base: String,
    }
    // Most records are something else, and are not parsed a second time.
    if !std::str::from_utf8(json).is_ok_and(|text| text.contains(base)) {
        return false;
    }
    serde_json::from_slice::<Named>(json)
        .is_ok_and(|entry| entry.record.record == "compacted" && entry.record.base == base)
}

/// Appends a line with this JSON to `out`; its hash.
///
/// # Errors
/// It is too long.
pub(super) fn line(json: &[u8], out: &mut Vec<u8>) -> Result<String, String> {
    if json.len() > MAX_RECORD_BYTES {
        return Err(format!(
            "it has {} bytes, the limit is {MAX_RECORD_BYTES}",
            json.len()
        ));
    }
    let hash = hash(json);
    out.extend_from_slice(format!("{} {hash} ", json.len()).as_bytes());
    out.extend_from_slice(json);
    out.push(b'\n');
    Ok(hash)
}

/// The JSON of a line whose length and hash are right.
pub(super) fn whole(line: &[u8]) -> Option<&[u8]> {
    let (length, rest) = split_length(line)?;
    let (claimed, rest) = rest.split_at_checked(64)?;
    let json = rest.strip_prefix(b" ")?.strip_suffix(b"\n")?;
    if json.len() != length || hash(json).as_bytes() != claimed {
        return None;
    }
    // Leading zeros or a sign would be a second way to write the same length.
    line.starts_with(format!("{length} ").as_bytes())
        .then_some(json)
}

pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        })
}
