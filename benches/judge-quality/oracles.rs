//! Oracles: Wald's sequential probability ratio test with the true rates, begun at the true onset. No judge that keeps its
//! error rate is quicker on average; what one takes longer is the price of knowing neither size nor time of the fault.

use crate::draw::Seen;
use crate::methods::Ending;
use crate::rates::Tick;
use crate::scenario::{Release, Rule, Scenario};

/// Names as in `scenario-results.json`.
const OF_ERRORS: [&str; 5] = [
    "oracle limit",
    "oracle compare",
    "oracle pair",
    "oracle strict",
    "oracle strict pair",
];
const OF_LATENCIES: [&str; 3] = ["oracle limit", "oracle compare", "oracle whole histogram"];

/// Chances are no closer to 1: their odds would be infinite.
const SURE: f64 = 1.0 - 1e-9;

/// All oracles on one run of a bad release.
pub(crate) struct Oracles<'a> {
    scenario: &'a Scenario,
    bounds: &'a [f64],
    level: f64,
    names: &'static [&'static str],
    ratios: Vec<f64>,
    failed: Vec<Option<f64>>,
}

impl<'a> Oracles<'a> {
    /// `None` for releases that are not bad.
    pub(crate) fn new(scenario: &'a Scenario, bounds: &'a [f64], alpha: f64) -> Option<Self> {
        let names: &[&str] = match scenario.rule {
            Rule::Share { .. } => &OF_ERRORS,
            Rule::Quantile { .. } => &OF_LATENCIES,
        };
        (scenario.truth.release == Release::Bad).then(|| Self {
            scenario,
            bounds,
            level: -alpha.ln(),
            names,
            ratios: vec![0.0; names.len()],
            failed: vec![None; names.len()],
        })
    }

    pub(crate) fn tick(&mut self, tick: &Tick, seen: Option<&Seen>) {
        let Some(seen) = seen.filter(|_| tick.t >= self.scenario.truth.since_s) else {
            return;
        };
        match &self.scenario.rule {
            Rule::Share {
                max, margin, plus, ..
            } => {
                let allowed = ((1.0 + margin) * tick.baseline_rate + plus).min(1.0);
                let steps = errors(tick, seen, *max, allowed);
                self.add(&steps, seen.to);
            }
            Rule::Quantile {
                quantile,
                max_s,
                slow_odds,
                slow_plus,
                ..
            } => {
                let limit = self.bounds.iter().position(|bound| bound >= max_s);
                let nulls = [
                    limit.map(|bound| (bound, 1.0 - quantile)),
                    best_bound(tick, 1.0 + slow_odds, *slow_plus),
                ];
                let steps = latencies(tick, seen, nulls);
                self.add(&steps, seen.to);
            }
        }
    }

    fn add(&mut self, steps: &[f64], to: f64) {
        for ((ratio, failed), step) in self.ratios.iter_mut().zip(&mut self.failed).zip(steps) {
            *ratio += step;
            if *ratio >= self.level {
                failed.get_or_insert(to);
            }
        }
    }

    pub(crate) fn endings(&self) -> impl Iterator<Item = (&'static str, Ending)> {
        let endings = self.failed.iter().map(|failed| Ending {
            failed: *failed,
            passing: None,
        });
        self.names.iter().copied().zip(endings)
    }
}

/// In the order of [`OF_ERRORS`].
fn errors(tick: &Tick, seen: &Seen, max: f64, allowed: f64) -> [f64; OF_ERRORS.len()] {
    let Seen {
        canary, baseline, ..
    } = seen;
    let (p, base) = (tick.canary_rate, tick.baseline_rate);
    let alone = |null: f64| {
        worse(p, null, || {
            bernoulli(canary.e, canary.n - canary.e, p, null)
        })
    };
    // The canary's share of the tick's errors, given how many there are.
    let odds = |rate: f64| {
        let rate = rate.min(SURE);
        rate / (1.0 - rate)
    };
    let share = |rate: f64| {
        let (of_canary, of_baseline) = (canary.n * odds(rate), baseline.n * odds(base));
        of_canary / (of_canary + of_baseline)
    };
    let pair = |null: f64| {
        if canary.n > 0.0 && baseline.n > 0.0 {
            let step = || bernoulli(canary.e, baseline.e, share(p), share(null));
            worse(p, null, step)
        } else {
            0.0
        }
    };
    [
        alone(max),
        alone(allowed),
        pair(allowed),
        alone(base),
        pair(base),
    ]
}

/// In the order of [`OF_LATENCIES`]. `nulls`: the bound of the limit and the one that tells most of the comparison, each
/// with the share above that is allowed.
fn latencies(
    tick: &Tick,
    seen: &Seen,
    nulls: [Option<(usize, f64)>; 2],
) -> [f64; OF_LATENCIES.len()] {
    let alone = |(bound, null): (usize, f64)| {
        let p = share_above(&tick.canary_buckets, bound);
        let slow: f64 = seen.canary.buckets.iter().skip(bound + 1).sum();
        worse(p, null, || bernoulli(slow, seen.canary.n - slow, p, null))
    };
    let (of_canary, of_baseline) = (tick.canary_mean, tick.baseline_mean);
    let means = tick.canary_buckets.iter().zip(&tick.baseline_buckets);
    let whole = means
        .zip(&seen.canary.buckets)
        .filter(|(_, count)| **count > 0.0)
        .map(|((c, b), count)| count * ((c / of_canary) / (b / of_baseline)).ln())
        .sum();
    let [limit, compare] = nulls.map(|null| null.map_or(0.0, alone));
    [limit, compare, whole]
}

/// The bound at which the canary is surest to be seen, and the share above that its baseline allows.
fn best_bound(tick: &Tick, psi0: f64, plus: f64) -> Option<(usize, f64)> {
    let bounds = 0..tick.canary_buckets.len().saturating_sub(1);
    let best = bounds
        .map(|bound| {
            let p = share_above(&tick.canary_buckets, bound);
            let null = psi0 * share_above(&tick.baseline_buckets, bound) + plus;
            let null = null.min(SURE);
            let telling = worse(p, null, || bernoulli(p, 1.0 - p, p, null));
            (telling, bound, null)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((best.1, best.2))
}

fn share_above(means: &[f64], bound: usize) -> f64 {
    let above: f64 = means.iter().skip(bound + 1).sum();
    above / means.iter().sum::<f64>()
}

/// Better than the null at this tick: nothing to accuse it of.
fn worse(p: f64, null: f64, step: impl Fn() -> f64) -> f64 {
    if p > null { step() } else { 0.0 }
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
