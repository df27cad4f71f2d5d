//! The records of a journal, compacted: the lasting state that they fold to, and the latest of them for people, as the
//! texts of one `ConfigMap`.
//!
//! The texts carry a format version and a digest, so that a state of a newer version, or one that was edited, is never
//! taken for a good one. What is too much for the object is dropped, counters and evidence first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use recant_core::ids::TargetId;
use recant_core::ledger::{Ledger, TargetLedger};
use recant_core::record::Record;

/// The format that is written, and the newest that is understood.
pub const FORMAT: u32 = 1;
/// The state takes at most this many bytes: the API server takes 1 MiB, and quotes are escaped on the way.
pub const MOST_BYTES: usize = 700 * 1024;
/// Records kept for people,
const MOST_RECENT: usize = 200;
/// and the bytes that they take at most.
const MOST_RECENT_BYTES: usize = 128 * 1024;
/// A target that no run looked at for this long is forgotten.
const FORGET: SignedDuration = SignedDuration::from_hours(7 * 24);

const FORMAT_KEY: &str = "format";
const DIGEST_KEY: &str = "digest";
const STATE_KEY: &str = "state";

/// Everything that lasts from one run to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    pub ledger: Ledger,
    /// When each target was last looked at, by whichever run.
    pub looks: Vec<Look>,
    /// The latest records, oldest first.
    pub recent: Vec<Recent>,
}

/// When a target was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub target: TargetId,
    pub at: Timestamp,
}

/// A record with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    pub at: Timestamp,
    pub record: Record,
}

/// Why texts are no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    #[error(
        "it has format {found}, and this Recant knows formats up to {FORMAT}: run a newer Recant"
    )]
    Newer { found: u32 },
    #[error("it was edited by something else than Recant: its digest does not fit")]
    Edited,
    #[error("it is no state of Recant: {reason}")]
    Foreign { reason: String },
    #[error(
        "the state takes {bytes} bytes even without any evidence, and {MOST_BYTES} are allowed"
    )]
    TooLarge { bytes: usize },
}

impl State {
    /// Folds records in.
    pub fn apply(&mut self, at: Timestamp, records: &[Record]) {
        for record in records {
            self.ledger.apply(at, record);
            match record {
                Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. } => {}
                record => self.recent.push(Recent {
                    at,
                    record: record.clone(),
                }),
            }
        }
        let surplus = self.recent.len().saturating_sub(MOST_RECENT);
        self.recent.drain(..surplus);
    }

    /// When this target was last looked at.
    pub fn looked(&self, target: &TargetId) -> Option<Timestamp> {
        let look = self.looks.iter().find(|look| look.target == *target);
        look.map(|look| look.at)
    }

    /// Remembers that these targets were looked at, and forgets those that nobody looks at any more.
    pub fn look(&mut self, targets: &[TargetId], at: Timestamp) {
        self.looks.retain(|look| !targets.contains(&look.target));
        self.looks.extend(targets.iter().map(|target| Look {
            target: target.clone(),
            at,
        }));
        self.looks
            .retain(|look| at.duration_since(look.at) < FORGET);
        self.looks.sort_by(|a, b| a.target.cmp(&b.target));
        let looks = &self.looks;
        self.ledger
            .targets
            .retain(|target, _| looks.iter().any(|look| look.target == *target));
        self.ledger
            .always
            .retain(|target, _| looks.iter().any(|look| look.target == *target));
        self.ledger
            .pending
            .retain(|_, (notice, _)| at.duration_since(notice.at) < FORGET);
    }

    /// The texts that hold it.
    ///
    /// # Errors
    /// It does not fit even without evidence.
    pub fn encode(&self) -> Result<BTreeMap<String, String>, CompactError> {
        let mut state = self.clone();
        state.drop_oldest_records();
        let mut text = state.json()?;
        for drop in [counters_of_idle, counters, evidence] {
            if text.len() <= MOST_BYTES {
                break;
            }
            state.ledger.targets.values_mut().for_each(drop);
            for always in state.ledger.always.values_mut() {
                always.checkpoint = None;
            }
            text = state.json()?;
        }
        if text.len() > MOST_BYTES {
            state.recent.clear();
            text = state.json()?;
        }
        if text.len() > MOST_BYTES {
            return Err(CompactError::TooLarge { bytes: text.len() });
        }
        Ok(BTreeMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_string()),
            (DIGEST_KEY.to_owned(), digest(FORMAT, &text)),
            (STATE_KEY.to_owned(), text),
        ]))
    }

    /// Reads texts; none at all are the state before the first run.
    ///
    /// # Errors
    /// They are of a newer version, were edited, or are something else.
    pub fn decode(texts: &BTreeMap<String, String>) -> Result<Self, CompactError> {
        if texts.is_empty() {
            return Ok(Self::default());
        }
        let foreign = |reason: &str| CompactError::Foreign {
            reason: reason.to_owned(),
        };
        let format: u32 = texts
            .get(FORMAT_KEY)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| foreign("the key `format` is missing, or no number"))?;
        if format > FORMAT {
            return Err(CompactError::Newer { found: format });
        }
        let text = texts
            .get(STATE_KEY)
            .ok_or_else(|| foreign("the key `state` is missing"))?;
        let found = texts
            .get(DIGEST_KEY)
            .ok_or_else(|| foreign("the key `digest` is missing"))?;
        if *found != digest(format, text) {
            return Err(CompactError::Edited);
        }
        // The digest fits, so a Recant wrote it: one with further fields.
        serde_json::from_str(text).map_err(|error| CompactError::Foreign {
            reason: format!("{error}; perhaps a newer Recant wrote it"),
        })
    }

    fn json(&self) -> Result<String, CompactError> {
        serde_json::to_string(self).map_err(|error| CompactError::Foreign {
            reason: error.to_string(),
        })
    }

    fn drop_oldest_records(&mut self) {
        let mut bytes = 0;
        let kept = self
            .recent
            .iter()
            .rev()
            .take_while(|recent| {
                bytes += serde_json::to_string(recent).map_or(0, |text| text.len());
                bytes <= MOST_RECENT_BYTES
            })
            .count();
        self.recent.drain(..self.recent.len() - kept);
    }
}

/// Counters of targets of which nothing is judged just now.
fn counters_of_idle(target: &mut TargetLedger) {
    if target.analysis.is_none() && target.verification.is_none() {
        counters(target);
    }
}

fn counters(target: &mut TargetLedger) {
    if let Some(checkpoint) = &mut target.checkpoint {
        checkpoint.measurements.clear();
    }
}

fn evidence(target: &mut TargetLedger) {
    target.checkpoint = None;
}

fn digest(format: u32, text: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("recant-state {format}\n"));
    hasher.update(text);
    let hash = hasher.finalize();
    hash.iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        })
}

#[cfg(test)]
mod tests;
