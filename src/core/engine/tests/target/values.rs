//! Values that the pods of a workload show, or the whole service.

use jiff::Timestamp;

use super::Target;
use crate::engine::tests::world::at;
use crate::ids::PodName;
use crate::observation::{LevelReading, Levels, Observation, SeriesKey};

/// What a value is, by the age of its pod and the time, in seconds; `None`: there is none.
pub(in crate::engine::tests) type Value = fn(age: i64, now: i64) -> Option<f64>;

impl Target {
    /// The values as they were scraped at `scraped`.
    pub(super) fn levels(&self, scraped: Timestamp) -> Observation {
        let now = scraped.as_second() - at(0).as_second();
        let reading = |key, value| LevelReading {
            key,
            at: scraped,
            value,
        };
        let readings: Vec<LevelReading> = match self.whole_value {
            Some(value) => value(now, now)
                .map(|value| reading(SeriesKey::Whole, value))
                .into_iter()
                .collect(),
            None => self
                .pods
                .iter()
                .filter(|pod| pod.gone.is_none())
                .filter_map(|pod| {
                    let value = self.values.get(&pod.hash)?(now - pod.created, now)?;
                    let key = SeriesKey::Pod {
                        namespace: self.id.namespace.clone(),
                        pod: PodName(pod.name.clone()),
                    };
                    Some(reading(key, value))
                })
                .collect(),
        };
        if readings.is_empty() {
            return Observation::NoData {
                reason: "Prometheus has no series of `queue_length` for Deployment shop/checkout"
                    .to_owned(),
            };
        }
        Observation::Levels(Levels {
            readings,
            unusable: Vec::new(),
        })
    }
}
