//! Answers of the sources: from counters to counts per arm, and into the evidence, the history or the verification.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Live, Turn, tell};
use crate::analysis::{Analysis, Phase, elapsed};
use crate::ids::{RuleName, TargetId};
use crate::judge::{Arms, Evidence};
use crate::measurement::{Counts, Increases, KnownPods, Look, never_seen_reason};
use crate::observation::SeriesKey;
use crate::record::Record;
use crate::rule::{ArmsBy, Metric, Rule, SourceKind};
use crate::verify::Verification;

/// A source is called lost when all its answers were unusable for this long.
pub(super) const LOST_AFTER: SignedDuration = SignedDuration::from_secs(5);

pub(super) fn take_in(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    failing: &mut BTreeMap<SourceKind, Timestamp>,
    answers: Vec<Answer>,
) {
    let mut usable: BTreeMap<SourceKind, Result<(), String>> = BTreeMap::new();
    for answer in answers {
        let Some(live) = lives.get_mut(&answer.target) else {
            continue;
        };
        let source = live.source(&turn.settings);
        let trouble = answered(turn, live, answer);
        let seen = usable.entry(source).or_insert_with(|| Err(String::new()));
        match trouble {
            None => *seen = Ok(()),
            Some(reason) => {
                if let Err(first) = seen
                    && first.is_empty()
                {
                    *first = reason;
                }
            }
        }
    }
    for (source, seen) in usable {
        match seen {
            Ok(()) => {
                failing.remove(&source);
                if turn.ledger.lost_sources.contains_key(&source) {
                    turn.record(Record::SourceBack { source });
                    tell::source_back(turn, lives, source);
                }
            }
            Err(reason) => {
                let since = *failing.entry(source).or_insert(turn.now);
                let lost = turn.ledger.lost_sources.contains_key(&source);
                if !lost && elapsed(since, turn.now) >= LOST_AFTER {
                    turn.record(Record::SourceLost {
                        source,
                        reason: reason.clone(),
                    });
                    tell::source_lost(turn, lives, source, &reason);
                }
            }
        }
    }
}

/// Takes one answer in; why it could not be used, if so.
fn answered(turn: &mut Turn<'_>, live: &mut Live, answer: Answer) -> Option<String> {
    let Answer {
        target,
        question,
        observation,
    } = answer;
    let pods = live
        .state
        .as_ref()
        .map(|state| state.pods.as_slice())
        .unwrap_or_default();
    let known_pods = KnownPods::new(&target, pods);
    let looking = live.measurements.get_mut(&question)?;
    let increases = looking
        .measurement
        .advance(turn.now, &observation, &known_pods);
    let trouble = match &increases.look {
        Look::Unavailable { reason, .. } => Some(reason.clone()),
        Look::Measured | Look::NoData { .. } => None,
    };
    looking.trouble = trouble.clone().map(|reason| {
        let since = looking
            .trouble
            .as_ref()
            .map_or(turn.now, |(since, _)| *since);
        (since, reason)
    });
    looking.no_data = match &increases.look {
        Look::NoData { reason } => Some(reason.clone()),
        Look::Measured if increases.part_never_seen() => Some(never_seen_reason(&question)),
        Look::Measured => increases
            .unusable
            .first()
            .map(|unusable| unusable.reason.clone()),
        Look::Unavailable { .. } => None,
    };
    let watch = live.watch.clone();
    for rule in watch
        .rules
        .iter()
        .filter(|rule| rule.metric.question(&rule.arms) == *question)
    {
        let known = turn.ledger.targets.get(&target);
        let analysis = known.and_then(|known| known.analysis.clone());
        let verification = known.and_then(|known| known.verification.clone());
        match (analysis, verification) {
            (Some(analysis), _) => judged(turn, live, rule, &analysis, &increases, &known_pods),
            (None, Some(verification)) => verified(turn.now, live, rule, &verification, &increases),
            // While a plan is carried out the counts are those of the failed release: no history.
            (None, None) if known.is_some_and(|known| known.plan.is_some()) => {}
            (None, None) => {
                if let Some(counts) = sum(rule, &increases, |_, _| true) {
                    live.history
                        .entry(rule.name.clone())
                        .or_default()
                        .add(turn.now, &counts);
                }
            }
        }
    }
    trouble
}

