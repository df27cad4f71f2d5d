//! What the counts of a window say of one rule: limits, comparisons, and the baseline that excuses a limit.

use super::share::Share;
use crate::judge::DRIFT;
use crate::judge::finding::State;
use crate::measurement::Counts;
use crate::rule::{Compare, CountsCheck, Metric, Part};

/// The counts that a decision is made from.
#[derive(Debug)]
pub(super) struct Sums<'a> {
    pub(super) canary: &'a Counts,
    /// The counts of each tick of the canary that `canary` is the sum of.
    pub(super) ticks: &'a [&'a Counts],
    pub(super) beside: Beside<'a>,
    /// How many standard errors a share must be above what is allowed.
    pub(super) sigmas: f64,
}

/// What the canary is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beside<'a> {
    /// The arm that runs beside it has traffic.
    Baseline(&'a Counts),
    /// There is such an arm; it has not had any traffic yet.
    Silent,
    /// Nothing runs beside it: the same service before the release, if it was measured then.
    Before(Option<&'a Counts>),
}

/// What a rule says of the counts, and what it was held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::judge) struct Decision {
    pub(super) says: Says,
    pub(super) against: Against,
}

impl Decision {
    /// The same, called bad by the tests of the release.
    pub(in crate::judge) fn failing(self) -> Self {
        Self {
            says: Says::Failing,
            ..self
        }
    }

    /// The same held against what the tests of the release allow in a comparison with the time before: of a short
    /// history they know less than its mere share says.
    pub(in crate::judge) fn allowing(self, share: f64) -> Self {
        let Against::Compared {
            canary,
            baseline,
            allowed: _,
            bound: None,
            before: true,
        } = self.against
        else {
            return self;
        };
        let says = match self.says {
            Says::Unsure | Says::Suspected | Says::Failing if !canary.above(share) => Says::Within,
            says => says,
        };
        let against = Against::Compared {
            canary,
            baseline,
            allowed: share,
            bound: None,
            before: true,
        };
        Self { says, against }
    }

    /// What that is as the state of a rule.
    pub(in crate::judge) fn state(self) -> State {
        match self.says {
            Says::Within => State::Within,
            Says::Unsure => State::Unsure,
            Says::TooFew | Says::TooFewBeside | Says::NotSurelyWorse => State::TooLittle,
            Says::BaselineAlsoBad => State::BaselineAlsoBad,
            Says::Suspected => State::Suspected,
            Says::Failing => State::Failing,
        }
    }

    /// There are no counts.
    pub(super) const NOTHING: Self = Self {
        says: Says::TooFew,
        against: Against::Nothing,
    };
}

/// What a rule says of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Within,
    /// Above what is allowed, but that may be chance.
    Unsure,
    /// Fewer events than `least`.
    TooFew,
    /// Fewer events of the baseline than `least`, or none at all.
    TooFewBeside,
    /// Surely above the limit; not surely worse than a baseline that keeps it.
    NotSurelyWorse,
    /// Surely above the limit; so is the baseline, or the service was before the release.
    BaselineAlsoBad,
    /// Surely above what is allowed, by the events of a single tick.
    Suspected,
    Failing,
}

impl Says {
    /// Which of two looks at the same counts is shown.
    pub(super) fn severity(self) -> u8 {
        match self {
            Self::TooFew | Self::TooFewBeside => 0,
            Self::Within | Self::Unsure => 1,
            Self::NotSurelyWorse => 2,
            Self::BaselineAlsoBad => 3,
            Self::Suspected => 4,
            Self::Failing => 5,
        }
    }
}

/// What the canary was held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Against {
    /// The limit as written.
    Limit(f64),
    Compared {
        canary: Share,
        baseline: Share,
        /// The canary's share that is just allowed.
        allowed: f64,
        /// Shares above this many units of the histogram are compared.
        bound: Option<f64>,
        /// The baseline is the time before the release.
        before: bool,
    },
    Nothing,
}

/// A limit as a share that is allowed.
struct Limit {
    shown: f64,
    share: ShareOf,
    allowed: f64,
}

/// Which events count as bad.
#[derive(Debug, Clone, Copy)]
pub(super) enum ShareOf {
    Part,
    Rest,
    Above(f64),
    None,
}

