//! What others report: alerts of an Alertmanager, and markers of deployments.
//!
//! Reports may come twice, late, or again after a restart: what was taken in already changes nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{TargetId, WatchName};
use crate::time::elapsed;

/// Alerts that are kept, firing and resolved ones together.
pub const MOST_ALERTS: usize = 1000;
/// Markers that are kept of each target.
pub const MOST_MARKERS: usize = 20;
/// An alert that fires is delivered again at each `repeat_interval`, 4 hours by default: that it still fires is written
/// down when it was not for so long,
const HEARD_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// and one that is not heard of for so long is not believed any more: its end was lost, with Alertmanager perhaps.
pub const BELIEVED: SignedDuration = SignedDuration::from_hours(12);
/// A beginning that lies in the future by more than this has another clock.
const FUTURE: SignedDuration = SignedDuration::from_secs(30);
/// A resolved alert is remembered for this long, so that a delivery that comes late does not make it fire again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(6);

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub enum Hook {
    Alert(Alert),
    Marker(Marker),
    /// Somebody asks about a target that is not watched, and that the watch of this name allows.
    Wanted {
        target: TargetId,
        by: WatchName,
    },
}

/// The state of one alert, as Alertmanager delivers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Alertmanager's hash of the labels: what makes two deliveries ones of the same alert.
    pub fingerprint: String,
    pub labels: BTreeMap<String, String>,
    /// Its annotation `summary`, else `description`.
    pub summary: Option<String>,
    /// When it began to fire; another beginning is another alert.
    pub starts: Timestamp,
    /// When it was resolved; `None`: it fires.
    pub ended: Option<Timestamp>,
    /// The caller that delivered it, as the settings call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Alert {
    /// `HighErrorRate (namespace=shop, severity=page)`
    pub fn in_words(&self) -> String {
        let name = self.labels.get("alertname").map_or("alert", String::as_str);
        let labels: Vec<String> = self
            .labels
            .iter()
            .filter(|(label, _)| *label != "alertname")
            .take(8)
            .map(|(label, value)| format!("{label}={value}"))
            .collect();
        match labels.as_slice() {
            [] => name.to_owned(),
            labels => format!("{name} ({})", labels.join(", ")),
        }
    }
}

/// A deployment that CI tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// What makes two deliveries ones of the same marker.
    pub id: String,
    pub target: TargetId,
    pub version: String,
    pub commit: Option<String>,
    /// When it was deployed, as CI says.
    pub at: Timestamp,
    pub url: Option<String>,
    /// The caller that delivered it, as the settings call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Marker {
    /// `version 1.4.2 (commit 4f3a9c1) was deployed at 2026-01-01T00:00:00Z`
    pub fn in_words(&self) -> String {
        let commit = self.commit.as_ref();
        let commit = commit.map_or_else(String::new, |commit| format!(" (commit {commit})"));
        format!(
            "version {}{commit} was deployed at {:.0}",
            self.version, self.at
        )
    }
}

/// The reports that last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reported {
    /// By fingerprint.
    pub alerts: BTreeMap<String, Alert>,
    /// When each was last heard of, by fingerprint.
    pub heard: BTreeMap<String, Timestamp>,
    /// By target, oldest first.
    #[serde(with = "flat")]
    pub markers: BTreeMap<TargetId, Vec<Marker>>,
}

impl Reported {
    /// Whether the report is news at `now`.
    pub fn is_news(&self, hook: &Hook, now: Timestamp) -> bool {
        match hook {
            Hook::Wanted { .. } => true,
            Hook::Marker(marker) => {
                let known = self.markers.get(&marker.target);
                !known.is_some_and(|known| known.iter().any(|known| known.id == marker.id))
            }
            Hook::Alert(alert) => match self.alerts.get(&alert.fingerprint) {
                // What was never seen firing is no news when it is over.
                None => alert.ended.is_none(),
                // Another beginning; an older one came late.
                Some(known) if known.starts != alert.starts => {
                    // A beginning of the future would shut out all that come.
                    let set_back = now.duration_until(known.starts) > FUTURE;
                    (alert.starts > known.starts || set_back) && alert.ended.is_none()
                }
                Some(known) if known.ended.is_none() && alert.ended.is_none() => {
                    let heard = self.heard.get(&alert.fingerprint);
                    heard.is_none_or(|heard| elapsed(*heard, now) >= HEARD_AGAIN)
                }
                Some(known) => known.ended.is_none() && alert.ended.is_some(),
            },
        }
    }