fn judged(
    turn: &mut Turn<'_>,
    live: &mut Live,
    rule: &Rule,
    analysis: &Analysis,
    increases: &Increases,
    pods: &KnownPods,
) {
    let arm = |wanted: Arm| {
        sum(rule, increases, |key, _| {
            arm_of(key, &rule.arms, pods, analysis) == Some(wanted)
        })
    };
    let canary = arm(Arm::Canary);
    let baseline = match analysis.phase {
        Phase::Beside => arm(Arm::Baseline),
        Phase::Alone => None,
    };
    let has = |counts: &Option<Counts>| counts.as_ref().is_some_and(|counts| counts.total() > 0.0);
    if has(&baseline) {
        live.baseline_traffic = Some(turn.now);
    }
    if has(&canary)
        && turn
            .ledger
            .targets
            .get(&analysis.target)
            .is_some_and(|known| {
                known
                    .analysis
                    .as_ref()
                    .is_some_and(|analysis| analysis.first_traffic.is_none())
            })
    {
        turn.record(Record::FirstTraffic {
            target: analysis.target.clone(),
        });
    }
    let evidence = live.evidence.entry(rule.name.clone()).or_default();
    evidence.update(
        rule,
        analysis.phase,
        Arms {
            at: turn.now,
            canary,
            baseline,
        },
    );
}

/// The whole target counts, from completion on: what the bad pods still had to report does not.
fn verified(
    now: Timestamp,
    live: &mut Live,
    rule: &Rule,
    verification: &Verification,
    increases: &Increases,
) {
    if !verification.rules.contains(&rule.name) {
        return;
    }
    let counts = sum(rule, increases, |_, since| since >= verification.began);
    let evidence = live.evidence.entry(rule.name.clone()).or_default();
    evidence.update(
        rule,
        Phase::Alone,
        Arms {
            at: now,
            canary: counts,
            baseline: None,
        },
    );
}

/// Starts the evidence of all rules afresh; with the counts from before the release for comparisons. After an
/// analysis those of that analysis stay: what came since is what was judged.
pub(super) fn restart_evidence(live: &mut Live, after: Option<&Analysis>) {
    live.baseline_traffic = None;
    live.findings.clear();
    live.evidence = live
        .watch
        .rules
        .iter()
        .map(|rule| {
            let before = match after.and_then(|analysis| analysis.evidence.get(&rule.name)) {
                Some(evidence) => evidence.before().cloned(),
                None => live
                    .history
                    .get(&rule.name)
                    .and_then(crate::history::History::sum),
            };
            (rule.name.clone(), Evidence::new(before))
        })
        .collect::<BTreeMap<RuleName, Evidence>>();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arm {
    Canary,
    Baseline,
}

/// Which arm a series belongs to; pods of other revisions belong to none.
fn arm_of(key: &SeriesKey, by: &ArmsBy, pods: &KnownPods, analysis: &Analysis) -> Option<Arm> {
    let of_revision = |revision: &str| {
        if revision == analysis.canary.as_str() {
            Some(Arm::Canary)
        } else if analysis
            .baseline
            .as_ref()
            .is_some_and(|baseline| baseline.as_str() == revision)
        {
            Some(Arm::Baseline)
        } else {
            None
        }
    };
    match (key, by) {
        (SeriesKey::Pod { .. }, _) => of_revision(pods.of(key)?.revision.as_str()),
        (SeriesKey::Label(value), ArmsBy::HashLabel(_)) => of_revision(value),
        (
            SeriesKey::Label(value),
            ArmsBy::NamedLabel {
                canary, baseline, ..
            },
        ) => {
            if value == canary {
                Some(Arm::Canary)
            } else {
                (value == baseline).then_some(Arm::Baseline)
            }
        }
        // The whole service is one arm: before and after.
        (SeriesKey::Whole, _) | (SeriesKey::Label(_), ArmsBy::Pod) => Some(Arm::Canary),
    }
}

/// The counts of all series that belong, `None` when there is nothing new of them.
fn sum(
    rule: &Rule,
    increases: &Increases,
    belongs: impl Fn(&SeriesKey, Timestamp) -> bool,
) -> Option<Counts> {
    let absent_is_zero = match &rule.metric {
        Metric::Ratio(ratio) => ratio.absent_is_zero,
        Metric::Histogram(_) => false,
    };
    let mut sum: Option<Counts> = None;
    for (key, increase) in &increases.series {
        let counted = !increase.part_never_seen || absent_is_zero;
        if counted && belongs(key, increase.since) {
            match &mut sum {
                None => sum = Some(increase.counts.clone()),
                Some(sum) => sum.add(&increase.counts),
            }
        }
    }
    sum
}
