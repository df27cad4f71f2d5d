//! Scenarios as `tests/reference/scenarios.json` declares them, and what the reference judge reached on each.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `[[t0, v0], [t1, v1], ..]`: each value holds from its time on, or is interpolated.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Piecewise(Vec<(f64, f64)>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    #[default]
    Steps,
    Linear,
}

impl Piecewise {
    pub(crate) fn at(&self, t: f64, shape: Shape) -> f64 {
        let next = self.0.partition_point(|(from, _)| *from <= t);
        let before = next.checked_sub(1).and_then(|index| self.0.get(index));
        match (before, self.0.get(next), shape) {
            (Some((t0, v0)), Some((t1, v1)), Shape::Linear) => {
                v0 + (v1 - v0) * (t - t0) / (t1 - t0)
            }
            (Some((_, value)), _, _) | (None, Some((_, value)), _) => *value,
            (None, None, _) => 1.0,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(rename = "units")]
    _units: String,
    #[serde(rename = "see")]
    _see: String,
    pub(crate) alpha: f64,
    pub(crate) bucket_bounds_s: Vec<f64>,
    pub(crate) scenarios: Vec<Scenario>,
}

/// What is not understood is an error: a scenario that is drawn only in part proves nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) seed: u64,
    pub(crate) tick_s: f64,
    pub(crate) watch_s: f64,
    pub(crate) traffic: Traffic,
    pub(crate) errors: Option<Errors>,
    pub(crate) latency: Option<Latency>,
    pub(crate) cold_start: Option<ColdStart>,
    #[serde(default)]
    pub(crate) faults: Faults,
    pub(crate) rule: Rule,
    pub(crate) truth: Truth,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    pub(crate) rps: Piecewise,
    pub(crate) canary_share: Piecewise,
    #[serde(default)]
    pub(crate) shape: Shape,
    pub(crate) diurnal: Option<Diurnal>,
    #[serde(default)]
    pub(crate) canary_idle: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diurnal {
    amplitude: f64,
    period_s: f64,
    #[serde(default)]
    zero_s: f64,
}

impl Diurnal {
    pub(crate) fn at(&self, t: f64) -> f64 {
        let turns = (t - self.zero_s) / self.period_s;
        1.0 + self.amplitude * (std::f64::consts::TAU * turns).sin()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Errors {
    pub(crate) baseline: Piecewise,
    pub(crate) canary: Piecewise,
    #[serde(default)]
    pub(crate) shape: Shape,
    pub(crate) diurnal: Option<Diurnal>,
    pub(crate) pods: Option<Pods>,
    #[serde(default)]
    pub(crate) shared: Vec<Shared>,
    pub(crate) shared_noise: Option<Noise>,
    pub(crate) bursts: Option<Bursts>,
    pub(crate) placement: Option<Placement>,
    #[serde(default = "one")]
    pub(crate) phi: f64,
    #[serde(default)]
    pub(crate) retries: f64,
}

fn one() -> f64 {
    1.0
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pods {
    pub(crate) canary: f64,
    pub(crate) bad: f64,
    pub(crate) bad_rate: f64,
    pub(crate) since_s: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    #[serde(default = "one")]
    pub(crate) factor: f64,
    #[serde(default)]
    pub(crate) add: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Noise {
    pub(crate) sigma: f64,
    pub(crate) tau_s: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bursts {
    pub(crate) every_s: f64,
    pub(crate) seconds: f64,
    pub(crate) factor: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placement {
    pub(crate) spread: f64,
    pub(crate) canary_pods: u32,
    pub(crate) baseline_pods: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Latency {
    pub(crate) mixture: Vec<Part>,
    pub(crate) canary_mixture: Option<Vec<Part>>,
    #[serde(default)]
    pub(crate) canary_mixture_since_s: f64,
    #[serde(default)]
    pub(crate) canary_factor: Piecewise,
    #[serde(default)]
    pub(crate) baseline_factor: Piecewise,
    #[serde(default)]
    pub(crate) shared: Vec<Shared>,
}

/// A lognormal with a share of the requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) weight: f64,
    pub(crate) median_s: f64,
    pub(crate) sigma: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColdStart {
    pub(crate) seconds: f64,
    #[serde(default)]
    pub(crate) error_add: f64,
    #[serde(default = "one")]
    pub(crate) slow_factor: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Faults {
    #[serde(default)]
    pub(crate) counter_resets: Vec<Reset>,
    #[serde(default)]
    pub(crate) missing: Vec<Missing>,
    #[serde(default)]
    pub(crate) missing_probability: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arm {
    Canary,
    Baseline,
    Both,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    pub(crate) arm: Arm,
    pub(crate) at_s: Option<f64>,
    pub(crate) every_s: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Missing {
    pub(crate) arm: Arm,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Rule {
    Share {
        max: f64,
        margin: f64,
        plus: f64,
        skip_s: Option<f64>,
    },
    Quantile {
        quantile: f64,
        max_s: f64,
        slow_odds: f64,
        slow_plus: f64,
        skip_s: Option<f64>,
    },
}

impl Rule {
    /// Seconds of the canary that are not counted: 30 for latencies, 0 for errors, unless the rule says otherwise.
    pub(crate) fn skip(&self) -> f64 {
        match self {
            Self::Share { skip_s, .. } => skip_s.unwrap_or(0.0),
            Self::Quantile { skip_s, .. } => skip_s.unwrap_or(30.0),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Truth {
    pub(crate) release: Release,
    #[serde(default)]
    pub(crate) since_s: f64,
    pub(crate) until_s: Option<f64>,
    #[serde(rename = "why")]
    _why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Release {
    Good,
    Bad,
    BothBad,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Results {
    pub(crate) results: Vec<Reached>,
}

/// What others reached on a scenario.
#[derive(Debug, Deserialize)]
pub(crate) struct Reached {
    pub(crate) name: String,
    pub(crate) expected: Expected,
    pub(crate) methods: BTreeMap<String, Reference>,
}

/// Mean totals of a watch.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    pub(crate) n_canary: f64,
    pub(crate) n_baseline: f64,
    pub(crate) e_canary: Option<f64>,
    pub(crate) e_baseline: Option<f64>,
    pub(crate) buckets_canary: Option<Vec<f64>>,
    pub(crate) buckets_baseline: Option<Vec<f64>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reference {
    pub(crate) runs: u32,
    pub(crate) rollbacks: u32,
    #[serde(default)]
    pub(crate) before_fault: u32,
    pub(crate) delay_median_s: Option<f64>,
    pub(crate) passing: Option<u32>,
    pub(crate) passed: Option<u32>,
}
