//! Which arm the counts of a series belong to.

use crate::analysis::Analysis;
use crate::ids::RevisionHash;
use crate::measurement::{Counts, Increase, Increases, KnownPods};
use crate::observation::SeriesKey;
use crate::rule::{ArmsBy, Check, Metric, Rule};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arm {
    Canary,
    Baseline,
    /// The whole service: nothing tells its arms apart.
    Whole,
}

/// Which arm a series belongs to; pods of other revisions belong to none.
pub(super) fn arm_of(
    key: &SeriesKey,
    by: &ArmsBy,
    pods: &KnownPods,
    analysis: &Analysis,
) -> Option<Arm> {
    match (key, by) {
        (SeriesKey::Pod { .. }, _) => of_revision(&pods.of(key)?.revision, analysis),
        (SeriesKey::Label(value), ArmsBy::HashLabel(_)) => {
            of_revision(&RevisionHash(value.clone()), analysis)
        }
        (
            SeriesKey::Label(value),
            ArmsBy::NamedLabel {
                canary, baseline, ..
            },
        ) => {
            // Once it is promoted, the canary serves under the baseline's name.
            if value == canary || (value == baseline && analysis.promoted.is_some()) {
                Some(Arm::Canary)
            } else {
                (value == baseline).then_some(Arm::Baseline)
            }
        }
        (SeriesKey::Whole, _) | (SeriesKey::Label(_), ArmsBy::Pod) => Some(Arm::Whole),
    }
}

pub(super) fn of_revision(revision: &RevisionHash, analysis: &Analysis) -> Option<Arm> {
    if *revision == analysis.canary {
        Some(Arm::Canary)
    } else {
        (Some(revision) == analysis.baseline.as_ref()).then_some(Arm::Baseline)
    }
}

/// The counts of all series that belong, `None` when there is nothing new of them.
pub(super) fn sum(
    rule: &Rule,
    increases: &Increases<'_>,
    belongs: impl Fn(&SeriesKey, &Increase) -> bool,
) -> Option<Counts> {
    let mut sum: Option<Counts> = None;
    for (key, increase) in &increases.series {
        if belongs(key, increase) {
            add(&mut sum, rule, increase);
        }
    }
    sum
}

/// Adds the counts of one series, if the rule counts them.
pub(super) fn add(sum: &mut Option<Counts>, rule: &Rule, increase: &Increase) {
    if increase.part_never_seen && !absent_is_zero(rule) {
        return;
    }
    match sum {
        None => *sum = Some(increase.counts.clone()),
        Some(sum) => sum.add(&increase.counts),
    }
}

fn absent_is_zero(rule: &Rule) -> bool {
    match &rule.check {
        Check::Counts(check) => match &check.metric {
            Metric::Ratio(ratio) => ratio.absent_is_zero,
            Metric::Histogram(_) => false,
        },
        // The total of a rate has the part's own labels: what is absent beside it has not happened.
        Check::Level(_) => true,
    }
}
