//! The limit of a value: `max` or `min`, in a unit that the value can have.

use crate::rule::{KubernetesFact, Level, LevelLimit, LevelUnit, Sampled};
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields};
use crate::spec::quantity::{USAGE, quantity};
use crate::spec::report::Report;
use crate::spec::tree::{Entry, Node};

/// Reads the limit of a rule and the unit that it is shown in.
pub(super) fn read(
    rule: &Fields<'_>,
    sampled: Option<&Sampled>,
    report: &mut Report<'_>,
) -> Option<(LevelLimit, LevelUnit)> {
    if rule.entry("alert").is_some() {
        return of_alert(rule, report);
    }
    match (rule.entry("max"), rule.entry("min")) {
        (Some(_), Some(min)) => {
            report
                .error(min.key_span, "this rule has a `max` and a `min`")
                .help("a value has one limit: make two rules of it");
            None
        }
        (None, None) => {
            if let Some(Sampled::Level(Level::Kubernetes(KubernetesFact::FailedProgress))) = sampled
            {
                return Some((LevelLimit::Max(0.0), LevelUnit::Number));
            }
            if let Some(compare) = rule.entry("compare") {
                report
                    .error(
                        compare.key_span,
                        "`compare` of a value stands beside a limit, and this rule has none",
                    )
                    .help(format!(
                        "add `max: …` or `min: …`, which also says which side is bad: {USAGE}"
                    ));
            } else if !rule.unclear() {
                report
                    .error(rule.span, "this rule says nothing that must hold")
                    .help(format!("add a limit (`max: …` or `min: …`): {USAGE}"));
            }
            None
        }
        (Some(max), None) => {
            let (value, unit) = read_value(&max.value, "max", sampled, report)?;
            check_max(&max.value, value, unit, sampled, report)?;
            Some((LevelLimit::Max(value), unit))
        }
        (None, Some(min)) => {
            check_has_min(min, sampled, report)?;
            let (value, unit) = read_value(&min.value, "min", sampled, report)?;
            if value <= 0.0 && counts(sampled) {
                report
                    .error(
                        min.value.span,
                        "this `min` is always kept: there are never fewer than 0",
                    )
                    .help("write the smallest number that is still fine, such as `1`");
                return None;
            }
            Some((LevelLimit::Min(value), unit))
        }
    }
}

/// An alert fires or does not: none may.
fn of_alert(rule: &Fields<'_>, report: &mut Report<'_>) -> Option<(LevelLimit, LevelUnit)> {
    let mut limit = Some((LevelLimit::Max(0.0), LevelUnit::Number));
    for field in ["max", "min"] {
        if let Some(entry) = rule.entry(field) {
            report
                .error(
                    entry.key_span,
                    format!("`{field}` has no meaning here: an alert fires, or it does not"),
                )
                .help(format!(
                    "leave `{field}` out: the rule is broken while such an alert fires; its limit stands in the alerting rule"
                ));
            limit = None;
        }
    }
    limit
}

pub(super) fn read_value(
    node: &Node,
    field: &str,
    sampled: Option<&Sampled>,
    report: &mut Report<'_>,
) -> Option<(f64, LevelUnit)> {
    let text = fields::text(node, field, USAGE, report)?;
    let read = match quantity(text) {
        Ok(read) => read,
        Err(help) => {
            report
                .error(
                    node.span,
                    format!("`{field}` is not a limit: {}", quoted(text)),
                )
                .help(help);
            return None;
        }
    };
    let misfit = sampled.and_then(|sampled| misfit(sampled, read.unit));
    if let Some((reason, help)) = misfit {
        report
            .error(
                node.span,
                format!("`{field}` is {}, and {reason}", named(read.unit)),
            )
            .help(help);
        return None;
    }
    if read.bare_minutes && !sampled.is_some_and(in_seconds) {
        report
            .error(
                node.span,
                format!("`{field}: {text}` could mean minutes, or thousandths as in Kubernetes"),
            )
            .help(format!(
                "write `{}s` if it is a time, or the number with its decimals, such as `0.5`",
                read.value
            ));
        return None;
    }
    Some((read.value, read.unit))
}

pub(super) fn named(unit: LevelUnit) -> &'static str {
    match unit {
        LevelUnit::Number => "a bare number",
        LevelUnit::Percent => "a percentage",
        LevelUnit::Bytes => "an amount of memory",
        LevelUnit::Seconds => "a duration",
    }
}

/// Why what is read cannot have this unit, and what to write.
fn misfit(sampled: &Sampled, unit: LevelUnit) -> Option<(String, String)> {
    match sampled {
        Sampled::Rate { counter, per: _ } => match unit {
            LevelUnit::Number => None,
            LevelUnit::Bytes if counter.metric.contains("_bytes") => None,
            LevelUnit::Seconds if counter.metric.contains("_seconds") => None,
            LevelUnit::Percent => Some((
                "`rate` counts events: a number of them is a share of nothing".to_owned(),
                "write how many are still fine, such as `10`; or measure the share: `ratio: {bad: …, total: …}`"
                    .to_owned(),
            )),
            LevelUnit::Bytes | LevelUnit::Seconds => Some((
                "`rate` counts events".to_owned(),
                "write how many are still fine, such as `10`".to_owned(),
            )),
        },
        Sampled::Level(Level::Kubernetes(fact)) => of_kubernetes(*fact, unit),
        Sampled::Level(Level::Redis(_)) => match unit {
            LevelUnit::Number => None,
            LevelUnit::Percent | LevelUnit::Bytes | LevelUnit::Seconds => Some((
                "the length of a list or stream is a number of entries".to_owned(),
                "write how many are still fine, such as `100`".to_owned(),
            )),
        },
        Sampled::Level(Level::Gauge(selector)) => of_name(&selector.metric, unit),
        // It has no limit that could be written.
        Sampled::Level(Level::Alert(_)) => None,
        // What an expression or a document gives has whatever unit they give it.
        Sampled::Level(Level::Promql(_) | Level::HttpJson(_)) => None,
    }
}

