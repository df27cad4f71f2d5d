//! What was counted of one series, or of one arm, in one stretch of time.

use serde::{Deserialize, Serialize};

use super::histogram::HistogramCounts;

/// Events of one question, counted exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Counts {
    Ratio(RatioCounts),
    Histogram(HistogramCounts),
}

impl Counts {
    /// All events.
    pub fn total(&self) -> f64 {
        match self {
            Self::Ratio(ratio) => ratio.events,
            Self::Histogram(histogram) => histogram.total(),
        }
    }

    /// Adds counts of the same question; counts of another kind change nothing.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Ratio(sum), Self::Ratio(more)) => sum.add(*more),
            (Self::Histogram(sum), Self::Histogram(more)) => sum.add(more),
            (Self::Ratio(_), Self::Histogram(_)) | (Self::Histogram(_), Self::Ratio(_)) => {}
        }
    }
}

/// Events, and the counted part of them. Whole numbers, `0 <= part <= events`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RatioCounts {
    pub events: f64,
    pub part: f64,
}

impl RatioCounts {
    /// Adds the events of another series.
    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.part += other.part;
    }

    /// The part's share of the events, in 0..=1; `None` without events.
    pub fn share(&self) -> Option<f64> {
        (self.events > 0.0).then(|| self.part / self.events)
    }

    /// The other part: bad events of a ratio that counts the good ones.
    pub fn complement(&self) -> Self {
        Self {
            events: self.events,
            part: self.events - self.part,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_nothing_is_unknown() {
        assert_eq!(RatioCounts::default().share(), None);
        let some = RatioCounts {
            events: 8.0,
            part: 2.0,
        };
        assert_eq!(some.share(), Some(0.25));
        assert_eq!(some.complement().share(), Some(0.75));
    }

    #[test]
    fn counts_of_another_kind_are_not_added() {
        let mut ratio = Counts::Ratio(RatioCounts {
            events: 1.0,
            part: 0.0,
        });
        let before = ratio.clone();
        ratio.add(&Counts::Histogram(HistogramCounts::empty([1.0].into())));
        assert_eq!(ratio, before);
    }
}
