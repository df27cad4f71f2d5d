//! Rules about values: what is read (`gauge`, `rate`, `promql`, `kubernetes`, `httpJson`, `redis`, `alert`), its limit, and how
//! it compares with the baseline.

mod alert;
mod compare;
mod limit;
mod outside;
mod promql;

use std::time::Duration;

use super::excerpt::quoted;
use super::fields::{self, Fields};
use super::nearest::nearest;
use super::report::Report;
use super::tree::{Entry, Node};
use crate::rule::{KubernetesFact, Level, LevelCheck, LevelLimit, LevelMetric, Over, Sampled};

pub(super) use self::outside::read_url;

/// The metrics of this kind, as the fields of a rule are named.
pub(super) const METRICS: [&str; 7] = [
    "gauge",
    "rate",
    "promql",
    "kubernetes",
    "httpJson",
    "redis",
    "alert",
];

/// Fields that only rules about counted events have, and why.
const OF_COUNTS: [(&str, &str); 3] = [
    (
        "least",
        "leave `least` out: a value is no number of events; `for` says how long it must be beyond its limit",
    ),
    ("quantile", "leave `quantile` out"),
    (
        "unit",
        "leave `unit` out: the limit is written with its unit, such as `500ms` or `80%`",
    ),
];

/// How long a value must be beyond its limit when the rule does not say. One odd sample decides nothing, and a value
/// that is beyond it at every sample for a minute is no odd sample.
const DEFAULT_FOR: Duration = Duration::from_mins(1);
const LONGEST_FOR: Duration = Duration::from_hours(24);
const SHORTEST_PER: Duration = Duration::from_secs(1);
const LONGEST_PER: Duration = Duration::from_hours(24);

/// How long a rule about counts must be broken when it does not say: its judge is sure already.
const DEFAULT_FOR_COUNTS: Duration = Duration::ZERO;

/// Reads the rest of a rule whose metric is the given field; check and `for`.
pub(super) fn read(
    rule: &Fields<'_>,
    metric: &Entry,
    report: &mut Report<'_>,
) -> Option<(LevelCheck, Duration)> {
    for (field, help) in OF_COUNTS {
        if let Some(entry) = rule.entry(field) {
            report
                .error(
                    entry.key_span,
                    format!(
                        "`{field}` belongs to rules that count events, and this rule reads a value (`{}`)",
                        metric.key
                    ),
                )
                .help(help);
        }
    }
    let sampled = read_sampled(&metric.key, &metric.value, report);
    if let Some(entry) = rule.entry("arms")
        && matches!(
            metric.key.as_str(),
            "kubernetes" | "httpJson" | "redis" | "alert"
        )
    {
        report
            .error(
                entry.key_span,
                format!(
                    "`arms` tells series apart by a label, and `{}` has no {}",
                    metric.key,
                    if metric.key == "alert" {
                        "series"
                    } else {
                        "labels"
                    }
                ),
            )
            .help("leave `arms` out");
    }
    let limit = limit::read(rule, sampled.as_ref(), report);
    let compare = rule
        .entry("compare")
        .map(|entry| compare::read(entry, rule, sampled.as_ref(), limit.as_ref(), report));
    let over = read_over(rule, sampled.as_ref(), limit.as_ref(), report);
    let lasting = read_for(rule, default_for(sampled.as_ref()), report);
    let (limit, unit) = limit?;
    Some((
        LevelCheck {
            metric: LevelMetric {
                sampled: sampled?,
                over: over?,
                unit,
            },
            limit,
            compare: match compare {
                None => None,
                Some(compare) => Some(compare?),
            },
        },
        lasting?,
    ))
}

/// Reads `for` of a rule about counts.
pub(super) fn read_for_of_counts(rule: &Fields<'_>, report: &mut Report<'_>) -> Option<Duration> {
    read_for(rule, DEFAULT_FOR_COUNTS, report)
}

fn read_sampled(kind: &str, node: &Node, report: &mut Report<'_>) -> Option<Sampled> {
    match kind {
        "gauge" => read_gauge(node, report).map(Sampled::Level),
        "rate" => read_rate(node, report),
        "promql" => promql::read(node, report).map(|it| Sampled::Level(Level::Promql(it))),
        "kubernetes" => {
            outside::kubernetes(node, report).map(|fact| Sampled::Level(Level::Kubernetes(fact)))
        }
        "httpJson" => {
            outside::http_json(node, report).map(|it| Sampled::Level(Level::HttpJson(it)))
        }
        "alert" => alert::read(node, report).map(|it| Sampled::Level(Level::Alert(it))),
        _ => outside::redis(node, report).map(|it| Sampled::Level(Level::Redis(it))),
    }
}

fn read_gauge(node: &Node, report: &mut Report<'_>) -> Option<Level> {
    let selector = fields::selector(node, "gauge", report)?;
    let metric = &selector.metric;
    if metric.ends_with("_total") || metric.ends_with("_bucket") {
        report
            .warn(
                node.span,
                format!("`{metric}` is named like a counter, which only ever grows"),
            )
            .help("write `rate: {counter: …, per: 5m}` to look at how many there were lately");
    }
    Some(Level::Gauge(selector))
}

fn read_rate(node: &Node, report: &mut Report<'_>) -> Option<Sampled> {
    const HELP: &str = "write `rate: {counter: 'http_requests_total{status=~\"5..\"}', per: 5m}`";
    let fields = Fields::open(node, "`rate`", &["counter", "per"], report)?;
    let counter = fields
        .need("counter", HELP, report)
        .and_then(|node| fields::selector(node, "counter", report));
    let per = fields
        .need("per", HELP, report)
        .and_then(|node| read_per(node, report));
    Some(Sampled::Rate {
        counter: counter?,
        per: per?,
    })
}

