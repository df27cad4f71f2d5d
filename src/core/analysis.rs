//! One run of a target's rules for one revision: from its first pod until it is judged.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{AnalysisId, RevisionHash, TargetId, TargetKind, WatchName};
use crate::judge::Phase;
use crate::time::later;

/// The watch of a Rollout ends at the latest this long after its beginning, promoted or not.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The state of one analysis. Its evidence is kept apart: this is small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    pub id: AnalysisId,
    pub watch: WatchName,
    pub target: TargetId,
    pub uid: String,
    /// The revision under test.
    pub canary: RevisionHash,
    /// The revision that it is compared with while both have traffic.
    pub baseline: Option<RevisionHash>,
    pub phase: Phase,
    pub began: Timestamp,
    pub first_traffic: Option<Timestamp>,
    /// When a Rollout made the canary its stable revision.
    pub promoted: Option<Timestamp>,
    /// When it failed; stays.
    pub failed: Option<Timestamp>,
    /// Its traffic is raised step by step by Recant: the watch counts from the last step on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stepped: bool,
    /// When the last step was reached, or nothing was stepped any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_full: Option<Timestamp>,
}

/// How an analysis ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "verdict"
)]
pub enum Ending {
    /// The revision is known good.
    Pass,
    Fail,
    Inconclusive {
        reason: String,
    },
    /// Another revision came, or somebody took this one back: neither good nor bad.
    Superseded {
        reason: String,
    },
}

/// Where a rollback goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WayBack {
    pub revision: RevisionHash,
    /// False: no revision is known good yet; this one was stable before the release.
    pub known_good: bool,
}

impl Analysis {
    /// When the watch ends, as far as it is known; `watch` is the watch's length.
    ///
    /// A Deployment: `watch` after the first traffic. A Rollout: `watch` after its promotion, at most [`LONGEST`]
    /// after the beginning; so does a release whose traffic is stepped, from its last step. Without traffic, or promotion, the analysis ends when the longest wait is over.
    pub fn ends(&self, watch: SignedDuration) -> Timestamp {
        let traffic = self.first_traffic.unwrap_or(self.began);
        let longest = later(self.began, LONGEST);
        let since = |at: Option<Timestamp>| match at {
            Some(at) => later(at.max(traffic), watch).min(longest),
            None => longest,
        };
        match self.target.kind {
            TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet
                if self.stepped =>
            {
                since(self.in_full)
            }
            TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => {
                later(traffic, watch)
            }
            TargetKind::Rollout => since(self.promoted),
        }
    }
}
