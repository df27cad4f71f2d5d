//! A journal as the texts of two objects: the base, which is the state that all records up to some number fold to, and
//! the log, which holds the lines of the records since.
//!
//! The lines are those of the file, with their chain of hashes; the base says where in the chain it stands. A log may
//! begin before its base ends: the base was written and the process died before it cut the log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use recant_core::record::Record;
use recant_core::share::Shown;

use crate::journal::compact::{CompactError, State};
use crate::journal::frame::{Chain, Misfit};

/// Texts by key.
type Data = BTreeMap<String, String>;

const POSITION_KEY: &str = "position";
const LOG_KEY: &str = "log";
const SHOWN_KEY: &str = "shown";

/// A journal as far as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Folded {
    pub(super) state: State,
    pub(super) position: Position,
}

/// Where in the journal a state stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Position {
    pub(super) chain: Chain,
    /// When the last record was written.
    pub(super) last: Option<Timestamp>,
    /// Among how many journals the targets were divided.
    pub(super) shards: u32,
}

impl Position {
    /// The lines for these records; the position is behind them then. On an error it may not be used any more.
    pub(super) fn extend(&mut self, at: Timestamp, records: &[Record]) -> Result<String, String> {
        let mut lines = Vec::new();
        for record in records {
            self.chain.encode(at, record, &mut lines)?;
            self.last = Some(at);
        }
        String::from_utf8(lines).map_err(|error| error.to_string())
    }

    fn head(&self) -> Option<(u64, String)> {
        let (number, hash) = self.chain.head()?;
        Some((number, hash.to_owned()))
    }
}

impl Folded {
    /// Before the first record.
    pub(super) fn new(shards: u32) -> Self {
        Self {
            state: State::default(),
            position: Position {
                chain: Chain::new(),
                last: None,
                shards,
            },
        }
    }

    /// Folds in records whose lines lead to this position.
    pub(super) fn take(&mut self, position: Position, batches: &[(Timestamp, Vec<Record>)]) {
        for (at, records) in batches {
            self.state.apply(*at, records);
        }
        self.position = position;
    }

    /// The texts of the base.
    pub(super) fn base(&self) -> Result<Data, CompactError> {
        let mut data = self.state.encode()?;
        let position =
            serde_json::to_string(&self.position).map_err(|error| CompactError::Foreign {
                reason: error.to_string(),
            })?;
        data.insert(POSITION_KEY.to_owned(), position);
        Ok(data)
    }

    /// Reads base and log; none at all are a journal before its first record.
    pub(super) fn read(base: &Data, log: &Data, shards: u32) -> Result<Self, CompactError> {
        let foreign = |reason: String| CompactError::Foreign { reason };
        let state = State::decode(base)?;
        let mut folded = Self::new(shards);
        folded.state = state;
        match base.get(POSITION_KEY) {
            Some(text) => {
                folded.position = serde_json::from_str(text)
                    .map_err(|error| foreign(format!("the key `{POSITION_KEY}`: {error}")))?;
            }
            None if base.is_empty() => {}
            None => return Err(foreign(format!("the key `{POSITION_KEY}` is missing"))),
        }
        let lines = log.get(LOG_KEY).map_or("", String::as_str);
        for line in lines.split_inclusive('\n') {
            folded.line(line).map_err(foreign)?;
        }
        Ok(folded)
    }

    /// The number and the hash of the record that each position ends with: that of the base, then one a line of the log.
    pub(super) fn heads(base: &Data, log: &Data) -> Result<Vec<(u64, String)>, CompactError> {
        let mut folded = Self::read(base, &Data::new(), 0)?;
        let mut heads = Vec::from_iter(folded.position.head());
        for line in log
            .get(LOG_KEY)
            .map_or("", String::as_str)
            .split_inclusive('\n')
        {
            folded
                .line(line)
                .map_err(|reason| CompactError::Foreign { reason })?;
            heads.extend(folded.position.head());
        }
        // Lines that the base has already taken up lead nowhere.
        heads.dedup();
        Ok(heads)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Link {
            sequence: u64,
        }
        let json = line.splitn(3, ' ').nth(2).unwrap_or_default();
        let link: Link = serde_json::from_str(json).map_err(|_| "a line is no record")?;
        if link.sequence < self.position.chain.next {
            return Ok(());
        }
        let next = self.position.chain.next;
        let entry = self
            .position
            .chain
            .decode::<Record>(line.as_bytes())
            .map_err(|misfit| match misfit {
                Misfit::Chain(how) => format!("record {next} {how}"),
                Misfit::Record(reason) => {
                    format!("record {next} is unknown to this Recant: {reason}")
                }
            })?;
        self.state.apply(entry.at, &[entry.record]);
        self.position.last = Some(entry.at);
        Ok(())
    }
}

