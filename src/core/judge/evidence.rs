//! The evidence of one rule: the counts of the window, per arm, and what they say.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decision::{Against, Beside, Decision, Says, Sums, counted, decide, keeps_limit};
use super::finding::{Finding, Measured, State, Words};
use super::{CONFIRM, RECENT, RECENT_SIGMAS, SIGMAS, WINDOW};
use crate::judge::Phase;
use crate::measurement::Counts;
use crate::rule::{Metric, Rule};
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
pub struct Evidence {
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
}

impl Evidence {
    /// Evidence at the beginning of an analysis; `before` are counts of the service before the release.
    pub fn new(before: Option<Counts>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// The counts from before the release, if there were any.
    pub fn before(&self) -> Option<&Counts> {
        self.before.as_ref()
    }

    /// Takes in the counts of one tick.
    pub fn update(&mut self, rule: &Rule, phase: Phase, tick: Arms) {
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
        if events > 0.0 {
            match self.look(rule, phase, now).0.says {
                Says::Suspected | Says::Failing => {
                    self.since.get_or_insert(now);
                }
                Says::Within
                | Says::Unsure
                | Says::TooFew
                | Says::TooFewBeside
                | Says::NotSurelyWorse
                | Says::BaselineAlsoBad => self.since = None,
            }
        }
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
        compact
    }

    /// The baseline has gone: what was measured beside it counts no more if it spoke of a shared fault.
    pub fn stand_alone(&mut self, rule: &Rule) {
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
    pub fn finding(
        &self,
        rule: &Rule,
        phase: Phase,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Finding {
        let silent = self.silent(now, patience);
        let (decision, canary, baseline) = if silent {
            (nothing(), Measured::NOTHING, None)
        } else {
            self.look(rule, phase, now)
        };
        let state = if silent {
            State::NoData
        } else {
            match decision.says {
                Says::Within => State::Within,
                Says::Unsure => State::Unsure,
                Says::TooFew | Says::TooFewBeside | Says::NotSurelyWorse => State::TooLittle,
                Says::BaselineAlsoBad => State::BaselineAlsoBad,
                Says::Suspected => State::Suspected,
                Says::Failing => State::Failing,
            }
        };
        let words = Words {
            rule,
            silent,
            decision,
            canary: &canary,
            baseline: baseline.as_ref(),
            before: phase == Phase::Alone,
        };
        Finding {
            rule: rule.name.clone(),
            state,
            dry_run: rule.dry_run,
            since: self.since.filter(|_| state == State::Failing),
            sentence: words.sentence(),
            canary,
            baseline,
        }
    }

    /// Whether all that was ever measured keeps the limit, as it stands.
    pub fn keeps_limit(&self, rule: &Rule) -> bool {
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
        rule: &Rule,
        phase: Phase,
        now: Timestamp,
    ) -> (Decision, Measured, Option<Measured>) {
        let whole = self.look_at(rule, phase, now, self.window.len(), SIGMAS);
        let recent = self.reaching_back(now, RECENT, rule.least as f64);
        if recent == self.window.len() {
            return whole;
        }
        let recent = self.look_at(rule, phase, now, recent, RECENT_SIGMAS);
        if recent.0.says.severity() > whole.0.says.severity() {
            recent
        } else {
            whole
        }
    }

    fn look_at(
        &self,
        rule: &Rule,
        phase: Phase,
        now: Timestamp,
        last: usize,
        sigmas: f64,
    ) -> (Decision, Measured, Option<Measured>) {
        let window = || self.window.iter().skip(self.window.len() - last);
        let ticks: Vec<&Counts> = window().filter_map(|tick| tick.canary.as_ref()).collect();
        let Some(canary) = sum(ticks.iter().copied()) else {
            return (nothing(), Measured::NOTHING, None);
        };
        let baseline = match phase {
            Phase::Beside => sum(window().filter_map(|tick| tick.baseline.as_ref())),
            Phase::Alone => None,
        };
        let beside = match (phase, &baseline) {
            (Phase::Alone, _) => Beside::Before(self.before.as_ref()),
            (Phase::Beside, Some(counts)) if counts.total() > 0.0 => Beside::Baseline(counts),
            (Phase::Beside, _) if self.idle_beside(now) => Beside::Before(None),
            (Phase::Beside, _) => Beside::Silent,
        };
        let sums = Sums {
            canary: &canary,
            ticks: &ticks,
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
        (decision, measured(rule, &canary), shown)
    }

    /// The canary has had traffic for long enough, and an arm beside it none.
    fn idle_beside(&self, now: Timestamp) -> bool {
        let silent = |tick: &&Arms| tick.baseline.as_ref().is_none_or(|arm| arm.total() <= 0.0);
        let oldest = self.window.iter().rev().take_while(silent).last();
        oldest.is_some_and(|oldest| elapsed(oldest.at, now) >= BASELINE_IDLE)
    }
}

fn nothing() -> Decision {
    Decision {
        says: Says::TooFew,
        against: Against::Nothing,
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

fn sum<'a>(mut counts: impl Iterator<Item = &'a Counts>) -> Option<Counts> {
    let mut sum = counts.next()?.clone();
    for more in counts {
        sum.add(more);
    }
    Some(sum)
}

fn measured(rule: &Rule, counts: &Counts) -> Measured {
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
