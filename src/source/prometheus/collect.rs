//! From the rows of an answer to the counters of each series: what was asked in parts is put together again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use recant_core::observation::Cumulative;
use recant_core::rule::{Question, What};

use super::answer::{Row, timestamp};
use super::query::{Grouping, MARKER, PART, SHAPE, TIME, TOTAL, series_text};
use crate::source::buckets::histogram;
use crate::source::http::Fault;

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
    /// Two rows for one series; nothing is taken from either.
    pub(super) doubled: Option<String>,
}

/// Sorts rows by key.
pub(super) fn collect(
    rows: &[Row],
    grouping: &Grouping,
    question: &Question,
) -> Result<BTreeMap<RowKey, Collected>, Fault> {
    let mut all: BTreeMap<RowKey, Collected> = BTreeMap::new();
    for row in rows {
        let value_of = |label: Option<&str>| {
            label
                .and_then(|label| row.labels.get(label))
                .cloned()
                .unwrap_or_default()
        };
        let key = RowKey {
            namespace: value_of(grouping.namespace.as_deref()),
            pod: value_of(Some(&grouping.pod)),
            arm: value_of(grouping.arm.as_deref()),
        };
        let collected = all.entry(key).or_default();
        collected.evaluated = Some(row.evaluated);
        collected.take(row, question)?;
    }
    Ok(all)
}

impl Collected {
    fn take(&mut self, row: &Row, question: &Question) -> Result<(), Fault> {
        let mark = row.labels.get(MARKER).map(String::as_str);
        let before = match (&question.what, mark) {
            (What::Ratio { .. }, Some(PART)) => self.part.replace(row.value),
            (What::Ratio { .. }, Some(TOTAL)) => self.total.replace(row.value),
            (What::Ratio { .. }, Some(SHAPE)) => {
                self.shape = true;
                None
            }
            (_, Some(TIME)) => self.time.replace(row.value),
            (What::Histogram { .. }, None) => {
                let bound = row.labels.get("le").cloned().unwrap_or_default();
                self.buckets.insert(bound, row.value)
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
                if self.buckets.is_empty() {
                    return None;
                }
                let buckets = self
                    .buckets
                    .iter()
                    .map(|(bound, value)| (bound.as_str(), *value));
                histogram(buckets).map_or_else(
                    |reason| Cumulative::Unusable { reason },
                    Cumulative::Histogram,
                )
            }
        };
        let at = self.time.and_then(timestamp).or(self.evaluated)?;
        Some((at, value))
    }
}

fn text(row: &Row) -> String {
    series_text(row.labels.iter().map(|(name, value)| (&**name, &**value)))
}
