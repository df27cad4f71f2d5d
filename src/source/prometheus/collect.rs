//! From the rows of an answer to the counters of each series: what was asked in parts is put together again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use recant_core::observation::Cumulative;
use recant_core::rule::{Level, Question, What};

use super::answer::{Row, timestamp};
use super::native::Native;
use super::query::{Grouping, MARKER, NATIVE, PART, SHAPE, TIME, TOTAL, VALUE, asked, series_text};
use crate::source::buckets::histogram;
use crate::source::http::Fault;

/// Values of one answer.
const MOST_ROWS: usize = 50_000;

/// What the rows of one answer are told apart by. A label that is not there is empty, as in Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) arm: String,
}

/// All that the answer says of one key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Collected {
    part: Option<f64>,
    total: Option<f64>,
    shape: bool,
    time: Option<f64>,
    evaluated: Option<Timestamp>,
    /// Values by `le` as it came.
    buckets: BTreeMap<String, f64>,
    native: Option<Native>,
    /// Values as they stand, by the series that they are of: there should be one.
    values: BTreeMap<String, Vec<(Timestamp, f64)>>,
    /// Two rows for one series; nothing is taken from either.
    pub(super) doubled: Option<String>,
}

impl RowKey {
    /// The key of a series with these labels.
    pub(super) fn of<'l>(
        label: impl Fn(Option<&str>) -> Option<&'l String>,
        grouping: &Grouping,
        question: &Question,
    ) -> Self {
        let value = |name: Option<&str>| label(name).cloned().unwrap_or_default();
        // A value of an arm is one value, of however many pods.
        let of_arm = matches!(question.what, What::Level(_)) && grouping.arm.is_some();
        Self {
            namespace: value(grouping.namespace.as_deref()),
            pod: value(Some(grouping.pod.as_str()).filter(|_| !of_arm)),
            arm: value(grouping.arm.as_deref()),
        }
    }
}

/// Sorts rows by key.
pub(super) fn collect(
    rows: &[Row],
    grouping: &Grouping,
    question: &Question,
) -> Result<BTreeMap<RowKey, Collected>, Fault> {
    let mut all: BTreeMap<RowKey, Collected> = BTreeMap::new();
    let level = matches!(question.what, What::Level(_));
    if level && rows.len() > MOST_ROWS {
        return Err(Fault::malformed(format!(
            "gives more than {MOST_ROWS} values of `{}`: narrow it down",
            asked(question)
        )));
    }
    for row in rows {
        let value = |label: Option<&str>| label.and_then(|label| row.labels.get(label));
        let key = RowKey::of(value, grouping, question);
        let collected = all.entry(key).or_default();
        collected.evaluated = Some(row.evaluated);
        collected.take(row, question)?;
    }
    Ok(all)
}

impl Collected {
    fn take(&mut self, row: &Row, question: &Question) -> Result<(), Fault> {
        let mark = row.labels.get(MARKER).map(String::as_str);
        let is_native = matches!(
            (&question.what, mark),
            (What::Histogram { .. }, Some(NATIVE))
        );
        if row.native.is_some() && !is_native {
            return Err(Fault::malformed(format!(
                "answered with a native histogram where a number is expected: {}. A ratio needs counters, such as \
                 `…_count` of a classic histogram; its quantiles are a rule with `histogram`",
                text(row)
            )));
        }
        let before = match (&question.what, mark) {
            (What::Ratio { .. }, Some(PART)) => self.part.replace(row.value),
            (What::Ratio { .. }, Some(TOTAL)) => self.total.replace(row.value),
            (What::Ratio { .. }, Some(SHAPE)) => {
                self.shape = true;
                None
            }
            // Where there are two values for one key, that is what is said of it.
            (What::Level(Level::Gauge(_)), Some(TIME)) => {
                self.time = Some(self.time.map_or(row.value, |time| time.max(row.value)));
                None
            }
            (What::Ratio { .. } | What::Histogram { .. }, Some(TIME)) => {
                self.time.replace(row.value)
            }
            (What::Histogram { .. }, None) => {
                let bound = row.labels.get("le").cloned().unwrap_or_default();
                self.buckets.insert(bound, row.value)
            }
            (What::Level(Level::Gauge(_)), Some(VALUE)) | (What::Level(Level::Promql(_)), None) => {
                let values = self.values.entry(text(row)).or_default();
                values.push((row.evaluated, row.value));
                None
            }
            (What::Histogram { .. }, Some(NATIVE)) => {
                // Without buckets it is something else that has this name, such as the quantiles of a summary.
                if row.native.is_some() {
                    self.native.clone_from(&row.native);
                }
                None
            }
            (What::Ratio { .. } | What::Level(_), _) | (What::Histogram { .. }, Some(_)) => {
                return Err(Fault::malformed(format!(
                    "answered with a series that was not asked for: {}",
                    text(row)
                )));
            }
        };
        if let Some(before) = before {
            self.doubled = Some(format!(
                "answered with two series where one is expected: {} with the value {before}, and the same with the \
                 value {}. Something between us and Prometheus adds answers up: give the address of one server",
                text(row),
                row.value
            ));
        }
        Ok(())
    }

