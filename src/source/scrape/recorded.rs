//! Pages that were written down in place of those that pods expose, read by the code that reads those of pods.
//!
//! What `recant test` says of a rule is so what the scrape source would have said.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use recant_core::ids::PodName;
use recant_core::observation::{
    Cause, LevelReading, Levels, Observation, Reading, SeriesKey, SeriesReading,
};
use recant_core::rule::Question;

use super::matching::{Asked, PodLabels};
use super::page;
use crate::source::exposition::Format;

/// A page of one pod, in the text format.
#[derive(Debug, Clone, Copy)]
pub struct RecordedPage<'a> {
    /// `None`: the series that are of no pod.
    pub pod: Option<&'a PodName>,
    pub text: &'a str,
}

/// Reads recorded pages; remembers the questions in their compiled form.
#[derive(Debug, Default)]
pub struct Recorded {
    compiled: BTreeMap<Question, Result<Arc<Asked>, String>>,
}

impl Recorded {
    /// What pages of the pods of a namespace, as they were at `at`, say to a question.
    pub fn read(
        &mut self,
        question: &Question,
        namespace: &str,
        pages: &[RecordedPage<'_>],
        at: Timestamp,
    ) -> Observation {
        let compiled = self
            .compiled
            .entry(question.clone())
            .or_insert_with(|| Asked::new(question).map(Arc::new));
        let asked = match compiled {
            Ok(asked) => [Arc::clone(asked)],
            Err(reason) => {
                return unavailable(format!("the question cannot be asked: {reason}"));
            }
        };
        let mut series = Vec::new();
        let mut levels = Levels::default();
        for RecordedPage { pod, text } in pages {
            let labels = PodLabels {
                namespace,
                pod: pod.map_or("", PodName::as_str),
            };
            match page::read(text, Format::Text, labels, at, &asked) {
                Ok(answers) => {
                    for told in answers {
                        let of_no_pod = pod.is_none();
                        let counters = told.series.into_iter();
                        series.extend(counters.map(|reading| owned(reading, of_no_pod)));
                        let values = told.levels.readings.into_iter();
                        levels.readings.extend(values.map(|reading| LevelReading {
                            key: owner(reading.key, of_no_pod),
                            ..reading
                        }));
                        levels.unusable.extend(told.levels.unusable);
                    }
                }
                Err(reason) => return unavailable(reason),
            }
        }
        if !(levels.readings.is_empty() && levels.unusable.is_empty()) {
            return Observation::Levels(levels);
        }
        if series.is_empty() {
            return Observation::NoData {
                reason: "no series of the test is such a metric".to_owned(),
            };
        }
        Observation::Reading(Reading { series })
    }
}

fn owned(reading: SeriesReading, of_no_pod: bool) -> SeriesReading {
    SeriesReading {
        key: owner(reading.key, of_no_pod),
        member: reading.member.filter(|_| !of_no_pod),
        ..reading
    }
}

/// A series of no pod is of the whole service, or of an arm.
fn owner(key: SeriesKey, of_no_pod: bool) -> SeriesKey {
    match key {
        SeriesKey::Pod { .. } if of_no_pod => SeriesKey::Whole,
        key @ (SeriesKey::Pod { .. } | SeriesKey::Label(_) | SeriesKey::Whole) => key,
    }
}

fn unavailable(reason: String) -> Observation {
    Observation::Unavailable {
        cause: Cause::Malformed,
        reason,
    }
}