/// Reads how long events are counted together.
fn read_per(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let per = fields::duration(node, "per", report)?;
    let reason = if per < SHORTEST_PER {
        "`per` is too short to count anything in"
    } else if per > LONGEST_PER {
        "events are counted together for at most 24h"
    } else {
        return Some(per);
    };
    report
        .error(node.span, reason)
        .help("write how long events are counted together, such as `5m`");
    None
}

fn read_over(
    rule: &Fields<'_>,
    sampled: Option<&Sampled>,
    limit: Option<&(LevelLimit, crate::rule::LevelUnit)>,
    report: &mut Report<'_>,
) -> Option<Over> {
    const NAMES: [&str; 4] = ["max", "mean", "sum", "min"];
    const HELP: &str = "write `over: max` (the highest pod), `min` (the lowest), `mean` or `sum`";
    let Some(entry) = rule.entry("over") else {
        return Some(default_over(sampled?, limit?));
    };
    let node = &entry.value;
    let one_value = match sampled {
        Some(Sampled::Rate { .. }) => Some("the events of all pods of an arm are added up"),
        Some(Sampled::Level(Level::HttpJson(_) | Level::Redis(_))) => {
            Some("there is one value only")
        }
        Some(Sampled::Level(Level::Alert(_))) => Some("one alert that fires is enough"),
        Some(Sampled::Level(Level::Kubernetes(KubernetesFact::FailedProgress))) => {
            Some("it is said of the whole target, not of pods")
        }
        Some(Sampled::Level(Level::Kubernetes(_) | Level::Gauge(_) | Level::Promql(_))) | None => {
            None
        }
    };
    if let Some(reason) = one_value {
        report
            .error(
                entry.key_span,
                format!("`over` has no meaning here: {reason}"),
            )
            .help("leave `over` out");
        return None;
    }
    let text = fields::text(node, "over", HELP, report)?;
    let over = match text {
        "max" => Over::Max,
        "mean" => Over::Mean,
        "sum" => Over::Sum,
        "min" => Over::Min,
        other => {
            let near = match other {
                "avg" | "average" => Some("mean"),
                other => nearest(other, NAMES),
            };
            report
                .error(node.span, format!("`over` cannot be {}", quoted(other)))
                .help(
                    near.map_or_else(|| HELP.to_owned(), |near| format!("did you mean `{near}`?")),
                );
            return None;
        }
    };
    if let Some((LevelLimit::Max(_), crate::rule::LevelUnit::Percent)) = limit
        && let Some(Sampled::Level(Level::Kubernetes(
            KubernetesFact::UnreadyPods | KubernetesFact::PendingPods,
        ))) = sampled
        && over != Over::Mean
    {
        report
            .error(
                node.span,
                "a share of the pods is their mean, and `over` says another",
            )
            .help("leave `over` out, or write the limit as a number of pods");
        return None;
    }
    Some(over)
}

/// Without `over` the worst pod decides; pods that are counted are added up. A `compare` beside it changes nothing of
/// that: it takes the mean of each arm (see [`crate::rule::LevelCompare`]).
fn default_over(sampled: &Sampled, (limit, unit): &(LevelLimit, crate::rule::LevelUnit)) -> Over {
    match sampled {
        Sampled::Rate { .. } | Sampled::Level(Level::Alert(_)) => Over::Sum,
        Sampled::Level(Level::Kubernetes(
            KubernetesFact::UnreadyPods | KubernetesFact::PendingPods,
        )) => match unit {
            crate::rule::LevelUnit::Percent => Over::Mean,
            crate::rule::LevelUnit::Number
            | crate::rule::LevelUnit::Bytes
            | crate::rule::LevelUnit::Seconds => Over::Sum,
        },
        Sampled::Level(
            Level::Gauge(_)
            | Level::Promql(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Kubernetes(
                KubernetesFact::Restarts { .. }
                | KubernetesFact::OutOfMemoryKills { .. }
                | KubernetesFact::FailedProgress,
            ),
        ) => match limit {
            LevelLimit::Max(_) => Over::Max,
            LevelLimit::Min(_) => Over::Min,
        },
    }
}

/// What is counted over a time of its own, or was waited for by Kubernetes, has lasted already.
fn default_for(sampled: Option<&Sampled>) -> Duration {
    match sampled {
        Some(
            Sampled::Rate { .. }
            | Sampled::Level(
                Level::Alert(_)
                | Level::Kubernetes(
                    KubernetesFact::Restarts { .. }
                    | KubernetesFact::OutOfMemoryKills { .. }
                    | KubernetesFact::FailedProgress,
                ),
            ),
        ) => Duration::ZERO,
        Some(Sampled::Level(
            Level::Gauge(_)
            | Level::Promql(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Kubernetes(KubernetesFact::UnreadyPods | KubernetesFact::PendingPods),
        ))
        | None => DEFAULT_FOR,
    }
}

fn read_for(rule: &Fields<'_>, default: Duration, report: &mut Report<'_>) -> Option<Duration> {
    let Some(node) = rule.get("for") else {
        return Some(default);
    };
    let lasting = fields::duration(node, "for", report)?;
    if lasting > LONGEST_FOR {
        report
            .error(node.span, "a rule waits for at most 24h")
            .help("write how long the rule must be broken without a break, such as `5m`");
        return None;
    }
    if lasting.is_zero() && !default.is_zero() {
        report
            .warn(
                node.span,
                "with `for: 0s` a single odd sample fails a release",
            )
            .help("write how long the value must be beyond its limit, such as `1m`");
    }
    Some(lasting)
}
