//! The rules of one release under one alpha: verdict, shares and scores (judge.md 9).
//!
//! A weighted mean of e-processes is one, whatever they depend on: no Bonferroni, and several mildly bad rules add up.
//! Passing needs no correction, every rule must pass its own test at the same tick. Passing opens gates and ends nothing:
//! a later Fail wins.

use serde::{Deserialize, Serialize};

use super::logs::log_sum;
use super::reading::Reading;
use super::settings::{ParameterError, check_errors, within};

/// What an analysis says while it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Undecided,
    /// May open a gate; a Fail may follow.
    Passing,
    /// Stays.
    Fail,
}

/// What an analysis says at the end of its watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Surely within the bounds at some time, and never surely beyond them.
    Pass,
    Fail,
    /// Neither; a [`super::Doubt`] says why.
    Inconclusive,
}

/// What an analysis is at the end when it was neither Fail nor Passing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenUnclear {
    #[default]
    Inconclusive,
    Pass,
}

/// All rules of one release, by the readings of their evidence in the order of the weights. A rule of weight 0 is
/// advisory: shown, never decides. A reading that is missing is that of a silent rule, which passes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// Sum up to 1, or are all 0.
    weights: Vec<f64>,
    alpha: f64,
    beta: f64,
    /// Ticks before which nothing is Passing.
    at_least: u64,
    /// Ticks judged.
    tick: u64,
    passed_at: Option<u64>,
    failed_at: Option<u64>,
    ended: Option<Verdict>,
}

impl Analysis {
    /// `weights`: one per rule, 0 or more. `alpha`, `beta`: false alarms and false passes of the whole analysis.
    pub fn new(weights: &[f64], alpha: f64, beta: f64) -> Result<Self, ParameterError> {
        check_errors(alpha, beta)?;
        for weight in weights {
            let sane = (0.0..=1e6).contains(weight);
            within(sane, "weights", *weight, "0 to 1000000 each")?;
        }
        let total: f64 = weights.iter().sum();
        let share = |weight: &f64| if total > 0.0 { weight / total } else { 0.0 };
        Ok(Self {
            weights: weights.iter().map(share).collect(),
            alpha,
            beta,
            at_least: 0,
            tick: 0,
            passed_at: None,
            failed_at: None,
            ended: None,
        })
    }

    /// Holds Passing back, not a Fail, until so many ticks are judged.
    #[must_use]
    pub fn at_least(self, ticks: u64) -> Self {
        Self {
            at_least: ticks,
            ..self
        }
    }

    /// Every rule that decides: its weight and what it says.
    fn judging(&self, readings: &[Reading]) -> impl Iterator<Item = (f64, Reading)> + Clone {
        let readings = readings.iter().copied();
        let silent = std::iter::repeat(Reading::SILENT);
        let all = self.weights.iter().copied().zip(readings.chain(silent));
        all.filter(|(weight, _)| *weight > 0.0)
    }

    fn decides(&self) -> bool {
        self.weights.iter().any(|weight| *weight > 0.0)
    }

    /// Evidence of all rules together against the release; 0 when none decides.
    pub fn log_bad(&self, readings: &[Reading]) -> f64 {
        if !self.decides() {
            return 0.0;
        }
        let judging = self.judging(readings);
        log_sum(judging.map(|(weight, reading)| weight.ln() + reading.log_bad))
    }

    /// Once after every tick.
    pub fn judge(&mut self, readings: &[Reading]) -> State {
        if self.ended.is_none() && self.failed_at.is_none() {
            self.tick = self.tick.saturating_add(1);
            if self.decides() && self.log_bad(readings) >= -self.alpha.ln() {
                self.failed_at = Some(self.tick);
            } else if self.passed_at.is_none() && self.passes(readings) {
                self.passed_at = Some(self.tick);
            }
        }
        self.state()
    }

    fn passes(&self, readings: &[Reading]) -> bool {
        let level = -self.beta.ln();
        let passes = |(_, reading): (f64, Reading)| reading.log_good >= level;
        self.tick >= self.at_least && self.decides() && self.judging(readings).all(passes)
    }

    pub fn state(&self) -> State {
        match (self.failed_at, self.passed_at) {
            (Some(_), Some(_) | None) => State::Fail,
            (None, Some(_)) => State::Passing,
            (None, None) => State::Undecided,
        }
    }

    /// The tick, from 1, with which it was first Passing.
    pub fn passed_at(&self) -> Option<u64> {
        self.passed_at
    }

    /// The tick, from 1, with which it failed.
    pub fn failed_at(&self) -> Option<u64> {
        self.failed_at
    }

    /// The watch is over. Nothing changes any more; asked again, it says the same.
    pub fn finish(&mut self, when_unclear: WhenUnclear) -> Verdict {
        let verdict = self.ended.unwrap_or(match (self.state(), when_unclear) {
            (State::Fail, _) => Verdict::Fail,
            (State::Passing, _) | (State::Undecided, WhenUnclear::Pass) => Verdict::Pass,
            (State::Undecided, WhenUnclear::Inconclusive) => Verdict::Inconclusive,
        });
        self.ended = Some(verdict);
        verdict
    }

    /// How much each rule contributes to the evidence against the release; they sum up to 1 if any rule decides.
    pub fn shares(&self, readings: &[Reading]) -> impl Iterator<Item = f64> {
        let total = self.log_bad(readings);
        let silent = std::iter::repeat(Reading::SILENT);
        let all = self
            .weights
            .iter()
            .zip(readings.iter().copied().chain(silent));
        all.map(move |(weight, reading)| {
            if *weight > 0.0 {
                (weight.ln() + reading.log_bad - total).exp()
            } else {
                0.0
            }
        })
    }

    /// Where `log_bad` of a rule would decide alone: ln(1/(weight * alpha)); an advisory rule is shown as if it had
    /// all the weight.
    pub fn bad_level(&self, rule: usize) -> f64 {
        let weight = self.weights.get(rule).copied().unwrap_or(0.0);
        let weight = if weight > 0.0 { weight } else { 1.0 };
        -(weight * self.alpha).ln()
    }

    /// 0 to 100 for one rule: 50 when nothing is known, 100 when it passes, 0 when it would fail alone.
    pub fn rule_score(&self, rule: usize, reading: Reading) -> f64 {
        let (bad, good) = match reading.progress {
            Some(progress) => (progress.bad, progress.good),
            None => (
                reading.log_bad / self.bad_level(rule),
                reading.log_good / -self.beta.ln(),
            ),
        };
        50.0 + 50.0 * good.clamp(0.0, 1.0) - 50.0 * bad.clamp(0.0, 1.0)
    }

    /// 0 after a Fail, 100 after a Pass, else the weighted mean of the rules' scores within 1 to 99.
    pub fn score(&self, readings: &[Reading]) -> f64 {
        if self.failed_at.is_some() {
            return 0.0;
        }
        if self.ended == Some(Verdict::Pass) {
            return 100.0;
        }
        if !self.decides() {
            return 50.0;
        }
        let silent = std::iter::repeat(Reading::SILENT);
        let all = self
            .weights
            .iter()
            .zip(readings.iter().copied().chain(silent));
        let scores = all.enumerate();
        let mean: f64 = scores
            .map(|(rule, (weight, reading))| weight * self.rule_score(rule, reading))
            .sum();
        mean.clamp(1.0, 99.0)
    }
}
