//! `compare` of a rule about a value: how far the canary may lie from the baseline, beside a limit.

use super::limit;
use crate::rule::{Level, LevelCompare, LevelLimit, LevelUnit, Sampled};
use crate::spec::fields::{self, Fields};
use crate::spec::limits::{MARGIN, opened, read_margin};
use crate::spec::report::Report;
use crate::spec::tree::{Entry, Kind, Node};

const HELP: &str = "write `compare: {}` for half as much again, or `compare: {margin: 20%, plus: 100}` with `plus` in the unit of the limit";

/// Reads the field `compare`.
pub(super) fn read(
    entry: &Entry,
    rule: &Fields<'_>,
    sampled: Option<&Sampled>,
    limit: Option<&(LevelLimit, LevelUnit)>,
    report: &mut Report<'_>,
) -> Option<LevelCompare> {
    has_arms(entry, sampled, report)?;
    let fields = opened(&entry.value, HELP, report)?;
    let margin = match fields.get("margin") {
        None => Some(MARGIN),
        Some(node) => read_margin(node, report)
            .and_then(|margin| lies_below(margin, node, limit.map(|(limit, _)| *limit), report)),
    };
    let plus = match fields.get("plus") {
        None => Some(0.0),
        Some(node) => read_plus(node, sampled, limit.map(|(_, unit)| *unit), report),
    };
    let decides = match fields.get("decides") {
        None => Some(false),
        Some(node) => fields::boolean(node, "decides", report).inspect(|decides| {
            if *decides && weighs_nothing(rule) {
                report
                    .warn(
                        node.span,
                        "with `weight: 0` nothing is decided by this comparison",
                    )
                    .help("give the rule a weight, or leave `decides` out");
            }
        }),
    };
    Some(LevelCompare {
        margin: margin?,
        plus: plus?,
        decides: decides?,
    })
}

fn weighs_nothing(rule: &Fields<'_>) -> bool {
    rule.get("weight")
        .is_some_and(|node| matches!(&node.kind, Kind::Scalar(scalar) if scalar.text == "0"))
}

/// Only what is measured of each revision can be compared.
fn has_arms(entry: &Entry, sampled: Option<&Sampled>, report: &mut Report<'_>) -> Option<()> {
    let one_value =
        "leave `compare` out: the limit holds for the service, whatever revision it runs";
    let (reason, help) = match sampled {
        None | Some(Sampled::Rate { .. } | Sampled::Level(Level::Gauge(_))) => return Some(()),
        Some(Sampled::Level(Level::Promql(promql))) if promql.range.is_none() => return Some(()),
        Some(Sampled::Level(Level::Promql(_))) => (
            "`compare` sets values of the same moment against each other, and a range query gives a past",
            "leave `range` and `step` out",
        ),
        Some(Sampled::Level(Level::Kubernetes(_))) => (
            "`compare` needs two revisions side by side, and what `kubernetes` says of pods is rarely anything but 0",
            "leave `compare` out: a limit says how many pods may be in trouble",
        ),
        Some(Sampled::Level(Level::HttpJson(_))) => (
            "`compare` needs two revisions side by side, and `httpJson` gives one value",
            one_value,
        ),
        Some(Sampled::Level(Level::Alert(_))) => (
            "`compare` needs two revisions side by side, and an alert only fires or does not",
            "leave `compare` out: an alert that names a pod of the old revision speaks for the new one by itself",
        ),
        Some(Sampled::Level(Level::Redis(_))) => (
            "`compare` needs two revisions side by side, and `redis` gives one value",
            one_value,
        ),
    };
    report.error(entry.key_span, reason).help(help);
    None
}

/// What is asked for at least must stay above nothing.
fn lies_below(
    margin: f64,
    node: &Node,
    limit: Option<LevelLimit>,
    report: &mut Report<'_>,
) -> Option<f64> {
    match limit {
        Some(LevelLimit::Min(_)) if margin >= 1.0 => {
            report
                .error(
                    node.span,
                    "with this `margin` nothing is too little: it allows the whole baseline less",
                )
                .help("write how much less than the baseline is still fine, such as `20%`");
            None
        }
        Some(LevelLimit::Min(_) | LevelLimit::Max(_)) | None => Some(margin),
    }
}

fn read_plus(
    node: &Node,
    sampled: Option<&Sampled>,
    of_limit: Option<LevelUnit>,
    report: &mut Report<'_>,
) -> Option<f64> {
    let (plus, unit) = limit::read_value(node, "plus", sampled, report)?;
    // Nothing has every unit.
    let wanted = of_limit.filter(|wanted| *wanted != unit && plus != 0.0);
    if let Some(wanted) = wanted {
        report
            .error(
                node.span,
                format!(
                    "`plus` is {}, and the limit of this rule is {}",
                    limit::named(unit),
                    limit::named(wanted)
                ),
            )
            .help("write both in the same unit");
        return None;
    }
    Some(plus)
}
