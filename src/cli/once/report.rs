//! What a round says of itself: lines for people, or one JSON document.

mod json;

use std::fmt::Write as _;

use super::verdict::{Round, Verdict};

pub(super) use json::json;

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
        Verdict::Passing => "PASSING",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Undecided => "UNDECIDED",
        Verdict::Nothing => "NOTHING TO JUDGE",
        Verdict::NotLooked => "COULD NOT LOOK",
    }
}
