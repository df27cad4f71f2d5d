//! Counting over runs: false rollbacks, found faults, delays, passes; with Wilson's interval.

use serde::{Deserialize, Serialize};

use crate::methods::Ending;
use crate::scenario::{Reference, Release, Scenario};

/// How near medians have to be. Of few runs, of half of the runs found, of looks that are rare they are a coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medians {
    /// A tick, or 5 %.
    AsAsked,
    /// Or three standard errors.
    Drawn,
}

/// Of one judge on one scenario.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) runs: u32,
    /// Fails within the watch; of a bad release those after the fault began.
    pub(crate) failed: u32,
    /// Of a bad release: Fails before the fault began.
    pub(crate) before: u32,
    /// Of a fault that ends by itself: Fails before it ended.
    pub(crate) in_time: u32,
    pub(crate) passing: u32,
    /// Passing and never Fail.
    pub(crate) passed: u32,
    /// Passing at some time, and Fail later.
    pub(crate) passing_then_failed: u32,
    /// Seconds from the fault to the Fail, of those runs in which it was found.
    delays: Vec<f64>,
}

impl Counts {
    pub(crate) fn add(&mut self, ending: Ending, scenario: &Scenario) {
        let truth = &scenario.truth;
        self.runs += 1;
        let failed = ending.failed;
        let bad = truth.release == Release::Bad;
        let found = failed.filter(|at| !bad || *at > truth.since_s);
        self.failed += u32::from(found.is_some());
        self.before += u32::from(failed.is_some() && found.is_none());
        self.in_time +=
            u32::from(found.is_some_and(|at| truth.until_s.is_none_or(|until| at <= until)));
        self.passing += u32::from(ending.passing.is_some());
        self.passed += u32::from(ending.passing.is_some() && failed.is_none());
        self.passing_then_failed += u32::from(ending.passing.is_some() && failed.is_some());
        if bad {
            self.delays.extend(found.map(|at| at - truth.since_s));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.failed += other.failed;
        self.before += other.before;
        self.in_time += other.in_time;
        self.passing += other.passing;
        self.passed += other.passed;
        self.passing_then_failed += other.passing_then_failed;
        self.delays.extend(&other.delays);
    }

    /// The delay that this share of the runs does not exceed; `None` when it was not found in so many.
    pub(crate) fn delay(&self, share: f64) -> Option<f64> {
        let mut delays = self.delays.clone();
        delays.sort_unstable_by(f64::total_cmp);
        let index = (share * f64::from(self.runs)).ceil() as usize;
        delays.get(index.saturating_sub(1)).copied()
    }

    /// Where another implementation got something else: shares beyond three standard errors, median delays further apart
    /// than a tick and 5 %, of [`Medians::Drawn`] also than chance may be.
    pub(crate) fn differs(
        &self,
        reference: &Reference,
        tick: f64,
        medians: Medians,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let mut share = |what: &str, k: u32, other: u32| {
            let (n, other_n) = (f64::from(self.runs), f64::from(reference.runs));
            let (p, other_p) = (f64::from(k) / n, f64::from(other) / other_n);
            let pooled = f64::from(k + other) / (n + other_n);
            let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / other_n)).sqrt();
            if (p - other_p).abs() > 3.0 * error + 1e-12 {
                let (runs, others) = (self.runs, reference.runs);
                let errors = (p - other_p) / error;
                found.push(format!(
                    "{what} {k} of {runs}, there {other} of {others} ({errors:+.1} standard errors)"
                ));
            }
        };
        // Theirs counts those before the fault, too.
        share("taken back", self.failed + self.before, reference.rollbacks);
        share("before the fault", self.before, reference.before_fault);
        if let Some(passing) = reference.passing {
            share("shown Passing", self.passing, passing);
        }
        if let Some(passed) = reference.passed {
            share("ended Pass", self.passed, passed);
        }
        found.extend(self.other_median(reference, tick, medians));
        found
    }

    fn other_median(&self, reference: &Reference, tick: f64, medians: Medians) -> Option<String> {
        let (ours, theirs) = (self.delay(0.5), reference.delay_median_s);
        let near = match (ours, theirs) {
            (Some(a), Some(b)) => (a - b).abs() <= tick.max(0.05 * b) + 1e-9,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // Theirs may be the median of our dice if, within three standard errors, half of the runs take at most so long, and
        // half at least.
        let at = theirs.unwrap_or(f64::MAX);
        let share = |sooner: &dyn Fn(f64) -> bool| {
            let count = self.delays.iter().filter(|delay| sooner(**delay)).count();
            count as f64 / f64::from(self.runs)
        };
        let (runs, others) = (f64::from(self.runs), f64::from(reference.runs));
        let error = 1.5 * (1.0 / runs + 1.0 / others).sqrt();
        let before = share(&|delay| delay < at - 1e-6);
        let until = if theirs.is_some() {
            share(&|delay| delay <= at + 1e-6)
        } else {
            1.0
        };
        let chance = medians == Medians::Drawn && before <= 0.5 + error && until >= 0.5 - error;
        (!near && !chance).then(|| {
            let told =
                |delay: Option<f64>| delay.map_or("never".to_owned(), |s| format!("{s:.1} s"));
            let found = 100.0 * until;
            format!(
                "median {}, there {}, by when {found:.1} % were found",
                told(ours),
                told(theirs)
            )
        })
    }
}

/// The 95 % Wilson interval of a share, as (low, high).
pub(crate) fn wilson(k: u32, n: u32) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n, z) = (f64::from(k), f64::from(n), 1.959_964);
    let p = k / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}
