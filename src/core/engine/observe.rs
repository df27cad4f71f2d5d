//! Answers of the sources: from counters to counts per arm, and into the evidence, the history or the verification.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::arms::{Arm, add, arm_of, sum};
use super::levels::{Heard, Values};
use super::live::{Live, LiveRule, Looking, Trouble};
use super::{Answer, Turn, always, levels};
use crate::analysis::Analysis;
use crate::ids::TargetId;
use crate::judge::{Arms, Phase, RateArms};
use crate::measurement::{Counts, Increase, Increases, KnownPods, Look, never_seen_reason};
use crate::observation::{Cumulative, Observation, SeriesKey};
use crate::record::Record;
use crate::rule::{Check, SourceKind};
use crate::target::TargetState;
use crate::time::elapsed;
use crate::wording::short;

/// What was heard of each source in this tick: that it answers, or why no answer could be used.
pub(super) type HeardOf = BTreeMap<SourceKind, Result<(), String>>;

/// Values leave little in a record: when they were last read.
const BYTES_OF_VALUES: usize = 15_000;
/// Reasons come from outside and end up in records and messages.
const MOST_REASON: usize = 300;

pub(super) fn take_in(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    answers: Vec<Answer>,
) -> HeardOf {
    let mut heard = HeardOf::new();
    for answer in answers {
        let Some(live) = lives.get_mut(&answer.target) else {
            continue;
        };
        live.news = true;
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
    let tick = looking.tick(turn.settings.interval);
    let values = Values::of(observation, turn.now, pods, &looking.measurement);
    let Some(known) = turn.ledger.targets.get(target) else {
        return trouble;
    };
    let asking = rules.iter_mut().filter(|rule| rule.question == *question);
    let mut first_traffic = false;
    if let Some(analysis) = &known.analysis {
        for rule in asking {
            let heard = match &values {
                Some(values) => values.judged(rule, turn.then(), state.as_ref(), analysis),
                None => counted(turn, rule, &increases, pods, state.as_ref(), analysis),
            };
            if !rule.tells_traffic {
                continue;
            }
            if heard.baseline {
                *baseline_traffic = Some(turn.now);
            }
            first_traffic |= heard.canary && analysis.first_traffic.is_none();
        }
    } else if let Some(verification) = &known.verification {
        let since = bad_served.map_or(verification.began, |at| at.max(verification.began));
        for rule in asking.filter(|rule| verification.rules.contains(&rule.rule.name)) {
            match &values {
                Some(values) => values.verified(rule, since, &verification.from),
                None => verified(turn, rule, since, &increases),
            }
        }
    } else if let Some(values) = &values {
        if known.plan.is_none() {
            for rule in asking {
                values.remembered(rule);
            }
        }
    } else if known.plan.is_none() && !known.has_failed(&known.current) {
        // The counts of a revision that failed are no baseline.
        for rule in asking {
            if let Some(counts) = sum(&rule.rule, &increases, |_, _| true) {
                match &rule.rule.check {
                    Check::Counts(_) => rule.history.add(turn.now, &counts, tick),
                    Check::Level(_) => {
                        let tick = levels::rate(turn.now, Some(&counts), None);
                        rule.evidence.update_rate(&rule.rule, tick);
                    }
                }
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
    increases: &Increases<'_>,
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
    if let Observation::Levels(_) = observation {
        looking.bytes = BYTES_OF_VALUES;
        looking.largest = 0;
    }
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

/// What was counted goes into the evidence of an analysis.
fn counted(
    turn: &Turn<'_>,
    rule: &mut LiveRule,
    increases: &Increases<'_>,
    pods: &KnownPods,
    state: Option<&TargetState>,
    analysis: &Analysis,
) -> Heard {
    let serves = serves(turn.then(), state, analysis);
    let (canary, baseline) = arms(rule, increases, pods, serves, analysis);
    rule.changed = true;
    match &rule.rule.check {
        Check::Counts(_) => {
            let heard = Heard {
                canary: has_events(canary.as_ref()),
                baseline: has_events(baseline.as_ref()),
            };
            let tick = Arms {
                at: turn.now,
                canary,
                baseline,
            };
            rule.evidence.update_counts(&rule.rule, tick);
            heard
        }
        Check::Level(_) => {
            let tick = RateArms {
                pods: levels::serving(turn.then(), state, analysis),
                ..levels::rate(turn.now, canary.as_ref(), baseline.as_ref())
            };
            rule.evidence.update_rate(&rule.rule, tick);
            Heard {
                canary: canary.is_some(),
                baseline: baseline.is_some(),
            }
        }
    }
}

/// The counts of the canary and of its baseline.
fn arms(
    rule: &mut LiveRule,
    increases: &Increases<'_>,
    pods: &KnownPods,
    serves: bool,
    analysis: &Analysis,
) -> (Option<Counts>, Option<Counts>) {
    let mut tells_apart = false;
    let (mut canary, mut baseline, mut whole) = (None, None, None);
    for (key, increase) in &increases.series {
        let sum = match arm_of(key, &rule.rule.arms, pods, analysis) {
            Some(Arm::Canary) => {
                tells_apart = true;
                &mut canary
            }
            Some(Arm::Baseline) => {
                tells_apart = true;
                &mut baseline
            }
            Some(Arm::Whole) => &mut whole,
            None => continue,
        };
        if starts(rule, key, increase, pods) {
            continue;
        }
        add(sum, &rule.rule, increase);
    }
    let whole = whole.filter(|_| !tells_apart);
    if whole.is_some() || tells_apart {
        rule.one_arm = whole.is_some();
    }
    match (whole, analysis.phase) {
        // Before a pod of it serves, all that the service shows is the old revision.
        (Some(_), _) if !serves => (None, None),
        (Some(whole), _) => (Some(whole), None),
        (None, Phase::Beside) => (canary, baseline),
        (None, Phase::Alone) => (canary, None),
    }
}

/// Whether counts are of a pod's first time, which the rule leaves out.
fn starts(rule: &LiveRule, key: &SeriesKey, increase: &Increase, pods: &KnownPods) -> bool {
    let skip = rule.rule.judging.skip;
    !skip.is_zero()
        && pods.of(key).is_some_and(|pod| {
            let skip = SignedDuration::try_from(skip).unwrap_or(SignedDuration::MAX);
            elapsed(pod.created, increase.since) < skip
        })
}

/// Whether a pod of the canary is ready; of the past: whether one that is ready now was there.
///
/// `then` is that time of the past.
pub(super) fn serves(
    then: Option<Timestamp>,
    state: Option<&TargetState>,
    analysis: &Analysis,
) -> bool {
    state.is_some_and(|state| {
        state.pods.iter().any(|pod| {
            pod.hash == analysis.canary
                && pod.ready
                && !pod.terminating
                && then.is_none_or(|then| pod.created <= then)
        })
    })
}

/// The whole target counts, from completion on: what the bad pods still had to report does not.
fn verified(turn: &Turn<'_>, rule: &mut LiveRule, began: Timestamp, increases: &Increases<'_>) {
    let counts = sum(&rule.rule, increases, |_, increase| increase.since >= began);
    rule.changed = true;
    match &rule.rule.check {
        Check::Counts(_) => {
            let arms = Arms {
                at: turn.now,
                canary: counts,
                baseline: None,
            };
            rule.evidence.update_counts(&rule.rule, arms);
        }
        Check::Level(_) => {
            let tick = levels::rate(turn.now, counts.as_ref(), None);
            rule.evidence.update_rate(&rule.rule, tick);
        }
    }
}

fn has_events(counts: Option<&Counts>) -> bool {
    counts.is_some_and(|counts| counts.total() > 0.0)
}
