//! The past of the series, for ranges: one hour, a point every 10 s, in memory, of so many series and no more.
//!
//! It begins with the process, and is no record: that is the journal. What Recant could not look at has no points.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use recant_core::snapshot::Snapshot;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::MOST_KEPT_SERIES;
use super::selector::Selector;
use super::series::{self, Labels};
use crate::http::view::View;

/// Between two points.
const EVERY: Duration = Duration::from_secs(10);
/// For how long points are kept, in milliseconds.
const KEPT: i64 = 60 * 60 * 1000;
/// Points of one series: `KEPT` by `EVERY`, and some to spare for tests and clocks that are set.
const MOST_POINTS: usize = 400;

/// Moments (milliseconds since 1970) and values, oldest first.
pub(super) type Points = VecDeque<(i64, f64)>;

/// The past of all series. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    series: BTreeMap<Labels, Points>,
    /// Not all series are kept.
    full: bool,
}

impl History {
    /// Takes a point every 10 s, until it is stopped. While there is nothing to see there are no points.
    pub async fn follow(self, view: Arc<View>, stop: CancellationToken) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // A stop goes before more work.
                biased;
                () = stop.cancelled() => return,
                _ = turns.tick() => {}
            }
            if let Ok(snapshot) = view.load() {
                self.take(Timestamp::now(), &snapshot);
            }
        }
    }

    /// Adds a point to each series of a snapshot.
    pub fn take(&self, at: Timestamp, snapshot: &Snapshot) {
        let at = at.as_millisecond();
        let now = series::of(snapshot, &Selector::default());
        let mut kept = self.lock();
        let kept = &mut *kept;
        kept.full = false;
        for (_, points) in &mut kept.series {
            // A clock that was set back leaves no points in the future.
            while points.back().is_some_and(|(point, _)| *point >= at) {
                points.pop_back();
            }
            while points
                .front()
                .is_some_and(|(point, _)| at - point > KEPT || points.len() >= MOST_POINTS)
            {
                points.pop_front();
            }
        }
        kept.series.retain(|_, points| !points.is_empty());
        for series in now {
            if series.ended.is_some() {
                continue;
            }
            if let Some(points) = kept.series.get_mut(&series.labels) {
                points.push_back((at, series.value));
            } else if kept.series.len() < MOST_KEPT_SERIES {
                let points = VecDeque::from([(at, series.value)]);
                kept.series.insert(series.labels, points);
            } else {
                kept.full = true;
            }
        }
    }

    /// What a selector takes of the past from a moment on, and whether some of it may be missing.
    pub(super) fn select(&self, selector: &Selector, from: i64) -> (Vec<(Labels, Points)>, bool) {
        let kept = self.lock();
        let taken = kept
            .series
            .iter()
            .filter(|(labels, _)| selector.matches(labels));
        let taken = taken.filter_map(|(labels, points)| {
            let first = points.partition_point(|(at, _)| *at < from);
            let points: Points = points.range(first..).copied().collect();
            (!points.is_empty()).then(|| (labels.clone(), points))
        });
        (taken.collect(), kept.full)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
