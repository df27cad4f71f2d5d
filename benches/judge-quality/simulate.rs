//! Runs of one scenario: drawn once, and judged by everybody at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::bars::{Measured, Total};
use crate::counting::Counts;
use crate::draw::{Counted, Run};
use crate::methods::Judges;
use crate::oracles::Oracles;
use crate::peers::Peers;
use crate::rates::Rates;
use crate::scenario::{Expected, Scenario};

/// How often a scenario is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) number: u32,
    /// As often as the specification asks.
    pub(crate) full: bool,
}

/// Draws so many runs, on so many threads. `alpha`: the false alarms allowed to our judges; `expected`: the totals that
/// should be drawn, if they are known.
pub(crate) fn measure(
    scenario: &Scenario,
    alpha: f64,
    bounds: &Arc<[f64]>,
    runs: Runs,
    threads: u32,
    expected: Option<&Expected>,
) -> Measured {
    let (drawn, counts) = run_all(scenario, alpha, bounds, runs.number, threads);
    let totals = expected.map(|expected| totals(scenario, &drawn, runs.number, expected));
    Measured {
        scenario: scenario.clone(),
        full: runs.full,
        counts,
        totals: totals.unwrap_or_default(),
    }
}

/// Counts per judge; its name has `| no history` where it had none.
type ByJudge = BTreeMap<String, Counts>;

fn run_all(
    scenario: &Scenario,
    alpha: f64,
    bounds: &Arc<[f64]>,
    runs: u32,
    threads: u32,
) -> ([Counted; 2], ByJudge) {
    let rates = Rates::of(scenario, bounds);
    let next = AtomicU32::new(0);
    let work = || {
        let mut totals = [Counted::default(), Counted::default()];
        let mut counts = ByJudge::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                return (totals, counts);
            }
            run_once(
                scenario,
                &rates,
                alpha,
                bounds,
                run,
                &mut totals,
                &mut counts,
            );
        }
    };
    let parts: Vec<([Counted; 2], ByJudge)> = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("a run ends"))
            .collect()
    });
    let mut all = ([Counted::default(), Counted::default()], ByJudge::new());
    for (totals, counts) in parts {
        for (sum, total) in all.0.iter_mut().zip(&totals) {
            sum.add(total);
        }
        for (name, counts) in &counts {
            all.1.entry(name.clone()).or_default().merge(counts);
        }
    }
    all
}

fn run_once(
    scenario: &Scenario,
    rates: &Rates,
    alpha: f64,
    bounds: &Arc<[f64]>,
    run: u32,
    totals: &mut [Counted; 2],
    counts: &mut ByJudge,
) {
    let mut dice = Run::new(scenario, rates, u64::from(run));
    let before: Vec<Counted> = dice
        .history_ticks()
        .iter()
        .map(|tick| dice.history(tick))
        .collect();
    let skip = scenario.rule.skip();
    let judges = |history: Option<&[Counted]>, skip: f64| {
        Some(Judges::new(scenario, alpha, bounds, history, skip))
    };
    let mut judges = [
        ("", judges(Some(&before), skip)),
        (" | no history", judges(None, skip)),
        // What the seconds that are not counted at the start cost, and spare.
        (
            " | skip 0",
            judges(Some(&before), 0.0).filter(|_| skip > 0.0),
        ),
    ];
    let mut open = [true; 3];
    let mut oracles = Oracles::new(scenario, bounds, alpha);
    let mut peers = Peers::new(scenario, rates, bounds, u64::from(run));
    for tick in &rates.ticks {
        // Drawn to the end, so that the totals of all runs can be checked.
        let drawn = dice.tick(tick, totals);
        let seen = drawn.seen.as_ref();
        for ((_, judges), open) in judges.iter_mut().zip(&mut open) {
            if let Some(judges) = judges.as_mut().filter(|_| *open) {
                *open = judges.tick(seen);
            }
        }
        if let Some(oracles) = &mut oracles {
            oracles.tick(tick, seen);
        }
        peers.tick(tick.t + scenario.tick_s / 2.0, &drawn);
    }
    let others = oracles.iter().flat_map(Oracles::endings);
    let others = others.map(|(name, ending)| (name.to_owned(), ending));
    for (name, ending) in others.chain(peers.endings()) {
        counts.entry(name).or_default().add(ending, scenario);
    }
    for (suffix, judges) in &judges {
        for (name, ending) in judges.iter().flat_map(Judges::endings) {
            let counts = counts.entry(format!("{name}{suffix}")).or_default();
            counts.add(ending, scenario);
        }
    }
}

/// What the dice gave: means within 1 %, or four standard errors of independent events.
fn totals(
    scenario: &Scenario,
    totals: &[Counted; 2],
    runs: u32,
    expected: &Expected,
) -> Vec<Total> {
    let runs = f64::from(runs);
    // Clumps and noise spread more than single events do.
    let wide = match &scenario.errors {
        Some(errors) if errors.shared_noise.is_some() || errors.retries > 0.0 => 40.0,
        Some(errors) => errors.phi,
        None => 1.0,
    };
    let total = |what: &str, sum: f64, expected: f64| Total {
        what: what.to_owned(),
        mean: sum / runs,
        expected,
        // At least what is rounded away where none is expected.
        most: (0.01 * expected)
            .max(4.0 * (wide * expected / runs).sqrt())
            .max(1e-3),
    };
    let [canary, baseline] = totals;
    let mut all = vec![
        total("canary events", canary.n, expected.n_canary),
        total("baseline events", baseline.n, expected.n_baseline),
    ];
    if let (Some(c), Some(b)) = (expected.e_canary, expected.e_baseline) {
        all.push(total("bad canary events", canary.e, c));
        all.push(total("bad baseline events", baseline.e, b));
    }
    let buckets = [
        (canary, &expected.buckets_canary),
        (baseline, &expected.buckets_baseline),
    ];
    for (counted, expected) in buckets {
        for (sum, expected) in counted.buckets.iter().zip(expected.iter().flatten()) {
            all.push(total("events of a bucket", *sum, *expected));
        }
    }
    all
}
