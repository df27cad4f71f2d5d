//! What a scenario expects of every tick, before chance: means and rates, worked out once for all runs.

use crate::scenario::{Part, Scenario, Shape};

/// Seconds of history, and how many ticks it is at least and at most.
const HISTORY: (f64, f64, f64) = (3600.0, 60.0, 600.0);

/// One tick, at its middle.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) t: f64,
    pub(crate) canary_mean: f64,
    pub(crate) baseline_mean: f64,
    pub(crate) canary_rate: f64,
    pub(crate) baseline_rate: f64,
    /// Mean events per bucket; empty for scenarios about errors.
    pub(crate) canary_buckets: Vec<f64>,
    pub(crate) baseline_buckets: Vec<f64>,
}

#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) history: Vec<Tick>,
    pub(crate) ticks: Vec<Tick>,
}

impl Rates {
    pub(crate) fn of(scenario: &Scenario, bounds: &[f64]) -> Self {
        let length = scenario.tick_s;
        let at = |index: f64| tick(scenario, bounds, (index + 0.5) * length);
        let (seconds, least, most) = HISTORY;
        let history = (seconds / length).ceil().clamp(least, most) as u32;
        let ticks = (scenario.watch_s / length).round() as u32;
        Self {
            history: (0..history)
                .map(|index| before(at(f64::from(index) - f64::from(history))))
                .collect(),
            ticks: (0..ticks).map(|index| at(f64::from(index))).collect(),
        }
    }
}

/// Before the release all traffic is the baseline's.
fn before(mut tick: Tick) -> Tick {
    let total = tick.baseline_mean + tick.canary_mean;
    for mean in &mut tick.baseline_buckets {
        *mean *= total / tick.baseline_mean;
    }
    tick.canary_buckets.fill(0.0);
    tick.canary_mean = 0.0;
    tick.baseline_mean = total;
    tick
}

fn tick(scenario: &Scenario, bounds: &[f64], t: f64) -> Tick {
    let traffic = &scenario.traffic;
    let daily = traffic
        .diurnal
        .as_ref()
        .map_or(1.0, |diurnal| diurnal.at(t));
    let total = traffic.rps.at(t, traffic.shape) * daily * scenario.tick_s;
    let share = traffic.canary_share.at(t, traffic.shape);
    let idle = traffic
        .canary_idle
        .iter()
        .any(|(from, to)| (*from..*to).contains(&t));
    let canary_mean = if idle { 0.0 } else { total * share };
    let mut tick = Tick {
        t,
        canary_mean,
        baseline_mean: total * (1.0 - share),
        canary_rate: 0.0,
        baseline_rate: 0.0,
        canary_buckets: Vec::new(),
        baseline_buckets: Vec::new(),
    };
    error_rates(scenario, &mut tick);
    latencies(scenario, bounds, &mut tick);
    tick
}

fn error_rates(scenario: &Scenario, tick: &mut Tick) {
    let Some(errors) = &scenario.errors else {
        return;
    };
    let t = tick.t;
    let daily = errors.diurnal.as_ref().map_or(1.0, |diurnal| diurnal.at(t));
    let mut canary = errors.canary.at(t, errors.shape) * daily;
    let mut baseline = errors.baseline.at(t, errors.shape) * daily;
    if let Some(pods) = errors.pods.as_ref().filter(|pods| t >= pods.since_s) {
        canary = ((pods.canary - pods.bad) * canary + pods.bad * pods.bad_rate) / pods.canary;
    }
    for shared in &errors.shared {
        if (shared.from_s..shared.to_s).contains(&t) {
            canary = canary * shared.factor + shared.add;
            baseline = baseline * shared.factor + shared.add;
        }
    }
    if let Some(cold) = scenario
        .cold_start
        .as_ref()
        .filter(|cold| (0.0..cold.seconds).contains(&t))
    {
        canary += cold.error_add;
    }
    tick.canary_rate = canary.clamp(0.0, 1.0);
    tick.baseline_rate = baseline.clamp(0.0, 1.0);
}

fn latencies(scenario: &Scenario, bounds: &[f64], tick: &mut Tick) {
    let Some(latency) = &scenario.latency else {
        return;
    };
    let t = tick.t;
    let mut canary = latency.canary_factor.at(t, Shape::Steps);
    let mut baseline = latency.baseline_factor.at(t, Shape::Steps);
    for shared in &latency.shared {
        if (shared.from_s..shared.to_s).contains(&t) {
            canary *= shared.factor;
            baseline *= shared.factor;
        }
    }
    if let Some(cold) = scenario
        .cold_start
        .as_ref()
        .filter(|cold| (0.0..cold.seconds).contains(&t))
    {
        canary *= cold.slow_factor;
    }
    let own = latency.canary_mixture.as_ref();
    let mixture = own
        .filter(|_| t >= latency.canary_mixture_since_s)
        .unwrap_or(&latency.mixture);
    tick.canary_buckets = buckets(mixture, canary, tick.canary_mean, bounds);
    tick.baseline_buckets = buckets(&latency.mixture, baseline, tick.baseline_mean, bounds);
}

/// Mean events per bucket, the last above all bounds.
fn buckets(mixture: &[Part], factor: f64, mean: f64, bounds: &[f64]) -> Vec<f64> {
    let below = |bound: f64| -> f64 {
        let part = |part: &Part| {
            part.weight * normal_below((bound / (part.median_s * factor)).ln() / part.sigma)
        };
        mixture.iter().map(part).sum()
    };
    let mut seen = 0.0;
    let mut counts = Vec::with_capacity(bounds.len() + 1);
    for bound in bounds {
        let now = below(*bound);
        counts.push(mean * (now - seen));
        seen = now;
    }
    let whole: f64 = mixture.iter().map(|part| part.weight).sum();
    counts.push(mean * (whole - seen).max(0.0));
    counts
}

/// The chance of a standard normal number below x: series near zero, continued fraction far from it (Abramowitz & Stegun
/// 26.2.11, 26.2.14).
fn normal_below(x: f64) -> f64 {
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if x.abs() < 4.0 {
        let (mut term, mut sum) = (x, x);
        for odd in (3..200_u32).step_by(2) {
            term *= x * x / f64::from(odd);
            sum += term;
        }
        return 0.5 + density * sum;
    }
    let mut fraction = x.abs();
    for step in (1..60_u32).rev() {
        fraction = x.abs() + f64::from(step) / fraction;
    }
    let tail = density / fraction;
    if x > 0.0 { 1.0 - tail } else { tail }
}
