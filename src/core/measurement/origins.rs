//! Where the count of a series begins that was not there before: at zero, or where it stands.
//!
//! At zero only if all that it shows happened since we look. Else hours of somebody else's events would be one tick's.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::AllSeries;
use super::pods::KnownPods;
use crate::ids::PodName;
use crate::observation::{SeriesKey, SeriesReading};
use crate::time::later;

/// Creation times are whole seconds.
const CREATED_PRECISION: SignedDuration = SignedDuration::from_secs(1);

/// What was there before a look.
pub(super) struct Origins<'a> {
    first_look: Timestamp,
    known: &'a KnownPods,
    keys: BTreeSet<SeriesKey>,
    members: BTreeSet<PodName>,
    /// Label values that were not there before are new, and not only forgotten or seen for the first time.
    labels_are_new: bool,
}

impl<'a> Origins<'a> {
    pub(super) fn new(
        first_look: Timestamp,
        known: &'a KnownPods,
        before: &AllSeries,
        all_remembered: bool,
    ) -> Self {
        let mut keys = BTreeSet::new();
        let mut members = BTreeSet::new();
        for (key, of_key) in before {
            match key {
                SeriesKey::Pod { .. } => {}
                SeriesKey::Label(_) | SeriesKey::Whole => {
                    keys.insert(key.clone());
                    members.extend(of_key.keys().flatten().cloned());
                }
            }
        }
        Self {
            first_look,
            known,
            labels_are_new: all_remembered && !keys.is_empty(),
            keys,
            members,
        }
    }

    /// Creation of the pod that the series is of, if it is one of the target's.
    pub(super) fn created(&self, series: &SeriesReading) -> Option<Timestamp> {
        let pod = match (&series.key, &series.member) {
            (SeriesKey::Pod { .. }, _) => self.known.of(&series.key),
            (SeriesKey::Label(_) | SeriesKey::Whole, Some(member)) => self.known.get(member),
            (SeriesKey::Label(_) | SeriesKey::Whole, None) => None,
        };
        pod.map(|pod| pod.created)
    }

    /// Whether all that a new series shows happened since we look.
    pub(super) fn begins_at_zero(
        &self,
        series: &SeriesReading,
        created: Option<Timestamp>,
    ) -> bool {
        let born_since =
            |created: Timestamp| created.duration_until(self.first_look) < CREATED_PRECISION;
        if created.is_some_and(born_since) {
            return true;
        }
        let new_label = self.labels_are_new && !self.keys.contains(&series.key);
        match (&series.key, &series.member) {
            (SeriesKey::Pod { .. }, _) | (SeriesKey::Whole, None) => false,
            (SeriesKey::Label(_), None) => new_label,
            // A pod that was seen before showed no such series then. One of the target's that ran before us and
            // was never seen may show its whole past.
            (SeriesKey::Label(_) | SeriesKey::Whole, Some(member)) => {
                self.labels_are_new
                    && (self.members.contains(member) || (new_label && created.is_none()))
            }
        }
    }
}

/// Whether a sample may be the last one of the pod that had the name before: creation times are cut to whole seconds.
pub(super) fn may_be_of_the_pod_before(series: &SeriesReading, created: Option<Timestamp>) -> bool {
    created.is_some_and(|created| series.at < later(created, CREATED_PRECISION))
}
