//! The differencing of one series: from the counters at two samples to the events between them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, RatioCounts};
use super::histogram::HistogramCounts;
use crate::observation::{Cumulative, HistogramCounters};

/// Above this, a counter of doubles no longer counts one by one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Samples in a row with more part than total after which it is said.
const EXCESS_SAMPLES: u8 = 3;

/// What is remembered of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeriesState {
    /// Time of the sample that was counted up to.
    pub(super) at: Timestamp,
    /// Time of the last sample that was seen, counted or not.
    pub(super) seen: Timestamp,
    /// Creation of the pod, for series of pods.
    pub(super) created: Option<Timestamp>,
    pub(super) base: Base,
}

/// The counters that were counted up to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Base {
    Ratio(RatioBase),
    Histogram(HistogramBase),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RatioBase {
    /// `None`: there was no such series, so it stood at zero, unless it is lost.
    part: Option<f64>,
    total: f64,
    /// Part events that came without their total event yet: libraries that count the two one after the other are
    /// sometimes read in between. They are counted with the next sample.
    owed: f64,
    owed_for: u8,
    /// The part was there, and went while the total stayed: what it stands at is not known until it is back.
    part_lost: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistogramBase {
    bounds: Arc<[f64]>,
    counters: Vec<f64>,
}

/// What a new sample brought.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Events since the base. `absent`: the ratio's part has no series; `excess`: for some samples now there is more
    /// part than total.
    Counted {
        counts: Counts,
        absent: bool,
        excess: bool,
    },
    /// A counter dropped; the sample is the new base.
    Reset,
    /// The sample cannot be compared with the base and is the new one.
    Rebased(String),
}

/// Counters that can be counted with: finite, whole, not negative.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Usable {
    Ratio {
        part: Option<f64>,
        total: f64,
    },
    Histogram(HistogramBase),
    /// No counters at all (a shape was seen, nothing else).
    Nothing,
}

impl Usable {
    /// Checks a sample; the error says what is wrong with it.
    pub(super) fn of(value: &Cumulative) -> Result<Self, String> {
        match value {
            Cumulative::Unusable { reason } => Err(reason.clone()),
            Cumulative::Ratio { part, total, .. } => match (part, total) {
                (None, None) => Ok(Self::Nothing),
                (Some(_), None) => Err("the part has samples, but the total has none".to_owned()),
                (part, Some(total)) => Ok(Self::Ratio {
                    part: part
                        .map(|part| counter(part, || "the part".to_owned()))
                        .transpose()?,
                    total: counter(*total, || "the total".to_owned())?,
                }),
            },
            Cumulative::Histogram(histogram) => histogram_base(histogram).map(Self::Histogram),
        }
    }

    /// The base that counts everything up to now away.
    pub(super) fn as_base(&self) -> Option<Base> {
        match self {
            Self::Ratio { part, total } => Some(Base::Ratio(RatioBase {
                part: *part,
                total: *total,
                ..RatioBase::default()
            })),
            Self::Histogram(histogram) => Some(Base::Histogram(histogram.clone())),
            Self::Nothing => None,
        }
    }

    /// The base from which everything is counted: all counters at zero.
    pub(super) fn zero_base(&self) -> Option<Base> {
        match self {
            Self::Ratio { .. } => Some(Base::Ratio(RatioBase::default())),
            Self::Histogram(histogram) => Some(Base::Histogram(HistogramBase {
                bounds: Arc::clone(&histogram.bounds),
                counters: vec![0.0; histogram.counters.len()],
            })),
            Self::Nothing => None,
        }
    }
}

impl Base {
    /// Counts up to the sample, which becomes the base. `None` when there is nothing in it.
    pub(super) fn step(&mut self, sample: Usable) -> Option<Step> {
        match (&mut *self, sample) {
            (_, Usable::Nothing) => None,
            (Self::Ratio(base), Usable::Ratio { part, total }) => Some(base.step(part, total)),
            (Self::Histogram(base), Usable::Histogram(histogram)) => Some(base.step(histogram)),
            (Self::Ratio(_), sample @ Usable::Histogram(_))
            | (Self::Histogram(_), sample @ Usable::Ratio { .. }) => {
                if let Some(base) = sample.as_base() {
                    *self = base;
                }
                Some(Step::Rebased("it was another kind of metric before".into()))
            }
        }
    }
}

