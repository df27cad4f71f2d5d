//! The report for people: one sentence for somebody in a hurry, a table, and what is to be known besides.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use jiff::SignedDuration;

use recant_core::wording::{digits, listed, plural, span};

use super::Shown;
use super::words::{after_text, against, note, rule_of, time, verdict};
use crate::backtest::Release;
use crate::backtest::alarms::{Alarms, Ends};

/// The whole report.
pub(super) fn page(shown: &Shown) -> String {
    let mut text = format!("{}\n", hurry(shown));
    // Writing to a string does not fail.
    if !shown.report.releases.is_empty() {
        let _written = writeln!(text, "\n{}", table(shown));
    }
    let notes = notes(shown);
    if !notes.is_empty() {
        let _written = writeln!(text, "\n{}", notes.join("\n"));
    }
    if let Some(alarms) = &shown.alarms {
        let _written = writeln!(text, "\n{}", counted(alarms));
    }
    for line in besides(shown) {
        let _written = writeln!(text, "\n{line}");
    }
    text
}

/// One sentence.
pub(super) fn hurry(shown: &Shown) -> String {
    let report = &shown.report;
    let ends = Ends::count(&report.releases);
    let judged = report.releases.len() - ends.returned;
    let stretch = stretch(report.from.duration_until(report.to));
    if judged == 0 {
        return format!(
            "No release was found in {stretch} (from {} to {} UTC): nothing was judged.",
            time(report.from),
            time(report.to)
        );
    }
    let mut others = Vec::new();
    for (number, what) in [
        (ends.failed, "found bad and kept"),
        (ends.passed, "passed"),
        (ends.inconclusive, "ended without a verdict"),
        (ends.superseded, "superseded by another"),
        (ends.unfinished, "not over at the end"),
    ] {
        if number > 0 {
            others.push(format!("{number} {what}"));
        }
    }
    let others = if others.is_empty() {
        String::new()
    } else {
        format!("; {}", listed(&others))
    };
    format!(
        "In {stretch} these rules would have taken back {} of {}{others}.",
        ends.taken_back,
        plural(judged, "release"),
    )
}

/// Days, if it is days; else hours and minutes.
fn stretch(duration: SignedDuration) -> String {
    let days = duration.as_secs_f64() / 86_400.0;
    if days >= 2.0 {
        format!("{} days", digits(days))
    } else {
        span(duration)
    }
}

fn table(shown: &Shown) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "begin (UTC)",
        "target",
        "revision",
        "verdict",
        "after",
        "rule",
        "canary vs allowed",
    ]);
    for release in &shown.report.releases {
        let decisive = release.decisive();
        let rule = decisive.map_or_else(|| "-".to_owned(), |finding| finding.rule.to_string());
        let measured = decisive.and_then(|finding| {
            let rule = rule_of(&shown.watches, release, finding)?;
            Some(against(rule, finding))
        });
        table.add_row([
            time(release.begin),
            release.target.to_string(),
            release.revision.to_string(),
            verdict(&release.outcome).to_owned() + known(release),
            after_text(release),
            rule,
            measured.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}

/// What somebody says of it, where that is not what was found.
fn known(release: &Release) -> &'static str {
    match (release.known_bad, release.failed()) {
        (Some(false), true) => " (false alarm)",
        (Some(true), false) if release.judged() => " (missed)",
        (Some(_) | None, _) => "",
    }
}

/// What decided, and why nothing was done, release by release.
fn notes(shown: &Shown) -> Vec<String> {
    let mut lines = Vec::new();
    for release in &shown.report.releases {
        let Some(note) = note(release) else { continue };
        let mut line = format!("{} {}: {note}", time(release.begin), release.revision);
        if let Some(at) = release.at.filter(|_| release.failed()) {
            let _written = write!(line, ", at {}", time(at));
            if let Some(since) = release.bad_since {
                let _written = write!(line, "; bad since {}", time(since));
            }
            if let Some(finding) = release.decisive() {
                let _written = write!(line, "; {}", finding.sentence);
            }
        }
        line.push('.');
        lines.push(line);
    }
    lines
}

fn counted(alarms: &Alarms) -> String {
    let Alarms {
        true_alarms,
        false_alarms,
        missed,
        quiet: _,
        unknown,
        per_month,
        interval: (low, high),
    } = alarms;
    let bad = true_alarms + missed;
    let found = match bad {
        0 => "No release was bad".to_owned(),
        bad => format!("{true_alarms} of {} found", plural(bad, "bad release")),
    };
    let unknown = match unknown {
        0 => String::new(),
        number => format!(
            " Of {} nobody says whether it was bad.",
            plural(*number, "release")
        ),
    };
    format!(
        "{found}; {}, which is {} a month (95 % interval {} to {}).{unknown}",
        plural(*false_alarms, "false alarm"),
        digits(*per_month),
        digits(*low),
        digits(*high),
    )
}

fn besides(shown: &Shown) -> Vec<String> {
    let mut lines = Vec::new();
    let ends = Ends::count(&shown.report.releases);
    if ends.taken_back > 0 {
        lines.push(
            "Nothing was changed. After each rollback that would have been, history goes on as it was: the bad revision \
             served on, it stays failed, and the next release is compared with what was known good."
                .to_owned(),
        );
    }
    if ends.taken_back + ends.failed > 0 {
        lines.push(
            "`after` is the time from the first bad sample to the verdict; for all others from the release's begin."
                .to_owned(),
        );
    }
    for name in &shown.report.unseen {
        lines.push(format!(
            "The watch `{name}` was not judged: no series of its rules is of a pod named `<workload>-<hash>-<5 \
             characters>`. Check the names in its rules, or give its releases by --releases."
        ));
    }
    for left in &shown.left_out {
        lines.push(format!(
            "The rule `{}` of the watch `{}` was left out: {}.",
            left.rule, left.watch, left.why
        ));
    }
    lines
}
