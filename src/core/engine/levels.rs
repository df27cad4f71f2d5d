//! Rules about values: from readings, or from the counts of a rate, to one sample for each time and arm, and into the
//! evidence.

use jiff::{SignedDuration, Timestamp};

use super::arms::{Arm, arm_of};
use super::live::LiveRule;
use super::observe::serves;
use crate::analysis::Analysis;
use crate::ids::RevisionHash;
use crate::judge::{Evidence, LevelArms, Phase, RateArms, Sample};
use crate::measurement::{Counts, KnownPods, Measurement, apart, combined};
use crate::observation::{Levels, Observation, SeriesKey};
use crate::rule::{ArmsBy, Check, LevelCheck, Over};
use crate::target::{Pod, TargetState};

/// One answer with values, and what is needed to make samples of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    levels: &'a Levels,
    pub(super) now: Timestamp,
    pub(super) pods: &'a KnownPods,
    /// How far apart the values of several pods may be that become one.
    pub(super) apart: SignedDuration,
}

/// Which arms had something new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) canary: bool,
    pub(super) baseline: bool,
}

impl<'a> Values<'a> {
    /// The values of an answer; `None`: it has none.
    pub(super) fn of(
        observation: &'a Observation,
        now: Timestamp,
        pods: &'a KnownPods,
        measurement: &Measurement,
    ) -> Option<Self> {
        match observation {
            Observation::Levels(levels) => Some(Self {
                levels,
                now,
                pods,
                apart: apart(measurement.interval()),
            }),
            Observation::Reading(_)
            | Observation::NoData { .. }
            | Observation::Unavailable { .. } => None,
        }
    }

    /// Samples of all that the target shows, whatever its revision.
    pub(super) fn of_whole_target(&self, check: &LevelCheck) -> Vec<Sample> {
        self.samples(check.metric.over, |_| true)
    }

    fn samples(&self, over: Over, belongs: impl Fn(&SeriesKey) -> bool) -> Vec<Sample> {
        combined(self.levels, over, self.now, self.pods, self.apart, belongs)
            .into_iter()
            .map(|(at, value)| Sample { at, value })
            .collect()
    }

    /// Into the evidence of an analysis.
    pub(super) fn judged(
        &self,
        rule: &mut LiveRule,
        then: Option<Timestamp>,
        state: Option<&TargetState>,
        analysis: &Analysis,
    ) -> Heard {
        let definition = rule.rule.clone();
        let Check::Level(check) = &definition.check else {
            return Heard::default();
        };
        let arms = &definition.arms;
        let of = |wanted: Arm, over: Over| {
            self.samples(over, |key| {
                arm_of(key, arms, self.pods, analysis) == Some(wanted)
            })
        };
        // A range query shows what was before the release, too.
        let since = |samples: Vec<Sample>| -> (Vec<Sample>, Vec<Sample>) {
            let began = samples.partition_point(|sample| sample.at < analysis.began);
            let mut before = samples;
            let after = before.split_off(began);
            (before, after)
        };
        let over = check.metric.over;
        let (_, canary) = since(of(Arm::Canary, over));
        let (_, baseline) = since(of(Arm::Baseline, over));
        let (before, whole) = since(of(Arm::Whole, over));
        if let (Some(last), Evidence::Level(evidence)) = (before.last(), &mut rule.evidence)
            && evidence.last_sample().is_none()
        {
            evidence.see_before(check.limit.is_beyond(last.value));
        }
        let tells_apart = !canary.is_empty() || !baseline.is_empty();
        let tick = if tells_apart {
            rule.one_arm = false;
            let newest = |arm| since(of(arm, Over::Mean)).1.pop();
            match analysis.phase {
                Phase::Beside => LevelArms {
                    canary,
                    baseline,
                    means: match check.compare {
                        Some(_) => (newest(Arm::Canary), newest(Arm::Baseline)),
                        None => (None, None),
                    },
                },
                Phase::Alone => LevelArms {
                    canary,
                    ..LevelArms::default()
                },
            }
        } else if let Some(last) = whole.last() {
            rule.one_arm = true;
            if !serves(then, state, analysis) {
                // Before a pod of it serves, all that the service shows is the old revision.
                if let Evidence::Level(evidence) = &mut rule.evidence {
                    evidence.see_before(check.limit.is_beyond(last.value));
                }
                return Heard::default();
            }
            LevelArms {
                canary: whole,
                ..LevelArms::default()
            }
        } else {
            return Heard::default();
        };
        rule.evidence.update_level(&definition, &tick);
        rule.changed = true;
        Heard {
            canary: !tick.canary.is_empty(),
            baseline: !tick.baseline.is_empty(),
        }
    }

    /// The whole target, from a time on, without the pods of a revision that was taken back.
    pub(super) fn verified(&self, rule: &mut LiveRule, since: Timestamp, from: &RevisionHash) {
        self.whole(rule, Some(from), |sample| sample.at >= since);
    }

    /// The whole target, between releases: what a release finds when it begins.
    pub(super) fn remembered(&self, rule: &mut LiveRule) {
        self.whole(rule, None, |_| true);
    }

    fn whole(
        &self,
        rule: &mut LiveRule,
        without: Option<&RevisionHash>,
        counts: impl Fn(&Sample) -> bool,
    ) {
        let definition = rule.rule.clone();
        let Check::Level(check) = &definition.check else {
            return;
        };
        let is_gone = |key: &SeriesKey| match (key, &definition.arms) {
            (SeriesKey::Label(value), ArmsBy::HashLabel(_)) => {
                without.is_some_and(|without| without.as_str() == value)
            }
            (SeriesKey::Pod { .. } | SeriesKey::Label(_) | SeriesKey::Whole, _) => self
                .pods
                .of(key)
                .is_some_and(|pod| Some(&pod.revision) == without),
        };
        let mut canary = self.samples(check.metric.over, |key| !is_gone(key));
        canary.retain(counts);
        let tick = LevelArms {
            canary,
            ..LevelArms::default()
        };
        rule.evidence.update_level(&definition, &tick);
        rule.changed = true;
    }
}

/// What was counted of a rate in one tick.
pub(super) fn rate(now: Timestamp, canary: Option<&Counts>, baseline: Option<&Counts>) -> RateArms {
    RateArms {
        at: now,
        canary: canary.map(events),
        baseline: baseline.map(events),
        pods: (0, 0),
    }
}

/// Pods of canary and baseline that serve; of the past, of those that are there now: what was there `then`.
pub(super) fn serving(
    then: Option<Timestamp>,
    state: Option<&TargetState>,
    analysis: &Analysis,
) -> (usize, usize) {
    let of = |revision: Option<&RevisionHash>| {
        let pods = state.map_or(&[][..], |state| &state.pods);
        let serves = |pod: &&Pod| {
            Some(&pod.hash) == revision
                && pod.ready
                && !pod.terminating
                && then.is_none_or(|then| pod.created <= then)
        };
        pods.iter().filter(serves).count()
    };
    (of(Some(&analysis.canary)), of(analysis.baseline.as_ref()))
}

/// The events that a rate counts: the part that its counter is of all series of that shape.
fn events(counts: &Counts) -> f64 {
    match counts {
        Counts::Ratio(counts) => counts.part,
        Counts::Histogram(counts) => counts.total(),
    }
}
