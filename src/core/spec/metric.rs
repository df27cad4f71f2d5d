//! What a rule measures; the metrics that are counted: `ratio`, and `histogram` with `quantile`; and `arms`, how the
//! arms are told apart.

use super::excerpt::quoted;
use super::fields::{self, Fields};
use super::level;
use super::report::Report;
use super::selector::is_label_name;
use super::tree::{Entry, Node};
use crate::rule::{ArmsBy, HistogramMetric, Metric, Part, RatioMetric, Selector, Unit};

/// All metrics, as the fields of a rule are named; those that are counted first.
const METRICS: [&str; 9] = [
    "ratio",
    "histogram",
    "gauge",
    "rate",
    "promql",
    "kubernetes",
    "httpJson",
    "redis",
    "alert",
];

/// Which of the fields of a rule says what it measures.
#[derive(Debug, Clone, Copy)]
pub(super) enum Measures<'n> {
    /// `ratio` or `histogram`.
    Counts(&'n Entry),
    /// One of [`level::METRICS`].
    Level(&'n Entry),
}

/// Finds the metric of a rule.
pub(super) fn which<'n>(rule: &Fields<'n>, report: &mut Report<'_>) -> Option<Measures<'n>> {
    let given: Vec<&Entry> = METRICS.iter().filter_map(|name| rule.entry(name)).collect();
    match given.as_slice() {
        [] => {
            if !rule.unclear() {
                report.error(rule.span, "this rule measures nothing").help(
                    "add `ratio: {bad: …, total: …}`, or `histogram: …` with `quantile: 95%`, or `gauge: …`",
                );
            }
            None
        }
        [only] if level::METRICS.contains(&only.key.as_str()) => Some(Measures::Level(only)),
        [only] => Some(Measures::Counts(only)),
        [first, second, ..] => {
            report
                .error(
                    second.key_span,
                    format!("this rule has a `{}` and a `{}`", first.key, second.key),
                )
                .help("a rule measures one thing: make two rules of it");
            None
        }
    }
}

/// Reads a metric that is counted.
pub(super) fn read(rule: &Fields<'_>, metric: &Entry, report: &mut Report<'_>) -> Option<Metric> {
    if let Some(entry) = rule.entry("over") {
        report
            .error(
                entry.key_span,
                "`over` has no meaning here: the events of all pods of an arm are added up",
            )
            .help("leave `over` out");
    }
    if metric.key == "histogram" {
        return read_histogram(&metric.value, rule, report).map(Metric::Histogram);
    }
    for field in ["quantile", "unit"] {
        if let Some(entry) = rule.entry(field) {
            report
                .error(
                    entry.key_span,
                    format!("`{field}` belongs to a `histogram`, and this rule has a `ratio`"),
                )
                .help(format!("leave `{field}` out"));
        }
    }
    read_ratio(&metric.value, report).map(Metric::Ratio)
}

fn read_ratio(node: &Node, report: &mut Report<'_>) -> Option<RatioMetric> {
    const KNOWN: &[&str] = &["bad", "good", "total", "absentBad"];
    let fields = Fields::open(node, "`ratio`", KNOWN, report)?;
    let total = fields
        .need("total", "add `total:`, the counter of all events", report)
        .and_then(|node| fields::selector(node, "total", report).map(|total| (total, node.span)));
    let part = match (fields.entry("bad"), fields.entry("good")) {
        (Some(_), Some(good)) => {
            report
                .error(good.key_span, "`ratio` has a `bad` and a `good`")
                .help("one of them and `total` say it all: leave the other out");
            None
        }
        (None, None) => {
            if !fields.unclear() {
                report
                    .error(fields.span, "`ratio` has no `bad` and no `good`")
                    .help("add `bad:`, the counter of bad events, or `good:`, that of good ones");
            }
            None
        }
        (Some(bad), None) => {
            fields::selector(&bad.value, "bad", report).map(|s| (Part::Bad, s, bad.value.span))
        }
        (None, Some(good)) => {
            fields::selector(&good.value, "good", report).map(|s| (Part::Good, s, good.value.span))
        }
    };
    let absent_is_zero = read_absent(&fields, report)?;
    let ((part_is, part, part_span), (total, total_span)) = (part?, total?);
    let field = match part_is {
        Part::Bad => "bad",
        Part::Good => "good",
    };
    if part == total {
        report
            .error(
                part_span,
                format!("`{field}` and `total` are the same: the share is always 100 %"),
            )
            .help(format!(
                "narrow `{field}` by a label, as in '{}{{status=~\"5..\"}}'",
                total.metric
            ));
        return None;
    }
    if let Some(label) = label_only_in_total(&part, &total) {
        report
            .warn(
                total_span,
                format!("`total` is narrowed by label `{label}`, and `{field}` is not"),
            )
            .help(format!(
                "`{field}` may then count events that `total` does not: add the matcher to both"
            ));
    }
    Some(RatioMetric {
        part,
        part_is,
        total,
        absent_is_zero,
    })
}

/// A label that narrows the total of a metric, but not the part of the same metric.
fn label_only_in_total<'s>(part: &Selector, total: &'s Selector) -> Option<&'s str> {
    if part.metric != total.metric {
        return None;
    }
    total
        .matchers
        .iter()
        .map(|matcher| matcher.label.as_str())
        .find(|label| part.matchers.iter().all(|matcher| matcher.label != *label))
}

