//! The report as one JSON document, for scripts. Times are RFC 3339, spans seconds, shares 0 to 1.

use jiff::Timestamp;
use serde::Serialize;

use recant_core::judge::Finding;

use super::Shown;
use super::words::{Allowed, after, allowed, note, rule_of};
use crate::backtest::{Outcome, Release};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'s> {
    from: Timestamp,
    to: Timestamp,
    step_seconds: i64,
    releases: Vec<Row<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarms: Option<AlarmCounts>,
    /// Watches of which there is no series.
    unseen: Vec<String>,
    left_out: Vec<LeftOut<'s>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'s> {
    watch: String,
    target: String,
    revision: &'s str,
    begin: Timestamp,
    baseline: Option<&'s str>,
    verdict: &'static str,
    /// When that was clear.
    at: Option<Timestamp>,
    /// The first bad sample of the rule that decided.
    bad_since: Option<Timestamp>,
    /// From then, or from the begin, to the verdict.
    after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    back_to: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The rule that decided.
    rule: Option<&'s str>,
    canary: Option<f64>,
    allowed_at_most: Option<f64>,
    allowed_at_least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_bad: Option<bool>,
    findings: &'s [Finding],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlarmCounts {
    #[serde(rename = "true")]
    true_alarms: usize,
    #[serde(rename = "false")]
    false_alarms: usize,
    missed: usize,
    quiet: usize,
    unknown: usize,
    false_per_month: f64,
    false_per_month_low: f64,
    false_per_month_high: f64,
}

#[derive(Serialize)]
struct LeftOut<'s> {
    watch: String,
    rule: &'s str,
    why: &'s str,
}

/// The document, with a line break at its end.
pub(super) fn document(shown: &Shown) -> anyhow::Result<String> {
    let report = &shown.report;
    let document = Document {
        from: report.from,
        to: report.to,
        step_seconds: report.step.as_secs(),
        releases: report
            .releases
            .iter()
            .map(|release| row(shown, release))
            .collect(),
        alarms: shown.alarms.map(|alarms| AlarmCounts {
            true_alarms: alarms.true_alarms,
            false_alarms: alarms.false_alarms,
            missed: alarms.missed,
            quiet: alarms.quiet,
            unknown: alarms.unknown,
            false_per_month: alarms.per_month,
            false_per_month_low: alarms.interval.0,
            false_per_month_high: alarms.interval.1,
        }),
        unseen: report.unseen.iter().map(ToString::to_string).collect(),
        left_out: shown
            .left_out
            .iter()
            .map(|left| LeftOut {
                watch: left.watch.to_string(),
                rule: left.rule.as_str(),
                why: left.why,
            })
            .collect(),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
}

fn row<'s>(shown: &'s Shown, release: &'s Release) -> Row<'s> {
    let decisive = release.decisive();
    let rule = decisive.and_then(|finding| rule_of(&shown.watches, release, finding));
    let baseline = decisive.and_then(|finding| finding.baseline?.value);
    let (at_most, at_least) = match rule.and_then(|rule| allowed(rule, baseline)) {
        Some(Allowed::AtMost(most)) => (Some(most), None),
        Some(Allowed::AtLeast(least)) => (None, Some(least)),
        None => (None, None),
    };
    Row {
        watch: release.watch.to_string(),
        target: release.target.to_string(),
        revision: release.revision.as_str(),
        begin: release.begin,
        baseline: release
            .baseline
            .as_ref()
            .map(recant_core::ids::RevisionHash::as_str),
        verdict: match release.outcome {
            Outcome::TakenBack { .. } => "takenBack",
            Outcome::Failed { .. } => "failed",
            Outcome::Passed => "pass",
            Outcome::Inconclusive { .. } => "inconclusive",
            Outcome::Superseded { .. } => "superseded",
            Outcome::Returned { .. } => "returned",
            Outcome::Unfinished => "unfinished",
        },
        at: release.at,
        bad_since: release.bad_since,
        after_seconds: after(release).map(|after| after.as_secs_f64()),
        back_to: match &release.outcome {
            Outcome::TakenBack { to } => Some(to.revision.as_str()),
            Outcome::Failed { .. }
            | Outcome::Passed
            | Outcome::Inconclusive { .. }
            | Outcome::Superseded { .. }
            | Outcome::Returned { .. }
            | Outcome::Unfinished => None,
        },
        note: note(release),
        rule: decisive.map(|finding| finding.rule.as_str()),
        canary: decisive.and_then(|finding| finding.canary.value),
        allowed_at_most: at_most,
        allowed_at_least: at_least,
        known_bad: release.known_bad,
        findings: &release.findings,
    }
}
