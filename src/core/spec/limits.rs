//! What must hold of a metric: `max`, `min`, `compare`. Limits that can never decide anything are errors.

use std::time::Duration;

use super::fields::{self, Fields};
use super::report::Report;
use super::tree::Node;
use crate::rule::{Compare, Metric, Unit};

/// Relative tolerance of a comparison, when the rule does not say (judge.md, section 2).
pub(super) const MARGIN: f64 = 0.5;
/// Absolute tolerance of a ratio's comparison: 0.1 points.
const PLUS: f64 = 0.001;
/// A tolerance of ten times the baseline is surely a slip.
const MOST_MARGIN: f64 = 10.0;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub(super) max: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) compare: Option<Compare>,
}

/// What a rule measures, as far as its limits depend on it; known also when the metric has errors.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measured {
    Bad,
    Good,
    Histogram { tail: f64, unit: Unit },
    Unknown,
}

/// Reads the limits of a rule; `None` when they have errors.
pub(super) fn read(
    rule: &Fields<'_>,
    metric: Option<&Metric>,
    report: &mut Report<'_>,
) -> Option<Limits> {
    let measured = measured(rule, metric);
    let [max, min, compare] = ["max", "min", "compare"].map(|name| rule.get(name));
    if max.is_none() && min.is_none() && compare.is_none() {
        if !rule.unclear() {
            report
                .error(rule.span, "this rule says nothing that must hold")
                .help(match measured {
                    Measured::Histogram { .. } => {
                        "add a limit (`max: 500ms`), a comparison (`compare: {}`), or both"
                    }
                    Measured::Good => {
                        "add a limit (`min: 99%`), a comparison (`compare: {}`), or both"
                    }
                    Measured::Bad | Measured::Unknown => {
                        "add a limit (`max: 5%`), a comparison (`compare: {}`), or both"
                    }
                });
        }
        return None;
    }
    // Each is read before the first that failed ends it, so that every error is found.
    let max = optional(max, |node| read_max(node, measured, report));
    let min = optional(min, |node| read_min(node, measured, report));
    let compare = optional(compare, |node| read_compare(node, measured, report));
    Some(Limits {
        max: max.ok()?,
        min: min.ok()?,
        compare: compare.ok()?,
    })
}

/// Reading failed, and it was reported why.
struct Reported;

fn optional<T>(
    node: Option<&Node>,
    read: impl FnOnce(&Node) -> Option<T>,
) -> Result<Option<T>, Reported> {
    node.map(|node| read(node).ok_or(Reported)).transpose()
}

fn measured(rule: &Fields<'_>, metric: Option<&Metric>) -> Measured {
    match metric {
        Some(Metric::Ratio(ratio)) => match ratio.part_is {
            crate::rule::Part::Bad => Measured::Bad,
            crate::rule::Part::Good => Measured::Good,
        },
        Some(Metric::Histogram(histogram)) => Measured::Histogram {
            tail: 1.0 - histogram.quantile(),
            unit: histogram.unit,
        },
        None if rule.get("histogram").is_some() && rule.get("ratio").is_none() => {
            // Only to check the shape: the rule has errors and is not used.
            Measured::Histogram {
                tail: 0.05,
                unit: Unit::Seconds,
            }
        }
        None => Measured::Unknown,
    }
}

fn read_max(node: &Node, measured: Measured, report: &mut Report<'_>) -> Option<f64> {
    match measured {
        Measured::Histogram { unit, .. } => read_latency(node, unit, report),
        Measured::Bad => {
            let share = fields::percent(node, "max", report)?.share;
            if share >= 1.0 {
                report
                    .error(
                        node.span,
                        "this `max` can never be exceeded: a share is at most 100 %",
                    )
                    .help("write the largest share of bad events that is still fine, such as `5%`");
                return None;
            }
            if share <= 0.0 {
                report
                    .error(node.span, "this `max` allows no bad event at all")
                    .help("write a small share instead, such as `0.1%`: single failures happen to every release");
                return None;
            }
            Some(share)
        }
        Measured::Good => {
            report
                .error(
                    node.span,
                    "`max` on a ratio of `good` events would fail when too many are good",
                )
                .help("write `min: 95%`, or count the `bad` events");
            None
        }
        Measured::Unknown => None,
    }
}

fn read_min(node: &Node, measured: Measured, report: &mut Report<'_>) -> Option<f64> {
    match measured {
        Measured::Histogram { .. } => {
            report
                .error(node.span, "`min` on a histogram would fail when answers are too quick")
                .help("write `max`; for too few requests there is no rule, since absence of data is no failure");
            None
        }
        Measured::Good => {
            let share = fields::percent(node, "min", report)?.share;
            if share >= 1.0 {
                report
                    .error(node.span, "this `min` allows no bad event at all")
                    .help("write a little less instead, such as `99.9%`: single failures happen to every release");
                return None;
            }
            if share <= 0.0 {
                report
                    .error(
                        node.span,
                        "this `min` is always kept: no share is below 0 %",
                    )
                    .help(
                        "write the smallest share of good events that is still fine, such as `99%`",
                    );
                return None;
            }
            Some(share)
        }
        Measured::Bad => {
            report
                .error(
                    node.span,
                    "`min` on a ratio of `bad` events would fail when too few are bad",
                )
                .help("write `max: 5%`, or count the `good` events");
            None
        }
        Measured::Unknown => None,
    }
}

