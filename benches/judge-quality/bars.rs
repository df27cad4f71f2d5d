//! The bars of the specification, one line each: which of its cells is worst, and which are missed.

mod agreement;
mod detection;
mod passes;
mod rollbacks;

use serde::{Deserialize, Serialize};

use crate::counting::{Counts, wilson};
use crate::scenario::{Reached, Scenario};

/// One scenario, and what each judge did.
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    /// As many runs as the specification asks for.
    pub(crate) full: bool,
    pub(crate) counts: std::collections::BTreeMap<String, Counts>,
    /// What the dice gave, in comparison with what they should.
    pub(crate) totals: Vec<Total>,
}

/// The mean of a total over the runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Total {
    pub(crate) what: String,
    pub(crate) mean: f64,
    pub(crate) expected: f64,
    /// The difference that is borne.
    pub(crate) most: f64,
}

const BOTH: [&str; 2] = ["", " | no history"];

/// The worst cell of a bar.
struct Bar<'a> {
    id: &'a str,
    asks: &'a str,
    cells: u32,
    missed: Vec<String>,
    worst: Option<(f64, String)>,
}

impl<'a> Bar<'a> {
    fn new(id: &'a str, asks: &'a str) -> Self {
        Self {
            id,
            asks,
            cells: 0,
            missed: Vec::new(),
            worst: None,
        }
    }

    fn cell(&mut self, holds: bool, badness: f64, what: String) {
        self.cells += 1;
        if self
            .worst
            .as_ref()
            .is_none_or(|(worst, _)| badness > *worst)
        {
            self.worst = Some((badness, what.clone()));
        }
        if !holds {
            self.missed.push(what);
        }
    }

    /// A share that is at most so much: the lower end of its interval is.
    fn at_most(&mut self, share: f64, k: u32, n: u32, what: &str) {
        let (low, high) = wilson(k, n);
        let told = format!(
            "{what}: {k} of {n} [{:.2}, {:.2}] %",
            100.0 * low,
            100.0 * high
        );
        self.cell(low <= share, f64::from(k) / f64::from(n), told);
    }

    /// A share that is at least so much: the upper end of its interval is.
    fn at_least(&mut self, share: f64, k: u32, n: u32, what: &str) {
        let (low, high) = wilson(k, n);
        let told = format!(
            "{what}: {k} of {n} [{:.2}, {:.2}] %",
            100.0 * low,
            100.0 * high
        );
        self.cell(high >= share, -f64::from(k) / f64::from(n), told);
    }

    /// At most so many runs out of 2,000, in proportion.
    fn number(&mut self, of_2000: f64, k: u32, n: u32, what: &str) {
        let most = (of_2000 * f64::from(n) / 2000.0).floor();
        self.cell(
            f64::from(k) <= most,
            f64::from(k) / f64::from(n),
            format!("{what}: {k} of {n}"),
        );
    }

    fn seconds(&mut self, most: f64, delay: Option<f64>, what: &str) {
        let told = delay.map_or("never".to_owned(), |delay| format!("{delay:.0} s"));
        let delay = delay.unwrap_or(f64::INFINITY);
        self.cell(
            delay <= most,
            delay / most,
            format!("{what}: {told} (at most {most:.0} s)"),
        );
    }

    /// Says how it went; false when it was missed.
    fn show(&self) -> bool {
        let verdict = match (self.cells, self.missed.len()) {
            (0, _) => "not run".to_owned(),
            (cells, 0) => format!("held in {cells} cells"),
            (cells, missed) => format!("MISSED in {missed} of {cells} cells"),
        };
        println!("{:<4} {}: {verdict}", self.id, self.asks);
        if let Some((_, worst)) = &self.worst {
            println!("       worst: {worst}");
        }
        for missed in self.missed.iter().take(20) {
            println!("       missed: {missed}");
        }
        self.missed.is_empty()
    }
}

impl Measured {
    fn of(&self, judge: &str, suffix: &str) -> Option<&Counts> {
        self.counts.get(&format!("{judge}{suffix}"))
    }

    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.scenario.name.as_str())
    }

    fn ticks(&self, ticks: f64) -> f64 {
        ticks * self.scenario.tick_s
    }
}

/// Prints every bar that asks for what was run; false when one is missed.
pub(crate) fn show(all: &[Measured], reached: &[Reached]) -> bool {
    let short = all.iter().filter(|one| !one.full).count();
    println!(
        "\nBars of judge-bars.md (alpha 1 %, beta 5 %), {} scenarios, {short} of them with fewer runs than these ask for",
        all.len()
    );
    let bars = [
        generator(all),
        rollbacks::good(all),
        rollbacks::good_off_the_edge(all),
        rollbacks::both_bad(all),
        rollbacks::odd_measuring(all),
        detection::found(all),
        detection::quick(all),
        detection::other_tools(all),
        detection::pair(all),
        detection::limit(all),
        detection::default(all),
        detection::latency(all),
        detection::subtle(all),
        detection::little_traffic(all),
        passes::passes(all),
        detection::late(all),
        agreement::judges(all, reached),
        agreement::others(all, reached),
    ];
    let held: Vec<bool> = bars.iter().map(Bar::show).collect();
    held.iter().all(|held| *held)
}

/// Before all bars: the series are those of the scenarios.
fn generator(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new("B0", "totals drawn, within 1 % or 4 standard errors");
    for one in all {
        for total in &one.totals {
            let off = (total.mean - total.expected).abs();
            let told = format!(
                "{}, {}: {:.3} a run instead of {:.3}",
                one.scenario.name, total.what, total.mean, total.expected
            );
            bar.cell(off <= total.most, off / total.most, told);
        }
    }
    bar
}
