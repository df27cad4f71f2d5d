//! The evidence of one rule: the counts of the window, per arm, and what they say.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Allowed, Finding, Measured, State, sentence};
use super::share::Share;
use super::{CONFIRM, DRIFT, Phase, WINDOW};
use crate::measurement::Counts;
use crate::rule::{Compare, Metric, Part, Rule};
use crate::time::elapsed;

/// The counts of one tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arms {
    pub at: Timestamp,
    pub canary: Option<Counts>,
    pub baseline: Option<Counts>,
}

/// What has been measured for one rule of one analysis.
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
    /// Looks with new data in a row at which the rule was broken.
    broken: u32,
    since: Option<Timestamp>,
    /// When the canary last had data.
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

    /// Takes in the counts of one tick and judges anew.
    pub fn update(&mut self, rule: &Rule, phase: Phase, tick: Arms) {
        let now = tick.at;
        while self
            .window
            .front()
            .is_some_and(|oldest| elapsed(oldest.at, now) >= WINDOW)
        {
            self.window.pop_front();
        }
        let Some(canary) = &tick.canary else {
            if tick.baseline.is_some() {
                self.window.push_back(tick);
            }
            return;
        };
        let share = decisive_share(rule, canary);
        if share.events <= 0.0 {
            return;
        }
        self.events += share.events;
        self.bad += share.bad;
        self.last_data = Some(now);
        self.window.push_back(tick);
        match self.look(rule, phase).state {
            State::Suspected => {
                self.broken = self.broken.saturating_add(1);
                self.since.get_or_insert(now);
            }
            State::NoData
            | State::TooLittle
            | State::Within
            | State::BaselineAlsoBad
            | State::Failing => {
                self.broken = 0;
                self.since = None;
            }
        }
    }

    /// The baseline has gone: what was measured beside it counts no more if it spoke of a shared fault.
    pub fn stand_alone(&mut self, rule: &Rule) {
        if self.look(rule, Phase::Beside).state == State::BaselineAlsoBad {
            self.window.clear();
        }
        for tick in &mut self.window {
            tick.baseline = None;
        }
        self.broken = 0;
        self.since = None;
    }

    /// What the evidence says at `now`.
    pub fn finding(&self, rule: &Rule, phase: Phase, now: Timestamp) -> Finding {
        let stale = self
            .last_data
            .is_none_or(|last| elapsed(last, now) >= WINDOW);
        let look = if stale {
            Look::no_data()
        } else {
            self.look(rule, phase)
        };
        let state = match look.state {
            State::Suspected if self.broken >= CONFIRM => State::Failing,
            state => state,
        };
        Finding {
            rule: rule.name.clone(),
            state,
            since: self.since.filter(|_| state == State::Failing),
            sentence: sentence(
                rule,
                state,
                &look.canary,
                look.baseline.as_ref(),
                look.allowed,
            ),
            canary: look.canary,
            baseline: look.baseline,
        }
    }

    fn look(&self, rule: &Rule, phase: Phase) -> Look {
        let canary = sum(self.window.iter().filter_map(|tick| tick.canary.as_ref()));
        let Some(canary) = canary else {
            return Look::no_data();
        };
        let before = phase == Phase::Alone;
        let baseline = match phase {
            Phase::Beside => sum(self.window.iter().filter_map(|tick| tick.baseline.as_ref())),
            Phase::Alone => self.before.clone(),
        };
        let shares = Shares {
            rule,
            canary: &canary,
            baseline: baseline.as_ref(),
            before,
        };
        let mut look = Look {
            state: State::Within,
            canary: measured(rule, &canary),
            baseline: baseline.as_ref().map(|counts| measured(rule, counts)),
            allowed: None,
        };
        let decision = shares.decide();
        look.state = decision.0;
        look.allowed = decision.1;
        if let Some(Allowed::Limit(_)) = look.allowed
            && before
        {
            // The limit stands alone: what was before the release is no baseline of it.
            look.baseline = None;
        }
        look
    }
}

struct Look {
    state: State,
    canary: Measured,
    baseline: Option<Measured>,
    allowed: Option<Allowed>,
}

impl Look {
    fn no_data() -> Self {
        Self {
            state: State::NoData,
            canary: Measured {
                events: 0.0,
                bad: 0.0,
                value: None,
            },
            baseline: None,
            allowed: None,
        }
    }
}

struct Shares<'a> {
    rule: &'a Rule,
    canary: &'a Counts,
    baseline: Option<&'a Counts>,
    /// The baseline is the time before the release, not an arm beside.
    before: bool,
}

