//! The bars of the specification. That against other tools (B7) needs these beside us, and is said to be missing.

use crate::counting::{Counts, wilson};
use crate::reference;
use crate::scenario::{Reached, Release, Scenario};

/// One scenario, and what each judge did.
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    pub(crate) counts: std::collections::BTreeMap<String, Counts>,
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
        let most = (of_2000 * f64::from(n) / 2000.0).ceil();
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

/// Prints every bar; false when one is missed.
pub(crate) fn show(all: &[Measured], reached: &[Reached]) -> bool {
    println!("\nBars of judge-bars.md (alpha 1 %, beta 5 %)");
    let bars = [
        good(all),
        good_off_the_edge(all),
        both_bad(all),
        odd_measuring(all),
        found(all),
        quick(all),
        pair(all),
        limit(all),
        default(all),
        latency(all),
        subtle(all),
        little_traffic(all),
        passes(all),
        late(all),
        agreement(all, reached),
    ];
    let held: Vec<bool> = bars.iter().map(Bar::show).collect();
    println!("B7 compares with other tools, which this bench does not run yet.");
    held.iter().all(|held| *held)
}

fn good(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B1",
        "good releases taken back in at most 1 % of the watches",
    );
    for one in all
        .iter()
        .filter(|one| one.scenario.truth.release == Release::Good)
    {
        for suffix in BOTH {
            for judge in ["guarded", "compare", "limit"] {
                if judge == "limit" && one.is(&["shared-noise-24h"]) {
                    continue;
                }
                if let Some(counts) = one.of(judge, suffix) {
                    let what = format!("{} {judge}{suffix}", one.scenario.name);
                    bar.at_most(0.01, counts.failed, counts.runs, &what);
                }
            }
        }
    }
    bar
}

fn good_off_the_edge(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new("B2", "good, lone errors, off the edge: at most 1 of 2,000");
    let names = [
        "aa-24h-20rps-tick10",
        "aa-24h-20rps-tick1",
        "aa-24h-10000rps",
        "within-tolerance-1.1x-10000rps",
        "low-1per10s-aa-24h",
        "low-1permin-aa-24h",
        "normal-4pct-24h",
        "simpson-ramp-diurnal-aa",
        "placement-within-margin-24h",
    ];
    for one in all.iter().filter(|one| one.is(&names)) {
        if let Some(counts) = one.of("guarded", "") {
            bar.number(1.0, counts.failed, counts.runs, &one.scenario.name);
        }
    }
    bar
}

fn both_bad(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B3",
        "both arms bad: comparison 0, default at most 1 of 2,000",
    );
    for one in all
        .iter()
        .filter(|one| one.scenario.truth.release == Release::BothBad)
    {
        for suffix in BOTH {
            for (judge, most) in [("compare", 0.0), ("guarded", 1.0)] {
                if let Some(counts) = one.of(judge, suffix) {
                    let what = format!("{} {judge}{suffix}", one.scenario.name);
                    bar.number(most, counts.failed, counts.runs, &what);
                }
            }
        }
    }
    bar
}

fn odd_measuring(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B4",
        "outages of metrics, idle canaries, resets, cold starts: 0",
    );
    let names = [
        "metrics-outage-5min",
        "canary-idle-10min",
        "missing-scrapes-10pct-24h",
        "counter-resets-24h",
        "cold-start-errors-30s",
        "latency-cold-start",
    ];
    for one in all.iter().filter(|one| one.is(&names)) {
        if let Some(counts) = one.of("guarded", "") {
            bar.number(0.0, counts.failed, counts.runs, &one.scenario.name);
        }
    }
    bar
}

fn found(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new("B5", "plain faults are found in at least 99.9 %");
    let families = [
        "sustained",
        "sustained-late",
        "pods",
        "leak",
        "latency",
        "low-traffic",
        "simpson-bad",
    ];
    for one in all {
        let bad = one.scenario.truth.release == Release::Bad;
        let plain = families.contains(&one.scenario.family.as_str());
        if let Some(counts) = one.of("guarded", "").filter(|_| bad && plain) {
            bar.at_least(0.999, counts.failed, counts.runs, &one.scenario.name);
        }
    }
    bar
}