    /// Whether there is room for this alert: it is over, or known, or fewer fire than can be kept.
    pub fn has_room(&self, alert: &Alert, now: Timestamp) -> bool {
        let fires = |known: &Alert| self.fires(known, now);
        alert.ended.is_some()
            || self.alerts.get(&alert.fingerprint).is_some_and(fires)
            || self.firing(now).count() < MOST_ALERTS
    }

    /// Alerts that fire, as far as is known at `now`.
    pub fn firing(&self, now: Timestamp) -> impl Iterator<Item = &Alert> {
        self.alerts
            .values()
            .filter(move |alert| self.fires(alert, now))
    }

    /// Alerts of that name, whether they fire or are over.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Alert> {
        let is = move |alert: &&Alert| alert.labels.get("alertname").is_some_and(|own| own == name);
        self.alerts.values().filter(is)
    }

    /// Whether a known alert fires: it is not over, and was heard of lately.
    pub fn fires(&self, alert: &Alert, now: Timestamp) -> bool {
        let lately = |heard: &Timestamp| elapsed(*heard, now) < BELIEVED;
        alert.ended.is_none() && self.heard.get(&alert.fingerprint).is_none_or(lately)
    }

    /// Takes an alert in, at the time of its record.
    pub(crate) fn alert(&mut self, at: Timestamp, alert: Alert) {
        // An end that lies ahead is said by a clock that is wrong: it is over all the same.
        let ended = alert.ended.map(|ended| ended.min(at));
        self.heard.insert(alert.fingerprint.clone(), at);
        self.alerts
            .insert(alert.fingerprint.clone(), Alert { ended, ..alert });
        let heard = &self.heard;
        self.alerts.retain(|fingerprint, alert| match alert.ended {
            Some(ended) => elapsed(ended, at) < REMEMBERED,
            None => heard
                .get(fingerprint)
                .is_none_or(|heard| elapsed(*heard, at) < BELIEVED),
        });
        while self.alerts.len() > MOST_ALERTS {
            let resolved = self.alerts.values().filter(|alert| alert.ended.is_some());
            let oldest = resolved.min_by_key(|alert| alert.ended);
            let Some(oldest) = oldest.map(|alert| alert.fingerprint.clone()) else {
                break;
            };
            self.alerts.remove(&oldest);
        }
        let alerts = &self.alerts;
        self.heard
            .retain(|fingerprint, _| alerts.contains_key(fingerprint));
    }

    /// Takes a marker in.
    pub(crate) fn marker(&mut self, marker: Marker) {
        let markers = self.markers.entry(marker.target.clone()).or_default();
        markers.push(marker);
        if markers.len() > MOST_MARKERS {
            markers.remove(0);
        }
    }
}

/// Keys that are no texts cannot be JSON's; each marker names its target anyway.
mod flat {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Marker;
    use crate::ids::TargetId;

    pub(super) fn serialize<S: Serializer>(
        markers: &BTreeMap<TargetId, Vec<Marker>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(markers.values().flatten())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<TargetId, Vec<Marker>>, D::Error> {
        let mut markers: BTreeMap<TargetId, Vec<Marker>> = BTreeMap::new();
        for marker in Vec::<Marker>::deserialize(deserializer)? {
            markers
                .entry(marker.target.clone())
                .or_default()
                .push(marker);
        }
        Ok(markers)
    }
}

#[cfg(test)]
mod tests;