fn of_kubernetes(fact: KubernetesFact, unit: LevelUnit) -> Option<(String, String)> {
    let (what, share) = match fact {
        KubernetesFact::Restarts { .. } => ("restarts are counted", false),
        KubernetesFact::OutOfMemoryKills { .. } => ("kills are counted", false),
        KubernetesFact::UnreadyPods | KubernetesFact::PendingPods => ("pods are counted", true),
        KubernetesFact::FailedProgress => ("it is 1 or 0", false),
    };
    match unit {
        LevelUnit::Number => None,
        LevelUnit::Percent if share => None,
        LevelUnit::Percent | LevelUnit::Bytes | LevelUnit::Seconds => Some((
            what.to_owned(),
            "write the number that is still fine, such as `0` or `3`".to_owned(),
        )),
    }
}

/// What the name of a metric says of its unit, by the conventions of Prometheus.
fn of_name(metric: &str, unit: LevelUnit) -> Option<(String, String)> {
    const UNITS: [(&str, &str, &str); 6] = [
        ("_bytes", "bytes", "an amount of memory, such as `512Mi`"),
        ("_seconds", "seconds", "a duration, such as `500ms`"),
        (
            "_milliseconds",
            "milliseconds",
            "the milliseconds as a bare number, such as `500`",
        ),
        (
            "_percent",
            "percent from 0 to 100",
            "the percent as a bare number, such as `80`",
        ),
        (
            "_celsius",
            "degrees",
            "the degrees as a bare number, such as `70`",
        ),
        (
            "_total",
            "a number that only grows",
            "the number that is still fine, such as `100`",
        ),
    ];
    let (suffix, says, write) = UNITS.iter().find(|(suffix, ..)| metric.ends_with(suffix))?;
    let fits = match unit {
        LevelUnit::Number => true,
        LevelUnit::Percent => false,
        LevelUnit::Bytes => *suffix == "_bytes",
        LevelUnit::Seconds => *suffix == "_seconds",
    };
    if fits {
        return None;
    }
    let of_what = if unit == LevelUnit::Percent && matches!(*suffix, "_bytes" | "_seconds") {
        "; for a share of something, divide by it: `promql: …`"
    } else {
        ""
    };
    Some((
        format!("the name `{metric}` says that it is {says}"),
        format!("write {write}{of_what}"),
    ))
}

/// Whether `500m` can only be minutes.
fn in_seconds(sampled: &Sampled) -> bool {
    match sampled {
        Sampled::Level(Level::Gauge(selector)) => selector.metric.ends_with("_seconds"),
        Sampled::Rate { counter, .. } => counter.metric.contains("_seconds"),
        Sampled::Level(
            Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        ) => false,
    }
}

/// Limits that nothing can ever exceed.
fn check_max(
    node: &Node,
    value: f64,
    unit: LevelUnit,
    sampled: Option<&Sampled>,
    report: &mut Report<'_>,
) -> Option<()> {
    let Some(Sampled::Level(Level::Kubernetes(fact))) = sampled else {
        return Some(());
    };
    let never = match fact {
        KubernetesFact::FailedProgress => value >= 1.0,
        KubernetesFact::UnreadyPods | KubernetesFact::PendingPods => {
            unit == LevelUnit::Percent && value >= 1.0
        }
        KubernetesFact::Restarts { .. } | KubernetesFact::OutOfMemoryKills { .. } => false,
    };
    if never {
        report
            .error(node.span, "this `max` can never be exceeded")
            .help(match fact {
                KubernetesFact::FailedProgress => "leave `max` out: 0 is what is fine",
                _ => "write the largest share of pods that is still fine, such as `50%`",
            });
        return None;
    }
    Some(())
}

/// Whether what is read is a number of things.
fn counts(sampled: Option<&Sampled>) -> bool {
    match sampled {
        Some(
            Sampled::Rate { .. }
            | Sampled::Level(Level::Kubernetes(_) | Level::Redis(_) | Level::Alert(_)),
        ) => true,
        Some(Sampled::Level(Level::Gauge(_) | Level::Promql(_) | Level::HttpJson(_))) | None => {
            false
        }
    }
}

fn check_has_min(min: &Entry, sampled: Option<&Sampled>, report: &mut Report<'_>) -> Option<()> {
    let reason = match sampled {
        Some(Sampled::Rate { .. }) => {
            "`min` on a `rate` would fail when too little happens, and a quiet service is no bad release"
        }
        Some(Sampled::Level(Level::Kubernetes(_))) => {
            "`min` on `kubernetes` would fail when too few pods are in trouble"
        }
        Some(Sampled::Level(
            Level::Gauge(_)
            | Level::Promql(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        ))
        | None => return Some(()),
    };
    report
        .error(min.key_span, reason)
        .help("write `max`, the largest number that is still fine");
    None
}
