//! The tests of one rule in one phase of a release: its limit, its comparison, or both (judge.md 9).

mod comparing;
mod limit;
mod taken;

use serde::{Deserialize, Serialize};

use super::past::Past;
use crate::measurement::Counts;
use crate::rule::{Compare, CountsCheck, Judging, Metric};
use crate::sequential::{Doubt, JudgeRule, RatioLimit, Reading, Settings, Shown, over};
use comparing::Comparing;
use limit::limit_of;
use taken::Taken;

/// The tests of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trial {
    limit: Option<JudgeRule>,
    compare: Option<Comparison>,
    /// The limit beside the baseline, which goes on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    carried: Option<JudgeRule>,
    /// The buckets that its tests have; empty for ratios.
    bounds: Vec<f64>,
}

/// What the canary is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Comparison {
    /// The comparison that the limit beside the baseline keeps: one state, one computation a tick.
    OfLimit,
    Beside(Box<JudgeRule>),
    /// What is allowed by what was before the release: a limit, or of a quantile one at each bound.
    Before(Vec<AtBound>),
    /// Nothing was measured before the release.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AtBound {
    /// Events above this one count; `None`: the bad ones of a ratio.
    bound: Option<usize>,
    limit: RatioLimit,
}

/// What the tests of a rule were made from, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialShown {
    pub limit: Option<Shown>,
    pub compare: Option<Shown>,
}

impl Trial {
    /// Beside a baseline. `None`: the buckets are not known yet.
    pub(super) fn beside(
        check: &CountsCheck,
        judging: Judging,
        settings: Settings,
        counts: Option<&Counts>,
        past: &Past,
    ) -> Option<Self> {
        let bounds = bounds(check, counts)?;
        let own = Comparing::of(check, check.compare, &bounds, past);
        let gate = Comparing::of(
            check,
            Some(check.compare.unwrap_or_else(|| usual(check))),
            &bounds,
            past,
        );
        let mut limit = match limit_of(check) {
            Some(limit) if judging.beside => limit.beside(gate.as_ref(), &bounds, settings),
            Some(limit) => limit.alone(&bounds, settings),
            None => None,
        };
        let mut compare = match (&own, &limit) {
            (None, _) => None,
            (Some(_), Some(_)) if judging.beside => Some(Comparison::OfLimit),
            (Some(own), _) => own
                .beside(&bounds, settings)
                .map(|rule| Comparison::Beside(Box::new(rule))),
        };
        for counts in past.ticks() {
            if let Some(rule) = &mut limit {
                warm(rule, check, &bounds, counts);
            }
            if let Some(Comparison::Beside(rule)) = &mut compare {
                warm(rule, check, &bounds, counts);
            }
        }
        Some(Self {
            limit,
            compare,
            carried: None,
            bounds,
        })
    }

    /// Without a baseline. `None`: the buckets are not known yet.
    pub(super) fn alone(
        check: &CountsCheck,
        settings: Settings,
        counts: Option<&Counts>,
        past: &Past,
    ) -> Option<Self> {
        let bounds = bounds(check, counts)?;
        let mut limit = limit_of(check).and_then(|limit| limit.alone(&bounds, settings));
        let compare = Comparing::of(check, check.compare, &bounds, past);
        let mut compare = compare.map(|compare| compare.before(check, &bounds, past, settings));
        for counts in past.ticks() {
            if let Some(rule) = &mut limit {
                warm(rule, check, &bounds, counts);
            }
            if let Some(Comparison::Before(limits)) = &mut compare {
                for at in limits {
                    let (n, e) = at.counts(check, &bounds, counts);
                    at.limit.warm(n, e);
                }
            }
        }
        Some(Self {
            limit,
            compare,
            carried: None,
            bounds,
        })
    }

    pub(super) fn update_beside(
        &mut self,
        check: &CountsCheck,
        canary: Option<&Counts>,
        baseline: Option<&Counts>,
    ) {
        let arms = [canary, baseline].map(|counts| Taken::of(check, &self.bounds, counts));
        let one = arms[0].one();
        let both = Taken::both(&arms[0], &arms[1]);
        if let Some(rule) = &mut self.limit {
            rule.update(if rule.fits(both) { both } else { one });
        }
        if let Some(Comparison::Beside(rule)) = &mut self.compare {
            rule.update(both);
        }
    }

