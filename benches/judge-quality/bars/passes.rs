//! The bar on Passing (B14): good releases end with it, bad ones are hardly ever shown it.

use super::{Bar, Measured};
use crate::scenario::Release;

pub(super) fn passes(all: &[Measured]) -> Bar<'static> {
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
