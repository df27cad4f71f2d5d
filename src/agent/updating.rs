//! Takes up rules and settings that changed: made ready elsewhere, so that the loop only puts them in their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recant_core::engine::{Inputs, Reload};
use recant_core::ids::{ChannelName, TargetId, TargetKind};
use recant_core::record::Record;
use recant_core::rule::{ScrapeEndpoint, SourceKind, Watch};

use super::{Parts, gather};
use crate::notify::Notifier;
use crate::source::Source;

/// What changed files lead to.
pub struct Update {
    pub reload: Reload,
    /// Absent: they cannot be used, and everything stays as it is.
    pub places: Option<Places>,
}

/// What the agent is made of anew. Whatever did not change is the same part as before, with all that it remembers.
pub struct Places {
    pub sources: BTreeMap<SourceKind, Arc<dyn Source>>,
    pub endpoints: BTreeMap<TargetId, ScrapeEndpoint>,
    pub targets: Vec<TargetId>,
    /// Where all workloads are to be known, so that they can be asked about.
    pub places: BTreeSet<(String, TargetKind)>,
    /// Channels that are as they were.
    pub channels: BTreeSet<ChannelName>,
    /// Channels that are new, or have changed.
    pub notifiers: BTreeMap<ChannelName, Arc<dyn Notifier>>,
}

impl Update {
    /// Whether a channel is told by another notifier: its document changed, or the templates did.
    pub fn changes_channels(&self) -> bool {
        self.places
            .as_ref()
            .is_some_and(|places| !places.notifiers.is_empty())
    }
}

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update")
            .field("refused", &self.places.is_none())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places")
            .field("targets", &self.targets.len())
            .finish_non_exhaustive()
    }
}

/// Puts everything in its place; the engine hears of it in the tick that follows.
pub(super) fn take_up(
    parts: &mut Parts,
    gatherer: &mut gather::Gatherer,
    inputs: &mut Inputs,
    update: Update,
) {
    let Update { reload, places } = update;
    if let Some(places) = places {
        let Places {
            sources,
            endpoints,
            mut targets,
            places,
            channels,
            notifiers,
        } = places;
        gatherer.follow(sources, endpoints);
        parts.outbox.follow(&channels, notifiers);
        // What was taken up on request: the engine says which of it stays.
        targets.extend(parts.engine.ledger().taken.keys().cloned());
        parts.cluster.follow(&targets);
        parts.cluster.show(places);
    }
    wait_for_the_tick(&mut inputs.reloads, reload);
}

/// After a tick: follows the targets that the engine watches from now on, if they are not those of before.
pub(super) fn follow_engine(parts: &Parts, gatherer: &mut gather::Gatherer, records: &[Record]) {
    let others = records.iter().any(|record| {
        matches!(
            record,
            Record::TakenUp { .. } | Record::LetGo { .. } | Record::Reloaded { .. }
        )
    });
    if others {
        gatherer.point(endpoints(parts.engine.watches()));
        let targets: Vec<TargetId> = parts
            .engine
            .watches()
            .map(|watch| watch.target.clone())
            .collect();
        parts.cluster.follow(&targets);
    }
}

/// Where watches say that their pods expose metrics.
pub fn endpoints<'a>(
    watches: impl Iterator<Item = &'a Watch>,
) -> BTreeMap<TargetId, ScrapeEndpoint> {
    watches
        .filter_map(|watch| Some((watch.target.clone(), watch.scrape.clone()?)))
        .collect()
}

/// Several may come before a tick can be done, while the journal cannot be written, say. What was loaded last holds; a
/// refusal after it does not undo it.
fn wait_for_the_tick(waiting: &mut Vec<Reload>, reload: Reload) {
    match &reload {
        Reload::Loaded(_) => waiting.clear(),
        Reload::Refused(_) => waiting.retain(|earlier| matches!(earlier, Reload::Loaded(_))),
    }
    waiting.push(reload);
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use recant_core::engine::{EngineSettings, Loaded, Refused};
    use recant_core::guard::GuardSettings;
    use recant_core::rule::RuleBook;

    use super::*;

    fn loaded(digest: &str) -> Reload {
        Reload::Loaded(Box::new(Loaded {
            book: RuleBook::default(),
            settings: EngineSettings {
                guards: GuardSettings::only(SignedDuration::ZERO, 1),
                source: SourceKind::Scrape,
                interval: SignedDuration::ZERO,
                on_request: 0,
                ends_unwatched: true,
            },
            digest: digest.to_owned(),
            need_restart: Vec::new(),
        }))
    }

    fn refused(digest: &str) -> Reload {
        Reload::Refused(Refused {
            digest: digest.to_owned(),
            faults: Vec::new(),
        })
    }

    #[test]
    fn what_was_loaded_last_waits_and_the_last_refusal_after_it() {
        let cases = [
            (vec![loaded("a"), refused("b")], vec!["a", "b"]),
            (
                vec![loaded("a"), refused("b"), refused("c")],
                vec!["a", "c"],
            ),
            (vec![refused("a"), loaded("b")], vec!["b"]),
            (vec![loaded("a"), refused("b"), loaded("c")], vec!["c"]),
        ];
        for (came, waits) in cases {
            let mut waiting = Vec::new();
            for reload in came {
                wait_for_the_tick(&mut waiting, reload);
            }
            let left: Vec<&str> = waiting
                .iter()
                .map(|reload| match reload {
                    Reload::Loaded(loaded) => loaded.digest.as_str(),
                    Reload::Refused(refused) => refused.digest.as_str(),
                })
                .collect();
            assert_eq!(left, waits);
        }
    }
}
