//! The pooled test of two proportions, one-sided at 1 %: once at the end of the watch, as it is meant (a fixed horizon),
//! and after every tick, as it is often used. Of latencies, the shares above the bound that tells most.

use super::scraped::Events;
use super::taken_back;
use crate::methods::Ending;

/// The upper 1 % of the standard normal distribution.
const QUANTILE: f64 = 2.326_347_874_040_841;

#[derive(Debug, Default)]
pub(super) struct TwoShares {
    first: Option<f64>,
    now: bool,
}

impl TwoShares {
    /// All events up to `at` seconds.
    pub(super) fn look(&mut self, at: f64, canary: Events, baseline: Events) {
        let pooled = (canary.above + baseline.above) / (canary.all + baseline.all);
        let error = (pooled * (1.0 - pooled) * (1.0 / canary.all + 1.0 / baseline.all)).sqrt();
        let difference = canary.above / canary.all - baseline.above / baseline.all;
        // Without events, or without any bad one, it is NaN, which is above nothing.
        self.now = difference / error > QUANTILE;
        if self.now {
            self.first.get_or_insert(at);
        }
    }

    pub(super) fn endings(&self, watch: f64) -> [(String, Ending); 2] {
        [
            ("z at end".to_owned(), taken_back(self.now.then_some(watch))),
            ("z every tick".to_owned(), taken_back(self.first)),
        ]
    }
}