impl Shares<'_> {
    fn decide(&self) -> (State, Option<Allowed>) {
        let limit = self.limit();
        let shown = limit.map(|(value, ..)| Allowed::Limit(value));
        let compare = self.rule.compare;
        let worse = compare.map(|compare| self.allowed_worse(compare));
        let least = self.rule.least as f64;
        if events(self.canary) < least {
            return (State::TooLittle, shown.or(worse));
        }
        if let Some((_, canary, baseline, share)) = limit
            && canary.surely_above(share)
        {
            let beside = baseline
                .filter(|_| !self.before)
                .filter(|b| b.events >= least);
            let Some(baseline) = beside else {
                return (State::Suspected, shown);
            };
            // Beside a baseline the release is at fault only if it is also worse than that.
            let compare = compare.unwrap_or_else(|| default_compare(&self.rule.metric));
            if canary.surely_worse(baseline, 1.0 + compare.margin, compare.plus) {
                return (State::Suspected, shown);
            }
            return (State::BaselineAlsoBad, shown);
        }
        if let Some(compare) = compare
            && let Some((canary, baseline)) = self.compared()
            && baseline.events >= least
        {
            let factor = self.factor(compare);
            if canary.surely_worse(baseline, factor, compare.plus) {
                return (State::Suspected, worse);
            }
        }
        (State::Within, shown.or(worse))
    }

    /// The limit as written, the share against it in both arms, and the share that it allows.
    fn limit(&self) -> Option<(f64, Share, Option<Share>, f64)> {
        let rule = self.rule;
        match &rule.metric {
            Metric::Histogram(histogram) => {
                let limit = rule.max?;
                let above = |counts: &Counts| share_above(counts, limit);
                let allowed = 1.0 - histogram.quantile();
                Some((limit, above(self.canary), self.baseline.map(above), allowed))
            }
            Metric::Ratio(_) => {
                if let Some(max) = rule.max {
                    let share = |counts: &Counts| part_share(counts, false);
                    return Some((max, share(self.canary), self.baseline.map(share), max));
                }
                // A least share of the part is a largest share of the rest.
                let min = rule.min?;
                let share = |counts: &Counts| part_share(counts, true);
                Some((min, share(self.canary), self.baseline.map(share), 1.0 - min))
            }
        }
    }

    /// The shares that a comparison compares: those against the rule, or those above the bound nearest to the
    /// baseline's quantile.
    fn compared(&self) -> Option<(Share, Share)> {
        let baseline = self.baseline?;
        match &self.rule.metric {
            Metric::Ratio(ratio) => {
                let rest = ratio.part_is == Part::Good;
                Some((part_share(self.canary, rest), part_share(baseline, rest)))
            }
            Metric::Histogram(histogram) => {
                let bound = quantile_of(baseline, histogram.quantile())?;
                Some((
                    share_above(self.canary, bound),
                    share_above(baseline, bound),
                ))
            }
        }
    }

    fn factor(&self, compare: Compare) -> f64 {
        (1.0 + compare.margin) * if self.before { DRIFT } else { 1.0 }
    }

    fn allowed_worse(&self, compare: Compare) -> Allowed {
        Allowed::Worse {
            factor: self.factor(compare),
            plus: compare.plus,
            before: self.before,
        }
    }
}

/// The comparison that tells whether a baseline is also bad, for a rule without one of its own (judge.md 4, 7).
fn default_compare(metric: &Metric) -> Compare {
    let plus = match metric {
        Metric::Ratio(_) => 0.001,
        Metric::Histogram(histogram) => 0.1 * (1.0 - histogram.quantile()),
    };
    Compare { margin: 0.5, plus }
}

/// The share that the rule is mainly about, for the totals.
fn decisive_share(rule: &Rule, counts: &Counts) -> Share {
    match &rule.metric {
        Metric::Ratio(ratio) => {
            let rest = if rule.max.is_some() {
                false
            } else {
                rule.min.is_some() || ratio.part_is == Part::Good
            };
            part_share(counts, rest)
        }
        Metric::Histogram(_) => match rule.max {
            Some(limit) => share_above(counts, limit),
            None => Share {
                events: events(counts),
                bad: 0.0,
            },
        },
    }
}

fn measured(rule: &Rule, counts: &Counts) -> Measured {
    let share = decisive_share(rule, counts);
    let value = match &rule.metric {
        Metric::Ratio(_) if rule.min.is_some() && rule.max.is_none() => {
            part_share(counts, false).value()
        }
        Metric::Ratio(_) => share.value(),
        Metric::Histogram(histogram) => quantile_of(counts, histogram.quantile()),
    };
    Measured {
        events: share.events,
        bad: share.bad,
        value,
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a Counts>) -> Option<Counts> {
    counts.fold(None, |sum: Option<Counts>, counts| match sum {
        None => Some(counts.clone()),
        Some(mut sum) => {
            sum.add(counts);
            Some(sum)
        }
    })
}

fn events(counts: &Counts) -> f64 {
    match counts {
        Counts::Ratio(ratio) => ratio.events,
        Counts::Histogram(histogram) => histogram.total(),
    }
}

/// The share of the part, or of the rest.
fn part_share(counts: &Counts, rest: bool) -> Share {
    match counts {
        Counts::Ratio(ratio) => {
            let bad = if rest {
                ratio.events - ratio.part
            } else {
                ratio.part
            };
            Share {
                events: ratio.events,
                bad,
            }
        }
        Counts::Histogram(_) => Share::default(),
    }
}

/// The share of events surely above a value: above the next bound up.
fn share_above(counts: &Counts, value: f64) -> Share {
    match counts {
        Counts::Histogram(histogram) => Share {
            events: histogram.total(),
            bad: histogram.surely_above(value),
        },
        Counts::Ratio(_) => Share::default(),
    }
}

fn quantile_of(counts: &Counts, quantile: f64) -> Option<f64> {
    match counts {
        Counts::Histogram(histogram) => histogram.quantile(quantile),
        Counts::Ratio(_) => None,
    }
}
