//! The evidence of a rule about counts: the counts of the window, per arm, and what they say.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decision::{Against, Beside, Decision, Says, Sums, counted, decide, keeps_limit};
use crate::judge::finding::{Basis, Measured, Seen};
use crate::judge::release::ReleaseEvidence;
use crate::judge::{CONFIRM, Phase, RECENT, RECENT_SIGMAS, SIGMAS, WINDOW};
use crate::measurement::Counts;
use crate::rule::{CountsCheck, Metric};
use crate::time::elapsed;

/// Ticks that are kept apart; the oldest beyond are added up. More than [`WINDOW`] has at one look a second.
const MOST_TICKS: usize = 64;
/// Ticks that are kept apart in a record.
const RECORDED_TICKS: usize = 8;
/// The window reaches back for so many times the events below which nothing is decided.
const ENOUGH: f64 = 3.0;
/// Beside a baseline that has had no traffic for this long, a limit stands alone.
pub const BASELINE_IDLE: SignedDuration = SignedDuration::from_secs(10);

/// The counts of one tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arms {
    pub at: Timestamp,
    pub canary: Option<Counts>,
    pub baseline: Option<Counts>,
}

/// What has been measured for one rule of one analysis.
///
/// The window is the last [`WINDOW`], and more where that holds too little: at least [`CONFIRM`] ticks with events of
/// the canary (a minute's scrape interval brings one in [`WINDOW`]), and [`ENOUGH`] times the `least` events of the
/// rule (or thin traffic would never be judged). The end of the window is [`RECENT`], extended likewise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountsEvidence {
    window: VecDeque<Arms>,
    /// The same service before the release, for a comparison without a baseline.
    before: Option<Counts>,
    /// Canary events since the beginning.
    pub events: f64,
    /// Canary events that count against the limit, or the comparison, since the beginning.
    pub bad: f64,
    /// Since when the rule has been broken without a break.
    since: Option<Timestamp>,
    /// When the canary last had new samples, be it of no events.
    pub last_sample: Option<Timestamp>,
    /// When the canary last had events.
    pub last_data: Option<Timestamp>,
    /// The tests of the release, tick by tick; `None`: no release is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<Box<ReleaseEvidence>>,
}

