//! Oracles: Wald's sequential probability ratio test with the true rates, begun at the true onset. No judge that keeps its
//! error rate is quicker on average; what one takes longer is the price of knowing neither size nor time of the fault.

use crate::draw::Seen;
use crate::methods::Ending;
use crate::rates::Tick;
use crate::scenario::{Release, Rule, Scenario};

/// Names as in `scenario-results.json`.
pub(crate) const NAMES: [&str; 5] = [
    "oracle limit",
    "oracle compare",
    "oracle pair",
    "oracle strict",
    "oracle strict pair",
];

/// All oracles on one run of a bad release.
pub(crate) struct Oracles {
    since: f64,
    level: f64,
    max: f64,
    margin: f64,
    plus: f64,
    ratios: [f64; NAMES.len()],
    failed: [Option<u64>; NAMES.len()],
    tick: u64,
}

impl Oracles {
    /// `None` for releases that are not bad, and for latencies.
    pub(crate) fn new(scenario: &Scenario, alpha: f64) -> Option<Self> {
        let Rule::Share {
            max, margin, plus, ..
        } = scenario.rule
        else {
            return None;
        };
        (scenario.truth.release == Release::Bad).then(|| Self {
            since: scenario.truth.since_s,
            level: -alpha.ln(),
            max,
            margin,
            plus,
            ratios: [0.0; NAMES.len()],
            failed: [None; NAMES.len()],
            tick: 0,
        })
    }

    pub(crate) fn tick(&mut self, tick: &Tick, seen: Option<&Seen>) {
        self.tick += 1;
        let Some(Seen { canary, baseline }) = seen.filter(|_| tick.t >= self.since) else {
            return;
        };
        let (p, base) = (tick.canary_rate, tick.baseline_rate);
        let allowed = ((1.0 + self.margin) * base + self.plus).min(1.0);
        // Better than the null at this tick: nothing to accuse it of.
        let worse = |null: f64, step: f64| if p > null { step } else { 0.0 };
        let alone = |null: f64| worse(null, bernoulli(canary.e, canary.n - canary.e, p, null));
        // The canary's share of the tick's errors, given how many there are.
        let share = |rate: f64| {
            let (of_canary, of_baseline) = (canary.n * rate, baseline.n * base);
            of_canary / (of_canary + of_baseline)
        };
        let pair = |null: f64| {
            if canary.n > 0.0 && baseline.n > 0.0 {
                worse(null, bernoulli(canary.e, baseline.e, share(p), share(null)))
            } else {
                0.0
            }
        };
        let steps = [
            alone(self.max),
            alone(allowed),
            pair(allowed),
            alone(base),
            pair(base),
        ];
        for ((ratio, failed), step) in self.ratios.iter_mut().zip(&mut self.failed).zip(steps) {
            *ratio += step;
            if *ratio >= self.level {
                failed.get_or_insert(self.tick);
            }
        }
    }

    pub(crate) fn endings(&self) -> impl Iterator<Item = (&'static str, Ending)> {
        let endings = self.failed.map(|failed| Ending {
            failed,
            passing: None,
        });
        NAMES.into_iter().zip(endings)
    }
}

/// The log likelihood ratio of a chance `p` against `null`.
fn bernoulli(hits: f64, misses: f64, p: f64, null: f64) -> f64 {
    let term = |events: f64, p: f64, null: f64| {
        if events > 0.0 {
            events * (p / null).ln()
        } else {
            0.0
        }
    };
    term(hits, p, null) + term(misses, 1.0 - p, 1.0 - null)
}
