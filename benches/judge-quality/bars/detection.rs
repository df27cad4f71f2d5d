//! Bars on what must happen, and how soon: faults found (B5, B6, B11 to B13, B15), against other tools (B7) and against
//! oracles (B8 to B10).

use super::{Bar, Measured};
use crate::scenario::Release;

pub(super) fn found(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn quick(all: &[Measured]) -> Bar<'static> {
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

/// Argo bearing no failure, Argo bearing three, Flagger, the `CronJob`: by how much the default is to be quicker.
const TOOLS: [(&str, f64); 4] = [
    ("argo 99% [2m] 30s fl0", 1.0),
    ("argo 99% [2m] 60s fl3", 12.0),
    ("flagger 99% 60s x5", 18.0),
    ("cron 5%/5m", 10.0),
];

pub(super) fn other_tools(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B7",
        "30 % after 10 minutes: quicker than other tools, medians",
    );
    for one in all
        .iter()
        .filter(|one| one.is(&["sustained-30pct-after-10min"]))
    {
        let median = |judge: &str| one.of(judge, "").and_then(|counts| counts.delay(0.5));
        for (tool, least) in TOOLS {
            let ours = median("guarded").unwrap_or(f64::INFINITY);
            let theirs = median(tool).unwrap_or(f64::INFINITY);
            let ratio = theirs / ours;
            bar.cell(
                ratio >= least,
                least / ratio,
                format!("{tool}: {theirs:.0} s : {ours:.0} s = {ratio:.2} (at least {least})"),
            );
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

pub(super) fn pair(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn limit(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn default(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn latency(all: &[Measured]) -> Bar<'static> {
    let mut bar = Bar::new(
        "B11",
        "latency: doubled within 60 s, x5 within 3 ticks, A/A 0",
    );
    for one in all {
        let Some(counts) = one.of("guarded", "") else {
            continue;
        };
        match one.scenario.name.as_str() {
            name @ "latency-p95-doubles-50rps" => {
                bar.seconds(60.0, counts.delay(0.5), name);
                if let Some(counts) = one.of("guarded", " | skip 0") {
                    bar.seconds(30.0, counts.delay(0.5), &format!("{name}, skip 0"));
                }
            }
            name @ "latency-x5-after-10min" => {
                bar.seconds(one.ticks(3.0), counts.delay(0.95), name);
            }
            name @ "latency-aa-24h" => bar.number(0.0, counts.failed, counts.runs, name),
            _ => {}
        }
    }
    bar
}

pub(super) fn subtle(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn little_traffic(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn late(all: &[Measured]) -> Bar<'static> {
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
