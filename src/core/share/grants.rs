//! Which wishes the acting replica grants: the guards over all targets, with what is granted counted as begun.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Summary, Wish, WishedAction};
use crate::guard::{GuardSettings, OfAll, holds_of_all};

/// What one shard shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shown {
    pub summary: Summary,
    pub wishes: BTreeSet<Wish>,
}

/// A wish that may be acted on, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    pub shard: u32,
    pub wish: Wish,
}

/// What is granted from now on. What was granted stays so while it is wished; a grant whose wish is gone was used, or is
/// not wanted any more.
pub fn grants(
    now: Timestamp,
    settings: &GuardSettings,
    shards: &BTreeMap<u32, Shown>,
    granted: &BTreeSet<Granted>,
) -> BTreeSet<Granted> {
    let mut all = Summary::default();
    for shown in shards.values() {
        all.add(&shown.summary);
    }
    let wished = |grant: &Granted| {
        let shown = shards.get(&grant.shard);
        shown.is_some_and(|shown| shown.wishes.contains(&grant.wish))
    };
    let mut kept: BTreeSet<Granted> = granted
        .iter()
        .filter(|grant| wished(grant))
        .cloned()
        .collect();
    for grant in &kept {
        count(&mut all, now, &grant.wish);
    }
    let mut wishes: Vec<(&Wish, u32)> = shards
        .iter()
        .flat_map(|(shard, shown)| shown.wishes.iter().map(|wish| (wish, *shard)))
        .collect();
    wishes.sort();
    for (wish, shard) in wishes {
        let grant = Granted {
            shard,
            wish: wish.clone(),
        };
        if kept.contains(&grant) {
            continue;
        }
        let others = all
            .under_way
            .iter()
            .filter(|target| **target != wish.target);
        let of_all = OfAll {
            now,
            settings,
            actions: &all.actions,
            setbacks: &all.setbacks,
            failures: &all.failures,
            others_under_way: others.count(),
            watched: all.watched,
        };
        let hold = match wish.action {
            WishedAction::Rollback => holds_of_all(&of_all).into_iter().next(),
            WishedAction::Scaling => of_all.rate(),
        };
        if hold.is_none() {
            count(&mut all, now, wish);
            kept.insert(grant);
        }
    }
    kept
}

/// Counts what is granted as if it had begun.
fn count(all: &mut Summary, now: Timestamp, wish: &Wish) {
    let begun = match wish.action {
        // It shows as under way already; its wish is about to go.
        WishedAction::Rollback => !all.under_way.insert(wish.target.clone()),
        WishedAction::Scaling => false,
    };
    if !begun {
        all.actions.push(now);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::guard::AtMost;
    use crate::ids::{TargetId, TargetKind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).expect("a time")
    }

    fn wish(name: &str, since: i64) -> Wish {
        Wish {
            since: at(since),
            target: TargetId {
                namespace: "shop".into(),
                kind: TargetKind::Deployment,
                name: name.into(),
            },
            action: WishedAction::Rollback,
            cause: format!("{name}-1"),
        }
    }

    fn shown(wishes: &[Wish]) -> Shown {
        Shown {
            summary: Summary {
                watched: 10,
                ..Summary::default()
            },
            wishes: wishes.iter().cloned().collect(),
        }
    }

    fn settings(actions: usize, at_once: usize) -> GuardSettings {
        GuardSettings {
            at_once: AtMost::Number(at_once),
            ..GuardSettings::only(SignedDuration::ZERO, actions)
        }
    }

    fn names(grants: &BTreeSet<Granted>) -> Vec<&str> {
        let mut names: Vec<&str> = grants
            .iter()
            .map(|grant| grant.wish.target.name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_oldest_wishes_are_granted_as_far_as_the_guards_over_all_shards_allow() {
        let shards = BTreeMap::from([
            (0, shown(&[wish("a", 3), wish("b", 1)])),
            (1, shown(&[wish("c", 2), wish("d", 4)])),
        ]);
        let none = BTreeSet::new();
        let grant = |actions, at_once| grants(at(9), &settings(actions, at_once), &shards, &none);
        assert_eq!(names(&grant(6, 4)), ["a", "b", "c", "d"]);
        assert_eq!(names(&grant(2, 4)), ["b", "c"], "two actions an hour");
        assert_eq!(names(&grant(6, 1)), ["b"], "one at a time");
        assert!(grant(0, 4).is_empty());
    }

    #[test]
    fn what_is_granted_counts_until_it_has_begun_and_is_then_counted_once() {
        let (a, b) = (wish("a", 1), wish("b", 2));
        let settings = settings(6, 1);
        let mut shards = BTreeMap::from([
            (0, shown(std::slice::from_ref(&a))),
            (1, shown(std::slice::from_ref(&b))),
        ]);
        let first = grants(at(9), &settings, &shards, &BTreeSet::new());
        assert_eq!(names(&first), ["a"]);
        // The same again: it stays, and the other waits.
        assert_eq!(grants(at(10), &settings, &shards, &first), first);
        // It has begun.
        let begun = shards.get_mut(&0).expect("it is there");
        begun.summary.under_way.insert(a.target.clone());
        begun.summary.actions.push(at(10));
        begun.wishes.clear();
        assert!(grants(at(11), &settings, &shards, &first).is_empty());
        // It has helped.
        let ended = shards.get_mut(&0).expect("it is there");
        ended.summary.under_way.clear();
        assert_eq!(names(&grants(at(12), &settings, &shards, &first)), ["b"]);
    }

    #[test]
    fn a_grant_is_not_for_a_later_wish_of_the_same() {
        let shards = BTreeMap::from([(0, shown(&[wish("a", 1)]))]);
        let settings = settings(6, 4);
        let first = grants(at(2), &settings, &shards, &BTreeSet::new());
        let later = BTreeMap::from([(0, shown(&[wish("a", 5)]))]);
        let second = grants(at(6), &settings, &later, &first);
        assert_eq!(second.len(), 1);
        assert!(first.is_disjoint(&second));
    }

    #[test]
    fn a_rollback_that_helped_in_one_shard_ends_the_setbacks_of_all() {
        let mut all = Summary {
            setbacks: vec![at(1), at(2)],
            ..Summary::default()
        };
        all.add(&Summary {
            helped: Some(at(3)),
            setbacks: vec![at(4)],
            ..Summary::default()
        });
        assert_eq!(all.setbacks, [at(4)]);
    }
}
