//! One lane for each target: its revisions as bars, with a mark where the verdict was clear.

use jiff::{SignedDuration, Timestamp, Unit};

use recant_core::ids::TargetId;
use recant_core::wording::short;

use super::super::Shown;
use super::super::words::{after_text, time, verdict};
use super::paper::{Paper, WIDTH};
use crate::backtest::{Outcome, Release};

const LEFT: f64 = 20.0;
const RIGHT: f64 = WIDTH - 20.0;
const LANE: f64 = 52.0;
const BAR: f64 = 18.0;
/// Lanes that are drawn.
const MOST_LANES: usize = 60;
/// A bar that is narrower than this has no name on it.
const NAMED: f64 = 64.0;

/// Draws the lanes from `top` on; where they end.
pub(super) fn draw(paper: &mut Paper, shown: &Shown, top: f64) -> f64 {
    let report = &shown.report;
    let axis = Axis {
        from: report.from,
        to: report.to,
    };
    let mut targets: Vec<&TargetId> = Vec::new();
    for release in &report.releases {
        if !targets.contains(&&release.target) {
            targets.push(&release.target);
        }
    }
    targets.sort();
    let lanes = targets.len().min(MOST_LANES);
    let top = legend(paper, top);
    let bottom = top + LANE * lanes as f64;
    for (at, label) in axis.ticks() {
        let x = axis.x(at);
        paper.line("grid", &[(x, top), (x, bottom + 4.0)]);
        paper.text(
            "small middle",
            x.clamp(LEFT + 24.0, RIGHT - 24.0),
            bottom + 18.0,
            &label,
        );
    }
    for (target, lane) in targets.iter().take(lanes).zip(0..) {
        let y = top + LANE * f64::from(lane);
        let of_target: Vec<&Release> = report
            .releases
            .iter()
            .filter(|release| release.target == **target)
            .collect();
        paper.text("", LEFT, y + 14.0, &target.to_string());
        draw_lane(paper, &axis, &of_target, y + 20.0);
    }
    let more = targets.len() - lanes;
    if more > 0 {
        paper.text(
            "small",
            LEFT,
            bottom + 34.0,
            &format!("{more} more targets are not drawn"),
        );
        return bottom + 38.0;
    }
    bottom + 22.0
}

fn draw_lane(paper: &mut Paper, axis: &Axis, releases: &[&Release], y: f64) {
    let end_of = |index: usize| releases.get(index + 1).map_or(axis.to, |next| next.begin);
    if let Some(first) = releases.first() {
        let x = axis.x(axis.from);
        let width = (axis.x(first.begin) - x).max(0.0);
        paper.bar(
            "stable",
            (x, y),
            (width, BAR),
            "served before the first release",
        );
    }
    for (index, release) in releases.iter().enumerate() {
        let (x, end) = (axis.x(release.begin), axis.x(end_of(index)));
        let width = (end - x - 1.0).max(1.5);
        let said = format!(
            "{} {}: {}, after {}",
            time(release.begin),
            release.revision,
            verdict(&release.outcome),
            after_text(release)
        );
        paper.bar(class(&release.outcome), (x, y), (width, BAR), &said);
        if width >= NAMED {
            paper.text(
                "small",
                x + 2.0,
                y + BAR + 12.0,
                &short(release.revision.as_str(), 10),
            );
        }
        let at = release.at.map_or(x + 4.0, |at| axis.x(at).max(x + 6.0));
        mark(paper, &release.outcome, (at, y + BAR / 2.0));
    }
}

/// The colour of a bar; the mark says the same.
fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::TakenBack { .. } => "back",
        Outcome::Failed { .. } => "kept",
        Outcome::Passed => "good",
        Outcome::Inconclusive { .. } | Outcome::Superseded { .. } | Outcome::Unfinished => "open",
        Outcome::Returned { .. } => "stable",
    }
}