fn quick(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new("B6", "an outage is called within two or three ticks");
    for one in all {
        let name = one.scenario.name.as_str();
        let mut check = |suffix: &str, share: f64, ticks: f64| {
            if let Some(counts) = one.of("guarded", suffix) {
                let what = format!("{name}{suffix}, {:.0} %", 100.0 * share);
                bar.seconds(one.ticks(ticks), counts.delay(share), &what);
            }
        };
        match name {
            "sustained-30pct-20rps-tick5"
            | "sustained-30pct-20rps-tick10"
            | "crash-100pct-2rps" => {
                check("", 0.5, 2.0);
                check("", 0.95, 3.0);
            }
            "pods-1-of-3-bad" | "sustained-30pct-after-10min" | "sustained-30pct-after-12h" => {
                check("", 0.95, 3.0);
            }
            "sustained-30pct-20rps-tick1" => check("", 0.95, 4.0),
            "sustained-30pct-20rps-tick60" => {
                check("", 0.95, 2.0);
                check(" | no history", 0.95, 3.0);
            }
            _ => {}
        }
    }
    bar
}

impl Bar<'_> {
    /// Medians of a judge and of the quickest of its oracles; a cell only where both have one.
    fn ratio(&mut self, one: &Measured, judge: &str, oracles: &[&str], most: f64) {
        let median = |name: &str| one.of(name, "").and_then(|counts| counts.delay(0.5));
        let oracle = oracles
            .iter()
            .filter_map(|name| median(name))
            .reduce(f64::min);
        if let (Some(judged), Some(oracle)) = (median(judge), oracle) {
            let ratio = judged / oracle;
            let name = &one.scenario.name;
            let told =
                format!("{name}: {judged:.0} s : {oracle:.0} s = {ratio:.2} (at most {most})");
            self.cell(ratio <= most + 1e-9, ratio / most, told);
        }
    }
}

fn pair(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new("B8", "comparison : oracle pair, medians");
    for one in all {
        let most = match one.scenario.name.as_str() {
            "sustained-30pct-20rps-tick1" | "sustained-5pct-20rps" => 1.5,
            "leak-linear" => 1.4,
            name if name.starts_with("subtle-") => 1.9,
            name if name.starts_with("low-") => 1.5,
            _ => continue,
        };
        bar.ratio(one, "compare", &["oracle pair"], most);
    }
    bar
}

fn limit(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B9",
        "limit : oracle limit, strict : oracle strict pair, medians",
    );
    for one in all {
        let name = one.scenario.name.as_str();
        let most = match name {
            "sustained-5pct-20rps" => Some(2.0),
            "leak-linear" => Some(1.3),
            "low-1permin-crash" => Some(7.0),
            _ if name.starts_with("low-1per10s") => Some(2.5),
            _ => None,
        };
        if let Some(most) = most {
            bar.ratio(one, "limit", &["oracle limit"], most);
        }
        if ["subtle-", "leak-", "low-"]
            .iter()
            .any(|family| name.starts_with(family))
        {
            bar.ratio(one, "strict", &["oracle strict pair"], 2.0);
        }
    }
    bar
}

fn default(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B10",
        "default : faster of oracle limit and oracle compare, medians",
    );
    for one in all {
        let most = match one.scenario.name.as_str() {
            "sustained-5pct-20rps" => 4.0,
            "leak-linear" => 2.0,
            "simpson-ramp-masks-bad" => 2.5,
            name if name.starts_with("subtle-") => 5.5,
            _ => continue,
        };
        bar.ratio(one, "guarded", &["oracle limit", "oracle compare"], most);
    }
    bar
}

fn latency(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B11",
        "latency: doubled within 60 s, x5 within 3 ticks, A/A 0",
    );
    for one in all {
        let Some(counts) = one.of("guarded", "") else {
            continue;
        };
        match one.scenario.name.as_str() {
            name @ "latency-p95-doubles-50rps" => bar.seconds(60.0, counts.delay(0.5), name),
            name @ "latency-x5-after-10min" => {
                bar.seconds(one.ticks(3.0), counts.delay(0.95), name);
            }
            name @ "latency-aa-24h" => bar.number(0.0, counts.failed, counts.runs, name),
            _ => {}
        }
    }
    bar
}

