//! Phases of metrics from their counters, and the phase of the run from those of its metrics.

use jiff::Timestamp;

use super::super::Phase;
use super::super::metric::Metric;
use super::{Run, Summary};

/// What was counted of a metric. Errors are no measurements that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub count: i64,
    pub successful: i64,
    pub failed: i64,
    pub inconclusive: i64,
    pub error: i64,
    pub consecutive_error: i64,
    pub consecutive_success: i64,
}

impl Counters {
    /// Counts a measurement in this phase; one that is not finished does not count yet.
    pub(super) fn count(&mut self, phase: Phase) {
        match phase {
            Phase::Pending | Phase::Running => return,
            Phase::Successful => self.successful += 1,
            Phase::Failed => self.failed += 1,
            Phase::Inconclusive => self.inconclusive += 1,
            Phase::Error => self.error += 1,
        }
        if phase == Phase::Error {
            self.consecutive_error += 1;
        } else {
            self.count += 1;
            self.consecutive_error = 0;
        }
        if phase == Phase::Successful {
            self.consecutive_success += 1;
        } else {
            self.consecutive_success = 0;
        }
    }
}

/// A limit that is exceeded: the phase that it means, and the controller's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub phase: Phase,
    pub text: String,
}

/// The limit that a metric exceeds. Of several the last one counts: errors over inconclusive over failed.
pub fn limit(metric: &Metric, counters: &Counters) -> Option<Limit> {
    let mut exceeded = None;
    let failure = metric.failure_limit_or_default();
    if failure >= 0 && counters.failed > failure {
        exceeded = Some(Limit {
            phase: Phase::Failed,
            text: format!("failed ({}) > failureLimit ({failure})", counters.failed),
        });
    }
    let inconclusive = metric.inconclusive_limit_or_default();
    if counters.inconclusive > inconclusive {
        exceeded = Some(Limit {
            phase: Phase::Inconclusive,
            text: format!(
                "inconclusive ({}) > inconclusiveLimit ({inconclusive})",
                counters.inconclusive
            ),
        });
    }
    let errors = metric.error_limit_or_default();
    if counters.consecutive_error > errors {
        exceeded = Some(Limit {
            phase: Phase::Error,
            text: format!(
                "consecutiveErrors ({}) > consecutiveErrorLimit ({errors})",
                counters.consecutive_error
            ),
        });
    }
    exceeded
}

/// The phase of a metric that was in phase `was` and whose last measurement is in phase `last`.
pub fn assess(
    metric: &Metric,
    was: Phase,
    counters: &Counters,
    last: Option<Phase>,
    terminating: bool,
) -> Phase {
    if was.is_complete() {
        return was;
    }
    let Some(last) = last else {
        return if terminating {
            Phase::Successful
        } else {
            Phase::Pending
        };
    };
    if !last.is_complete() {
        return Phase::Running;
    }
    if let Some(limit) = limit(metric, counters) {
        return limit.phase;
    }
    let streak = metric.success_limit_or_default();
    if streak > 0 && counters.consecutive_success >= streak {
        return Phase::Successful;
    }
    if metric
        .effective_count()
        .is_some_and(|most| counters.count >= most)
    {
        return match (metric.failure_limit_or_default() >= 0, streak > 0) {
            (true, true) => Phase::Inconclusive,
            (false, true) => Phase::Failed,
            (_, false) => Phase::Successful,
        };
    }
    if terminating {
        return Phase::Successful;
    }
    Phase::Running
}

/// From best to worst.
fn badness(phase: Phase) -> u8 {
    match phase {
        Phase::Successful => 0,
        Phase::Running => 1,
        Phase::Pending => 2,
        Phase::Inconclusive => 3,
        Phase::Error => 4,
        Phase::Failed => 5,
    }
}

fn add(summary: &mut Summary, exceeded: Option<&Limit>) {
    let counter = match exceeded.map(|limit| limit.phase) {
        Some(Phase::Error) => &mut summary.error,
        Some(Phase::Failed) => &mut summary.failed,
        Some(Phase::Inconclusive) => &mut summary.inconclusive,
        // Also a metric that ended otherwise than by a limit, whatever its phase is.
        Some(Phase::Successful | Phase::Pending | Phase::Running) | None => &mut summary.successful,
    };
    *counter += 1;
}

impl Run {
    /// The phase and the message of the run, after those of its metrics.
    pub(super) fn assess_run(
        &mut self,
        metrics: &[Metric],
        dry: &[String],
        now: Timestamp,
    ) -> (Phase, String) {
        let terminating = self.is_terminating();
        self.status.started_at.get_or_insert(now);
        let mut worst: Option<Phase> = None;
        let mut worst_message = String::new();
        if self.spec.terminate {
            "Run Terminated".clone_into(&mut worst_message);
        }
        let mut all_complete = true;
        let mut summary = Summary::default();
        let mut dry_summary = Summary::default();
        for metric in metrics {
            let is_dry = dry.contains(&metric.name);
            if is_dry {
                dry_summary.count += 1;
            } else {
                summary.count += 1;
            }
            let found = self.status.index_of(&metric.name);
            let Some(result) = found.and_then(|index| self.status.metric_results.get_mut(index))
            else {
                all_complete = false;
                continue;
            };
            let last = result.measurements.last();
            let phase = assess(
                metric,
                result.phase,
                &result.counters,
                last.map(|last| last.phase),
                terminating,
            );
            if result.phase != phase {
                if let Some(last) = last {
                    result.message.clone_from(&last.message);
                }
                result.phase = phase;
            }
            if !phase.is_complete() {
                all_complete = false;
                continue;
            }
            let exceeded = limit(metric, &result.counters);
            if is_dry {
                worst.get_or_insert(Phase::Successful);
                if let Some(limit) = &exceeded {
                    result.message = format!("Metric assessed {phase} due to {}", limit.text);
                }
                add(&mut dry_summary, exceeded.as_ref());
                continue;
            }
            if worst.is_none_or(|worst| badness(phase) > badness(worst)) {
                worst = Some(phase);
                if let Some(limit) = &exceeded {
                    worst_message = format!(
                        "Metric \"{}\" assessed {phase} due to {}",
                        metric.name, limit.text
                    );
                    if !result.message.is_empty() {
                        worst_message += ": \"Error Message: ";
                        worst_message += &result.message;
                        worst_message.push('"');
                    }
                }
            }
            add(&mut summary, exceeded.as_ref());
        }
        self.status.run_summary = summary;
        self.status.dry_run_summary = Some(dry_summary);
        let message = worst_message.trim().to_owned();
        match worst {
            None if terminating => (Phase::Successful, message),
            Some(worst) if terminating || all_complete => (worst, message),
            Some(_) | None => (Phase::Running, String::new()),
        }
    }
}
