//! The report of a round as one JSON document.

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;

use recant_core::ids::TargetId;
use recant_core::judge::Finding;

use crate::cli::once::verdict::{Between, Judged, Round, Verdict};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'static str,
    began: Timestamp,
    ended: Timestamp,
    exit_code: u8,
    /// Why it ended before all was done.
    cut: Option<&'a str>,
    pending_notices: usize,
    watches: Vec<WatchDocument<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WatchDocument<'a> {
    watch: &'a str,
    target: &'a TargetId,
    revision: Option<&'a str>,
    verdict: Verdict,
    reason: &'a str,
    findings: &'a [Finding],
    always: Vec<BetweenDocument<'a>>,
    holds: &'a [String],
    events: Vec<Event<'a>>,
}

/// A rule between releases.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BetweenDocument<'a> {
    rule: &'a str,
    finding: Option<&'a Finding>,
    broken_since: Option<Timestamp>,
}

#[derive(Serialize)]
struct Event<'a> {
    at: Timestamp,
    text: &'a str,
}

/// One JSON document.
///
/// # Errors
/// A number in it is none that JSON knows.
pub(in crate::cli::once) fn json(round: &Round, exit_code: u8) -> anyhow::Result<String> {
    let document = Document {
        version: env!("CARGO_PKG_VERSION"),
        began: round.began,
        ended: round.ended,
        exit_code,
        cut: round.cut.as_deref(),
        pending_notices: round.pending_notices,
        watches: round.watches.iter().map(watch).collect(),
    };
    let mut text = serde_json::to_string_pretty(&document).context("writing JSON")?;
    text.push('\n');
    Ok(text)
}

fn watch(judged: &Judged) -> WatchDocument<'_> {
    WatchDocument {
        watch: &judged.watch,
        target: &judged.target,
        revision: judged.revision.as_deref(),
        verdict: judged.verdict,
        reason: &judged.reason,
        findings: &judged.findings,
        always: judged.always.iter().map(between).collect(),
        holds: &judged.holds,
        events: judged
            .events
            .iter()
            .map(|(at, text)| Event { at: *at, text })
            .collect(),
    }
}

fn between(rule: &Between) -> BetweenDocument<'_> {
    BetweenDocument {
        rule: &rule.rule,
        finding: rule.finding.as_ref(),
        broken_since: rule.broken_since,
    }
}