fn read_absent(ratio: &Fields<'_>, report: &mut Report<'_>) -> Option<bool> {
    const HELP: &str = "write `absentBad: zero` when the counter of bad events appears with the first of them, or leave it out";
    let Some(entry) = ratio.entry("absentBad") else {
        return Some(false);
    };
    if ratio.entry("bad").is_none() && ratio.entry("good").is_some() {
        report
            .error(
                entry.key_span,
                "`absentBad` goes with `bad`, and this ratio counts `good`",
            )
            .help("leave it out: without good events nothing can be said");
        return None;
    }
    let text = fields::text(&entry.value, "absentBad", HELP, report)?;
    if text != "zero" {
        report
            .error(
                entry.value.span,
                format!("`absentBad` cannot be {}", quoted(text)),
            )
            .help(HELP);
        return None;
    }
    Some(true)
}

fn read_histogram(
    node: &Node,
    rule: &Fields<'_>,
    report: &mut Report<'_>,
) -> Option<HistogramMetric> {
    let quantile = rule
        .need("quantile", "say which: `quantile: 95%`", report)
        .and_then(|node| read_quantile(node, report));
    let histogram = fields::selector(node, "histogram", report);
    let unit = match &histogram {
        Some(selector) => read_unit(&selector.metric, node, rule, report),
        None => None,
    };
    let histogram = histogram?;
    for suffix in ["_bucket", "_count", "_sum"] {
        if let Some(base) = histogram.metric.strip_suffix(suffix) {
            report
                .error(
                    node.span,
                    format!(
                        "`histogram` is given with `{suffix}`, which is one of the series of a histogram"
                    ),
                )
                .help(format!("write the name of the histogram itself: `{base}`"));
            return None;
        }
    }
    if histogram
        .matchers
        .iter()
        .any(|matcher| matcher.label == "le")
    {
        report
            .error(
                node.span,
                "`histogram` is narrowed by label `le`, which tells its buckets apart",
            )
            .help("leave the matcher out; the limit belongs into `max`");
        return None;
    }
    Some(HistogramMetric {
        histogram,
        quantile_millionths: quantile?,
        unit: unit?,
    })
}

fn read_quantile(node: &Node, report: &mut Report<'_>) -> Option<u32> {
    const HELP: &str = "write a percentage above 0% and below 100%, such as `95%` or `99.9%`";
    let percent = fields::percent(node, "quantile", report)?;
    if percent.share <= 0.0 || percent.share >= 1.0 {
        report
            .error(node.span, "`quantile` lies outside of 0 to 100 %")
            .help(HELP);
        return None;
    }
    let millionths = percent.millionths();
    if millionths.is_none() {
        report
            .error(node.span, "`quantile` has more than four decimals")
            .help(HELP);
    }
    millionths
}

