//! The watch between releases (judge.md 11): it has no end, fires at most once in so many ticks on average while the limit
//! is kept, and knows recovery.
//!
//! Recovery differs from judge.md, which starts one test "surely within the limit" at the firing: that test has to undo
//! every bad tick of the rest of the outage first, so after an hour of outage it takes longer than anybody waits (a test
//! below shows it). Here the evidence for recovery may begin with any tick, as that for a firing does.

use serde::{Deserialize, Serialize};

use super::ratio::RatioLimit;
use super::reading::Reading;
use super::settings::{ParameterError, Settings, Span};

/// While the limit is exceeded, a recovery is called by mistake at most once in so many seconds on average.
const FALSE_RECOVERY: f64 = 86_400.0;

/// A limit that is watched for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndlessLimit {
    watch: RatioLimit,
    /// Since it fired: evidence that the limit is kept again.
    recovery: Option<RatioLimit>,
}

/// What a tick changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndlessChange {
    /// The limit is surely exceeded.
    Fired,
    /// The limit is surely kept again; from now on it is watched anew.
    Recovered,
}

impl EndlessLimit {
    /// `settings.span` has to be endless; a release's is read as the default of ninety days.
    pub fn new(p0: f64, settings: Settings) -> Result<Self, ParameterError> {
        let span = match settings.span {
            Span::Endless { .. } => settings.span,
            Span::Release { .. } => Span::ENDLESS,
        };
        Ok(Self {
            watch: RatioLimit::new(p0, Settings { span, ..settings })?,
            recovery: None,
        })
    }

    /// One tick: `n` events, of which `e` were bad.
    pub fn update(&mut self, n: f64, e: f64) -> Option<EndlessChange> {
        if let Some(recovery) = &mut self.recovery {
            recovery.update(n, e);
            if recovery.log_good() < recovery_level(recovery.settings()) {
                return None;
            }
            // What was learned of clumps goes on.
            self.watch = recovery.restarted();
            self.recovery = None;
            return Some(EndlessChange::Recovered);
        }
        self.watch.update(n, e);
        if self.watch.fires() != Some(true) {
            return None;
        }
        self.recovery = Some(self.watch.recovering());
        Some(EndlessChange::Fired)
    }

    /// A tick of history: teaches clumping, is no evidence.
    pub fn warm(&mut self, n: f64, e: f64) {
        self.watch.warm(n, e);
    }

    /// Whether it has fired and not recovered.
    pub fn is_firing(&self) -> bool {
        self.recovery.is_some()
    }

    /// What the evidence says: of the watch, or after it fired of the recovery.
    pub fn reading(&self) -> Reading {
        self.recovery.as_ref().unwrap_or(&self.watch).reading()
    }
}

/// Mean number of ticks until a false recovery, as a logarithm; never less sure than a pass.
fn recovery_level(settings: &Settings) -> f64 {
    (FALSE_RECOVERY / settings.tick)
        .ln()
        .max(settings.good_level())
}

#[cfg(test)]
mod tests {
    use super::EndlessChange::{Fired, Recovered};
    use super::*;

    fn limit() -> EndlessLimit {
        EndlessLimit::new(0.01, Settings::default()).expect("good parameters")
    }

    #[test]
    fn it_fires_once_recovers_and_watches_on() {
        let mut limit = limit();
        let mut changes = Vec::new();
        for tick in 0..4000_u32 {
            let outage = (500..1500).contains(&tick) || (3000..3100).contains(&tick);
            let bad = if outage { 30.0 } else { 0.0 };
            if let Some(change) = limit.update(100.0, bad) {
                changes.push((tick, change));
            }
            assert!(limit.reading().log_bad.is_finite() && limit.reading().log_good.is_finite());
        }
        let kinds: Vec<EndlessChange> = changes.iter().map(|(_, change)| *change).collect();
        assert_eq!(kinds, [Fired, Recovered, Fired, Recovered], "{changes:?}");
        let ticks: Vec<u32> = changes.iter().map(|(tick, _)| *tick).collect();
        assert!(
            matches!(
                ticks[..],
                [500..=505, 1500..=1900, 3000..=3005, 3100..=3500]
            ),
            "{changes:?}"
        );
        assert!(!limit.is_firing());
    }

    #[test]
    fn one_test_since_the_firing_would_not_recover_from_a_long_outage() {
        let mut plain = RatioLimit::new(0.01, Settings::default()).expect("good parameters");
        (0..1000).for_each(|_| plain.update(100.0, 30.0));
        (0..10_000).for_each(|_| plain.update(100.0, 0.0));
        assert!(plain.log_good() < 0.0, "{}", plain.log_good());
    }

    #[test]
    fn it_does_not_recover_while_the_limit_is_exceeded() {
        let mut limit = limit();
        let mut fired = 0;
        for tick in 0..50_000_u32 {
            // 2 % in turns of 0 and 4 %: twice the limit.
            let bad = f64::from(tick % 2) * 4.0;
            match limit.update(100.0, bad) {
                Some(Fired) => fired += 1,
                Some(Recovered) => panic!("recovered at tick {tick}"),
                None => {}
            }
        }
        assert_eq!(fired, 1);
    }

    #[test]
    fn what_was_learned_of_clumps_outlives_a_firing() {
        let mut limit = limit();
        for tick in 0..400_u32 {
            limit.warm(100.0, f64::from(u8::from(tick % 40 == 0)) * 20.0);
        }
        let clump = limit.watch.shown().clump;
        assert!(clump > 3.0, "{clump}");
        while limit.update(100.0, 60.0) != Some(Fired) {}
        while limit.update(100.0, 0.0) != Some(Recovered) {}
        assert!(limit.watch.shown().clump > clump / 2.0);
        assert!(
            limit.watch.log_bad().abs() < 1e-12,
            "and the evidence begins anew"
        );
    }

    #[test]
    fn it_never_fires_while_nobody_errs() {
        let mut limit = limit();
        for _ in 0..100_000 {
            assert_eq!(limit.update(50.0, 0.0), None);
        }
    }
}
