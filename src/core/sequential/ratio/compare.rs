//! Ratio against the baseline: at every tick the canary's share is at most `psi0` times the baseline's, plus a little,
//! whatever the baseline's share is at that tick (judge.md 5).
//!
//! With a = k b: `E[a^e_c b^e_b] <= exp(n_c p_c (a-1) + n_b p_b (b-1))`, and for `n_b (1-b) = psi0 n_c (a-1)` the
//! exponent is at most `n_c (a-1) plus` under either null. Near to Turner, Ly, Grünwald, "Generic e-variables for exact
//! sequential k-sample tests" (2021), and Lindon & Malek, "Anytime-valid inference for multinomial count data" (2022).

use serde::{Deserialize, Serialize};

use super::pairing::{Pair, Pairing};
use super::test::RatioTest;
use crate::sequential::grid::Point;
use crate::sequential::interval::interval;
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings, within};
use crate::sequential::tally::Tally;

/// Seconds that counts of one arm wait for the other.
const WAIT: f64 = 300.0;

/// How much worse than the baseline a canary may be: `psi0` times its share, plus `plus`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tolerance {
    /// 1 + margin; above 0.
    pub psi0: f64,
    /// A share, not points: 0.001 is 0.1 points. 0 to 1.
    pub plus: f64,
    /// Ticks that counts of one arm wait for the other; `None`: five minutes.
    pub wait: Option<u64>,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            psi0: 1.5,
            plus: 0.001,
            wait: None,
        }
    }
}

/// Evidence that the canary's share of bad events is within what the baseline's allows, or is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatioCompare {
    psi0: f64,
    plus: f64,
    pairing: Pairing,
    test: RatioTest<2>,
    total: Pair,
    /// Sums of the ratio of shares, above and below.
    ratio: (f64, f64),
}

/// What is shown of it: per arm events (`n`), bad ones (`e`), share and interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatioCompareShown {
    pub log_bad: f64,
    pub log_good: f64,
    pub n_c: f64,
    pub e_c: f64,
    pub n_b: f64,
    pub e_b: f64,
    /// How many bad events come together.
    pub clump: f64,
    pub canary: Option<f64>,
    pub canary_low: f64,
    pub canary_high: f64,
    pub baseline: Option<f64>,
    pub baseline_low: f64,
    pub baseline_high: f64,
    /// What the baseline's share allows the canary.
    pub allowed: Option<f64>,
    /// Canary : baseline over all ticks, immune to a changing split (Mantel & Haenszel, 1959).
    pub ratio: Option<f64>,
    pub ratio_low: f64,
    pub ratio_high: Option<f64>,
}

/// The raw evidence of a pair of counts at a grid point.
pub(in crate::sequential) fn raw(
    point: Point,
    psi0: f64,
    plus: f64,
    canary: Tally,
    baseline: Tally,
) -> f64 {
    let k = point.times;
    let lambda = (k - 1.0) * psi0 * canary.n / (k * psi0 * canary.n + baseline.n);
    canary.e * point.ln + (canary.e + baseline.e) * (-lambda).ln_1p()
        - plus * baseline.n * lambda / psi0
}

impl RatioCompare {
    pub fn new(tolerance: Tolerance, settings: Settings) -> Result<Self, ParameterError> {
        let Tolerance { psi0, plus, wait } = tolerance;
        let sane = (1e-6..=1e6).contains(&psi0);
        within(sane, "psi0", psi0, "0.000001 to 1000000; usual is 1.5")?;
        within((0.0..=1.0).contains(&plus), "plus", plus, "0 to 1")?;
        let test = RatioTest::new(settings)?;
        // In whole numbers, and at most 300 million: the tick was checked.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a conversion of a float saturates, and the tick is positive"
        )]
        let default = (WAIT / settings.tick).ceil() as u64;
        Ok(Self {
            psi0,
            plus,
            pairing: Pairing::new(wait.unwrap_or(default)),
            test,
            total: Pair::default(),
            ratio: (0.0, 0.0),
        })
    }

    /// Once every tick, with zeros when there is nothing: events and bad ones of canary and baseline. A tick with a
    /// number that cannot be a count is one without traffic.
    pub fn update(&mut self, n_c: f64, e_c: f64, n_b: f64, e_b: f64) {
        let tick = match (Tally::read(n_c, e_c), Tally::read(n_b, e_b)) {
            (Some(canary), Some(baseline)) => Pair { canary, baseline },
            (Some(_) | None, None) | (None, Some(_)) => Pair::default(),
        };
        let Some(pair) = self.pairing.update(tick) else {
            return;
        };
        let Pair { canary, baseline } = pair;
        let (psi0, plus) = (self.psi0, self.plus);
        let z = |point| raw(point, psi0, plus, canary, baseline);
        self.test.judge(z, [canary, baseline]);
        self.total.add(pair);
        let both = canary.n + baseline.n;
        self.ratio.0 += canary.e * baseline.n / both;
        self.ratio.1 += baseline.e * canary.n / both;
    }

    /// A tick of history of the baseline: teaches clumping, is no evidence.
    pub fn warm(&mut self, n: f64, e: f64) {
        self.test.warm(n, e);
    }

    /// Ticks with evidence.
    pub fn judged(&self) -> u64 {
        self.test.judged()
    }

    pub fn log_bad(&self) -> f64 {
        self.test.log_bad()
    }

    pub fn log_good(&self) -> f64 {
        self.test.log_good()
    }

    pub fn reading(&self) -> Reading {
        self.test.reading()
    }

    pub fn settings(&self) -> &Settings {
        &self.test.settings
    }

    /// In an endless watch: whether the canary was surely worse. `None` in the watch of a release.
    pub fn fires(&self) -> Option<bool> {
        self.test.fires()
    }

    /// The baseline's share of bad events over all judged ticks.
    pub fn baseline_share(&self) -> Option<f64> {
        self.total.baseline.share()
    }

    pub fn shown(&self) -> RatioCompareShown {
        let Pair { canary, baseline } = self.total;
        let clump = self.test.clump_sizes();
        let level = self.test.settings.bad_level() + std::f64::consts::LN_2;
        let ends = |tally: Tally| interval(tally.e / clump.good, tally.n / clump.good, level);
        let (canary_low, canary_high) = ends(canary);
        let (baseline_low, baseline_high) = ends(baseline);
        let share = baseline.share();
        let over = |above: f64, below: f64| (below > 0.0).then(|| above / below);
        RatioCompareShown {
            log_bad: self.log_bad(),
            log_good: self.log_good(),
            n_c: canary.n,
            e_c: canary.e,
            n_b: baseline.n,
            e_b: baseline.e,
            clump: clump.bad,
            canary: canary.share(),
            canary_low,
            canary_high,
            baseline: share,
            baseline_low,
            baseline_high,
            allowed: share.map(|share| self.psi0 * share + self.plus),
            ratio: over(self.ratio.0, self.ratio.1),
            ratio_low: over(canary_low, baseline_high).unwrap_or(0.0),
            ratio_high: over(canary_high, baseline_low),
        }
    }
}