impl RatioBase {
    fn step(&mut self, part: Option<f64>, total: f64) -> Step {
        let dropped = total < self.total;
        let part_went = matches!((self.part, part), (Some(old), None) if old > 0.0);
        let part_dropped = matches!((self.part, part), (Some(old), Some(new)) if new < old);
        let part_is_back = self.part_lost && part.is_some();
        if dropped || part_went || part_dropped || part_is_back {
            *self = Self {
                part,
                total,
                part_lost: part_went && !dropped,
                ..Self::default()
            };
            return Step::Reset;
        }
        let events = total - self.total;
        let came = part.unwrap_or(0.0) - self.part.unwrap_or(0.0) + self.owed;
        let counted = came.min(events);
        let owed = came - counted;
        let owed_for = if owed > 0.0 {
            self.owed_for.saturating_add(1)
        } else {
            0
        };
        *self = Self {
            part,
            total,
            owed,
            owed_for,
            part_lost: self.part_lost,
        };
        Step::Counted {
            counts: Counts::Ratio(RatioCounts {
                events,
                part: counted,
            }),
            absent: part.is_none(),
            excess: owed_for >= EXCESS_SAMPLES,
        }
    }
}

impl HistogramBase {
    fn step(&mut self, sample: Self) -> Step {
        if !super::histogram::same_bounds(&self.bounds, &sample.bounds) {
            *self = sample;
            return Step::Rebased("its bounds changed".into());
        }
        let mut below = 0.0;
        // The sample's memory becomes that of the counts: this is done for every series at every look.
        let mut counts = sample.counters;
        for (new, old) in counts.iter_mut().zip(&mut self.counters) {
            // Less in a wider bucket than in a narrower one is the same as a drop: only a restart makes it.
            let up_to = *new - *old;
            *old = *new;
            *new = up_to - below;
            below = up_to;
        }
        if counts.iter().any(|count| *count < 0.0) {
            return Step::Reset;
        }
        Step::Counted {
            counts: Counts::Histogram(HistogramCounts {
                bounds: Arc::clone(&self.bounds),
                counts,
            }),
            absent: false,
            excess: false,
        }
    }
}

fn histogram_base(histogram: &HistogramCounters) -> Result<HistogramBase, String> {
    let bounds = &histogram.bounds;
    if histogram.counters.len() != bounds.len() + 1 {
        return Err(format!(
            "the histogram has {} bounds and {} counters",
            bounds.len(),
            histogram.counters.len()
        ));
    }
    if bounds.iter().any(|bound| !bound.is_finite()) {
        return Err("the histogram has a bound that is no finite number".into());
    }
    let unordered = |pair: &[f64]| matches!(pair, [low, high] if low >= high);
    if bounds.windows(2).any(unordered) {
        return Err("the histogram's bounds are not in order".into());
    }
    let name = |index: usize| match bounds.get(index) {
        Some(bound) => format!("the bucket `{bound}`"),
        None => "the bucket `+Inf`".to_owned(),
    };
    let mut counters: Vec<f64> = Vec::with_capacity(histogram.counters.len());
    for (index, value) in histogram.counters.iter().enumerate() {
        let value = counter(*value, || name(index))?;
        if let Some(before) = counters.last()
            && value < *before
        {
            return Err(format!(
                "{} has fewer events ({value}) than the narrower one before it ({before}): \
                 these are no cumulative buckets, or series with different bounds were added up",
                name(index)
            ));
        }
        counters.push(value);
    }
    Ok(HistogramBase {
        bounds: Arc::clone(bounds),
        counters,
    })
}

/// A counter as a whole number; sums of doubles may be off by a hair.
fn counter(value: f64, what: impl FnOnce() -> String) -> Result<f64, String> {
    if value.is_nan() {
        return Err(format!("{} is NaN", what()));
    }
    if value < 0.0 {
        return Err(format!("{} is negative ({value})", what()));
    }
    if value > EXACT {
        return Err(format!("{} is too large to count with ({value})", what()));
    }
    let whole = value.round();
    if (value - whole).abs() > 1e-6 {
        return Err(format!("{} is no whole number ({value})", what()));
    }
    // Adding zero turns -0 into 0.
    Ok(whole + 0.0)
}
