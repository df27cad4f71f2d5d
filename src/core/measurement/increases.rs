//! What one look at one question brought: counts per series key, and what could not be counted and why.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::counts::Counts;
use crate::observation::{Cause, SeriesKey};
use crate::rule::{Question, What};

/// The events since the last look, per series key. Keys without a new sample are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Increases<'a> {
    pub look: Look,
    /// By the keys as the source gave them: no look makes a copy of each.
    pub series: BTreeMap<Cow<'a, SeriesKey>, Increase>,
    /// Series of which a counter dropped: the process began anew. Their events of this stretch are left out.
    pub resets: Vec<SeriesKey>,
    /// Samples that make no counts. Nothing is lost when the next one does.
    pub unusable: Vec<Unusable>,
    /// Series of pods that are not known (yet): counted once they are.
    pub unknown_pods: usize,
}

/// What kind of look it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The source answered; there may still be nothing new.
    Measured,
    /// The source answered that it has nothing.
    NoData { reason: String },
    /// The source did not answer, or its answer cannot be trusted: nothing may be decided from it.
    Unavailable { cause: Cause, reason: String },
}

/// The events of one series key between two samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Increase {
    pub counts: Counts,
    /// Time of the sample that was counted up to before; for a new pod its creation. The oldest of the members.
    pub since: Timestamp,
    /// Time of the newest sample.
    pub at: Timestamp,
    /// The counted part of the ratio is absent, and nothing of its shape was ever seen on any pod of the target: the
    /// part in `counts` is 0 only if the rule says that absent is zero; else this is no data, see
    /// [`never_seen_reason`].
    pub part_never_seen: bool,
}

/// A sample that makes no counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    pub key: SeriesKey,
    pub reason: String,
}

impl<'a> Increases<'a> {
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            series: BTreeMap::new(),
            resets: Vec::new(),
            unusable: Vec::new(),
            unknown_pods: 0,
        }
    }

    pub(super) fn add(&mut self, key: &'a SeriesKey, increase: Increase) {
        match self.series.get_mut(key) {
            Some(sum) => {
                sum.counts.add(&increase.counts);
                sum.since = sum.since.min(increase.since);
                sum.at = sum.at.max(increase.at);
                sum.part_never_seen &= increase.part_never_seen;
            }
            None => {
                self.series.insert(Cow::Borrowed(key), increase);
            }
        }
    }

    pub(super) fn unusable(&mut self, key: &SeriesKey, reason: impl Into<String>) {
        self.unusable.push(Unusable {
            key: key.clone(),
            reason: reason.into(),
        });
    }

    /// The same with keys of its own.
    #[cfg(test)]
    pub(super) fn into_owned(self) -> Increases<'static> {
        Increases {
            look: self.look,
            series: self
                .series
                .into_iter()
                .map(|(key, increase)| (Cow::Owned(key.into_owned()), increase))
                .collect(),
            resets: self.resets,
            unusable: self.unusable,
            unknown_pods: self.unknown_pods,
        }
    }

    /// Whether any series has counts whose part was never seen: no data for rules that do not say absent is zero.
    pub fn part_never_seen(&self) -> bool {
        self.series
            .values()
            .any(|increase| increase.part_never_seen)
    }
}

/// Why a ratio whose part was never seen is no data, and what to do about it.
pub fn never_seen_reason(question: &Question) -> String {
    match &question.what {
        What::Ratio { part, total } => format!(
            "`{}` has samples, but no pod of the target ever exposed `{}` or anything of that shape. \
             The rule may be misspelt. If no such event simply means none happened, say so in the rule",
            super::text::selector(total),
            super::text::selector(part),
        ),
        What::Histogram { histogram } => {
            format!("`{}` was never seen", super::text::selector(histogram))
        }
        What::Level(_) => "it was never seen".to_owned(),
    }
}
