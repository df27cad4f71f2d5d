//! Whether a source can be used at all: told once when it is lost and once when it is back, for all its targets.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::live::Live;
use super::observe::HeardOf;
use super::{Turn, tell};
use crate::ids::TargetId;
use crate::record::Record;
use crate::rule::SourceKind;
use crate::time::elapsed;

/// A source is lost when no answer of it could be used for this long,
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// and it was asked at least this often: a single blip is no news.
const LOST_LOOKS: u32 = 2;
/// It is called back when its answers have been usable for this long: one that flaps is one piece of news. Releases
/// are judged from its first answer on, whatever is told.
const BACK_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// How a source does.
#[derive(Debug)]
pub(super) enum Health {
    Usable {
        since: Timestamp,
    },
    Unusable {
        since: Timestamp,
        looks: u32,
        reason: String,
    },
}

pub(super) fn take_in(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    sources: &mut BTreeMap<SourceKind, Health>,
    heard: HeardOf,
) {
    for (source, heard) in heard {
        let health = match (heard, sources.remove(&source)) {
            (Ok(()), Some(health @ Health::Usable { .. })) => health,
            (Ok(()), Some(Health::Unusable { .. }) | None) => Health::Usable { since: turn.now },
            (Err(reason), Some(Health::Unusable { since, looks, .. })) => Health::Unusable {
                since,
                looks: looks.saturating_add(1),
                reason,
            },
            (Err(reason), Some(Health::Usable { .. }) | None) => Health::Unusable {
                since: turn.now,
                looks: 1,
                reason,
            },
        };
        sources.insert(source, health);
    }
    for (source, health) in sources {
        let source = *source;
        let lost = turn.ledger.lost_sources.contains_key(&source);
        match health {
            Health::Unusable {
                since,
                looks,
                reason,
            } if !lost && *looks >= LOST_LOOKS && elapsed(*since, turn.now) >= LOST_AFTER => {
                tell::source_lost(turn, lives, source, reason);
                turn.record(Record::SourceLost {
                    source,
                    reason: reason.clone(),
                });
            }
            Health::Usable { since } if lost && elapsed(*since, turn.now) >= BACK_AFTER => {
                tell::source_back(turn, lives, source);
                turn.record(Record::SourceBack { source });
            }
            Health::Usable { .. } | Health::Unusable { .. } => {}
        }
    }
}
