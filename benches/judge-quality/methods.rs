//! The judges that are looked at: the rule with `max` and `compare`, its comparison and its limit alone, and a strict
//! comparison.

use std::sync::Arc;

use recant_core::sequential::{
    Analysis, JudgeRule, Measured, QuantileCompare, QuantileLimitBeside, QuantileTolerance,
    RatioCompare, RatioLimitBeside, Reading, Settings, Span, State, Tolerance, most_telling_bounds,
};

use crate::draw::{Counted, Seen};
use crate::scenario::{Rule, Scenario};

/// Names as in `scenario-results.json`.
const NAMES: [&str; 4] = ["guarded", "compare", "limit", "strict"];

/// How one judge judged one run, in seconds from the start of the watch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ending {
    pub(crate) failed: Option<f64>,
    pub(crate) passing: Option<f64>,
}

/// All judges on one run. The limit and the comparison by themselves are those inside the limit beside its baseline.
pub(crate) struct Judges {
    rule: JudgeRule,
    /// Not kept where nobody asks for it.
    strict: Option<JudgeRule>,
    analyses: [Analysis; NAMES.len()],
    tick_s: f64,
    skip_s: f64,
    /// What is counted of a canary that is not counted yet.
    nothing: Vec<f64>,
}

impl Judges {
    pub(crate) fn new(
        scenario: &Scenario,
        alpha: f64,
        bounds: &Arc<[f64]>,
        history: Option<&[Counted]>,
        skip_s: f64,
    ) -> Self {
        let settings = Settings {
            alpha,
            tick: scenario.tick_s,
            span: Span::Release {
                horizon: (scenario.watch_s / scenario.tick_s).round() as u64,
            },
            ..Settings::default()
        };
        let (mut rule, strict) = rules(&scenario.rule, settings, bounds, history);
        // Of errors without history nothing is known to compare it with, and no bar asks.
        let asked = history.is_some() || scenario.latency.is_some();
        let mut strict = Some(strict).filter(|_| asked);
        for counted in history.unwrap_or_default() {
            let measured = match &scenario.rule {
                Rule::Share { .. } => Measured::Counts {
                    n: counted.n,
                    e: counted.e,
                },
                Rule::Quantile { .. } => Measured::Histogram(&counted.buckets),
            };
            let mut rules = std::iter::once(&mut rule).chain(&mut strict);
            assert!(rules.all(|rule| rule.warm(measured)), "they take history");
        }
        let one = || Analysis::new(&[1.0], alpha, settings.beta).expect("good error rates");
        let both = Analysis::new(&[1.0, 1.0], alpha, settings.beta).expect("good error rates");
        Self {
            rule,
            strict,
            analyses: [both, one(), one(), one()],
            tick_s: scenario.tick_s,
            skip_s,
            nothing: vec![0.0; bounds.len() + 1],
        }
    }

    /// One tick; zeros when there is nothing to see. False when nothing can change any more.
    pub(crate) fn tick(&mut self, seen: Option<&Seen>) -> bool {
        if let Some(Seen {
            to,
            canary,
            baseline,
        }) = seen
        {
            let skipped = *to <= self.skip_s;
            let measured = if canary.buckets.is_empty() {
                Measured::BothCounts {
                    n_c: if skipped { 0.0 } else { canary.n },
                    e_c: if skipped { 0.0 } else { canary.e },
                    n_b: baseline.n,
                    e_b: baseline.e,
                }
            } else if skipped {
                Measured::BothHistograms(&self.nothing, &baseline.buckets)
            } else {
                Measured::BothHistograms(&canary.buckets, &baseline.buckets)
            };
            self.rule.update(measured);
            if let Some(strict) = &mut self.strict {
                strict.update(measured);
            }
        } else {
            self.rule.idle();
            if let Some(strict) = &mut self.strict {
                strict.idle();
            }
        }
        let (limit, compare) = match &self.rule {
            JudgeRule::RatioLimitBeside(rule) => (rule.limit().reading(), rule.compare().reading()),
            JudgeRule::QuantileLimitBeside(rule) => {
                (rule.limit().reading(), rule.compare().reading())
            }
            JudgeRule::RatioLimit(_)
            | JudgeRule::RatioCompare(_)
            | JudgeRule::QuantileLimit(_)
            | JudgeRule::QuantileCompare(_)
            | JudgeRule::GaugeLimit(_)
            | JudgeRule::GaugeCompare(_) => (Reading::SILENT, Reading::SILENT),
        };
        let [guarded, compared, limited, strict] = &mut self.analyses;
        let states = [
            guarded.judge(&[self.rule.reading(), compare]),
            compared.judge(&[compare]),
            limited.judge(&[limit]),
            match &self.strict {
                Some(rule) => strict.judge(&[rule.reading()]),
                None => State::Fail,
            },
        ];
        states.iter().any(|state| *state != State::Fail)
    }

    pub(crate) fn endings(&self) -> impl Iterator<Item = (&'static str, Ending)> {
        let seconds = |tick: u64| tick as f64 * self.tick_s;
        let kept = NAMES.len() - usize::from(self.strict.is_none());
        let all = NAMES.into_iter().zip(&self.analyses).take(kept);
        all.map(move |(name, analysis)| {
            let ending = Ending {
                failed: analysis.failed_at().map(seconds),
                passing: analysis.passed_at().map(seconds),
            };
            (name, ending)
        })
    }
}

fn rules(
    rule: &Rule,
    settings: Settings,
    bounds: &Arc<[f64]>,
    history: Option<&[Counted]>,
) -> (JudgeRule, JudgeRule) {
    match rule {
        Rule::Share {
            max, margin, plus, ..
        } => {
            let tolerance = Tolerance {
                psi0: 1.0 + margin,
                plus: *plus,
                wait: None,
            };
            let none = Tolerance {
                psi0: 1.0,
                plus: 0.0,
                wait: None,
            };
            let beside = RatioLimitBeside::new(*max, tolerance, settings).expect("good parameters");
            let strict = RatioCompare::new(none, settings).expect("good parameters");
            (
                JudgeRule::RatioLimitBeside(beside),
                JudgeRule::RatioCompare(strict),
            )
        }
        Rule::Quantile {
            quantile,
            max_s,
            slow_odds,
            slow_plus,
            ..
        } => {
            let mut seen = vec![0.0; bounds.len() + 1];
            for counted in history.unwrap_or_default() {
                for (sum, count) in seen.iter_mut().zip(&counted.buckets) {
                    *sum += count;
                }
            }
            let used = Some(most_telling_bounds(*quantile, bounds, &seen));
            let tolerance = QuantileTolerance {
                psi0: 1.0 + slow_odds,
                plus: Some(*slow_plus),
                used: used.clone(),
                ..QuantileTolerance::default()
            };
            let none = QuantileTolerance {
                psi0: 1.0,
                plus: Some(0.0),
                used,
                ..QuantileTolerance::default()
            };
            let bounds = || Arc::clone(bounds);
            let beside = QuantileLimitBeside::new(*quantile, *max_s, bounds(), tolerance, settings)
                .expect("good parameters");
            let strict = QuantileCompare::new(*quantile, bounds(), &none, settings)
                .expect("good parameters");
            (
                JudgeRule::QuantileLimitBeside(beside),
                JudgeRule::QuantileCompare(strict),
            )
        }
    }
}