/// The texts of the log, with what the other replicas are to know.
pub(super) fn log(lines: &str, shown: &Shown) -> Data {
    let shown = serde_json::to_string(shown).unwrap_or_default();
    BTreeMap::from([
        (LOG_KEY.to_owned(), lines.to_owned()),
        (SHOWN_KEY.to_owned(), shown),
    ])
}

/// What a log shows the other replicas; nothing, where it is no log of ours.
pub(super) fn shown(log: &Data) -> Shown {
    log.get(SHOWN_KEY)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Whether these are the texts of a base.
pub(super) fn is_base(data: &Data) -> bool {
    data.contains_key(POSITION_KEY)
}

#[cfg(test)]
mod tests {
    use recant_core::rule::SourceKind;

    use super::*;

    const AT: &str = "2026-01-01T00:00:00Z";

    fn at() -> Timestamp {
        AT.parse().expect("a time")
    }

    fn lost(reason: &str) -> Record {
        Record::SourceLost {
            source: SourceKind::Prometheus,
            reason: reason.to_owned(),
        }
    }

    fn extended(folded: &mut Folded, records: &[Record]) -> String {
        let mut position = folded.position.clone();
        let lines = position.extend(at(), records).expect("it fits");
        folded.take(position, &[(at(), records.to_vec())]);
        lines
    }

    #[test]
    fn base_and_log_are_the_whole_journal() {
        let mut folded = Folded::new(4);
        assert_eq!(
            Folded::read(&Data::new(), &Data::new(), 4),
            Ok(folded.clone())
        );
        let first = extended(&mut folded, &[lost("a"), lost("b")]);
        let base = folded.base().expect("it fits");
        let second = extended(&mut folded, &[lost("c")]);
        // The base alone is older; with the log it is all; a log that was not cut yet changes nothing.
        for lines in [second.clone(), format!("{first}{second}")] {
            let log = log(&lines, &Shown::default());
            let read = Folded::read(&base, &log, 1).expect("it is ours");
            assert_eq!(read, folded);
            let heads = Folded::heads(&base, &log).expect("it is ours");
            let numbers: Vec<u64> = heads.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, [1, 2]);
            assert_eq!(heads.last().cloned(), folded.position.head());
        }
        let all = format!("{first}{second}");
        let read = Folded::read(&Data::new(), &log(&all, &Shown::default()), 4)
            .expect("before the first base");
        assert_eq!(read, folded);
    }

    #[test]
    fn what_was_edited_cut_or_put_together_is_refused() {
        let mut folded = Folded::new(1);
        let first = extended(&mut folded, &[lost("a")]);
        let base = folded.base().expect("it fits");
        let second = extended(&mut folded, &[lost("b")]);
        let third = extended(&mut folded, &[lost("c")]);
        let cut = second.trim_end_matches('\n').to_owned();
        let edited = second.replace("\"b\"", "\"x\"");
        for lines in [third, edited, cut, "rubbish\n".to_owned()] {
            let read = Folded::read(&base, &log(&lines, &Shown::default()), 1);
            assert!(read.is_err(), "{lines}");
        }
        let mut other = Folded::new(1);
        let foreign = extended(&mut other, &[lost("z"), lost("y")]);
        assert!(Folded::read(&base, &log(&foreign, &Shown::default()), 1).is_err());
        let mut edited = base.clone();
        edited.insert("state".to_owned(), "{}".to_owned());
        assert_eq!(
            Folded::read(&edited, &log(&first, &Shown::default()), 1),
            Err(CompactError::Edited)
        );
    }
}
