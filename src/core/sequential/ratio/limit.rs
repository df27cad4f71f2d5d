//! Ratio against a limit: at every tick the chance that an event is bad is at most `p0` (judge.md 4).
//!
//! The likelihood ratio of odds `k` times the limit's odds (Wald, "Sequential tests of statistical hypotheses", 1945).
//! For one event E[k^bad] / (1 + p0(k-1)) <= 1 on either null, for a chance that may change with every tick.

use serde::{Deserialize, Serialize};

use super::test::RatioTest;
use crate::sequential::grid::Point;
use crate::sequential::interval::interval;
use crate::sequential::reading::Reading;
use crate::sequential::settings::{ParameterError, Settings, within};
use crate::sequential::tally::Tally;

/// Evidence that the share of bad events stays within a limit, or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatioLimit {
    p0: f64,
    test: RatioTest<1>,
    total: Tally,
}

/// What is shown of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatioLimitShown {
    pub log_bad: f64,
    pub log_good: f64,
    /// Events judged.
    pub n: f64,
    /// Bad ones among them.
    pub e: f64,
    pub limit: f64,
    /// How many bad events come together.
    pub clump: f64,
    /// The share of bad events; `None` without any events.
    pub estimate: Option<f64>,
    /// Ends of the interval of the share.
    pub low: f64,
    pub high: f64,
}

/// The raw evidence of a tick at a grid point.
pub(in crate::sequential) fn raw(point: Point, p0: f64, tally: Tally) -> f64 {
    tally.e * point.ln - tally.n * (p0 * (point.times - 1.0)).ln_1p()
}

impl RatioLimit {
    /// `p0`: the share allowed, between 0 and 1.
    pub fn new(p0: f64, settings: Settings) -> Result<Self, ParameterError> {
        within(p0 > 0.0 && p0 < 1.0, "p0", p0, "above 0 and below 1")?;
        Ok(Self {
            p0,
            test: RatioTest::new(settings)?,
            total: Tally::EMPTY,
        })
    }

    /// One tick: `n` events, of which `e` were bad. What cannot be counts is a tick without traffic.
    pub fn update(&mut self, n: f64, e: f64) {
        let Some(tally) = Tally::read(n, e).filter(|tally| tally.has_traffic()) else {
            return;
        };
        let p0 = self.p0;
        self.test.judge(|point| raw(point, p0, tally), [tally]);
        self.total.add(tally);
    }

    /// A tick of history before the first tick: teaches clumping, is no evidence.
    pub fn warm(&mut self, n: f64, e: f64) {
        self.test.warm(n, e);
    }

    pub fn log_bad(&self) -> f64 {
        self.test.log_bad()
    }

    pub fn log_good(&self) -> f64 {
        self.test.log_good()
    }

    /// The share that is allowed.
    pub fn allowed(&self) -> f64 {
        self.p0
    }

    pub fn reading(&self) -> Reading {
        self.test.reading()
    }

    pub fn settings(&self) -> &Settings {
        &self.test.settings
    }

    /// In an endless watch: whether the limit was surely exceeded. `None` in the watch of a release.
    pub fn fires(&self) -> Option<bool> {
        self.test.fires()
    }

    /// The same limit without evidence; what was learned of clumps stays.
    pub(in crate::sequential) fn restarted(&self) -> Self {
        Self {
            p0: self.p0,
            test: self.test.restarted(),
            total: Tally::EMPTY,
        }
    }

    /// The same, of which `log_good` may begin with any tick.
    pub(in crate::sequential) fn recovering(&self) -> Self {
        Self {
            p0: self.p0,
            test: self.test.recovering(),
            total: Tally::EMPTY,
        }
    }

    pub fn shown(&self) -> RatioLimitShown {
        let clump = self.test.clump_sizes();
        let (low, high) = interval(
            self.total.e / clump.good,
            self.total.n / clump.good,
            self.test.settings.bad_level(),
        );
        RatioLimitShown {
            log_bad: self.log_bad(),
            log_good: self.log_good(),
            n: self.total.n,
            e: self.total.e,
            limit: self.p0,
            clump: clump.bad,
            estimate: self.total.share(),
            low,
            high,
        }
    }
}
