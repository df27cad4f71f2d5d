//! Small drawings, one for each release that was judged: the evidence against it, rule by rule, from its begin on.

use jiff::Timestamp;

use recant_core::ids::RuleName;
use recant_core::wording::{digits, short};

use super::super::Shown;
use super::super::words::{after_text, time, verdict};
use super::paper::{Paper, WIDTH};
use super::timeline::minutes;
use crate::backtest::{Outcome, Release};

/// Drawings beside each other.
const COLUMNS: usize = 3;
/// Drawings in all: what failed or stayed open comes first.
const MOST: usize = 30;
const GAP: f64 = 24.0;
const HEIGHT: f64 = 120.0;
/// With title and axis.
const ROW: f64 = HEIGHT + 58.0;
/// The evidence at the upper edge, and at the lower one; 1 decides.
const HIGHEST: f64 = 1.35;
/// Rules with a line of their own look.
const LOOKS: usize = 6;

/// Draws them from `top` on; where they end.
pub(super) fn draw(paper: &mut Paper, shown: &Shown, top: f64) -> f64 {
    let mut chosen: Vec<&Release> = shown
        .report
        .releases
        .iter()
        .filter(|release| release.judged() && !release.evidence.is_empty())
        .collect();
    if chosen.is_empty() {
        return top;
    }
    let all = chosen.len();
    chosen.sort_by_key(|release| (rank(&release.outcome), release.begin));
    chosen.truncate(MOST);
    chosen.sort_by_key(|release| release.begin);
    let rules = rules(&chosen);
    paper.text(
        "title",
        20.0,
        top,
        "How the evidence grew, look by look: up against the release, down in its favour",
    );
    let mut y = legend(paper, &rules, top + 20.0);
    let width = (WIDTH - 40.0 - GAP * (COLUMNS - 1) as f64) / COLUMNS as f64;
    for row in chosen.chunks(COLUMNS) {
        let mut x = 20.0;
        for release in row {
            panel(paper, release, &rules, (x, y + 22.0), width);
            x += width + GAP;
        }
        y += ROW;
    }
    if all > MOST {
        paper.text(
            "small",
            20.0,
            y + 6.0,
            &format!(
                "{} more releases, which were no trouble, are not drawn",
                all - MOST
            ),
        );
        y += 20.0;
    }
    y + 6.0
}

/// What is drawn if not all can be.
fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::TakenBack { .. } | Outcome::Failed { .. } => 0,
        Outcome::Inconclusive { .. } | Outcome::Unfinished => 1,
        Outcome::Superseded { .. } => 2,
        Outcome::Passed | Outcome::Returned { .. } => 3,
    }
}

fn rules(releases: &[&Release]) -> Vec<RuleName> {
    let evidence = releases.iter().flat_map(|release| &release.evidence);
    let mut rules: Vec<RuleName> = evidence
        .flat_map(|(_, parts)| parts.iter().map(|(rule, _)| rule.clone()))
        .collect();
    rules.sort();
    rules.dedup();
    rules
}

fn look(rules: &[RuleName], rule: &RuleName) -> String {
    let place = rules.iter().position(|other| other == rule);
    format!("line r{}", place.unwrap_or(0) % LOOKS)
}

fn legend(paper: &mut Paper, rules: &[RuleName], top: f64) -> f64 {
    let mut x = 20.0;
    let mut y = top;
    for rule in rules {
        let label = short(rule.as_str(), 40);
        let width = 44.0 + 6.4 * label.chars().count() as f64;
        if x + width > WIDTH - 20.0 {
            x = 20.0;
            y += 16.0;
        }
        paper.line(&look(rules, rule), &[(x, y - 4.0), (x + 24.0, y - 4.0)]);
        paper.text("small", x + 29.0, y, &label);
        x += width;
    }
    y + 6.0
}

fn panel(paper: &mut Paper, release: &Release, rules: &[RuleName], (x, y): (f64, f64), width: f64) {
    let title = format!(
        "{} {}: {} after {}",
        short(release.target.name.as_str(), 14),
        short(release.revision.as_str(), 10),
        verdict(&release.outcome),
        after_text(release)
    );
    paper.text("", x, y - 4.0, &title);
    let last = release.evidence.last().map(|(at, _)| *at);
    let end = last.max(release.at).unwrap_or(release.begin);
    let all = minutes(release.begin.duration_until(end)).max(0.25);
    let across = |at: Timestamp| {
        let passed = minutes(release.begin.duration_until(at));
        x + width * (passed / all).clamp(0.0, 1.0)
    };
    let down = |part: f64| y + HEIGHT * (0.5 - part.clamp(-HIGHEST, HIGHEST) / HIGHEST / 2.0);
    paper.frame((x, y), (width, HEIGHT));
    paper.line("grid", &[(x, down(0.0)), (x + width, down(0.0))]);
    for part in [1.0, -1.0] {
        paper.line("limit", &[(x, down(part)), (x + width, down(part))]);
    }
    // Where no line comes that gets there.
    paper.text("small", x + 4.0, down(1.0) - 3.0, "bad");
    paper.text(
        "small end",
        x + width - 4.0,
        down(-1.0) - 4.0,
        "surely kept",
    );
    for rule in rules {
        let mut points: Vec<(f64, f64)> = vec![(x, down(0.0))];
        points.extend(release.evidence.iter().filter_map(|(at, parts)| {
            let (_, part) = parts.iter().find(|(of, _)| of == rule)?;
            Some((across(*at), down(*part)))
        }));
        if points.len() > 1 {
            paper.line(&look(rules, rule), &points);
        }
    }
    paper.text("small", x, y + HEIGHT + 13.0, &time(release.begin));
    paper.text(
        "small end",
        x + width,
        y + HEIGHT + 13.0,
        &format!("{} min", digits(all)),
    );
}