/// The unit of the buckets: from the name, else from `unit`.
fn read_unit(
    metric: &str,
    histogram: &Node,
    rule: &Fields<'_>,
    report: &mut Report<'_>,
) -> Option<Unit> {
    const HELP: &str = "write `unit: seconds` or `unit: milliseconds`";
    let base = ["_bucket", "_count", "_sum"]
        .iter()
        .find_map(|suffix| metric.strip_suffix(suffix))
        .unwrap_or(metric);
    let named = if base.ends_with("_seconds") {
        Some((Unit::Seconds, "seconds"))
    } else if base.ends_with("_milliseconds") {
        Some((Unit::Milliseconds, "milliseconds"))
    } else {
        None
    };
    let Some(node) = rule.get("unit") else {
        if named.is_none() {
            report
                .error(
                    histogram.span,
                    "the unit of this histogram is not known: its name does not end in `_seconds` or `_milliseconds`",
                )
                .help(HELP);
        }
        return named.map(|(unit, _)| unit);
    };
    let text = fields::text(node, "unit", HELP, report)?;
    let given = match text {
        "seconds" => Unit::Seconds,
        "milliseconds" => Unit::Milliseconds,
        _ => {
            report
                .error(node.span, format!("`unit` cannot be {}", quoted(text)))
                .help(HELP);
            return None;
        }
    };
    if let Some((named, word)) = named.filter(|(named, _)| *named != given) {
        report
            .error(
                node.span,
                format!("`unit: {text}` contradicts the name of the histogram, which says {word}"),
            )
            .help("leave `unit` out; limits are converted");
        return Some(named);
    }
    Some(given)
}

/// Reads how the arms are told apart.
pub(super) fn read_arms(rule: &Fields<'_>, report: &mut Report<'_>) -> Option<ArmsBy> {
    const KNOWN: &[&str] = &["label", "canary", "baseline"];
    const HELP: &str = "write `arms: {label: L}` when the value of label L is the pod-template hash, or `arms: {label: L, canary: A, baseline: B}`";
    let Some(node) = rule.get("arms") else {
        return Some(ArmsBy::Pod);
    };
    let fields = Fields::open(node, "`arms`", KNOWN, report)?;
    let label = fields.need("label", HELP, report).and_then(|node| {
        let label = fields::text(node, "label", HELP, report)?;
        read_arms_label(label, node, report)
    });
    let mut value = |name: &str| {
        fields
            .get(name)
            .map(|node| fields::text(node, name, HELP, report).map(|text| (text, node)))
    };
    let (canary, baseline) = (value("canary"), value("baseline"));
    match (canary, baseline) {
        (None, None) => Some(ArmsBy::HashLabel(label?)),
        (Some(canary), Some(baseline)) => {
            let ((canary, _), (baseline, node)) = (canary?, baseline?);
            if canary == baseline {
                report
                    .error(node.span, "`canary` and `baseline` have the same value")
                    .help("write the two values that the label has on the two arms");
                return None;
            }
            Some(ArmsBy::NamedLabel {
                label: label?,
                canary: canary.to_owned(),
                baseline: baseline.to_owned(),
            })
        }
        (Some(_), None) | (None, Some(_)) => {
            if !fields.unclear() {
                report
                    .error(
                        fields.span,
                        "`arms` has only one of `canary` and `baseline`",
                    )
                    .help(HELP);
            }
            None
        }
    }
}

fn read_arms_label(label: &str, node: &Node, report: &mut Report<'_>) -> Option<String> {
    if label == "pod" {
        report
            .error(
                node.span,
                "`arms` names the label `pod`, whose value is the name of a pod",
            )
            .help("leave `arms` out: pods are told apart by their revision anyway");
        return None;
    }
    if !is_label_name(label) || label == "le" || label.starts_with("__") {
        report
            .error(
                node.span,
                format!("{} cannot be a label that tells arms apart", quoted(label)),
            )
            .help(
                "write the name of a Prometheus label: letters, digits and `_`, such as `version`",
            );
        return None;
    }
    Some(label.to_owned())
}