fn subtle(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B12",
        "0.5 -> 1 %: default at 500 rps 99.8 %, strict at 50 rps in 200 s",
    );
    for one in all {
        match one.scenario.name.as_str() {
            name @ "subtle-0.5-to-1pct-500rps" => {
                if let Some(counts) = one.of("guarded", "") {
                    bar.at_least(0.998, counts.failed, counts.runs, name);
                }
            }
            name @ "subtle-0.5-to-1pct-50rps" => {
                if let Some(counts) = one.of("strict", "") {
                    bar.seconds(200.0, counts.delay(0.5), name);
                    bar.at_least(0.999, counts.failed, counts.runs, name);
                }
            }
            _ => {}
        }
    }
    bar
}

fn little_traffic(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new("B13", "one request in 10 s, one a minute: medians");
    for one in all {
        let most = match one.scenario.name.as_str() {
            "low-1per10s-50pct" => 400.0,
            "low-1permin-crash" => 1000.0,
            _ => continue,
        };
        if let Some(counts) = one.of("guarded", "") {
            bar.seconds(most, counts.delay(0.5), &one.scenario.name);
        }
    }
    bar
}

fn passes(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B14",
        "good releases end Pass; bad ones are hardly ever shown Passing",
    );
    for one in all {
        let Some(counts) = one.of("guarded", "") else {
            continue;
        };
        let scenario = &one.scenario;
        let name = scenario.name.as_str();
        let most = match name {
            "edge-of-tolerance-24h" => Some(0.05),
            _ if scenario.truth.release == Release::Bad && scenario.truth.since_s <= 0.0 => {
                Some(0.01)
            }
            _ => None,
        };
        if let Some(most) = most {
            bar.at_most(
                most,
                counts.passing,
                counts.runs,
                &format!("{name}, shown Passing"),
            );
            continue;
        }
        let watch_of_a_day =
            scenario.truth.release == Release::Good && scenario.watch_s >= 86_400.0;
        let least = match name {
            "aa-30min-20rps-tick5" => 0.98,
            "cold-start-errors-30s"
            | "latency-cold-start"
            | "metrics-outage-5min"
            | "shared-down-5min"
            | "shared-down-small-canary"
            | "shared-down-returning-canary"
            | "shared-down-tick60"
            | "shared-down-within-margin-1000rps" => 0.95,
            _ if watch_of_a_day && !name.starts_with("low-") => 0.995,
            _ => continue,
        };
        bar.at_least(
            least,
            counts.passed,
            counts.runs,
            &format!("{name}, ends Pass"),
        );
    }
    bar
}

fn late(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B15",
        "late faults are found though the release had been Passing",
    );
    let names = [
        "sustained-30pct-after-10min",
        "sustained-30pct-after-12h",
        "transient-30pct-2min",
    ];
    for one in all.iter().filter(|one| one.is(&names)) {
        let Some(counts) = one.of("guarded", "") else {
            continue;
        };
        let name = &one.scenario.name;
        let lost = counts.passing - counts.passing_then_failed;
        bar.number(
            0.0,
            lost,
            counts.runs,
            &format!("{name}, Passing and never taken back"),
        );
        if one.scenario.truth.until_s.is_some() {
            bar.at_least(
                0.999,
                counts.in_time,
                counts.runs,
                &format!("{name}, while it lasts"),
            );
            bar.seconds(one.ticks(4.0), counts.delay(0.95), name);
        }
    }
    bar
}

/// At most 1 % of the cells beyond three standard errors.
fn agreement(all: &[Measured], reached: &[Reached]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B16",
        "agreement with the reference judge, at most 1 % of the cells beyond",
    );
    let (mut cells, mut beyond) = (0_u32, Vec::new());
    for one in all {
        for (judge, counts) in &one.counts {
            let Some(reference) = reference(reached, &one.scenario.name, judge) else {
                continue;
            };
            cells += 1;
            if !counts.agrees(reference, one.scenario.tick_s) {
                beyond.push(format!(
                    "{} {judge}: {} of {}, {:?} s, {} passed; reference {} of {}, {:?} s, {:?} passed",
                    one.scenario.name,
                    counts.failed,
                    counts.runs,
                    counts.delay(0.5),
                    counts.passed,
                    reference.rollbacks,
                    reference.runs,
                    reference.delay_median_s,
                    reference.passed
                ));
            }
        }
    }
    if cells > 0 {
        let holds = beyond.len() as f64 <= 0.01 * f64::from(cells);
        let share = beyond.len() as f64 / f64::from(cells);
        bar.cell(
            holds,
            share,
            format!("{} of {cells} cells beyond", beyond.len()),
        );
        for cell in beyond {
            println!("  disagrees: {cell}");
        }
    }
    bar
}
