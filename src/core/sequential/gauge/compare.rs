//! A gauge against the baseline: betting on the signs of means over blocks of ticks (judge.md 8).
//!
//! Null: given the past, a block of the canary is at most as likely above as below. Blocks grow with the autocorrelation
//! that the differences show, so that they are nearly independent. Slow, and advisory by default.

use serde::{Deserialize, Serialize};

use crate::sequential::grid::SIGN;
use crate::sequential::mixture::{Caps, Mixture};
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, within};

/// Autocorrelation times per block.
const BLOCK: f64 = 3.0;
/// Ticks of the first block at least.
const FIRST_BLOCK: u32 = 10;
/// A value further from zero is no measurement; its square would not be a number.
const MOST: f64 = 1e100;

/// Evidence that the canary lies no more often above `r * baseline + plus` than below, or does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GaugeCompare {
    r: f64,
    plus: f64,
    shortest: u32,
    longest: u32,
    /// Ticks of the block that is under way.
    block: u32,
    bad: Mixture<{ SIGN.len() }>,
    good: Mixture<{ SIGN.len() }>,
    sum: f64,
    count: u32,
    last: Option<(f64, f64)>,
    moments: Moments,
    /// Neighbours are correlated about their own mean, see [`Self::centred`].
    #[serde(default)]
    centred: bool,
    above: u64,
    not_above: u64,
}

/// Of all differences so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moments {
    n: u64,
    sum: f64,
    squares: f64,
    /// Products of neighbours.
    products: f64,
    last: f64,
    #[serde(default)]
    first: f64,
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GaugeCompareShown {
    pub log_bad: f64,
    pub log_good: f64,
    /// The last value of each arm.
    pub canary: Option<f64>,
    pub baseline: Option<f64>,
    pub blocks_above: u64,
    pub blocks_not_above: u64,
    /// Ticks of a block.
    pub block: u32,
    pub mean_difference: Option<f64>,
}

impl Moments {
    fn add(&mut self, difference: f64) {
        if self.n > 0 {
            self.products += difference * self.last;
        } else {
            self.first = difference;
        }
        self.n += 1;
        self.sum += difference;
        self.squares += difference * difference;
        self.last = difference;
    }

    /// Correlation of neighbours, within 0..=0.99; `None` when too little is known, or nothing varies.
    fn correlation(&self, centred: bool) -> Option<f64> {
        let n = self.n as f64;
        let mean = self.sum / n;
        let variance = self.squares / n - mean * mean;
        (self.n >= 3 && variance > 0.0).then(|| {
            let of_neighbours = if centred {
                let ends = self.first + self.last;
                (self.products + mean * (ends - 2.0 * self.sum)) / (n - 1.0) + mean * mean
            } else {
                self.products / (n - 1.0) - mean * mean
            };
            let correlation = of_neighbours / variance;
            correlation.clamp(0.0, 0.99)
        })
    }
}

impl GaugeCompare {
    /// `r`, `plus`: what the canary may have of the baseline. `shortest`, `longest`: ticks of a block. `horizon`: ticks
    /// of the watch.
    pub fn new(
        r: f64,
        plus: f64,
        shortest: u32,
        longest: u32,
        horizon: u64,
    ) -> Result<Self, ParameterError> {
        within(r.abs() <= 1e6, "r", r, "-1000000 to 1000000; usual is 1")?;
        within(plus.abs() <= MOST, "plus", plus, "a finite number")?;
        let sane = (1..=100_000).contains(&shortest);
        within(sane, "block", f64::from(shortest), "1 to 100000 ticks")?;
        let sane = (1..=100_000).contains(&longest);
        within(sane, "longest", f64::from(longest), "1 to 100000 ticks")?;
        let sane = (1..=1_000_000_000_000).contains(&horizon);
        within(sane, "horizon", horizon as f64, "1 to 1000000000000 ticks")?;
        Ok(Self {
            r,
            plus,
            shortest,
            longest,
            block: shortest.max(FIRST_BLOCK),
            bad: Mixture::late(horizon),
            good: Mixture::first(),
            sum: 0.0,
            count: 0,
            last: None,
            moments: Moments::default(),
            centred: false,
            above: 0,
            not_above: 0,
        })
    }

    /// Takes neighbours to be correlated as far as both lie on one side of the mean, whatever that is.
    ///
    /// judge.md 8 takes the square of the mean from the products of neighbours, which leaves a multiple of the mean
    /// where the first and the last difference are not alike. With a difference of many times its scatter the
    /// correlation then seems to be 1, and blocks are 240 ticks long: what is seen best is found last. The length of a
    /// block is still known before it begins, and that is all that the proof asks for.
    #[must_use]
    pub fn centred(self) -> Self {
        Self {
            centred: true,
            ..self
        }
    }

    /// One tick: the value of each arm. A tick in which either is no number says nothing.
    pub fn update(&mut self, canary: f64, baseline: f64) {
        if !(canary.abs() <= MOST && baseline.abs() <= MOST) {
            return;
        }
        let difference = canary - self.r * baseline - self.plus;
        self.moments.add(difference);
        self.last = Some((canary, baseline));
        self.sum += difference;
        self.count += 1;
        if self.count >= self.block {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        let up = if self.sum > 0.0 {
            1.0
        } else if self.sum < 0.0 {
            0.0
        } else {
            0.5
        };
        if up > 0.5 {
            self.above += 1;
        } else {
            self.not_above += 1;
        }
        self.sum = 0.0;
        self.count = 0;
        let bet = |up: f64| SIGN.map(|g| up * (2.0 * g).ln() + (1.0 - up) * (2.0 * (1.0 - g)).ln());
        self.bad.update(&bet(up), Caps::NONE);
        self.good.update(&bet(1.0 - up), Caps::NONE);
        self.block = self.next_block();
    }

    /// Long enough that blocks hardly depend on each other; as it was while too little is known.
    fn next_block(&self) -> u32 {
        let Some(correlation) = self.moments.correlation(self.centred) else {
            return self.block;
        };
        let ticks = (BLOCK * (1.0 + correlation) / (1.0 - correlation)).ceil();
        // 3 to 597.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number between 3 and 597"
        )]
        let ticks = ticks as u32;
        ticks.min(self.longest).max(self.shortest)
    }

    pub fn reading(&self) -> Reading {
        Reading::test(self.bad.log(), self.good.log())
    }

    pub fn shown(&self) -> GaugeCompareShown {
        GaugeCompareShown {
            log_bad: self.bad.log(),
            log_good: self.good.log(),
            canary: self.last.map(|(canary, _)| canary),
            baseline: self.last.map(|(_, baseline)| baseline),
            blocks_above: self.above,
            blocks_not_above: self.not_above,
            block: self.block,
            mean_difference: (self.moments.n > 0).then(|| self.moments.sum / self.moments.n as f64),
        }
    }
}
