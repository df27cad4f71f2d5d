//! How often the containers of pods were started again lately, from counts that only say how often they ever were.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use recant_core::target::PodStatus;

/// The longest time within which restarts are counted.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The restart counts of a target's pods over time, by name and birth: a name may be used again.
#[derive(Debug, Default)]
pub(super) struct Restarts(BTreeMap<(String, Timestamp), Counts>);

/// What the count was, from when on; oldest first, never empty.
type Counts = VecDeque<(Timestamp, u32)>;

impl Restarts {
    /// Forgets pods that are gone.
    pub(super) fn forget_all_but(&mut self, pods: &[PodStatus]) {
        self.0.retain(|(name, created), _| {
            let same = |pod: &PodStatus| pod.name.as_str() == name && pod.created == *created;
            pods.iter().any(same)
        });
    }

    /// Restarts of a pod within the last `per`. Where the count of then is not known, because Recant or the pod is
    /// younger, those since the pod's birth if it was born within `per`, else those since the first look.
    pub(super) fn within(&mut self, pod: &PodStatus, now: Timestamp, per: SignedDuration) -> f64 {
        let key = (pod.name.0.clone(), pod.created);
        let counts = self.0.entry(key).or_insert_with(|| {
            let born_within = pod.created.duration_until(now) <= per;
            VecDeque::from([if born_within {
                (pod.created, 0)
            } else {
                (now, pod.restarts)
            }])
        });
        let last = counts.back().map_or(0, |(_, count)| *count);
        if last > pod.restarts {
            // Containers were removed from the status: what was counted before says nothing any more.
            counts.clear();
        }
        if last != pod.restarts {
            counts.push_back((now, pod.restarts));
        }
        // One count from before the longest time is kept: it is what the restarts since are counted from.
        while counts
            .get(1)
            .is_some_and(|(at, _)| at.duration_until(now) > LONGEST)
        {
            counts.pop_front();
        }
        let then = counts
            .iter()
            .take_while(|(at, _)| at.duration_until(now) >= per)
            .last()
            .or_else(|| counts.front())
            .map_or(pod.restarts, |(_, count)| *count);
        f64::from(pod.restarts.saturating_sub(then))
    }
}
