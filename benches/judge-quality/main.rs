//! How good the judge is: every scenario of `tests/reference/scenarios.json`, many times, with and without history, beside
//! the tools that are used today on the same series. One line per judge, then the table for the README, then one line per
//! bar of the specification (`judge-bars.md`), with the runs and intervals it asks for; exit code 1 when one is missed.
//!
//! `cargo bench -p recant-core --bench judge-quality` takes half an hour of one core. `-- --runs 100` is quicker and less
//! sure, as is `--ticks 5000000` (so many of each scenario at most); `--only low-` takes some scenarios, `--seed 1` other
//! dice, `--threads 4` more cores, `--scenarios FILE` a file of your own; `--keep FILE` goes on where the same program was cut
//! short. `cargo test` holds the bars at small size.
#![allow(
    clippy::print_stdout,
    reason = "the result of a bench is what it prints"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of ticks, runs and requests are far below 2^53 and positive"
)]

mod asked;
mod bars;
mod counting;
mod draw;
mod kept;
mod methods;
mod oracles;
mod peers;
mod rates;
mod scenario;
mod simulate;
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use asked::Asked;
use bars::Measured;
use counting::{Counts, wilson};
use kept::Kept;
use scenario::{File, Reached, Release, Results, Scenario};
use simulate::Runs;

const SCENARIOS: &str = include_str!("../../tests/reference/scenarios.json");
const RESULTS: &str = include_str!("../../tests/reference/scenario-results.json");

/// What `cargo test` draws, and how often: enough for a judge that is broken to miss a bar, in a few seconds.
const TRIAL: [(&str, u32); 12] = [
    ("sustained-30pct-20rps-tick10", 20),
    ("sustained-30pct-20rps-tick60", 20),
    ("sustained-30pct-after-10min", 20),
    ("crash-100pct-2rps", 10),
    ("latency-x5-after-10min", 4),
    ("low-1permin-crash", 40),
    ("aa-30min-20rps-tick5", 20),
    ("shared-down-5min", 20),
    ("shared-down-tick60", 40),
    ("retry-storm-shared-outage", 10),
    ("metrics-outage-5min", 20),
    ("subtle-0.5-to-1pct-500rps", 20),
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every bar was held.
fn run() -> Result<bool, String> {
    let asked = Asked::read(std::env::args().skip(1))?;
    let (mut file, results) = files(&asked)?;
    let mut kept = asked.keep.clone().map(Kept::open).transpose()?;
    let bounds: Arc<[f64]> = file.bucket_bounds_s.into();
    let mut measured: Vec<Measured> = Vec::new();
    // `cargo test` tells which bars were missed, and no more.
    if !asked.trial {
        println!(
            "{:<40} {:<22} {:>6} {:>22} {:>16} {:>8} {:>8}",
            "scenario",
            "judge",
            "runs",
            "taken back [95 %]",
            "delay 50/95 %",
            "passing",
            "ends Pass"
        );
    }
    for scenario in &mut file.scenarios {
        scenario.seed = scenario.seed.wrapping_add(asked.seed);
        let Some(runs) = runs(scenario, &asked) else {
            continue;
        };
        let before = kept.as_mut().and_then(|kept| kept.take(scenario, runs));
        let one = if let Some(before) = before {
            before
        } else {
            let reached = results.iter().find(|reached| reached.name == scenario.name);
            let expected = reached.map(|reached| &reached.expected);
            let threads = asked.threads;
            let mut one = simulate::measure(scenario, file.alpha, &bounds, runs, threads, expected);
            if let Some(kept) = &kept {
                kept.add(&mut one, runs)?;
            }
            one
        };
        if !asked.trial {
            for (name, counts) in &one.counts {
                show(scenario, name, counts);
            }
        }
        measured.push(one);
    }
    if measured.is_empty() {
        return Err(format!("no scenario has `{}` in its name", asked.only));
    }
    if !asked.trial {
        table::show(&measured, asked.seed);
    }
    Ok(bars::show(&measured, &results))
}

/// The scenarios asked for, and what others reached on them.
#[expect(
    clippy::disallowed_methods,
    reason = "that the core reads no files does not hold for its benches"
)]
fn files(asked: &Asked) -> Result<(File, Vec<Reached>), String> {
    if let Some(path) = &asked.scenarios {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let file = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        return Ok((file, Vec::new()));
    }
    let told = |error: serde_json::Error| format!("tests/reference: {error}");
    let file = serde_json::from_str(SCENARIOS).map_err(told)?;
    let results: Results = serde_json::from_str(RESULTS).map_err(told)?;
    Ok((file, results.results))
}

/// As the specification asks, unless less was asked for: 2,000, fewer where a run is long. `None`: not this scenario.
fn runs(scenario: &Scenario, asked: &Asked) -> Option<Runs> {
    if asked.trial {
        let listed = TRIAL.iter().find(|(name, _)| *name == scenario.name);
        return listed.map(|(_, number)| Runs {
            number: *number,
            full: false,
        });
    }
    if !scenario.name.contains(&asked.only) {
        return None;
    }
    let ticks = scenario.watch_s / scenario.tick_s;
    let full = if ticks > 20_000.0 {
        1_000
    } else if scenario.latency.is_some() && ticks > 5_000.0 {
        500
    } else {
        2_000
    };
    let most = (f64::from(asked.ticks) / ticks).ceil() as u32;
    let number = full.min(most).min(asked.runs);
    Some(Runs {
        number,
        full: number == full,
    })
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

/// What a reference says of a judge; ours have a prefix there.
pub(crate) fn reference<'a>(
    reached: &'a [Reached],
    scenario: &str,
    judge: &str,
) -> Option<&'a scenario::Reference> {
    let of = reached.iter().find(|reached| reached.name == scenario)?;
    of.methods.get(judge)
}
