//! What became of a release, in few words: for the table and the drawing.

use jiff::{SignedDuration, Timestamp};

use recant_core::judge::{Finding, Measured};
use recant_core::record::Standing;
use recant_core::rule::{
    Check, CountsCheck, LevelLimit, LevelUnit, Metric, Part, Rule, Unit, Watch,
};
use recant_core::time::elapsed;
use recant_core::wording::{bytes, digits, latency, percent, span};

use crate::backtest::{Outcome, Release};

/// The verdict in a word or two.
pub(super) fn verdict(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::TakenBack { .. } => "taken back",
        Outcome::Failed { .. } => "bad, kept",
        Outcome::Passed => "passed",
        Outcome::Inconclusive { .. } => "inconclusive",
        Outcome::Superseded { .. } => "superseded",
        Outcome::Returned { .. } => "came back",
        Outcome::Unfinished => "not over",
    }
}

/// What is to be known besides.
pub(super) fn note(release: &Release) -> Option<String> {
    match &release.outcome {
        Outcome::TakenBack { to } => Some(format!(
            "would have been taken back to {}{}",
            to.revision,
            if to.known_good {
                ", which was known good"
            } else {
                ", which served before it and was not known good"
            }
        )),
        Outcome::Failed { why } => Some(format!("was found bad and not taken back: {why}")),
        Outcome::Inconclusive { reason } | Outcome::Superseded { reason } => Some(reason.clone()),
        Outcome::Returned { standing } => Some(
            match standing {
                Some(Standing::KnownGood { .. }) => {
                    "was known good before, so it is not judged again"
                }
                Some(Standing::Failed { .. }) => {
                    "had failed before; what failed is not judged again without a person"
                }
                Some(Standing::Inconclusive { .. }) | None => {
                    "was the way back already, so it is not judged again"
                }
            }
            .to_owned(),
        ),
        Outcome::Passed => None,
        Outcome::Unfinished => Some("the history ends before its watch does".to_owned()),
    }
}

/// How long it took, from its first bad sample if that is known; else from its begin.
pub(super) fn after(release: &Release) -> Option<SignedDuration> {
    let at = release.at?;
    Some(elapsed(release.bad_since.unwrap_or(release.begin), at))
}

/// The same in words.
pub(super) fn after_text(release: &Release) -> String {
    after(release).map_or_else(|| "-".to_owned(), span)
}

/// A time to the second, as tables show it: UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The rule of a watch by its finding.
pub(super) fn rule_of<'w>(
    watches: &'w [Watch],
    release: &Release,
    finding: &Finding,
) -> Option<&'w Rule> {
    let watch = watches.iter().find(|watch| watch.name == release.watch)?;
    let mut rules = watch.rules.iter().map(|rule| &**rule);
    rules.find(|rule| rule.name == finding.rule)
}

/// What was measured against what is allowed: `5.2 % vs 1 %`.
pub(super) fn against(rule: &Rule, finding: &Finding) -> String {
    let value = |measured: &Measured| measured.value;
    let canary = value(&finding.canary);
    let baseline = finding.baseline.as_ref().and_then(value);
    let shown = |value: Option<f64>| {
        value.map_or_else(|| "nothing".to_owned(), |value| in_unit(rule, value))
    };
    match allowed(rule, baseline) {
        Some(Allowed::AtMost(most)) => format!("{} vs {}", shown(canary), in_unit(rule, most)),
        Some(Allowed::AtLeast(least)) => {
            format!("{} vs at least {}", shown(canary), in_unit(rule, least))
        }
        None => format!("{} vs baseline {}", shown(canary), shown(baseline)),
    }
}

/// What a rule allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Allowed {
    AtMost(f64),
    AtLeast(f64),
}

/// What a rule allows beside such a baseline: of a limit and a comparison the stricter; `None`: it cannot be said in a
/// number.
pub(super) fn allowed(rule: &Rule, baseline: Option<f64>) -> Option<Allowed> {
    let check = match &rule.check {
        Check::Counts(check) => check,
        Check::Level(check) => {
            return Some(match check.limit {
                LevelLimit::Max(most) => Allowed::AtMost(most),
                LevelLimit::Min(least) => Allowed::AtLeast(least),
            });
        }
    };
    let CountsCheck {
        metric,
        max,
        min,
        compare,
        ..
    } = check;
    let bad = |share: f64, compare: &recant_core::rule::Compare| {
        share * (1.0 + compare.margin) + compare.plus
    };
    match (metric, compare, baseline) {
        (Metric::Ratio(ratio), Some(compare), Some(baseline)) => Some(match ratio.part_is {
            Part::Bad => {
                let most = bad(baseline, compare).min(1.0);
                Allowed::AtMost(max.map_or(most, |max| max.min(most)))
            }
            Part::Good => {
                let least = (1.0 - bad(1.0 - baseline, compare)).max(0.0);
                Allowed::AtLeast(min.map_or(least, |min| min.max(least)))
            }
        }),
        (Metric::Ratio(_) | Metric::Histogram(_), _, _) => {
            let most = max.map(Allowed::AtMost);
            most.or(min.map(Allowed::AtLeast))
        }
    }
}

fn in_unit(rule: &Rule, value: f64) -> String {
    match &rule.check {
        Check::Counts(check) => match &check.metric {
            Metric::Ratio(_) => percent(value),
            Metric::Histogram(histogram) => match histogram.unit {
                Unit::Seconds => latency(value),
                Unit::Milliseconds => latency(value / 1000.0),
            },
        },
        Check::Level(check) => match check.metric.unit {
            LevelUnit::Number => digits(value),
            LevelUnit::Percent => percent(value),
            LevelUnit::Bytes => bytes(value),
            LevelUnit::Seconds => latency(value),
        },
    }
}
