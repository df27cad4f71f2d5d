//! Which revision a target was at, and from when on, as far as the series tell: a new revision's first pod is a
//! release. Revisions are told by the names of pods, `<workload>-<hash>-<5 characters>`, or by the label of the arms.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use recant_core::ids::{PodName, RevisionHash};
use recant_core::target::prefix_of_pods;

/// Characters of a pod-template hash, at most.
const LONGEST_HASH: usize = 10;
/// Characters that the API server adds to a pod's name.
const SUFFIX: usize = 5;
/// A pod whose last sample is no older than this at the end of the history has not ended.
const STILL_THERE: SignedDuration = SignedDuration::from_mins(2);

/// From when to when a pod had samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodLife {
    pub(super) revision: RevisionHash,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl PodLife {
    /// Whether its samples end before the history, which ends at `end`.
    pub(super) fn ended(&self, end: Timestamp) -> bool {
        self.last.duration_until(end) > STILL_THERE
    }
}

/// The target is at this revision from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) at: Timestamp,
    pub(super) revision: RevisionHash,
}

/// The revision of a pod by its name.
pub(super) fn revision_of(workload: &str, pod: &PodName) -> Option<RevisionHash> {
    let rest = pod.as_str().strip_prefix(workload)?.strip_prefix('-')?;
    let (hash, suffix) = rest.rsplit_once('-')?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let fits = suffix.len() == SUFFIX && (1..=LONGEST_HASH).contains(&hash.len());
    (fits && plain(suffix) && plain(hash)).then(|| RevisionHash::from(hash))
}

/// A pod for a revision of which no pod is known by name.
pub(super) fn stand_in(workload: &str, revision: &RevisionHash) -> PodName {
    PodName(format!("{}00000", prefix_of_pods(workload, revision)))
}

/// What happens to pods, in the order in which it counts at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Came,
    Went,
}

/// The revisions that a target was at, in the order of time; the first is that of the beginning.
///
/// A revision that is new has come with its first pod. One that was there before is back when a pod of it comes after
/// all others of it had gone, or when all pods of the revision after it have gone and it still runs.
pub(super) fn changes(
    pods: &BTreeMap<PodName, PodLife>,
    (begin, end): (Timestamp, Timestamp),
) -> Vec<Change> {
    let mut events: Vec<(Timestamp, Event, &RevisionHash)> = Vec::new();
    for life in pods.values() {
        events.push((life.first, Event::Came, &life.revision));
        if life.ended(end) {
            events.push((life.last, Event::Went, &life.revision));
        }
    }
    events.sort();
    let mut changes: Vec<Change> = first(pods, begin).into_iter().collect();
    let mut alive: BTreeMap<&RevisionHash, usize> = BTreeMap::new();
    let mut newest: BTreeMap<&RevisionHash, Timestamp> = BTreeMap::new();
    for (at, event, revision) in events {
        let known = newest.contains_key(revision);
        let count = alive.entry(revision).or_default();
        let there = *count > 0;
        match event {
            Event::Came => {
                *count += 1;
                newest.insert(revision, at);
            }
            Event::Went => *count = count.saturating_sub(1),
        }
        let current = changes.last().map(|change| &change.revision);
        let next = match event {
            Event::Came if current == Some(revision) => None,
            // What was there from the beginning on is older than what is current then.
            Event::Came if !known && is_of_beginning(at, begin) => None,
            Event::Came => (!there).then_some(revision),
            Event::Went => {
                let gone =
                    |revision: &RevisionHash| alive.get(revision).is_none_or(|count| *count == 0);
                let others = newest.iter().filter(|(revision, _)| !gone(revision));
                current
                    .filter(|current| gone(current))
                    .and_then(|_| others.max_by_key(|(_, came)| **came))
                    .map(|(revision, _)| *revision)
            }
        };
        if let Some(revision) = next {
            changes.push(Change {
                at,
                revision: revision.clone(),
            });
        }
    }
    changes
}

/// Whether a pod was there when the history begins.
fn is_of_beginning(first: Timestamp, begin: Timestamp) -> bool {
    begin.duration_until(first) <= STILL_THERE
}

/// The revision at the beginning: of several the one that stays the longest, since it is the newer one.
fn first(pods: &BTreeMap<PodName, PodLife>, begin: Timestamp) -> Option<Change> {
    let there = pods
        .values()
        .filter(|life| is_of_beginning(life.first, begin));
    let latest = there
        .max_by_key(|life| life.last)
        .or_else(|| pods.values().min_by_key(|life| life.first))?;
    let of_it = pods
        .values()
        .filter(|life| life.revision == latest.revision);
    let at = of_it.map(|life| life.first).min()?;
    Some(Change {
        at,
        revision: latest.revision.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + 60 * minute).expect("in range")
    }

    /// Pods as `(name, first, last)` in minutes; what was found as `minute revision`.
    #[track_caller]
    fn check(pods: &[(&str, i64, i64)], expected: &[&str]) {
        let pods = pods
            .iter()
            .map(|(name, first, last)| {
                let name = PodName::from(*name);
                let life = PodLife {
                    revision: revision_of("web", &name).expect("is a pod of it"),
                    first: at(*first),
                    last: at(*last),
                };
                (name, life)
            })
            .collect();
        let found: Vec<String> = changes(&pods, (at(0), at(1000)))
            .iter()
            .map(|change| {
                let minutes = at(0).duration_until(change.at).as_mins();
                format!("{minutes} {}", change.revision)
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_release_comes_with_the_first_pod_of_a_new_revision() {
        check(
            &[
                ("web-a-11111", 0, 101),
                ("web-a-22222", 0, 103),
                ("web-b-11111", 100, 1000),
                ("web-b-22222", 102, 1000),
                // Scaled up later: no release.
                ("web-b-33333", 500, 600),
            ],
            &["0 a", "100 b"],
        );
    }

    #[test]
    fn a_revision_that_is_back_is_told() {
        // Undone while it rolled out: the old pods had not all gone.
        check(
            &[
                ("web-a-11111", 0, 1000),
                ("web-a-22222", 0, 100),
                ("web-b-11111", 100, 110),
                ("web-a-33333", 108, 1000),
            ],
            &["0 a", "100 b", "110 a"],
        );
        // Undone later.
        check(
            &[
                ("web-a-11111", 0, 101),
                ("web-b-11111", 100, 301),
                ("web-a-22222", 300, 1000),
            ],
            &["0 a", "100 b", "300 a"],
        );
    }

    #[test]
    fn of_two_at_the_beginning_the_one_that_stays_is_newer() {
        check(&[("web-a-11111", 0, 1), ("web-b-11111", 0, 1000)], &["0 b"]);
    }

    #[test]
    fn pods_of_others_are_of_no_revision() {
        for stranger in [
            "web-api-5d8b9c7f6-x2x4z",
            "web-0",
            "web-5d8b9c7f6-",
            "webby-a-11111",
            "web--11111",
        ] {
            assert_eq!(revision_of("web", &stranger.into()), None, "{stranger}");
        }
        let found = revision_of("web", &"web-5d8b9c7f6-x2x4z".into());
        assert_eq!(found, Some("5d8b9c7f6".into()));
    }
}
