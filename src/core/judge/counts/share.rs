//! Shares of events, and whether one is above what is allowed by more than chance.
//!
//! By the likelihood ratio rather than by a normal distribution: at a limit of 1 % twenty events say little, and only
//! the former knows how little. With many events both are the same (Wilks 1938).

/// One or two bad events prove nothing, however small the limit is.
const FEWEST: f64 = 3.0;

/// Events of one arm and how many of them were bad.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Share {
    pub(super) events: f64,
    pub(super) bad: f64,
}

impl Share {
    /// The share of bad events in 0..=1; `None` without events.
    pub(super) fn value(self) -> Option<f64> {
        (self.events > 0.0).then(|| self.bad / self.events)
    }

    /// What is left without the events of `part`.
    pub(super) fn without(self, part: Self) -> Self {
        Self {
            events: self.events - part.events,
            bad: self.bad - part.bad,
        }
    }

    /// Whether the share as it stands is above `allowed`.
    pub(super) fn above(self, allowed: f64) -> bool {
        self.value().is_some_and(|share| share > allowed)
    }

    /// Whether the share is above the limit by more than `sigmas` standard errors.
    pub(super) fn surely_above(self, limit: f64, sigmas: f64) -> bool {
        let Some(share) = self.value() else {
            return false;
        };
        self.bad >= FEWEST
            && share > limit
            && (limit <= 0.0
                || self.events * divergence(share.min(1.0), limit) > half_deviance(sigmas))
    }

    /// Whether the share is above `factor * baseline + plus` by more than `sigmas` standard errors, whatever the
    /// baseline's true share is: one that is known badly needs more.
    pub(super) fn surely_worse(self, baseline: Self, factor: f64, plus: f64, sigmas: f64) -> bool {
        let Some(allowed) = baseline.value().map(|share| factor * share + plus) else {
            return false;
        };
        self.bad >= FEWEST
            && self.above(allowed)
            && self.deviance(baseline, factor, plus) > half_deviance(sigmas)
    }

    /// Half the deviance of two Poisson counts from the nearest pair of rates that is just allowed.
    ///
    /// That pair, `p` and `factor * p + plus`, is where the likelihood's derivative is zero: a quadratic in `p`.
    fn deviance(self, baseline: Self, factor: f64, plus: f64) -> f64 {
        let weight = baseline.events + factor * self.events;
        let a = weight * factor;
        let b = factor * (self.bad + baseline.bad) - weight * plus;
        let p = ((b + (b * b + 4.0 * a * baseline.bad * plus).sqrt()) / (2.0 * a)).max(0.0);
        poisson(self.bad, self.events * (factor * p + plus))
            + poisson(baseline.bad, baseline.events * p)
    }
}

/// Divergence of a Bernoulli variable with chance `p` from one with chance `q`, in nats.
fn divergence(p: f64, q: f64) -> f64 {
    term(p, q) + term(1.0 - p, 1.0 - q)
}

/// Half the deviance of a count from its expectation.
fn poisson(count: f64, expected: f64) -> f64 {
    term(count, expected) - (count - expected)
}

fn term(x: f64, y: f64) -> f64 {
    if x > 0.0 { x * (x / y).ln() } else { 0.0 }
}

/// Half the deviance at which a share is so many standard errors off.
fn half_deviance(sigmas: f64) -> f64 {
    sigmas * sigmas / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::SIGMAS;

    fn share(events: f64, bad: f64) -> Share {
        Share { events, bad }
    }

    #[test]
    fn above_needs_more_than_chance() {
        assert!(share(40.0, 12.0).surely_above(0.05, SIGMAS));
        assert!(
            !share(40.0, 4.0).surely_above(0.05, SIGMAS),
            "10 % of 40 may be chance at 5 %"
        );
        assert!(
            !share(40.0, 2.0).surely_above(0.0001, SIGMAS),
            "two events prove nothing"
        );
        assert!(
            !share(30.0, 3.0).surely_above(0.01, SIGMAS),
            "three of thirty come by chance at 1 % in four of a thousand windows"
        );
        assert!(share(30.0, 4.0).surely_above(0.01, SIGMAS));
    }

    #[test]
    fn with_many_events_above_is_three_standard_errors() {
        // 5 % of 10 000: 500, with a standard error of 21.8.
        assert!(!share(10_000.0, 563.0).surely_above(0.05, SIGMAS));
        assert!(share(10_000.0, 568.0).surely_above(0.05, SIGMAS));
    }

    #[test]
    fn worse_needs_a_baseline_and_more_than_chance() {
        assert!(share(60.0, 18.0).surely_worse(share(60.0, 0.0), 1.5, 0.001, SIGMAS));
        assert!(!share(60.0, 18.0).surely_worse(share(60.0, 18.0), 1.5, 0.001, SIGMAS));
        assert!(!share(60.0, 18.0).surely_worse(share(0.0, 0.0), 1.5, 0.001, SIGMAS));
        assert!(
            !share(20.0, 6.0).surely_worse(share(20.0, 0.0), 1.5, 0.001, SIGMAS),
            "six lone failures fall into one of two equal arms in one of sixty windows"
        );
        assert!(
            !share(90.0, 27.0).surely_worse(share(10.0, 0.0), 1.5, 0.001, SIGMAS),
            "ten clean requests do not show that the baseline is good"
        );
        assert!(share(60.0, 18.0).surely_worse(share(6000.0, 6.0), 1.5, 0.0, SIGMAS));
    }

    #[test]
    fn nothing_is_sure_of_nothing() {
        for odd in [share(0.0, 0.0), share(f64::NAN, 3.0), share(9.0, f64::NAN)] {
            assert!(!odd.surely_above(0.05, SIGMAS));
            assert!(!odd.surely_worse(share(60.0, 0.0), 1.5, 0.001, SIGMAS));
            assert!(!share(60.0, 60.0).surely_worse(odd, 1.5, 0.001, SIGMAS));
        }
        assert!(!share(60.0, 60.0).surely_above(f64::NAN, SIGMAS));
        assert!(!share(60.0, 60.0).surely_above(1.0, SIGMAS));
        assert!(share(60.0, 60.0).surely_above(0.0, SIGMAS));
    }

    proptest! {
        #[test]
        fn more_bad_events_never_make_it_surer_that_all_is_well(
            events in 1.0..5000.0_f64,
            bad in 0.0..1.0_f64,
            more in 0.0..1.0_f64,
            baseline in (1.0..5000.0_f64, 0.0..1.0_f64),
            limit in 0.0001..0.9999_f64,
        ) {
            let less = share(events, (events * bad).floor());
            let more = share(events, (events * bad.max(more)).floor());
            let baseline = share(baseline.0, (baseline.0 * baseline.1).floor());
            prop_assert!(!less.surely_above(limit, SIGMAS) || more.surely_above(limit, SIGMAS));
            prop_assert!(
                !less.surely_worse(baseline, 1.5, 0.001, SIGMAS) || more.surely_worse(baseline, 1.5, 0.001, SIGMAS)
            );
        }
    }
}