impl CountsEvidence {
    /// Evidence at the beginning of an analysis; `before` are counts of the service before the release.
    pub fn new(before: Option<Counts>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// Begins the tests of a release.
    #[must_use]
    pub fn of_release(self, release: ReleaseEvidence) -> Self {
        Self {
            release: Some(Box::new(release)),
            ..self
        }
    }

    /// The tests of the release.
    pub fn release(&self) -> Option<&ReleaseEvidence> {
        self.release.as_deref()
    }

    /// The same, to be fed.
    pub(in crate::judge) fn release_mut(&mut self) -> Option<&mut ReleaseEvidence> {
        self.release.as_deref_mut()
    }

    /// The counts from before the release, if there were any.
    pub fn before(&self) -> Option<&Counts> {
        self.before.as_ref()
    }

    /// Takes in the counts of one tick.
    pub fn update(&mut self, rule: &CountsCheck, tick: Arms) {
        let now = tick.at;
        // A clock that was set back must not keep old counts in the window for ever.
        for old in &mut self.window {
            old.at = old.at.min(now);
        }
        let canary = tick.canary.as_ref();
        if canary.is_some() {
            self.last_sample = Some(now);
        }
        let events = canary.map_or(0.0, Counts::total);
        let beside = tick.baseline.as_ref().map_or(0.0, Counts::total);
        if events > 0.0
            && let Some(counts) = canary
        {
            let share = counted(rule).of(counts);
            self.events += events;
            self.bad += share.bad;
            self.last_data = Some(now);
        }
        if events > 0.0 || beside > 0.0 {
            self.window.push_back(tick);
        }
        self.forget(now, rule.least as f64);
    }

    /// Drops what lies before the window, and adds up the oldest of what is left if that are too many.
    fn forget(&mut self, now: Timestamp, least: f64) {
        let keep = self.reaching_back(now, WINDOW, least * ENOUGH);
        self.window.drain(..self.window.len() - keep);
        add_up(&mut self.window, MOST_TICKS);
    }

    /// How many of the last ticks reach back over `span` with at least [`CONFIRM`] ticks and `events` of the canary.
    fn reaching_back(&self, now: Timestamp, span: SignedDuration, enough: f64) -> usize {
        let (mut ticks, mut events) = (0, 0.0);
        let mut reached = 0;
        for tick in self.window.iter().rev() {
            if elapsed(tick.at, now) >= span && ticks >= CONFIRM && events >= enough {
                break;
            }
            reached += 1;
            let of_canary = tick.canary.as_ref().map_or(0.0, Counts::total);
            if of_canary > 0.0 {
                ticks += 1;
                events += of_canary;
            }
        }
        reached
    }

    /// The same evidence with fewer ticks kept apart, for a record.
    pub fn compact(&self) -> Self {
        let mut compact = self.clone();
        add_up(&mut compact.window, RECORDED_TICKS);
        compact.release = self
            .release
            .as_ref()
            .map(|release| Box::new(release.compact()));
        compact
    }

    /// The baseline has gone: what was measured beside it counts no more if it spoke of a shared fault.
    pub fn stand_alone(&mut self, rule: &CountsCheck) {
        let now = self.window.back().map(|tick| tick.at);
        if now
            .is_some_and(|now| self.look(rule, Phase::Beside, now).0.says == Says::BaselineAlsoBad)
        {
            self.window.clear();
        }
        self.window.retain(|tick| tick.canary.is_some());
        for tick in &mut self.window {
            tick.baseline = None;
        }
        self.since = None;
    }

    /// What the evidence says at `now`; without a sample for longer than `patience` it says nothing.
    pub fn judge(
        &mut self,
        rule: &CountsCheck,
        phase: Phase,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Seen {
        let before = phase == Phase::Alone;
        if self.silent(now, patience) {
            self.since = None;
            return Seen::SILENT;
        }
        let (decision, canary, baseline) = self.look(rule, phase, now);
        let broken = matches!(decision.says, Says::Suspected | Says::Failing);
        self.since = broken.then(|| self.since.unwrap_or(now));
        Seen {
            state: decision.state(),
            canary,
            baseline,
            since: self.since,
            basis: Basis::Counts { decision, before },
            proof: None,
        }
    }

    /// Whether all that was ever measured keeps the limit, as it stands.
    pub fn keeps_limit(&self, rule: &CountsCheck) -> bool {
        keeps_limit(rule, self.events, self.bad)
    }

    /// Whether there was no new sample for longer than `patience`.
    pub fn silent(&self, now: Timestamp, patience: SignedDuration) -> bool {
        self.last_sample
            .is_none_or(|last| elapsed(last, now) >= patience)
    }

    /// What the whole window says, or its end if that says worse.
    fn look(
        &self,
        rule: &CountsCheck,
        phase: Phase,
        now: Timestamp,
    ) -> (Decision, Measured, Option<Measured>) {
        let recent = self.reaching_back(now, RECENT, rule.least as f64);
        let mut ticks: Vec<&Counts> = Vec::with_capacity(self.window.len());
        let (mut canary, mut baseline) = (None, None);
        let mut of_end = None;
        for (index, tick) in self.window.iter().rev().enumerate() {
            if index == recent {
                let sums = (canary.as_ref(), baseline.as_ref());
                of_end = Some(self.decided(rule, phase, now, sums, &ticks, RECENT_SIGMAS));
            }
            if let Some(counts) = &tick.canary {
                ticks.push(counts);
                add(&mut canary, counts);
            }
            if let (Phase::Beside, Some(counts)) = (phase, &tick.baseline) {
                add(&mut baseline, counts);
            }
        }
        let sums = (canary.as_ref(), baseline.as_ref());
        let whole = self.decided(rule, phase, now, sums, &ticks, SIGMAS);
        match of_end {
            Some(end) if end.0.says.severity() > whole.0.says.severity() => end,
            Some(_) | None => whole,
        }
    }

    fn decided(
        &self,
        rule: &CountsCheck,
        phase: Phase,
        now: Timestamp,
        (canary, baseline): (Option<&Counts>, Option<&Counts>),
        ticks: &[&Counts],
        sigmas: f64,
    ) -> (Decision, Measured, Option<Measured>) {
        let Some(canary) = canary else {
            return (Decision::NOTHING, Measured::NOTHING, None);
        };
        let beside = match (phase, baseline) {
            (Phase::Alone, _) => Beside::Before(self.before.as_ref()),
            (Phase::Beside, Some(counts)) if counts.total() > 0.0 => Beside::Baseline(counts),
            (Phase::Beside, _) if self.idle_beside(now) => Beside::Before(None),
            (Phase::Beside, _) => Beside::Silent,
        };
        let sums = Sums {
            canary,
            ticks,
            beside,
            sigmas,
        };
        let decision = decide(rule, &sums);
        let shown = match beside {
            Beside::Baseline(counts) => Some(counts),
            // A limit stands alone, unless what was before excuses the release.
            Beside::Before(before) => before.filter(|_| {
                matches!(decision.against, Against::Compared { .. })
                    || matches!(decision.says, Says::BaselineAlsoBad | Says::NotSurelyWorse)
            }),
            Beside::Silent => None,
        };
        let shown = shown.map(|counts| measured(rule, counts));
        (decision, measured(rule, canary), shown)
    }

    /// The canary has had traffic for long enough, and an arm beside it none.
    fn idle_beside(&self, now: Timestamp) -> bool {
        let silent = |tick: &&Arms| tick.baseline.as_ref().is_none_or(|arm| arm.total() <= 0.0);
        let oldest = self.window.iter().rev().take_while(silent).last();
        oldest.is_some_and(|oldest| elapsed(oldest.at, now) >= BASELINE_IDLE)
    }
}

/// Adds the oldest ticks up until there are no more than `most`.
fn add_up(window: &mut VecDeque<Arms>, most: usize) {
    while window.len() > most.max(1) {
        let Some(oldest) = window.pop_front() else {
            return;
        };
        if let Some(next) = window.front_mut() {
            next.canary = merged(oldest.canary, next.canary.take());
            next.baseline = merged(oldest.baseline, next.baseline.take());
        }
    }
}

fn merged(older: Option<Counts>, newer: Option<Counts>) -> Option<Counts> {
    match (older, newer) {
        (Some(mut older), Some(newer)) => {
            older.add(&newer);
            Some(older)
        }
        (older, newer) => older.or(newer),
    }
}

fn add(sum: &mut Option<Counts>, counts: &Counts) {
    match sum {
        Some(sum) => sum.add(counts),
        None => *sum = Some(counts.clone()),
    }
}

pub(super) fn measured(rule: &CountsCheck, counts: &Counts) -> Measured {
    let share = counted(rule).of(counts);
    let (value, beyond) = match (&rule.metric, counts) {
        (Metric::Ratio(_), Counts::Ratio(ratio)) => (ratio.share(), false),
        (Metric::Histogram(metric), Counts::Histogram(histogram)) => {
            let value = histogram.quantile(metric.quantile());
            let last = histogram.bounds.last().copied();
            // Nothing is known of what lies above the last bound.
            let beyond = value.is_some() && value >= last;
            (value, beyond)
        }
        (Metric::Ratio(_), Counts::Histogram(_)) | (Metric::Histogram(_), Counts::Ratio(_)) => {
            (None, false)
        }
    };
    Measured {
        events: counts.total(),
        bad: share.bad,
        value,
        or_more: beyond,
    }
}

#[cfg(test)]
mod tests;
