//! What people use today, on the series that our judge sees: Argo's analyses, Flagger, a script in a `CronJob`, Kayenta, and
//! a plain test of two shares. Names and definitions as in `scenario-results.json`; what these leave open (when each first
//! looks, what it makes of no data) is as the tools do it, and as the counts recorded there can only have come about.
//!
//! They look at moments of their own, so they judge when the run is over, from what had been scraped at each moment.

mod kayenta;
mod scraped;
mod shares;
mod threshold;

use rand::RngExt;
use rand_pcg::Pcg64;

use crate::draw::Drawn;
use crate::methods::Ending;
use crate::rates::Rates;
use crate::scenario::{Arm, Rule, Scenario};
use kayenta::Minutes;
use scraped::{Counter, Weights};
use shares::TwoShares;
use threshold::{ARGO, Argo, FLAGGER, Flagger, cron};

/// Keeps the moments of the peers apart from the dice of the series.
const MOMENTS: u128 = 1 << 96;

/// All peers on one run.
pub(crate) struct Peers<'a> {
    scenario: &'a Scenario,
    counters: [Counter; 2],
    minutes: Minutes<'a>,
    shares: TwoShares,
    moments: Pcg64,
}

impl<'a> Peers<'a> {
    pub(crate) fn new(scenario: &'a Scenario, rates: &Rates, bounds: &'a [f64], run: u64) -> Self {
        let expected = rates
            .ticks
            .first()
            .map_or(&[][..], |tick| &tick.baseline_buckets);
        let weights = Weights::of(&scenario.rule, bounds, expected);
        Self {
            scenario,
            counters: [Counter::new(weights.clone()), Counter::new(weights)],
            minutes: Minutes::new(&scenario.rule, bounds),
            shares: TwoShares::default(),
            moments: Pcg64::new(u128::from(scenario.seed) | MOMENTS, u128::from(run)),
        }
    }

    /// What was drawn in the tick that ends at `to` seconds.
    pub(crate) fn tick(&mut self, to: f64, drawn: &Drawn) {
        for (arm, counter) in [Arm::Canary, Arm::Baseline]
            .into_iter()
            .zip(&mut self.counters)
        {
            let (counted, read) = drawn.arm(arm);
            counter.count(counted);
            if read {
                counter.scrape(to);
            }
        }
        self.minutes.tick(to, drawn);
        let [canary, baseline] = &self.counters;
        self.shares.look(to, canary.last(), baseline.last());
    }

    /// What each of them did.
    pub(crate) fn endings(mut self) -> Vec<(String, Ending)> {
        let watch = self.scenario.watch_s;
        let tick = self.scenario.tick_s;
        let slow = matches!(self.scenario.rule, Rule::Quantile { .. });
        let mut endings = Vec::new();
        // A release is looked at from its start on. A fault that begins later knows nothing of these moments.
        let late = self.scenario.truth.since_s > 0.0;
        let mut phase = |interval: f64| {
            let moment: f64 = self.moments.random();
            if late { moment * interval } else { 0.0 }
        };
        let canary = &self.counters[0];
        for template in ARGO {
            // A rate needs two samples, and nobody asks twice between two of them.
            if template.interval >= tick {
                let argo = Argo::new(template, slow);
                if let Some(name) = argo.name() {
                    endings.push((name, argo.judge(canary, watch, phase(template.interval))));
                }
            }
        }
        for interval in FLAGGER {
            // Its windows of a minute hold less than two samples at slower ticks.
            if tick < 60.0 {
                let flagger = Flagger { interval, slow };
                let ending = flagger.judge(canary, watch, phase(interval));
                endings.push((flagger.name(), ending));
            }
        }
        // A `CronJob` runs by the clock, whenever the release began.
        let moment: f64 = self.moments.random();
        endings.push(cron(canary, watch, slow, moment));
        endings.extend(self.minutes.endings(watch));
        endings.extend(self.shares.endings(watch));
        endings
    }
}

/// A rollback at so many seconds, if any.
fn taken_back(at: Option<f64>) -> Ending {
    Ending {
        failed: at,
        passing: None,
    }
}
