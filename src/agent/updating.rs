//! Takes up rules and settings that changed: made ready elsewhere, so that the loop only puts them in their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recant_core::engine::{Inputs, Reload};
use recant_core::ids::{ChannelName, TargetId};
use recant_core::rule::{ScrapeEndpoint, SourceKind};

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
            targets,
            channels,
            notifiers,
        } = places;
        gatherer.follow(sources, endpoints);
        parts.outbox.follow(&channels, notifiers);
        parts.cluster.follow(&targets);
    }
    wait_for_the_tick(&mut inputs.reloads, reload);
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
    use recant_core::guard::{GuardSettings, Silenced};
    use recant_core::rule::RuleBook;

    use super::*;

    fn loaded(digest: &str) -> Reload {
        Reload::Loaded(Box::new(Loaded {
            book: RuleBook::default(),
            settings: EngineSettings {
                guards: GuardSettings {
                    cool_down: SignedDuration::ZERO,
                    actions_per_hour: 1,
                    dry_run: false,
                    kill_switch: false,
                    silences: Silenced::Act,
                },
                source: SourceKind::Scrape,
                interval: SignedDuration::ZERO,
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
