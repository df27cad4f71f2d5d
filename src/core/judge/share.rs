//! Shares of events, and whether one is above what is allowed by more than chance.

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

    /// Whether the share is above the limit by more than `sigmas` standard errors of a share exactly at it.
    pub(super) fn surely_above(self, limit: f64, sigmas: f64) -> bool {
        let expected = self.events * limit;
        self.events > 0.0 && self.bad - expected > sigmas * (expected * (1.0 - limit)).max(0.0).sqrt()
            // One event proves nothing, however small the limit is.
            && self.bad >= 3.0
    }

    /// Whether the share is above `factor * baseline + plus` by more than `sigmas` standard errors of the
    /// difference.
    ///
    /// The variance is that of two Poisson counts, with the baseline's scaled by `(factor * n_c / n_b)²`; a baseline
    /// without bad events counts as if it had one, since it is not known to be perfect.
    pub(super) fn surely_worse(self, baseline: Self, factor: f64, plus: f64, sigmas: f64) -> bool {
        if self.events <= 0.0 || baseline.events <= 0.0 {
            return false;
        }
        let scale = factor * self.events / baseline.events;
        let excess = self.bad - scale * baseline.bad - plus * self.events;
        let seen = baseline.bad.max(1.0);
        let variance = scale * seen + scale * scale * seen + plus * self.events;
        self.bad >= 3.0 && excess > sigmas * variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
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
        assert!(!share(0.0, 0.0).surely_above(0.05, SIGMAS));
        assert!(!share(f64::NAN, 3.0).surely_above(0.05, SIGMAS));
    }

    #[test]
    fn worse_needs_a_baseline_and_more_than_chance() {
        assert!(share(60.0, 18.0).surely_worse(share(60.0, 0.0), 1.5, 0.001, SIGMAS));
        assert!(!share(60.0, 18.0).surely_worse(share(60.0, 18.0), 1.5, 0.001, SIGMAS));
        assert!(!share(60.0, 18.0).surely_worse(share(0.0, 0.0), 1.5, 0.001, SIGMAS));
        assert!(
            !share(300.0, 3.0).surely_worse(share(300.0, 0.0), 1.5, 0.001, SIGMAS),
            "three lone failures"
        );
    }
}