/// A cross: taken back. An exclamation mark: bad, and kept. A check mark: passed. A question mark: no verdict.
fn mark(paper: &mut Paper, outcome: &Outcome, (x, y): (f64, f64)) {
    let r = 4.5;
    let lines: &[&[(f64, f64)]] = match outcome {
        Outcome::TakenBack { .. } => &[&[(-r, -r), (r, r)], &[(-r, r), (r, -r)]],
        Outcome::Failed { .. } => &[&[(0.0, -6.0), (0.0, 2.0)], &[(0.0, 4.5), (0.0, 6.0)]],
        Outcome::Passed => &[&[(-r, 0.0), (-1.0, r), (r, -r)]],
        Outcome::Inconclusive { .. } | Outcome::Superseded { .. } | Outcome::Unfinished => &[
            &[
                (-3.0, -3.0),
                (0.0, -5.5),
                (3.0, -3.0),
                (0.0, 0.0),
                (0.0, 2.5),
            ],
            &[(0.0, 4.5), (0.0, 6.0)],
        ],
        Outcome::Returned { .. } => &[&[(2.0, -r), (-3.0, 0.0), (2.0, r)]],
    };
    for line in lines {
        let points: Vec<(f64, f64)> = line.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        paper.line("mark", &points);
    }
}

/// What bars and marks mean; where the lanes begin.
fn legend(paper: &mut Paper, top: f64) -> f64 {
    let superseded = || Outcome::Superseded {
        reason: String::new(),
    };
    let entries = [
        (Outcome::TakenBack { to: no_way() }, "taken back"),
        (Outcome::Failed { why: String::new() }, "bad, kept"),
        (Outcome::Passed, "passed"),
        (
            superseded(),
            "no verdict: inconclusive, superseded, not over",
        ),
        (Outcome::Returned { standing: None }, "came back"),
    ];
    let mut x = LEFT;
    for (outcome, label) in entries {
        paper.bar(class(&outcome), (x, top), (20.0, 14.0), label);
        mark(paper, &outcome, (x + 10.0, top + 7.0));
        paper.text("small", x + 25.0, top + 11.0, label);
        x += 48.0 + 6.2 * label.chars().count() as f64;
    }
    top + 26.0
}

fn no_way() -> recant_core::analysis::WayBack {
    recant_core::analysis::WayBack {
        revision: "".into(),
        known_good: true,
    }
}

/// Time from left to right.
struct Axis {
    from: Timestamp,
    to: Timestamp,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f64 {
        let all = self.from.duration_until(self.to).as_secs_f64().max(1.0);
        let passed = self.from.duration_until(at).as_secs_f64();
        LEFT + (RIGHT - LEFT) * (passed / all).clamp(0.0, 1.0)
    }

    /// About ten round times, with their labels.
    fn ticks(&self) -> Vec<(Timestamp, String)> {
        const STEPS: [i64; 13] = [
            60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000,
            864_000,
        ];
        let all = self.from.duration_until(self.to).as_secs().max(1);
        let fits = STEPS.iter().find(|step| all / **step <= 11);
        let step = fits.copied().unwrap_or(2_592_000);
        let first = (self.from.as_second() + step - 1).div_euclid(step) * step;
        let format = if step >= 86_400 { "%b %-d" } else { "%H:%M" };
        let mut ticks = Vec::new();
        let mut second = first;
        while second <= self.to.as_second() {
            if let Ok(at) = Timestamp::from_second(second) {
                let midnight = at
                    .round(Unit::Second)
                    .is_ok_and(|at| at.as_second() % 86_400 == 0);
                let format = if midnight { "%b %-d" } else { format };
                ticks.push((at, at.strftime(format).to_string()));
            }
            second += step;
        }
        ticks
    }
}

/// Seconds of a span, for axes.
pub(super) fn minutes(span: SignedDuration) -> f64 {
    span.as_secs_f64() / 60.0
}
