//! The series of a test as a source answers from them: a page per pod and moment, and answers that are written down.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use recant_core::ids::PodName;
use recant_core::observation::{LevelReading, Levels, Observation, SeriesKey};
use recant_core::rule::Question;
use recant_core::testcase::{AnswerOf, Point, TestCase, TestSeries};

use super::signed;
use crate::source::scrape::recorded::{Recorded, RecordedPage};

/// Prometheus answers with a sample that is up to this old; a sample that is missing is so bridged.
const LOOKBACK: SignedDuration = SignedDuration::from_mins(5);

pub(super) struct Recording {
    source: Recorded,
    namespace: String,
    begin: Timestamp,
    interval: SignedDuration,
    series: Vec<Series>,
    answers: BTreeMap<Question, Vec<(AnswerOf, Vec<Point>)>>,
    /// The moment that `pages` are of.
    moment: Option<usize>,
    pages: BTreeMap<Option<PodName>, String>,
}

struct Series {
    pod: Option<PodName>,
    /// Name and labels, as exposed.
    name: String,
    points: Vec<Point>,
}

impl Recording {
    pub(super) fn new(test: &TestCase, begin: Timestamp) -> Self {
        let mut answers: BTreeMap<Question, Vec<(AnswerOf, Vec<Point>)>> = BTreeMap::new();
        let always = test.watch.always.iter().map(|always| &always.rule);
        for rule in test.watch.rules.iter().chain(always) {
            let of_rule = answers.entry(Question::of(rule)).or_default();
            for answer in test
                .answers
                .iter()
                .filter(|answer| answer.rule == rule.name)
            {
                if !of_rule.iter().any(|(of, _)| *of == answer.of) {
                    of_rule.push((answer.of.clone(), answer.values.points().collect()));
                }
            }
        }
        Self {
            source: Recorded::default(),
            namespace: test.watch.target.namespace.clone(),
            begin,
            interval: signed(test.interval),
            series: test.series.iter().map(Series::new).collect(),
            answers,
            moment: None,
            pages: BTreeMap::new(),
        }
    }

    /// What a source says at `now` to a question about a target with these pods.
    pub(super) fn read(
        &mut self,
        question: &Question,
        pods: &[PodName],
        now: Timestamp,
    ) -> Observation {
        let passed = now.duration_since(self.begin).as_secs() / self.interval.as_secs().max(1);
        let moment = usize::try_from(passed).unwrap_or(0);
        if question.source().is_some() {
            return self.answer(question, pods, moment);
        }
        if self.moment != Some(moment) {
            self.moment = Some(moment);
            self.write_pages(moment);
        }
        let pages: Vec<RecordedPage<'_>> = self
            .pages
            .iter()
            .filter(|(pod, _)| pod.as_ref().is_none_or(|pod| pods.contains(pod)))
            .map(|(pod, text)| RecordedPage {
                pod: pod.as_ref(),
                text,
            })
            .collect();
        let at = at(self.begin, self.interval, moment);
        self.source.read(question, &self.namespace, &pages, at)
    }

    fn write_pages(&mut self, moment: usize) {
        self.pages.clear();
        for series in &self.series {
            let Some((sampled, value)) = series.sample(moment, self.interval) else {
                continue;
            };
            let at = at(self.begin, self.interval, sampled).as_millisecond();
            let page = self.pages.entry(series.pod.clone()).or_default();
            // Writing to a string does not fail.
            let _written = writeln!(page, "{} {} {at}", series.name, exposed(value));
        }
    }

    /// What is written down for a question that is not answered from series.
    fn answer(&self, question: &Question, pods: &[PodName], moment: usize) -> Observation {
        let answers = self.answers.get(question).map_or(&[][..], Vec::as_slice);
        let readings: Vec<LevelReading> = answers
            .iter()
            .filter_map(|(of, points)| {
                let key = match of {
                    AnswerOf::Pod(pod) if pods.contains(pod) => SeriesKey::Pod {
                        namespace: self.namespace.clone(),
                        pod: pod.clone(),
                    },
                    AnswerOf::Pod(_) => return None,
                    AnswerOf::Label(label) => SeriesKey::Label(label.clone()),
                    AnswerOf::Whole => SeriesKey::Whole,
                };
                match points.get(moment)? {
                    Point::Value(value) => Some(LevelReading {
                        key,
                        at: at(self.begin, self.interval, moment),
                        value: *value,
                    }),
                    Point::Missing | Point::Stale => None,
                }
            })
            .collect();
        if readings.is_empty() {
            return Observation::NoData {
                reason: "the test has no answer for this time".to_owned(),
            };
        }
        Observation::Levels(Levels {
            readings,
            unusable: Vec::new(),
        })
    }
}

/// When the values with this index were sampled.
fn at(begin: Timestamp, interval: SignedDuration, index: usize) -> Timestamp {
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    begin + interval.checked_mul(index).unwrap_or(SignedDuration::ZERO)
}

impl Series {
    fn new(series: &TestSeries) -> Self {
        let pod = series
            .labels
            .iter()
            .find(|(name, _)| name == "pod")
            .map(|(_, pod)| PodName::from(pod.as_str()));
        let labels: Vec<String> = series
            .labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        Self {
            pod,
            name: format!("{}{{{}}}", series.metric, labels.join(",")),
            points: series.values.points().collect(),
        }
    }

    /// The last sample at a moment: its index and value.
    fn sample(&self, moment: usize, interval: SignedDuration) -> Option<(usize, f64)> {
        for index in (0..=moment).rev() {
            let passed = i32::try_from(moment - index).unwrap_or(i32::MAX);
            if interval
                .checked_mul(passed)
                .is_none_or(|age| age >= LOOKBACK)
            {
                return None;
            }
            match self.points.get(index) {
                Some(Point::Value(value)) => return Some((index, *value)),
                Some(Point::Stale) => return None,
                Some(Point::Missing) | None => {}
            }
        }
        None
    }
}

/// A value as the text format has it.
fn exposed(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

/// A label value as the text format has it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