/// A limit on a quantile, in the unit of the buckets.
fn read_latency(node: &Node, unit: Unit, report: &mut Report<'_>) -> Option<f64> {
    if let super::tree::Kind::Scalar(scalar) = &node.kind
        && scalar.text.ends_with('%')
    {
        report
            .error(
                node.span,
                "`max` of a histogram is a duration, and this is a percentage",
            )
            .help("write the longest duration that is still fine at the quantile, such as `500ms`");
        return None;
    }
    let limit = fields::duration(node, "max", report)?;
    if limit.is_zero() {
        report
            .error(
                node.span,
                "this `max` is always exceeded: nothing takes no time",
            )
            .help("write the longest duration that is still fine at the quantile, such as `500ms`");
        return None;
    }
    Some(in_unit(limit, unit))
}

/// Exact for whole nanoseconds: both numbers are below 2^53, and one division rounds once.
fn in_unit(limit: Duration, unit: Unit) -> f64 {
    let nanos = limit.as_nanos() as f64;
    match unit {
        Unit::Seconds => nanos / 1e9,
        Unit::Milliseconds => nanos / 1e6,
    }
}

fn read_compare(node: &Node, measured: Measured, report: &mut Report<'_>) -> Option<Compare> {
    const HELP: &str =
        "write `compare: {}` for the usual tolerances, or `compare: {margin: 50%, plus: 0.1%}`";
    let fields = opened(node, HELP, report)?;
    if let Some(decides) = fields.entry("decides") {
        report
            .error(
                decides.key_span,
                "`decides` belongs to rules that read a value, and this rule counts events",
            )
            .help(
                "leave it out: a comparison of counts decides; `weight: 0` makes a rule advisory",
            );
    }
    let margin = match fields.get("margin") {
        None => Some(MARGIN),
        Some(node) => read_margin(node, report),
    };
    let plus = match fields.get("plus") {
        None => Some(match measured {
            Measured::Histogram { tail, .. } => 0.1 * tail,
            Measured::Bad | Measured::Good | Measured::Unknown => PLUS,
        }),
        Some(node) => read_plus(node, measured, report),
    };
    Some(Compare {
        margin: margin?,
        plus: plus?,
    })
}

/// Opens `compare` of a rule of whatever kind.
pub(super) fn opened<'n>(
    node: &'n Node,
    help: &'static str,
    report: &mut Report<'_>,
) -> Option<Fields<'n>> {
    if let super::tree::Kind::Scalar(_) = &node.kind {
        report
            .error(
                node.span,
                format!("`compare` must be a mapping, and is {}", node.describe()),
            )
            .help(help);
        return None;
    }
    Fields::open(node, "`compare`", &["margin", "plus", "decides"], report)
}

pub(super) fn read_margin(node: &Node, report: &mut Report<'_>) -> Option<f64> {
    let margin = fields::percent(node, "margin", report)?.share;
    if margin > MOST_MARGIN {
        report
            .error(node.span, "this `margin` allows more than eleven times the baseline")
            .help("write how much worse than the baseline is still fine, such as `50%` for one and a half times");
        return None;
    }
    if margin <= 0.0 {
        report
            .warn(
                node.span,
                "`margin: 0%` leaves only `plus` as tolerance: small differences count as worse",
            )
            .help("no two arms are quite equal: allow a little, such as `20%`");
    }
    Some(margin)
}

fn read_plus(node: &Node, measured: Measured, report: &mut Report<'_>) -> Option<f64> {
    let is_duration = |text: &str| super::units::duration(text).is_ok();
    if let (Measured::Histogram { .. }, super::tree::Kind::Scalar(scalar)) = (measured, &node.kind)
        && is_duration(&scalar.text)
    {
        report
            .error(node.span, "`plus` is a share of requests, not a duration")
            .help(
                "arms are compared by their shares of slow requests: write points, such as `0.5%`",
            );
        return None;
    }
    let plus = fields::percent(node, "plus", report)?.share;
    if plus >= 1.0 {
        report
            .error(
                node.span,
                "with this `plus` the comparison can never fail: a share is at most 100 %",
            )
            .help("write how many points above the baseline are still fine, such as `0.1%`");
        return None;
    }
    if plus <= 0.0 {
        report
            .warn(
                node.span,
                "with `plus: 0%` a single bad event beside a clean baseline counts as worse",
            )
            .help("allow a little, such as `0.1%`");
    }
    Some(plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exact_in_the_unit_of_the_buckets() {
        for (milliseconds, seconds) in [(500, 0.5), (1_000, 1.0), (1, 0.001), (2_500, 2.5)] {
            let limit = Duration::from_millis(milliseconds);
            assert_eq!(
                in_unit(limit, Unit::Seconds).to_bits(),
                f64::to_bits(seconds)
            );
            assert_eq!(
                in_unit(limit, Unit::Milliseconds).to_bits(),
                (milliseconds as f64).to_bits()
            );
        }
    }
}
