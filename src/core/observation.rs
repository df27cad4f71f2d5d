//! What a source returned for one metric at one look: samples, no data, or unavailable. Never an exception (P7).

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::PodName;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The source answered; there may be samples of some pods only.
    Reading(Reading),
    /// Values as they stood.
    Levels(Levels),
    /// The source answered that it has nothing.
    NoData { reason: String },
    /// The source could not be asked, or its answer cannot be trusted.
    Unavailable { cause: Cause, reason: String },
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// No connection, an error status, or no answer in time.
    Down,
    /// The source says itself that parts are missing.
    Partial,
    /// The answer has the wrong shape: garbage, two series where one is expected.
    Malformed,
    /// The source's clock differs from ours by more than 30 s, or goes back.
    Clock,
}

/// Cumulative counters as they stood, one entry per series key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub series: Vec<SeriesReading>,
}

/// Values as they stood: for each series one, or with a range query several, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    pub readings: Vec<LevelReading>,
    /// Why something that was there is no value: two series for one pod, say. The others go on.
    pub unusable: Vec<String>,
}

/// The value of one pod (or of one arm, or of the whole service) at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelReading {
    pub key: SeriesKey,
    /// When the source sampled it; an old sample must not be taken for a new one.
    pub at: Timestamp,
    pub value: f64,
}

/// The counters of one pod (or of one arm, or of the whole service).
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesReading {
    pub key: SeriesKey,
    /// The pod that these counters are of, where `key` is no pod and the source can tell: several of them make up
    /// the key, and each is differenced for itself, so that one that vanishes and comes back is no leap of the sum.
    pub member: Option<PodName>,
    /// When the source sampled it; an old sample must not be taken for a new one.
    pub at: Timestamp,
    pub value: Cumulative,
}

/// What a series belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeriesKey {
    Pod {
        namespace: String,
        pod: PodName,
    },
    /// Value of the label that tells the arms apart.
    Label(String),
    /// The metric has no such label: the whole service.
    Whole,
}

/// Counter values since the start of the process that counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Cumulative {
    Ratio {
        /// `None`: there is no such series.
        part: Option<f64>,
        total: Option<f64>,
        /// The part's metric exists with the labels that its matchers name, with whatever values:
        /// so an absent part is a zero and no misspelling.
        part_shape: bool,
    },
    Histogram(HistogramCounters),
    /// There are samples, but they make no counters: a histogram without `+Inf`, say. The others go on.
    Unusable {
        reason: String,
    },
}

/// Cumulative bucket counters, as exposed: `counters[i]` counts events <= `bounds[i]`, and the last one all events.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramCounters {
    /// Finite, ascending.
    pub bounds: Arc<[f64]>,
    /// One more than bounds: the last is the `+Inf` bucket.
    pub counters: Vec<f64>,
}