    /// The baseline has gone. If it kept the limit as long as it was there, or was never judged at all, the limit goes on
    /// with what it has seen of the canary: else a shared fault would now be blamed on the release (judge.md 10).
    ///
    /// That is more than judge.md's evidence beside, which stops here, and keeps alpha: at every moment it is at most
    /// the evidence of the limit alone, begun with the release and stopped now if the baseline was bad; that is an
    /// e-process, and whatever lowers one on the way leaves it one.
    pub(super) fn carry_on(&mut self) {
        let carried = match &self.limit {
            Some(JudgeRule::RatioLimitBeside(rule)) => {
                let kept = rule.shown();
                let baseline = kept.baseline.is_none_or(|share| share <= kept.limit.limit);
                baseline.then(|| JudgeRule::RatioLimit(rule.limit().clone()))
            }
            Some(JudgeRule::QuantileLimitBeside(rule)) => {
                let kept = rule.shown();
                let baseline = kept.baseline.is_none_or(|value| value <= kept.limit.limit);
                baseline.then(|| JudgeRule::QuantileLimit(rule.limit().clone()))
            }
            Some(
                JudgeRule::RatioLimit(_)
                | JudgeRule::RatioCompare(_)
                | JudgeRule::QuantileLimit(_)
                | JudgeRule::QuantileCompare(_)
                | JudgeRule::GaugeLimit(_)
                | JudgeRule::GaugeCompare(_),
            )
            | None => None,
        };
        if carried.is_some() {
            self.carried = carried;
        }
    }

    /// What the limit says that went on from beside the baseline.
    fn carried(&self) -> Option<Reading> {
        self.carried.as_ref().map(JudgeRule::reading)
    }

    /// One more tick of the canary for the limit that went on.
    pub(super) fn update_carried(&mut self, check: &CountsCheck, canary: Option<&Counts>) {
        if let Some(rule) = &mut self.carried {
            rule.update(Taken::of(check, &self.bounds, canary).one());
        }
    }

    pub(super) fn update_alone(&mut self, check: &CountsCheck, canary: Option<&Counts>) {
        let taken = Taken::of(check, &self.bounds, canary);
        if let Some(rule) = &mut self.limit {
            rule.update(taken.one());
        }
        if let (Some(Comparison::Before(limits)), Some(canary)) = (&mut self.compare, canary) {
            for at in limits {
                let (n, e) = at.counts(check, &self.bounds, canary);
                at.limit.update(n, e);
            }
        }
    }

    /// What limit and comparison say, each for itself; the limit that went on in place of the one that stopped.
    pub(super) fn parts(&self) -> Parts {
        let limit = self.limit.as_ref().map(JudgeRule::reading);
        let compare = self.compare.as_ref().map(|compare| match compare {
            Comparison::OfLimit => {
                let kept = self.limit.as_ref().and_then(JudgeRule::beside);
                kept.unwrap_or(Reading::SILENT)
            }
            Comparison::Beside(rule) => rule.reading(),
            Comparison::Before(limits) => together(limits),
            Comparison::Nothing => Reading::SILENT,
        });
        Parts {
            limit: self.carried().or(limit),
            goes_on: self.carried.is_some(),
            compare,
        }
    }

    /// The share of bad events that is allowed by what was before the release, where that is the baseline of a ratio.
    pub(super) fn allowed_by_past(&self) -> Option<f64> {
        let Some(Comparison::Before(limits)) = &self.compare else {
            return None;
        };
        let of_ratio = limits.iter().find(|at| at.bound.is_none())?;
        Some(of_ratio.limit.allowed())
    }

    pub(super) fn doubt(&self, level: f64) -> Option<Doubt> {
        let limit = self.limit.as_ref().and_then(|rule| rule.doubt(level));
        limit.or_else(|| match self.compare.as_ref()? {
            Comparison::OfLimit => {
                let rule = self.limit.as_ref()?;
                let kept = rule.beside()?;
                let events = compared_events(&rule.shown());
                (kept.log_good < level).then_some(Doubt::TooLittle {
                    events,
                    about: (kept.log_good > 0.0).then(|| (events * level / kept.log_good).ceil()),
                })
            }
            Comparison::Beside(rule) => rule.doubt(level),
            Comparison::Before(limits) => limits
                .iter()
                .find_map(|at| JudgeRule::RatioLimit(at.limit.clone()).doubt(level)),
            Comparison::Nothing => Some(Doubt::NoData),
        })
    }

