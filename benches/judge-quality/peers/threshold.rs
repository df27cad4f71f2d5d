//! Rules of thumb on a window of the canary: Argo's `AnalysisTemplate`, Flagger's metric check, a script in a `CronJob`.

use super::scraped::{Counter, Events};
use super::taken_back;
use crate::methods::Ending;

/// Seconds until Argo's first measurement.
const ARGO_DELAY: f64 = 60.0;
/// Argo measures again so soon when there was nothing to measure, and gives up after so many times in a row.
const ARGO_RETRY: f64 = 10.0;
const ARGO_ERRORS: u32 = 5;

/// Which samples an Argo template looks at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    /// The last two of them.
    LastTwo,
    Seconds(f64),
}

/// An Argo template: success share of a window, every so many seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    /// In percent.
    success: f64,
    window: Window,
    pub(super) interval: f64,
    /// Failures it bears.
    failure_limit: u32,
    /// Measurements at most.
    count: u32,
}

const fn template(window: f64, interval: f64, failure_limit: u32) -> Template {
    Template {
        success: 99.0,
        window: Window::Seconds(window),
        interval,
        failure_limit,
        count: u32::MAX,
    }
}

pub(super) const ARGO: [Template; 9] = [
    template(120.0, 30.0, 0),
    template(120.0, 30.0, 3),
    template(120.0, 60.0, 0),
    template(120.0, 60.0, 3),
    template(300.0, 30.0, 0),
    template(300.0, 30.0, 3),
    template(300.0, 60.0, 0),
    template(300.0, 60.0, 3),
    // As in `tests/acceptance`.
    Template {
        success: 95.0,
        window: Window::LastTwo,
        interval: 60.0,
        failure_limit: 2,
        count: 5,
    },
];

/// A template on errors, or on a latency: then the p95 of the window is to keep the limit.
pub(super) struct Argo {
    template: Template,
    slow: bool,
}

impl Argo {
    pub(super) fn new(template: Template, slow: bool) -> Self {
        Self { template, slow }
    }

    /// `None` for a template that knows no latencies.
    pub(super) fn name(&self) -> Option<String> {
        let Template {
            success,
            interval,
            failure_limit,
            ..
        } = self.template;
        match (self.template.window, self.slow) {
            (Window::Seconds(window), slow) => {
                let minutes = window / 60.0;
                let what = if slow {
                    "p95".to_owned()
                } else {
                    format!("{success}%")
                };
                Some(format!(
                    "argo {what} [{minutes}m] {interval}s fl{failure_limit}"
                ))
            }
            (Window::LastTwo, false) => Some("argo seed template".to_owned()),
            (Window::LastTwo, true) => None,
        }
    }

    pub(super) fn judge(&self, canary: &Counter, watch: f64, phase: f64) -> Ending {
        let mut at = ARGO_DELAY + phase;
        let (mut errors, mut failures, mut measured) = (0, 0, 0);
        while at <= watch && measured < self.template.count {
            let seen = match self.template.window {
                Window::Seconds(window) => canary.increase(at, window),
                Window::LastTwo => canary.last_increase(at),
            };
            let Some(events) = seen else {
                errors += 1;
                if errors >= ARGO_ERRORS {
                    return taken_back(Some(at));
                }
                at += ARGO_RETRY;
                continue;
            };
            errors = 0;
            measured += 1;
            if !self.succeeds(events) {
                failures += 1;
                if failures > self.template.failure_limit {
                    return taken_back(Some(at));
                }
            }
            at += self.template.interval;
        }
        taken_back(None)
    }

    /// 0 of 0 is NaN, which keeps no condition.
    fn succeeds(&self, events: Events) -> bool {
        let least = if self.slow {
            95.0
        } else {
            self.template.success
        };
        (events.all - events.bad) / events.all >= least / 100.0
    }
}

/// Seconds between the checks of Flagger.
pub(super) const FLAGGER: [f64; 2] = [30.0, 60.0];
/// Checks that may fail; the rollback comes with the next one.
const FLAGGER_THRESHOLD: u32 = 5;
/// Seconds of its window.
const FLAGGER_WINDOW: f64 = 60.0;

/// Flagger: 99 % successes, or a p99 that keeps the limit; no data is a failed check.
pub(super) struct Flagger {
    pub(super) interval: f64,
    pub(super) slow: bool,
}

impl Flagger {
    pub(super) fn name(&self) -> String {
        let what = if self.slow { "p99" } else { "99%" };
        format!("flagger {what} {}s x{FLAGGER_THRESHOLD}", self.interval)
    }

    pub(super) fn judge(&self, canary: &Counter, watch: f64, phase: f64) -> Ending {
        let mut at = self.interval + phase;
        let mut failed = 0;
        while at <= watch {
            if failed >= FLAGGER_THRESHOLD {
                return taken_back(Some(at));
            }
            let seen = canary.increase(at, FLAGGER_WINDOW);
            let good = |events: Events| (events.all - events.bad) / events.all >= 0.99;
            failed += u32::from(!seen.is_some_and(good));
            at += self.interval;
        }
        taken_back(None)
    }
}

/// Seconds between two runs of the `CronJob`, and of its window.
const CRON: f64 = 300.0;
/// Seconds that a release is old when it first looks, at least.
const CRON_DELAY: f64 = 30.0;

/// The script in a `CronJob`: rolls back when more than 5 % of the last five minutes failed, or took longer than a second.
/// Without data it does nothing. `moment`: where in its interval the release begins, 0 to 1.
pub(super) fn cron(canary: &Counter, watch: f64, slow: bool, moment: f64) -> (String, Ending) {
    let name = if slow { "cron p95>1s/5m" } else { "cron 5%/5m" };
    let mut at = (moment * CRON).max(CRON_DELAY);
    while at <= watch {
        let seen = canary.increase(at, CRON);
        if seen.is_some_and(|events| events.worse / events.all > 0.05) {
            return (name.to_owned(), taken_back(Some(at)));
        }
        at += CRON;
    }
    (name.to_owned(), taken_back(None))
}
