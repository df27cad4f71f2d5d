//! How good the judge is: every scenario of `tests/reference/scenarios.json`, many times, with and without history; one
//! line per judge, then one per bar of the specification (`judge-bars.md`), with the runs and intervals it asks for.
//!
//! `cargo bench -p recant-core --bench judge-quality` takes an hour of one core; `-- --ticks 5000000` draws at most so many
//! ticks of a scenario, which is quicker and less sure of the long ones; `-- --only low-` takes some scenarios. `cargo test`
//! draws a few short ones.
#![allow(
    clippy::print_stdout,
    reason = "the result of a bench is what it prints"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of ticks, runs and requests are far below 2^53 and positive"
)]

mod bars;
mod counting;
mod draw;
mod methods;
mod oracles;
mod rates;
mod scenario;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use bars::Measured;
use counting::{Counts, wilson};
use draw::{Counted, Run};
use methods::{Judges, NAMES};
use oracles::Oracles;
use rates::Rates;
use scenario::{Expected, File, Reached, Release, Results, Scenario};

const SCENARIOS: &str = include_str!("../../tests/reference/scenarios.json");
const RESULTS: &str = include_str!("../../tests/reference/scenario-results.json");

/// What was asked for.
struct Asked {
    /// At most so many ticks of each scenario, over all its runs.
    ticks: u32,
    only: String,
    threads: u32,
    /// `cargo test`: a few runs of short scenarios, and no bars.
    trial: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        ticks: u32::MAX,
        only: String::new(),
        threads: 2,
        trial: true,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("`{argument}` needs a value"))
        };
        let number = |text: String| {
            text.parse::<u32>()
                .map_err(|error| format!("{text}: {error}"))
        };
        match argument.as_str() {
            "--bench" => asked.trial = false,
            "--ticks" => asked.ticks = number(value()?)?.max(1),
            "--threads" => asked.threads = number(value()?)?.max(1),
            "--only" => asked.only = value()?,
            // What the test harness of others would understand.
            _ => {}
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(2);
        }
    };
    let file: File = serde_json::from_str(SCENARIOS).expect("the scenarios");
    let results: Results = serde_json::from_str(RESULTS).expect("their results");
    let bounds: Arc<[f64]> = file.bucket_bounds_s.into();
    let mut measured: Vec<Measured> = Vec::new();
    println!(
        "{:<40} {:<22} {:>6} {:>22} {:>16} {:>8} {:>8}",
        "scenario", "judge", "runs", "taken back [95 %]", "delay 50/95 %", "passing", "ends Pass"
    );
    for scenario in &file.scenarios {
        let ticks = scenario.watch_s / scenario.tick_s;
        if !scenario.name.contains(&asked.only) || asked.trial && ticks > 400.0 {
            continue;
        }
        let most = (f64::from(asked.ticks) / ticks).ceil() as u32;
        let runs = runs(scenario, ticks).min(if asked.trial { 3 } else { most });
        let reached = results
            .results
            .iter()
            .find(|reached| reached.name == scenario.name);
        let (totals, counts) = run_all(scenario, file.alpha, &bounds, runs, asked.threads);
        for (name, counts) in &counts {
            show(scenario, name, counts);
        }
        if let Some(reached) = reached {
            say_odd_draws(scenario, &totals, runs, &reached.expected);
        }
        measured.push(Measured {
            scenario: scenario.clone(),
            counts,
        });
    }
    if asked.trial {
        assert!(!measured.is_empty(), "no scenario is that short");
        return ExitCode::SUCCESS;
    }
    if bars::show(&measured, &results.results) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// As the specification asks: 2,000, fewer where a run is long.
fn runs(scenario: &Scenario, ticks: f64) -> u32 {
    if ticks > 20_000.0 {
        1_000
    } else if scenario.latency.is_some() && ticks > 5_000.0 {
        500
    } else {
        2_000
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
    let mut warmed = Judges::new(scenario, alpha, bounds, Some(&before));
    let mut fresh = Judges::new(scenario, alpha, bounds, None);
    let mut oracles = Oracles::new(scenario, alpha);
    for tick in &rates.ticks {
        // Drawn to the end, so that the totals of all runs can be checked.
        let seen = dice.tick(tick, totals);
        warmed.tick(seen.as_ref());
        fresh.tick(seen.as_ref());
        if let Some(oracles) = &mut oracles {
            oracles.tick(tick, seen.as_ref());
        }
    }
    for (name, ending) in oracles.iter().flat_map(Oracles::endings) {
        counts
            .entry(name.to_owned())
            .or_default()
            .add(ending, scenario);
    }
    for (judges, suffix) in [(&warmed, ""), (&fresh, " | no history")] {
        for (name, ending) in NAMES.iter().zip(judges.endings()) {
            let counts = counts.entry(format!("{name}{suffix}")).or_default();
            counts.add(ending, scenario);
        }
    }
}

fn show(scenario: &Scenario, name: &str, counts: &Counts) {
    let (low, high) = wilson(counts.failed, counts.runs);
    let percent = |part: u32| 100.0 * f64::from(part) / f64::from(counts.runs.max(1));
    let seconds =
        |delay: Option<f64>| delay.map_or("never".to_owned(), |delay| format!("{delay:.0} s"));
    let delays = if scenario.truth.release == Release::Bad {
        format!(
            "{} / {}",
            seconds(counts.delay(0.5)),
            seconds(counts.delay(0.95))
        )
    } else {
        String::new()
    };
    println!(
        "{:<40} {:<22} {:>6} {:>7.2} % [{:>5.2}, {:>6.2}] {:>16} {:>6.1} % {:>6.1} %",
        scenario.name,
        name,
        counts.runs,
        percent(counts.failed),
        100.0 * low,
        100.0 * high,
        delays,
        percent(counts.passing),
        percent(counts.passed)
    );
}

/// Says where the dice fall otherwise than the scenario: means within 1 %, or four standard errors of independent events.
fn say_odd_draws(scenario: &Scenario, totals: &[Counted; 2], runs: u32, expected: &Expected) {
    let odd = |what: &str, sum: f64, expected: f64| {
        let mean = sum / f64::from(runs);
        // Clumps and noise spread more than single events do.
        let wide = match &scenario.errors {
            Some(errors) if errors.shared_noise.is_some() => 40.0,
            Some(errors) => errors.phi.max(1.0 + 2.0 * errors.retries),
            None => 1.0,
        };
        let most = (0.01 * expected).max(4.0 * (wide * expected / f64::from(runs)).sqrt());
        if (mean - expected).abs() > most {
            println!("  the dice are off: {what} {mean:.3} a run instead of {expected:.3}");
        }
    };
    let [canary, baseline] = totals;
    odd("canary events", canary.n, expected.n_canary);
    odd("baseline events", baseline.n, expected.n_baseline);
    if let (Some(c), Some(b)) = (expected.e_canary, expected.e_baseline) {
        odd("bad canary events", canary.e, c);
        odd("bad baseline events", baseline.e, b);
    }
    let buckets = [
        (canary, &expected.buckets_canary),
        (baseline, &expected.buckets_baseline),
    ];
    for (counted, expected) in buckets {
        for (sum, expected) in counted.buckets.iter().zip(expected.iter().flatten()) {
            odd("events of a bucket", *sum, *expected);
        }
    }
}

/// What a reference says of one of our judges.
pub(crate) fn reference<'a>(
    reached: &'a [Reached],
    scenario: &str,
    judge: &str,
) -> Option<&'a scenario::Reference> {
    let of = reached.iter().find(|reached| reached.name == scenario)?;
    of.methods.get(&format!("judge: {judge}"))
}
