//! What a rule may be told besides its bound, with defaults and what follows from them (judge.md 2, 3.3).

use serde::{Deserialize, Serialize};

use super::mixture::Caps;

/// Ticks of history from which on two ticks are enough for a Fail, or
const HISTORY: f64 = 300.0;
/// seconds of history, when these are fewer ticks,
const HISTORY_SPAN: f64 = 3600.0;
/// but not fewer than this.
const HISTORY_LEAST: f64 = 60.0;
/// Seconds of a tick from which on two are enough without history too, for a fault that begins late.
const LONG_TICK: f64 = 30.0;

/// How sure a rule has to be, and what it may assume.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// False alarms per analysis: the chance that a release within its bounds is ever taken back. Above 0, at most 0.3.
    pub alpha: f64,
    /// False passes: the chance that a release beyond its bound is ever called Passing. Above 0, at most 0.5.
    pub beta: f64,
    /// How many bad events come together, as far as is known beforehand; 1: each comes alone.
    pub clump: f64,
    /// Whether the size of clumps is learned.
    pub learn: bool,
    /// Ticks that a Fail needs at least, 2 to 5; `None`: by length of the tick and history.
    pub confirm: Option<u8>,
    /// Seconds of one tick.
    pub tick: f64,
    pub span: Span,
}

/// How long is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Span {
    /// A release, for this many ticks (T): a fault may begin with any of them.
    Release { horizon: u64 },
    /// Without an end, with one false firing in this many ticks on average (judge.md 11).
    Endless { ticks: u64 },
}

impl Span {
    /// Ninety days of ticks of ten seconds.
    pub const ENDLESS: Self = Self::Endless { ticks: 777_600 };
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            beta: 0.05,
            clump: 1.0,
            learn: true,
            confirm: None,
            tick: 1.0,
            span: Span::Release { horizon: 1800 },
        }
    }
}

/// A rule that cannot be judged as it was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    #[error("`{name}` is {value}: it must be {must}")]
    Range {
        name: &'static str,
        value: f64,
        must: &'static str,
    },
    #[error("`bounds` must be finite numbers in ascending order, 1 to {most} of them: {why}")]
    Bounds { most: usize, why: String },
    #[error("`use` names bound {index}, counted from 0, and there are {bounds}")]
    NoSuchBound { index: usize, bounds: usize },
    #[error("{class} needs `{name}`")]
    Missing {
        class: &'static str,
        name: &'static str,
    },
    #[error("{class} has no `{name}`")]
    Unknown {
        class: &'static str,
        name: &'static str,
    },
}

/// That a parameter lies where it must.
pub(super) fn within(
    holds: bool,
    name: &'static str,
    value: f64,
    must: &'static str,
) -> Result<(), ParameterError> {
    if holds {
        Ok(())
    } else {
        Err(ParameterError::Range { name, value, must })
    }
}

impl Settings {
    /// Refuses what no evidence could be built on.
    pub fn check(&self) -> Result<(), ParameterError> {
        let Self {
            alpha,
            beta,
            clump,
            learn: _,
            confirm,
            tick,
            span,
        } = *self;
        check_errors(alpha, beta)?;
        let sane = clump > 0.0 && clump <= 1e6;
        within(sane, "clump", clump, "above 0 and at most 1000000")?;
        if let Some(confirm) = confirm {
            let may = (2..=5).contains(&confirm);
            within(may, "confirm", f64::from(confirm), "2, 3, 4 or 5 ticks")?;
        }
        let sane = tick > 0.0 && tick <= 86_400.0;
        within(sane, "tick", tick, "above 0 and at most 86400 seconds")?;
        let (name, ticks) = match span {
            Span::Release { horizon } => ("horizon", horizon),
            Span::Endless { ticks } => ("ticks", ticks),
        };
        let sane = (1..=1_000_000_000_000).contains(&ticks);
        within(sane, name, ticks as f64, "1 to 1000000000000 ticks")
    }

    /// ln(1/alpha): where `log_bad` decides alone.
    pub fn bad_level(&self) -> f64 {
        -self.alpha.ln()
    }

    /// ln(1/beta): where `log_good` passes.
    pub fn good_level(&self) -> f64 {
        -self.beta.ln()
    }

    /// Ticks of history with traffic from which on two ticks are enough for a Fail.
    fn enough_history(&self) -> f64 {
        (HISTORY_SPAN / self.tick)
            .ceil()
            .clamp(HISTORY_LEAST, HISTORY)
    }

    /// Ticks that a Fail needs at least: for a fault of the first tick, and for a later one.
    fn confirms(&self, warmed: u64) -> (f64, f64) {
        if let Some(confirm) = self.confirm {
            return (f64::from(confirm), f64::from(confirm));
        }
        if warmed as f64 >= self.enough_history() {
            return (2.0, 2.0);
        }
        (3.0, if self.tick >= LONG_TICK { 2.0 } else { 3.0 })
    }

    /// The most that one tick adds to `log_bad`. The caps pay back the price of not knowing when a fault begins, so
    /// that a plain outage needs `confirm` ticks; the lift holds a single tick back from deciding alone.
    pub(super) fn bad_caps(&self, warmed: u64) -> Caps {
        let (first, late) = self.confirms(warmed);
        match self.span {
            Span::Release { horizon } => Caps {
                first: (self.bad_level() + 4.0_f64.ln()) / first,
                late: (self.bad_level() + (2.0 * horizon as f64).ln()) / late,
                lift: self.bad_level() - 1.0,
            },
            Span::Endless { ticks } => Caps {
                first: (ticks as f64).ln() / late,
                ..Caps::NONE
            },
        }
    }

    /// The most that one tick adds to `log_good`: it never passes with one.
    pub(super) fn good_caps(&self) -> Caps {
        Caps {
            first: self.good_level() / 2.0,
            ..Caps::NONE
        }
    }
}

/// The two error rates of a rule, or of an analysis.
pub(super) fn check_errors(alpha: f64, beta: f64) -> Result<(), ParameterError> {
    let sane = (1e-12..=0.3).contains(&alpha);
    within(sane, "alpha", alpha, "1e-12 to 0.3; usual is 0.01")?;
    let sane = (1e-12..=0.5).contains(&beta);
    within(sane, "beta", beta, "1e-12 to 0.5; usual is 0.05")
}