    /// Nothing yet, as of a moment.
    pub(super) fn at(evaluated: Timestamp) -> Self {
        Self {
            evaluated: Some(evaluated),
            ..Self::default()
        }
    }

    pub(super) fn add_part(&mut self, value: f64) {
        self.part = Some(self.part.unwrap_or(0.0) + value);
    }

    pub(super) fn add_total(&mut self, value: f64, millis: i64) {
        self.total = Some(self.total.unwrap_or(0.0) + value);
        self.sampled(millis);
    }

    pub(super) fn has_shape(&mut self) {
        self.shape = true;
    }

    pub(super) fn add_bucket(&mut self, bound: &str, value: f64, millis: i64) {
        match self.buckets.get_mut(bound) {
            Some(sum) => *sum += value,
            None => {
                self.buckets.insert(bound.to_owned(), value);
            }
        }
        if bound == "+Inf" {
            self.sampled(millis);
        }
    }

    pub(super) fn add_value(&mut self, series: &str, at: Timestamp, value: f64, millis: i64) {
        match self.values.get_mut(series) {
            Some(values) => values.push((at, value)),
            None => {
                self.values.insert(series.to_owned(), vec![(at, value)]);
            }
        }
        self.sampled(millis);
    }

    /// The newest sample counts.
    fn sampled(&mut self, millis: i64) {
        let seconds = millis as f64 / 1000.0;
        self.time = Some(self.time.map_or(seconds, |time| time.max(seconds)));
    }

    /// The values and when they were sampled, oldest first; an error says why they cannot be used.
    pub(super) fn values(&self, question: &Question) -> Result<Vec<(Timestamp, f64)>, String> {
        let mut series = self.values.iter();
        let (name, points) = match (series.next(), series.next()) {
            (None, _) => return Ok(Vec::new()),
            (Some(only), None) => only,
            (Some((first, _)), Some((second, _))) => {
                return Err(format!(
                    "`{}` has {} series where one is expected, such as `{first}` and `{second}`: narrow it by a \
                     matcher, or write an expression that makes one of them (`promql: …`)",
                    asked(question),
                    self.values.len()
                ));
            }
        };
        let sampled = self.time.and_then(timestamp);
        let numbers: Vec<(Timestamp, f64)> = points
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(evaluated, value)| (sampled.unwrap_or(*evaluated), *value))
            .collect();
        match (numbers.is_empty(), points.last()) {
            (true, Some((_, value))) => Err(format!("`{name}` is {value}, which is no number")),
            (true, None) | (false, _) => Ok(numbers),
        }
    }

    /// The counters, and when they were sampled; `None` when there are none.
    pub(super) fn counters(&self, question: &Question) -> Option<(Timestamp, Cumulative)> {
        let value = match &question.what {
            What::Ratio { .. } => {
                if self.part.is_none() && self.total.is_none() {
                    return None;
                }
                Cumulative::Ratio {
                    part: self.part,
                    total: self.total,
                    part_shape: self.shape,
                }
            }
            What::Level(_) => return None,
            What::Histogram { .. } => {
                // Where there are both, the classic one has the bounds that its service chose.
                let read = match (&self.native, self.buckets.is_empty()) {
                    (None, true) => return None,
                    (Some(native), true) => native.counters(),
                    (_, false) => {
                        let buckets = self.buckets.iter();
                        histogram(buckets.map(|(bound, value)| (bound.as_str(), *value)))
                    }
                };
                read.map_or_else(
                    |reason| Cumulative::Unusable { reason },
                    Cumulative::Histogram,
                )
            }
        };
        let at = self.time.and_then(timestamp).or(self.evaluated)?;
        Some((at, value))
    }
}

/// The series as Prometheus shows it, without what was added to the answer.
fn text(row: &Row) -> String {
    let labels = row.labels.iter().filter(|(name, _)| *name != MARKER);
    series_text(labels.map(|(name, value)| (&**name, &**value)))
}