    pub(super) fn shown(&self) -> TrialShown {
        TrialShown {
            limit: self.limit.as_ref().map(JudgeRule::shown),
            compare: match &self.compare {
                Some(Comparison::Beside(rule)) => Some(rule.shown()),
                Some(Comparison::Before(limits)) => limits
                    .iter()
                    .max_by(|a, b| a.limit.log_bad().total_cmp(&b.limit.log_bad()))
                    .map(|at| Shown::RatioLimit(at.limit.shown())),
                Some(Comparison::OfLimit | Comparison::Nothing) | None => None,
            },
        }
    }
}

/// What a rule's limit and its comparison say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parts {
    limit: Option<Reading>,
    /// The limit has gone on from beside the baseline.
    goes_on: bool,
    compare: Option<Reading>,
}

impl Parts {
    /// What was said beside the baseline, and then alone. What comes after is evidence given what came before, so their
    /// product is an e-process, and neither phase costs the other any weight (judge.md 10 halves it instead). For the
    /// release speaks the phase that it is in.
    pub(super) fn then(self, alone: Self) -> Self {
        let product = |one: Option<Reading>, other: Option<Reading>| match (one, other) {
            (Some(one), Some(other)) => Some(Reading {
                log_bad: one.log_bad + other.log_bad,
                log_good: other.log_good,
                progress: None,
            }),
            (one, other) => other.or(one),
        };
        Self {
            limit: if self.goes_on {
                self.limit
            } else {
                product(self.limit, alone.limit)
            },
            goes_on: self.goes_on,
            compare: product(self.compare, alone.compare),
        }
    }

    /// Limit and comparison together: half of the weight each; for the release both must speak.
    pub(super) fn reading(self) -> Reading {
        match (self.limit, self.compare) {
            (Some(one), Some(other)) => Reading::mean(&[one, other]),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Reading::SILENT,
        }
    }
}

/// Events of the canary that a limit beside a baseline has judged.
fn compared_events(shown: &Shown) -> f64 {
    match shown {
        Shown::RatioLimitBeside(shown) => shown.limit.n,
        Shown::QuantileLimitBeside(shown) => shown.limit.n,
        Shown::RatioLimit(_)
        | Shown::RatioCompare(_)
        | Shown::QuantileLimit(_)
        | Shown::QuantileCompare(_)
        | Shown::GaugeLimit(_)
        | Shown::GaugeCompare(_) => 0.0,
    }
}

fn together(limits: &[AtBound]) -> Reading {
    let readings: Vec<Reading> = limits.iter().map(|at| at.limit.reading()).collect();
    if readings.is_empty() {
        return Reading::SILENT;
    }
    Reading::mean(&readings)
}

impl AtBound {
    fn counts(&self, check: &CountsCheck, bounds: &[f64], counts: &Counts) -> (f64, f64) {
        match (self.bound, Taken::of(check, bounds, Some(counts))) {
            (None, Taken::Share { n, e }) => (n, e),
            (Some(bound), Taken::Buckets(counts)) => {
                (counts.iter().sum(), over(&counts, Some(bound)))
            }
            (None, Taken::Buckets(_)) | (Some(_), Taken::Share { .. }) => (0.0, 0.0),
        }
    }
}

fn warm(rule: &mut JudgeRule, check: &CountsCheck, bounds: &[f64], counts: &Counts) {
    rule.warm(Taken::of(check, bounds, Some(counts)).one());
}

/// The buckets of what is measured; `None`: not known yet.
fn bounds(check: &CountsCheck, counts: Option<&Counts>) -> Option<Vec<f64>> {
    match (&check.metric, counts) {
        (Metric::Ratio(_), _) => Some(Vec::new()),
        (Metric::Histogram(_), Some(Counts::Histogram(histogram))) => {
            (!histogram.bounds.is_empty()).then(|| histogram.bounds.to_vec())
        }
        (Metric::Histogram(_), None | Some(Counts::Ratio(_))) => None,
    }
}

/// What a limit without a comparison of its own is held beside (judge.md 4, 7).
fn usual(check: &CountsCheck) -> Compare {
    match &check.metric {
        Metric::Ratio(_) => Compare {
            margin: 0.5,
            plus: 0.001,
        },
        Metric::Histogram(histogram) => Compare {
            margin: 0.5,
            plus: 0.1 * (1.0 - histogram.quantile()),
        },
    }
}
