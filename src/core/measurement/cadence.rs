//! How often new samples come: the scrape interval, measured and then fixed.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Looks with new samples that are taken into the median.
const ENOUGH: usize = 5;

/// Spacing of samples over the first looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cadence {
    /// Milliseconds, one a look: the median over its series.
    spacings: Vec<u64>,
}

impl Cadence {
    /// Takes the spacings that one look brought, until there are enough.
    pub(super) fn learn(&mut self, spacings: impl IntoIterator<Item = SignedDuration>) {
        if self.is_fixed() {
            return;
        }
        let mut of_look: Vec<u64> = spacings
            .into_iter()
            .filter_map(|spacing| u64::try_from(spacing.as_millis()).ok())
            .filter(|spacing| *spacing > 0)
            .collect();
        self.spacings.extend(median(&mut of_look));
    }

    /// Whether it has enough.
    pub(super) fn is_fixed(&self) -> bool {
        self.spacings.len() >= ENOUGH
    }

    /// The interval, once it is known; it does not change any more.
    pub(super) fn interval(&self) -> Option<Duration> {
        let mut spacings: [u64; ENOUGH] = self.spacings.get(..ENOUGH)?.try_into().ok()?;
        median(&mut spacings).map(Duration::from_millis)
    }
}

fn median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_median_and_then_fixed() {
        let mut cadence = Cadence::default();
        for seconds in [15, 15, 30, 15] {
            cadence.learn([SignedDuration::from_secs(seconds)]);
            assert_eq!(cadence.interval(), None);
        }
        cadence.learn([]);
        cadence.learn([SignedDuration::from_secs(-3)]);
        assert_eq!(cadence.interval(), None);
        cadence.learn([SignedDuration::from_secs(14), SignedDuration::from_secs(15)]);
        assert_eq!(cadence.interval(), Some(Duration::from_secs(15)));
        for _ in 0..20 {
            cadence.learn([SignedDuration::from_secs(60)]);
        }
        assert_eq!(cadence.interval(), Some(Duration::from_secs(15)));
    }
}
