//! What a round says of itself: lines for people, or one JSON document.

use std::fmt::Write as _;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;

use recant_core::ids::TargetId;
use recant_core::judge::Finding;

use super::verdict::{Between, Judged, Round, Verdict};

/// Lines for people: one for each watch, and beneath it what was measured and what happened.
pub(super) fn lines(round: &Round) -> String {
    let mut text = String::new();
    for watch in &round.watches {
        let revision = watch
            .revision
            .as_ref()
            .map_or_else(String::new, |revision| format!(", revision {revision}"));
        let word = word(watch.verdict);
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line(format!(
            "{word}  {}: {}{revision}: {}",
            watch.watch, watch.target, watch.reason
        ));
        for finding in &watch.findings {
            line(format!("  {}", finding.sentence));
        }
        for rule in &watch.always {
            let said = rule.finding.as_ref().map(|finding| &finding.sentence);
            let said = said.map_or("it says nothing", String::as_str);
            line(match rule.broken_since {
                Some(since) => format!(
                    "  always: broken since {}: {said}",
                    since.strftime("%H:%M:%S")
                ),
                None => format!("  always: {said}"),
            });
        }
        for hold in &watch.holds {
            line(format!("  held back: {hold}"));
        }
        for (at, event) in &watch.events {
            line(format!("  {}  {event}", at.strftime("%H:%M:%S")));
        }
    }
    if let Some(cut) = &round.cut {
        writeln!(text, "{cut}").expect("a String takes everything");
    }
    text
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Undecided => "UNDECIDED",
        Verdict::Nothing => "NOTHING TO JUDGE",
        Verdict::NotLooked => "COULD NOT LOOK",
    }
}

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
pub(super) fn json(round: &Round, exit_code: u8) -> anyhow::Result<String> {
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
