//! When a metric is measured: at once, after its delay, an interval after the last measurement, ten seconds after an
//! error.

use jiff::{SignedDuration, Timestamp};

use super::super::Phase;
use super::super::metric::Metric;
use super::{Status, What};

/// After an error the interval does not count.
const ERROR_RETRY: SignedDuration = SignedDuration::from_secs(10);

/// What is to be asked of the provider of a metric now, if anything.
pub(super) fn due(
    metric: &Metric,
    status: &Status,
    terminating: bool,
    now: Timestamp,
) -> Option<What> {
    let result = status.result(&metric.name);
    if result.is_some_and(|result| result.phase.is_complete()) {
        return None;
    }
    let last = result.and_then(|result| result.measurements.last());
    if let Some(open) = last.filter(|last| last.finished_at.is_none()) {
        if terminating {
            return Some(What::Terminate(open.clone()));
        }
        let waits = open.resume_at.is_some_and(|at| at > now);
        return (!waits).then(|| What::Resume(open.clone()));
    }
    if terminating {
        return None;
    }
    let Some(last) = last else {
        let delay = metric.initial_delay_nanoseconds().ok()?;
        let waits = match (delay, status.started_at) {
            (None, _) => false,
            // The start is set at the end of the first reconcile.
            (Some(_), None) => true,
            (Some(delay), Some(started)) => after(started, delay) > now,
        };
        return (!waits).then_some(What::Run);
    };
    let count = result.map_or(0, |result| result.counters.count);
    if metric.effective_count().is_some_and(|most| count >= most) {
        return None;
    }
    let interval = if last.phase == Phase::Error {
        ERROR_RETRY
    } else {
        match metric.interval_nanoseconds().ok()? {
            Some(interval) => SignedDuration::from_nanos(interval),
            None => ERROR_RETRY,
        }
    };
    // Strictly after: a look at the very second measures nothing.
    let at = plus(last.finished_at?, interval);
    (now > at).then_some(What::Run)
}

/// The earliest time at which something is due, as the controller announces it.
pub(super) fn next(metrics: &[Metric], status: &Status, now: Timestamp) -> Option<Timestamp> {
    metrics
        .iter()
        .filter_map(|metric| next_of(metric, status, now))
        .min()
}

fn next_of(metric: &Metric, status: &Status, now: Timestamp) -> Option<Timestamp> {
    let result = status.result(&metric.name);
    if result.is_some_and(|result| result.phase.is_complete()) {
        return None;
    }
    let Some((result, last)) =
        result.and_then(|result| Some((result, result.measurements.last()?)))
    else {
        let delay = metric.initial_delay_nanoseconds().ok()??;
        return Some(after(status.started_at.unwrap_or(now), delay));
    };
    let Some(finished) = last.finished_at else {
        return last.resume_at;
    };
    if metric
        .effective_count()
        .is_some_and(|most| result.counters.count >= most)
    {
        return None;
    }
    if last.phase == Phase::Error {
        return Some(plus(finished, ERROR_RETRY));
    }
    let interval = metric.interval_nanoseconds().ok()??;
    Some(after(finished, interval))
}

fn after(time: Timestamp, nanoseconds: i64) -> Timestamp {
    plus(time, SignedDuration::from_nanos(nanoseconds))
}

fn plus(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_add(duration).unwrap_or(time)
}
