//! What users may set of the statistics: `weight`, `skip` and `beside` of a rule, `release` of a watch.

pub(super) mod pause_at;

use std::time::Duration;

use super::excerpt::quoted;
use super::fields::{self, Fields};
use super::report::{Report, Span};
use super::traffic;
use super::tree::Node;
use crate::rule::{Assurance, Judging, PauseAt, Stepped, WhenUnclear};

/// Cold caches are slow for about so long, with every release (judge.md, section 12).
const LATENCY_SKIP: Duration = Duration::from_secs(30);
const MOST_SKIP: Duration = Duration::from_mins(10);
const MOST_WEIGHT: u64 = 100;
/// How long a release is watched when the document does not say.
pub(super) const DEFAULT_WATCH: Duration = Duration::from_mins(30);
const MOST_WATCH: Duration = Duration::from_hours(24);
/// Above this the promises about single ticks do not hold (judge.md, section 3.3).
const MOST_FALSE_ALARMS: f64 = 0.05;

/// The fields of `release`.
pub(super) const RELEASE: &[&str] = &["watch", "falseAlarms", "whenUnclear", "pauseAt", "traffic"];

/// What a rule measures, as far as its judging depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Share,
    Latency,
    Value,
}

/// Reads what a rule weighs and what of it counts; `None` when that has errors.
pub(super) fn read(rule: &Fields<'_>, judged: Judged, report: &mut Report<'_>) -> Option<Judging> {
    let weight = match rule.get("weight") {
        None => Some(1),
        Some(node) => fields::integer(node, "weight", (0, MOST_WEIGHT), report),
    };
    let skip = match rule.entry("skip") {
        None => Some(match judged {
            Judged::Latency => LATENCY_SKIP,
            Judged::Share | Judged::Value => Duration::ZERO,
        }),
        Some(entry) if judged == Judged::Value => {
            report
                .error(
                    entry.key_span,
                    "`skip` leaves out what a pod counts at first, and a value counts nothing",
                )
                .help("leave `skip` out; `for` says how long the value must be beyond its limit");
            None
        }
        Some(entry) => read_skip(&entry.value, report),
    };
    let beside = match rule.entry("beside") {
        None => Some(true),
        Some(entry) if judged == Judged::Value => {
            report
                .error(entry.key_span, "`beside` belongs to rules that count events")
                .help("leave it out: a value is held against its limit, and what runs beside it is looked at for a shared cause");
            None
        }
        Some(entry) if rule.get("max").is_none() && rule.get("min").is_none() => {
            report
                .error(
                    entry.key_span,
                    "`beside` is about a limit, and this rule has none",
                )
                .help("leave it out: a comparison always needs what runs beside");
            None
        }
        Some(entry) => fields::boolean(&entry.value, "beside", report),
    };
    Some(Judging {
        weight: weight? as f64,
        skip: skip?,
        beside: beside?,
    })
}

fn read_skip(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let skip = fields::duration(node, "skip", report)?;
    if skip > MOST_SKIP {
        report
            .error(node.span, "a pod is left out for at most 10m")
            .help("write how long a pod is slow after its start, such as `30s`");
        return None;
    }
    Some(skip)
}

/// What `release` says, as far as it can be read.
#[derive(Debug, Default)]
pub(super) struct Release {
    pub(super) watch: Option<Duration>,
    pub(super) assurance: Option<Assurance>,
    pub(super) pause_at: Option<(PauseAt, Span)>,
    pub(super) stepped: Option<Stepped>,
    /// Where `traffic` stands.
    pub(super) traffic: Option<Span>,
}

/// Reads `release`: how long a release is watched, how sure a verdict has to be, where it is paused for that, and how its
/// traffic is raised.
pub(super) fn read_release(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Release {
    let Some(fields) = Fields::open(node, "`release`", RELEASE, report) else {
        return Release::default();
    };
    let watch = match fields.get("watch") {
        None => Some(DEFAULT_WATCH),
        Some(node) => read_watch(node, report),
    };
    let default = Assurance::default();
    let false_alarms = match fields.get("falseAlarms") {
        None => Some(default.false_alarms),
        Some(node) => read_false_alarms(node, report),
    };
    let when_unclear = match fields.get("whenUnclear") {
        None => Some(default.when_unclear),
        Some(node) => read_when_unclear(node, report),
    };
    let assurance = || {
        Some(Assurance {
            false_alarms: false_alarms?,
            when_unclear: when_unclear?,
        })
    };
    let pause_at = fields.entry("pauseAt").and_then(|entry| {
        let at = pause_at::read(&entry.value, report)?;
        Some((at, entry.key_span))
    });
    if let (Some(_), Some(entry)) = (fields.get("pauseAt"), fields.entry("traffic")) {
        report
            .error(entry.key_span, "`traffic` does not go with `pauseAt`: the traffic waits until all pods are new, and they wait for the evidence")
            .help("leave one of them out: `traffic` where an object splits it, `pauseAt` where none does");
    }
    Release {
        watch,
        assurance: assurance(),
        pause_at,
        stepped: fields
            .get("traffic")
            .and_then(|node| traffic::read(node, namespace, report)),
        traffic: fields.entry("traffic").map(|entry| entry.key_span),
    }
}

fn read_watch(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let watch = fields::duration(node, "watch", report)?;
    let reason = if watch.is_zero() {
        "a `watch` of no time judges nothing"
    } else if watch > MOST_WATCH {
        "a release is watched for at most 24h"
    } else {
        return Some(watch);
    };
    report
        .error(node.span, reason)
        .help("write how long a release is watched from its first traffic on, such as `30m`");
    None
}

fn read_false_alarms(node: &Node, report: &mut Report<'_>) -> Option<f64> {
    const HELP: &str = "write how many of a hundred releases at the very edge of what is allowed may be taken back \
         wrongly, such as `1%`";
    let share = fields::percent(node, "falseAlarms", report)?.share;
    let reason = if share <= 0.0 {
        "nothing can be decided without any chance of a false alarm"
    } else if share > MOST_FALSE_ALARMS {
        "`falseAlarms` is at most 5%: above that a single tick could decide"
    } else {
        return Some(share);
    };
    report.error(node.span, reason).help(HELP);
    None
}

fn read_when_unclear(node: &Node, report: &mut Report<'_>) -> Option<WhenUnclear> {
    const HELP: &str = "write `inconclusive` (people are told what is missing) or `pass` (nothing was found against it)";
    match fields::text(node, "whenUnclear", HELP, report)? {
        "inconclusive" => Some(WhenUnclear::Inconclusive),
        "pass" => Some(WhenUnclear::Pass),
        other => {
            report
                .error(
                    node.span,
                    format!("`whenUnclear` cannot be {}", quoted(other)),
                )
                .help(HELP);
            None
        }
    }
}
