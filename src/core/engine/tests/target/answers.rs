//! What a source says of a workload's requests.

use std::sync::Arc;

use jiff::Timestamp;

use super::{BOUNDS, SeriesAre, Target};
use crate::ids::PodName;
use crate::observation::{
    Cumulative, HistogramCounters, Observation, Reading, SeriesKey, SeriesReading,
};
use crate::rule::{ArmsBy, Question, What};

impl Target {
    /// The counters as they were scraped at `scraped`.
    pub(in crate::engine::tests) fn answer(
        &self,
        question: &Question,
        scraped: Timestamp,
    ) -> Observation {
        if let What::Level(_) = question.what {
            return self.levels(scraped);
        }
        let mut series = Vec::new();
        let histogram = matches!(question.what, What::Histogram { .. });
        for pod in self.pods.iter().filter(|pod| pod.gone.is_none()) {
            if histogram && self.hidden.contains(&pod.hash) {
                continue;
            }
            let key = match self.series {
                SeriesAre::Pods => SeriesKey::Pod {
                    namespace: self.id.namespace.clone(),
                    pod: PodName(pod.name.clone()),
                },
                SeriesAre::Hashes => SeriesKey::Label(pod.hash.clone()),
                SeriesAre::Named if pod.hash == self.stable => {
                    SeriesKey::Label("stable".to_owned())
                }
                SeriesAre::Named => SeriesKey::Label("canary".to_owned()),
                SeriesAre::Whole => SeriesKey::Whole,
            };
            let value = match &question.what {
                What::Ratio { part, .. } => Cumulative::Ratio {
                    part: Some(if part.metric == "http_good_total" {
                        pod.total - pod.bad
                    } else {
                        pod.bad
                    }),
                    total: Some(pod.total),
                    part_shape: true,
                },
                What::Level(_) => unreachable!("is answered above"),
                What::Histogram { .. } => {
                    let mut sum = 0.0;
                    Cumulative::Histogram(HistogramCounters {
                        bounds: Arc::from(BOUNDS),
                        counters: pod
                            .buckets
                            .iter()
                            .map(|count| {
                                sum += count;
                                sum
                            })
                            .collect(),
                    })
                }
            };
            let member = match self.series {
                SeriesAre::Pods => None,
                SeriesAre::Hashes | SeriesAre::Named | SeriesAre::Whole => {
                    Some(PodName(pod.name.clone()))
                }
            };
            series.push(SeriesReading {
                key,
                member,
                at: scraped,
                value,
            });
        }
        Observation::Reading(Reading { series })
    }

    /// The arms that go with what the series tell apart.
    pub(in crate::engine::tests) fn arms(series: SeriesAre) -> ArmsBy {
        match series {
            SeriesAre::Pods | SeriesAre::Whole => ArmsBy::Pod,
            SeriesAre::Hashes => ArmsBy::HashLabel("hash".to_owned()),
            SeriesAre::Named => ArmsBy::NamedLabel {
                label: "version".to_owned(),
                canary: "canary".to_owned(),
                baseline: "stable".to_owned(),
            },
        }
    }
}