impl ShareOf {
    pub(super) fn of(self, counts: &Counts) -> Share {
        match (self, counts) {
            (Self::Part, Counts::Ratio(ratio)) => Share {
                events: ratio.events,
                bad: ratio.part,
            },
            (Self::Rest, Counts::Ratio(ratio)) => Share {
                events: ratio.events,
                bad: ratio.events - ratio.part,
            },
            // Surely above: above the next bound up.
            (Self::Above(value), Counts::Histogram(histogram)) => Share {
                events: histogram.total(),
                bad: histogram.surely_above(value),
            },
            (Self::None, counts) => Share {
                events: counts.total(),
                bad: 0.0,
            },
            (Self::Part | Self::Rest, Counts::Histogram(_))
            | (Self::Above(_), Counts::Ratio(_)) => Share::default(),
        }
    }
}

/// The events that count against the rule, for its totals.
pub(super) fn counted(rule: &CountsCheck) -> ShareOf {
    match limit(rule) {
        Some(limit) => limit.share,
        None => compared(rule, None).map_or(ShareOf::None, |(share, _)| share),
    }
}

pub(super) fn decide(rule: &CountsCheck, sums: &Sums<'_>) -> Decision {
    let limit = limit(rule);
    let shown = limit
        .as_ref()
        .map_or(Against::Nothing, |limit| Against::Limit(limit.shown));
    let worse = Comparison::of(rule, rule.compare, sums);
    let decision = |says, against| Decision { says, against };
    let compared = worse.as_ref().map(Comparison::against);
    let either = if limit.is_some() {
        shown
    } else {
        compared.unwrap_or(Against::Nothing)
    };
    if sums.canary.total() < rule.least as f64 {
        return decision(Says::TooFew, either);
    }
    if let Some(limit) = &limit
        && limit
            .share
            .of(sums.canary)
            .surely_above(limit.allowed, sums.sigmas)
    {
        return decision(above_limit(rule, sums, limit), shown);
    }
    if let Some(worse) = &worse
        && worse.surely()
    {
        let says = confirmed(worse.holds_without_worst_tick(sums));
        return decision(says, worse.against());
    }
    let over = limit.is_some_and(|limit| limit.share.of(sums.canary).above(limit.allowed));
    match worse {
        _ if over => decision(Says::Unsure, shown),
        Some(worse) if worse.canary.above(worse.allowed()) => {
            decision(Says::Unsure, worse.against())
        }
        None if shown == Against::Nothing => decision(Says::TooFewBeside, Against::Nothing),
        Some(_) | None => decision(Says::Within, either),
    }
}

/// Whether events and bad ones, as the rule counts them, are within its limit; also when it has none.
pub(super) fn keeps_limit(rule: &CountsCheck, events: f64, bad: f64) -> bool {
    limit(rule).is_none_or(|limit| !Share { events, bad }.above(limit.allowed))
}

/// The canary is surely above the limit. It is at fault only if it is also surely worse than a baseline beside it
/// (judge.md 4), or than the service was before, if that was above the limit already: old pain is no release's fault.
fn above_limit(rule: &CountsCheck, sums: &Sums<'_>, limit: &Limit) -> Says {
    let canary = limit.share.of(sums.canary);
    let still = confirmed(
        canary
            .without(worst(sums, limit.share))
            .above(limit.allowed),
    );
    let (baseline, before) = match sums.beside {
        Beside::Baseline(baseline) => (limit.share.of(baseline), false),
        Beside::Silent => return Says::TooFewBeside,
        Beside::Before(Some(before))
            if before.total() >= rule.least as f64
                && limit
                    .share
                    .of(before)
                    .surely_above(limit.allowed, sums.sigmas) =>
        {
            (limit.share.of(before), true)
        }
        Beside::Before(_) => return still,
    };
    let compare = rule.compare.unwrap_or_else(|| usual(&rule.metric));
    let factor = factor(compare, before);
    // The rule's own comparison is at another bound than its limit: either shows that the release is worse.
    let worse = canary.surely_worse(baseline, factor, compare.plus, sums.sigmas)
        || Comparison::of(rule, rule.compare, sums).is_some_and(|own| own.surely());
    if worse {
        still
    } else if baseline.above(limit.allowed) {
        Says::BaselineAlsoBad
    } else {
        Says::NotSurelyWorse
    }
}

fn confirmed(holds: bool) -> Says {
    if holds {
        Says::Failing
    } else {
        Says::Suspected
    }
}

/// The tick with the most bad events.
fn worst(sums: &Sums<'_>, share: ShareOf) -> Share {
    sums.ticks
        .iter()
        .map(|counts| share.of(counts))
        .max_by(|a, b| a.bad.total_cmp(&b.bad))
        .unwrap_or_default()
}

