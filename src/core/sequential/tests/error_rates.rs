//! Ville's inequality, drawn (judge.md 14.10): the share of watches at the edge of the null that ever reach their level,
//! counted to the end of the watch, past Passing. Errors come alone.

use super::arbitrary::{Dice, compare, limit, settings};
use crate::sequential::{Settings, Span};

const RUNS: u32 = 300;
const TICKS: u64 = 300;

fn watch() -> Settings {
    Settings {
        alpha: 0.05,
        span: Span::Release { horizon: TICKS },
        ..settings()
    }
}

/// At most the rate, and three standard errors.
#[track_caller]
fn at_most(rate: f64, reached: u32) {
    let runs = f64::from(RUNS);
    let most = runs * rate + 3.0 * (runs * rate * (1.0 - rate)).sqrt();
    assert!(
        f64::from(reached) <= most,
        "{reached} of {RUNS} reached their level, {most:.1} may"
    );
}

#[test]
fn limits_keep_their_error_rates_at_the_limit() {
    let (mut failed, mut passed) = (0, 0);
    for run in 0..RUNS {
        let mut dice = Dice(u64::from(run));
        let mut rule = limit(watch());
        let (mut fails, mut passes) = (false, false);
        for _ in 0..TICKS {
            rule.update(30.0, dice.bad(30, 0.02));
            fails |= rule.log_bad() >= watch().bad_level();
            passes |= rule.log_good() >= watch().good_level();
        }
        failed += u32::from(fails);
        passed += u32::from(passes);
    }
    at_most(0.05, failed);
    at_most(0.05, passed);
}

#[test]
fn comparisons_keep_their_error_rates_at_the_tolerance() {
    let (mut failed, mut passed) = (0, 0);
    for run in 0..RUNS {
        let mut dice = Dice(1_000_000 + u64::from(run));
        let mut rule = compare(watch());
        let (mut fails, mut passes) = (false, false);
        for tick in 0..TICKS {
            // The baseline's rate drifts, and the canary's with it.
            let rate = 0.01 + 0.02 * (tick as f64 / 50.0).sin().abs();
            rule.update(
                20.0,
                dice.bad(20, 1.5 * rate + 0.001),
                40.0,
                dice.bad(40, rate),
            );
            fails |= rule.log_bad() >= watch().bad_level();
            passes |= rule.log_good() >= watch().good_level();
        }
        failed += u32::from(fails);
        passed += u32::from(passes);
    }
    at_most(0.05, failed);
    at_most(0.05, passed);
}
