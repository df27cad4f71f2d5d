//! Bars on what must not happen: good releases taken back, either arm's trouble blamed on the canary (B1 to B4).

use super::{BOTH, Bar, Measured};
use crate::scenario::Release;

pub(super) fn good(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn good_off_the_edge(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn both_bad(all: &[Measured]) -> Bar<'static> {
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

pub(super) fn odd_measuring(all: &[Measured]) -> Bar<'static> {
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