/// Which events count against the limit, and what share of them is allowed; `None` without a limit.
pub(super) fn limit_share(rule: &CountsCheck) -> Option<(ShareOf, f64)> {
    limit(rule).map(|limit| (limit.share, limit.allowed))
}

fn limit(rule: &CountsCheck) -> Option<Limit> {
    match &rule.metric {
        // A quantile below the limit is a share above the limit that is small enough (judge.md 7).
        Metric::Histogram(histogram) => rule.max.map(|max| Limit {
            shown: max,
            share: ShareOf::Above(max),
            allowed: 1.0 - histogram.quantile(),
        }),
        Metric::Ratio(_) => match (rule.max, rule.min) {
            (Some(max), _) => Some(Limit {
                shown: max,
                share: ShareOf::Part,
                allowed: max,
            }),
            // A least share of the part is a largest share of the rest.
            (None, Some(min)) => Some(Limit {
                shown: min,
                share: ShareOf::Rest,
                allowed: 1.0 - min,
            }),
            (None, None) => None,
        },
    }
}

/// The shares that a comparison compares: of bad events, or of those above the baseline's own quantile.
fn compared(rule: &CountsCheck, baseline: Option<&Counts>) -> Option<(ShareOf, Option<f64>)> {
    match &rule.metric {
        Metric::Ratio(ratio) => match ratio.part_is {
            Part::Bad => Some((ShareOf::Part, None)),
            Part::Good => Some((ShareOf::Rest, None)),
        },
        Metric::Histogram(metric) => match baseline? {
            Counts::Histogram(histogram) => {
                let quantile = histogram.quantile(metric.quantile())?;
                let index = histogram.next_bound_up(quantile)?;
                let bound = *histogram.bounds.get(index)?;
                Some((ShareOf::Above(bound), Some(bound)))
            }
            Counts::Ratio(_) => None,
        },
    }
}

/// The comparison that tells whether a baseline is also bad, for a rule without one of its own (judge.md 4, 7).
fn usual(metric: &Metric) -> Compare {
    let plus = match metric {
        Metric::Ratio(_) => 0.001,
        Metric::Histogram(histogram) => 0.1 * (1.0 - histogram.quantile()),
    };
    Compare { margin: 0.5, plus }
}

fn factor(compare: Compare, before: bool) -> f64 {
    (1.0 + compare.margin) * if before { DRIFT } else { 1.0 }
}

/// A comparison for which there is enough of a baseline.
struct Comparison {
    share: ShareOf,
    bound: Option<f64>,
    canary: Share,
    baseline: Share,
    factor: f64,
    plus: f64,
    before: bool,
    sigmas: f64,
}

impl Comparison {
    fn of(rule: &CountsCheck, compare: Option<Compare>, sums: &Sums<'_>) -> Option<Self> {
        let compare = compare?;
        let (baseline, before) = match sums.beside {
            Beside::Baseline(counts) => (counts, false),
            Beside::Before(Some(counts)) => (counts, true),
            Beside::Silent | Beside::Before(None) => return None,
        };
        if baseline.total() < rule.least as f64 {
            return None;
        }
        let (share, bound) = compared(rule, Some(baseline))?;
        Some(Self {
            share,
            bound,
            canary: share.of(sums.canary),
            baseline: share.of(baseline),
            factor: factor(compare, before),
            plus: compare.plus,
            before,
            sigmas: sums.sigmas,
        })
    }

    fn allowed(&self) -> f64 {
        self.baseline.value().unwrap_or_default() * self.factor + self.plus
    }

    fn surely(&self) -> bool {
        self.canary
            .surely_worse(self.baseline, self.factor, self.plus, self.sigmas)
    }

    fn holds_without_worst_tick(&self, sums: &Sums<'_>) -> bool {
        self.canary
            .without(worst(sums, self.share))
            .above(self.allowed())
    }

    fn against(&self) -> Against {
        Against::Compared {
            canary: self.canary,
            baseline: self.baseline,
            allowed: self.allowed(),
            bound: self.bound,
            before: self.before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_history_allows_what_the_tests_allow() {
        let share = |events, bad| Share { events, bad };
        let decision = |before| Decision {
            says: Says::Unsure,
            against: Against::Compared {
                canary: share(1_000.0, 40.0),
                baseline: share(970.0, 16.0),
                allowed: 0.032,
                bound: None,
                before,
            },
        };
        assert_eq!(decision(true).allowing(0.07).state(), State::Within);
        assert_eq!(decision(true).allowing(0.035).state(), State::Unsure);
        assert_eq!(
            decision(false).allowing(0.07),
            decision(false),
            "beside a baseline nothing changes"
        );
    }
}
