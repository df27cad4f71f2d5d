//! What stands in a journal in the place of records that retention dropped: the state that they folded to, the hash of
//! the last of them, and from when to when they were.
//!
//! It is one or more lines in front of the first record that was kept, each of them carrying the hash of the line before.
//! The hash of the last one is in the chain of records by [`Record::Compacted`], so that it cannot be changed unnoticed
//! either; and since it names the hash of the last record that was dropped, the chain of those that were kept goes on
//! byte for byte, and a head that was noted earlier can still be looked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use recant_core::ledger::Ledger;

use super::frame::{self, MAX_RECORD_BYTES};

/// Bytes of the state in one line, about: well below the longest line that is read.
const PART_BYTES: usize = MAX_RECORD_BYTES / 4;
/// More parts than this were written by nobody.
const MOST_PARTS: u64 = 100_000;

/// What was dropped, and what it led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    pub dropped: Dropped,
    /// Hash of its last line, which [`recant_core::record::Record::Compacted`] names.
    pub hash: String,
    state: Map<String, Value>,
}

/// The records that are not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// The number of the last of them; the first was 0.
    pub through: u64,
    /// Hash of the last of them.
    pub last: String,
    /// When the first of them was appended.
    pub from: Timestamp,
    /// When the last of them was.
    pub until: Timestamp,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    part: u64,
    parts: u64,
    /// Hash of the line before; of the header for the first.
    previous: String,
    #[serde(flatten)]
    dropped: Dropped,
    state: Map<String, Value>,
}

impl Base {
    /// The state that the dropped records folded to.
    ///
    /// # Errors
    /// A newer Recant wrote it, with more in it.
    pub fn ledger(&self) -> Result<Ledger, String> {
        serde_json::from_value(Value::Object(self.state.clone())).map_err(|error| error.to_string())
    }

    /// The header and the lines of a base, and its hash.
    ///
    /// # Errors
    /// The state cannot be written as it is: then nothing may be dropped.
    pub(super) fn encode(dropped: &Dropped, ledger: &Ledger) -> Result<(Vec<u8>, String), String> {
        let state = serde_json::to_value(ledger).map_err(|error| error.to_string())?;
        let Value::Object(state) = state else {
            return Err("the state is no object".to_owned());
        };
        let parts = split(&state);
        let mut bytes = frame::header_with_base().into_bytes();
        let mut previous = frame::hash(&bytes);
        let count = parts.len() as u64;
        for (number, state) in (0..).zip(parts) {
            let part = Part {
                part: number,
                parts: count,
                previous,
                dropped: dropped.clone(),
                state,
            };
            let json = serde_json::to_vec(&part).map_err(|error| error.to_string())?;
            previous = frame::line(&json, &mut bytes)?;
        }
        let read = Reading::default().all(&bytes)?;
        // Whatever is not read back as it was must not replace the records that it came from.
        if read.ledger()? != *ledger {
            return Err("the state is not read back as it was written".to_owned());
        }
        Ok((bytes, previous))
    }
}

/// Takes in the lines of a base one after the other.
#[derive(Debug, Default)]
pub(super) struct Reading {
    previous: Option<String>,
    next: u64,
    dropped: Option<Dropped>,
    state: Map<String, Value>,
}

impl Reading {
    /// One whole line; the base when it was the last.
    ///
    /// # Errors
    /// It is not what was written there.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<Option<Base>, String> {
        let changed = || "its bytes do not fit their hash".to_owned();
        let json = frame::whole(line).ok_or_else(changed)?;
        let part: Part = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let first = || frame::hash(frame::header_with_base().as_bytes());
        let previous = self.previous.take().unwrap_or_else(first);
        let follows = part.part == self.next
            && part.previous == previous
            && self.dropped.as_ref().is_none_or(|all| *all == part.dropped)
            && (part.part + 1..=MOST_PARTS).contains(&part.parts);
        if !follows {
            return Err("its lines do not follow each other".to_owned());
        }
        merge(&mut self.state, part.state);
        self.next += 1;
        let hash = frame::hash(json);
        if self.next < part.parts {
            self.previous = Some(hash);
            self.dropped = Some(part.dropped);
            return Ok(None);
        }
        Ok(Some(Base {
            dropped: part.dropped,
            hash,
            state: std::mem::take(&mut self.state),
        }))
    }

    fn all(mut self, bytes: &[u8]) -> Result<Base, String> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n').skip(1) {
            if let Some(base) = self.take(line)? {
                return Ok(base);
            }
        }
        Err("it has no end".to_owned())
    }
}

/// The state in pieces of about [`PART_BYTES`]: fields, and where one is too long, its items.
fn split(state: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let mut parts = vec![Map::new()];
    let mut room = PART_BYTES;
    let mut put = |bytes: usize, add: &mut dyn FnMut(&mut Map<String, Value>)| {
        if bytes > room && room < PART_BYTES {
            parts.push(Map::new());
            room = PART_BYTES;
        }
        room = room.saturating_sub(bytes);
        if let Some(last) = parts.last_mut() {
            add(last);
        }
    };
    for (field, value) in state {
        match value {
            Value::Array(items) if !items.is_empty() => {
                for item in items {
                    put(length(item), &mut |part| {
                        let list = part
                            .entry(field.clone())
                            .or_insert_with(|| Value::Array(Vec::new()));
                        if let Value::Array(list) = list {
                            list.push(item.clone());
                        }
                    });
                }
            }
            Value::Object(items) if !items.is_empty() => {
                for (key, item) in items {
                    put(length(item) + key.len(), &mut |part| {
                        let map = part
                            .entry(field.clone())
                            .or_insert_with(|| Value::Object(Map::new()));
                        if let Value::Object(map) = map {
                            map.insert(key.clone(), item.clone());
                        }
                    });
                }
            }
            other => put(length(other), &mut |part| {
                part.insert(field.clone(), other.clone());
            }),
        }
    }
    parts
}

fn length(value: &Value) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}

fn merge(all: &mut Map<String, Value>, part: Map<String, Value>) {
    for (field, value) in part {
        match (all.get_mut(&field), value) {
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, value) => {
                all.insert(field, value);
            }
        }
    }
}
