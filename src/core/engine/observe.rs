//! Answers of the sources: from counters to counts per arm, and into the evidence, the history or the verification.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::arms::{Arm, arm_of, sum};
use super::live::{Live, LiveRule, Looking, Trouble};
use super::{Answer, Turn, always};
use crate::analysis::Analysis;
use crate::ids::TargetId;
use crate::judge::Arms;
use crate::judge::Phase;
use crate::measurement::{Counts, Increases, KnownPods, Look, never_seen_reason};
use crate::observation::{Cumulative, Observation, SeriesKey};
use crate::record::Record;
use crate::rule::SourceKind;
use crate::target::TargetState;
use crate::wording::short;

/// What was heard of each source in this tick: that it answers, or why no answer could be used.
pub(super) type Heard = BTreeMap<SourceKind, Result<(), String>>;

/// Reasons come from outside and end up in records and messages.
const MOST_REASON: usize = 300;

pub(super) fn take_in(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    answers: Vec<Answer>,
) -> Heard {
    let mut heard = Heard::new();
    for answer in answers {
        let Some(live) = lives.get_mut(&answer.target) else {
            continue;
        };
        let source = live.source_of(&answer.question, &turn.settings);
        let now = turn.now;
        let counts = |from: Option<Timestamp>| !turn.past || from.is_some_and(|from| now >= from);
        let (release, between) = (counts(live.past_from), counts(live.always.past_from));
        let of_release = release.then(|| answered(turn, live, &answer)).flatten();
        let of_always = between
            .then(|| always::take_in(&mut live.always, &live.pods, now, &answer))
            .flatten();
        match of_release.or(of_always) {
            None => {
                heard.insert(source, Ok(()));
            }
            Some(reason) => {
                heard.entry(source).or_insert(Err(reason));
            }
        }
    }
    heard
}

/// Takes one answer in; why it could not be used, if so.
fn answered(turn: &mut Turn<'_>, live: &mut Live, answer: &Answer) -> Option<String> {
    let Answer {
        target,
        question,
        observation,
    } = answer;
    let Live {
        rules,
        state,
        pods,
        measurements,
        baseline_traffic,
        bad_served,
        ..
    } = live;
    let looking = measurements.get_mut(question)?;
    let increases = looking.measurement.advance(turn.now, observation, pods);
    let trouble = looked(looking, question, observation, &increases);
    let Some(known) = turn.ledger.targets.get(target) else {
        return trouble;
    };
    let asking = rules.iter_mut().filter(|rule| rule.question == *question);
    let mut first_traffic = false;
    if let Some(analysis) = &known.analysis {
        for rule in asking {
            let serves = serves(turn, state.as_ref(), analysis);
            let arms = arms(rule, &increases, pods, serves, analysis);
            let (canary, baseline) = (has_events(arms.0.as_ref()), has_events(arms.1.as_ref()));
            if baseline {
                *baseline_traffic = Some(turn.now);
            }
            first_traffic |= canary && analysis.first_traffic.is_none();
            let arms = Arms {
                at: turn.now,
                canary: arms.0,
                baseline: arms.1,
            };
            rule.evidence.update_counts(&rule.rule, arms);
            rule.changed = true;
        }
    } else if let Some(verification) = &known.verification {
        let since = bad_served.map_or(verification.began, |at| at.max(verification.began));
        for rule in asking.filter(|rule| verification.rules.contains(&rule.rule.name)) {
            verified(turn, rule, since, &increases);
        }
    } else if known.plan.is_none() && !known.has_failed(&known.current) {
        // The counts of a revision that failed are no baseline.
        for rule in asking {
            if let Some(counts) = sum(&rule.rule, &increases, |_, _| true) {
                rule.history.add(turn.now, &counts);
            }
        }
    }
    if first_traffic {
        turn.record(Record::FirstTraffic {
            target: target.clone(),
        });
    }
    trouble
}

/// Remembers whether the question can be answered.
pub(super) fn looked(
    looking: &mut Looking,
    question: &crate::rule::Question,
    observation: &Observation,
    increases: &Increases,
) -> Option<String> {
    looking.no_data = match &increases.look {
        Look::NoData { reason } => Some(short(reason, MOST_REASON)),
        Look::Measured if increases.part_never_seen() => Some(never_seen_reason(question)),
        Look::Measured => increases
            .unusable
            .first()
            .map(|unusable| short(&unusable.reason, MOST_REASON)),
        Look::Unavailable { .. } => None,
    };
    if let Observation::Reading(reading) = observation {
        let of_series = reading.series.iter().map(|series| match &series.value {
            Cumulative::Ratio { .. } => 400,
            Cumulative::Histogram(histogram) => 400 + 24 * histogram.counters.len(),
            Cumulative::Unusable { .. } => 0,
        });
        looking.bytes = of_series.clone().sum();
        looking.largest = of_series.max().unwrap_or(0);
    }
    match &increases.look {
        Look::Unavailable { reason, .. } => {
            let reason = short(reason, MOST_REASON);
            let looks = looking.trouble.as_ref().map_or(0, |trouble| trouble.looks);
            looking.trouble = Some(Trouble {
                looks: looks.saturating_add(1),
                reason: reason.clone(),
            });
            Some(reason)
        }
        Look::Measured | Look::NoData { .. } => {
            looking.trouble = None;
            None
        }
    }
}

/// The counts of the canary and of its baseline.
fn arms(
    rule: &mut LiveRule,
    increases: &Increases,
    pods: &KnownPods,
    serves: bool,
    analysis: &Analysis,
) -> (Option<Counts>, Option<Counts>) {
    let arm_of = |key: &SeriesKey| arm_of(key, &rule.rule.arms, pods, analysis);
    let arm = |wanted: Arm| sum(&rule.rule, increases, |key, _| arm_of(key) == Some(wanted));
    let tells_apart = increases
        .series
        .keys()
        .any(|key| matches!(arm_of(key), Some(Arm::Canary | Arm::Baseline)));
    let whole = if tells_apart { None } else { arm(Arm::Whole) };
    let counts = match (&whole, analysis.phase) {
        // Before a pod of it serves, all that the service shows is the old revision.
        (Some(_), _) if !serves => (None, None),
        (Some(_), _) => (whole.clone(), None),
        (None, Phase::Beside) => (arm(Arm::Canary), arm(Arm::Baseline)),
        (None, Phase::Alone) => (arm(Arm::Canary), None),
    };
    if whole.is_some() || tells_apart {
        rule.one_arm = whole.is_some();
    }
    counts
}

/// Whether a pod of the canary is ready; of the past: whether one that is ready now was there.
pub(super) fn serves(turn: &Turn<'_>, state: Option<&TargetState>, analysis: &Analysis) -> bool {
    state.is_some_and(|state| {
        state.pods.iter().any(|pod| {
            pod.hash == analysis.canary
                && pod.ready
                && !pod.terminating
                && (!turn.past || pod.created <= turn.now)
        })
    })
}

/// The whole target counts, from completion on: what the bad pods still had to report does not.
fn verified(turn: &Turn<'_>, rule: &mut LiveRule, began: Timestamp, increases: &Increases) {
    let counts = sum(&rule.rule, increases, |_, increase| increase.since >= began);
    let arms = Arms {
        at: turn.now,
        canary: counts,
        baseline: None,
    };
    rule.evidence.update_counts(&rule.rule, arms);
    rule.changed = true;
}

fn has_events(counts: Option<&Counts>) -> bool {
    counts.is_some_and(|counts| counts.total() > 0.0)
}
