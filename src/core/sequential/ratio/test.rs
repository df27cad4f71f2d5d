//! What a limit and a comparison share: two mixtures, clumps, and how raw evidence becomes a step (judge.md 3.3).

use serde::{Deserialize, Serialize};

use crate::sequential::clumps::{Clumps, Sizes};
use crate::sequential::grid::{BAD, GOOD, Point};
use crate::sequential::mixture::Mixture;
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings, Span};
use crate::sequential::tally::Tally;

/// Both sides of the evidence about a share, from one arm or two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sequential) struct RatioTest<const ARMS: usize> {
    pub(super) settings: Settings,
    bad: Mixture<{ BAD.len() }>,
    good: Mixture<{ GOOD.len() }>,
    clumps: Clumps<ARMS>,
    /// Ticks of history with traffic.
    warmed: u64,
}

impl<const ARMS: usize> RatioTest<ARMS> {
    pub(super) fn new(settings: Settings) -> Result<Self, ParameterError> {
        settings.check()?;
        Ok(Self {
            bad: bad_side(settings.span),
            good: Mixture::first(),
            clumps: Clumps::new(settings.clump, settings.learn),
            warmed: 0,
            settings,
        })
    }

    pub(super) fn log_bad(&self) -> f64 {
        self.bad.log()
    }

    pub(super) fn log_good(&self) -> f64 {
        self.good.log()
    }

    pub(super) fn reading(&self) -> Reading {
        Reading::test(self.log_bad(), self.log_good())
    }

    /// In an endless watch: whether there is enough against what is watched. `None` in the watch of a release.
    pub(super) fn fires(&self) -> Option<bool> {
        match self.settings.span {
            Span::Release { .. } => None,
            Span::Endless { ticks } => Some(self.log_bad() >= (ticks as f64).ln()),
        }
    }

    /// Ticks with evidence.
    pub(super) fn judged(&self) -> u64 {
        self.bad.ticks()
    }

    pub(super) fn clump_sizes(&self) -> Sizes {
        self.clumps.sizes()
    }

    /// One tick in which every arm had traffic; `z`: the raw evidence at a grid point, a log likelihood ratio.
    pub(super) fn judge(&mut self, z: impl Fn(Point) -> f64, arms: [Tally; ARMS]) {
        let before = self.clumps.sizes();
        if self.clumps.learns() {
            self.clumps.update(arms.map(Some));
        }
        let after = self.clumps.sizes();
        let bad = BAD.map(|point| step(z(point), before.bad, after.bad));
        let good = GOOD.map(|point| step(z(point), before.good, after.good));
        self.bad.update(&bad, self.settings.bad_caps(self.warmed));
        self.good.update(&good, self.settings.good_caps());
    }

    /// A tick of history, of the last arm: it teaches clumping and is no evidence.
    pub(super) fn warm(&mut self, n: f64, e: f64) {
        if let Some(tally) = Tally::read(n, e).filter(|tally| tally.has_traffic()) {
            let mut arms = [None; ARMS];
            if let Some(last) = arms.last_mut() {
                *last = Some(tally);
            }
            self.clumps.update(arms);
            self.warmed = self.warmed.saturating_add(1);
        }
    }

    /// The same without evidence; what was learned of clumps stays.
    pub(super) fn restarted(&self) -> Self {
        Self {
            bad: bad_side(self.settings.span),
            good: Mixture::first(),
            clumps: self.clumps.clone(),
            warmed: self.warmed,
            settings: self.settings,
        }
    }

    /// The same, of which the evidence for a share that is kept may begin with any tick.
    pub(super) fn recovering(&self) -> Self {
        Self {
            good: Mixture::endless(),
            ..self.restarted()
        }
    }
}

fn bad_side(span: Span) -> Mixture<{ BAD.len() }> {
    match span {
        Span::Release { horizon } => Mixture::late(horizon),
        Span::Endless { .. } => Mixture::endless(),
    }
}

/// The step of one tick: its evidence divided by the clump size; what speaks for a verdict by the larger of the sizes before and
/// after the tick was learned from. It never exceeds `z / before`, and E[exp(z/c)] <= E[exp(z)]^(1/c) by Jensen.
pub(in crate::sequential) fn step(z: f64, before: f64, after: f64) -> f64 {
    if z <= 0.0 {
        z / before
    } else {
        z / before.max(after)
    }
}
