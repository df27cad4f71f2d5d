//! Metrics that are counted: shares of events, and quantiles of histograms.

use super::selector::Selector;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    Ratio(RatioMetric),
    Histogram(HistogramMetric),
}

/// A share of events, from two counters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RatioMetric {
    /// The counted part of the events.
    pub part: Selector,
    pub part_is: Part,
    pub total: Selector,
    /// An absent `part` beside a present `total` is 0 although the metric was never seen.
    pub absent_is_zero: bool,
}

/// What the counted part of a ratio is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Bad,
    Good,
}

/// A quantile of a classic histogram.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistogramMetric {
    /// The base name, without `_bucket`.
    pub histogram: Selector,
    /// In millionths, so that the metric can be a key: 950 000 is the 95th percentile. 1..=999 999.
    pub quantile_millionths: u32,
    pub unit: Unit,
}

impl HistogramMetric {
    /// The quantile as a share, in (0, 1).
    pub fn quantile(&self) -> f64 {
        f64::from(self.quantile_millionths) / 1e6
    }
}

/// Unit of a histogram's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    Seconds,
    Milliseconds,
}
