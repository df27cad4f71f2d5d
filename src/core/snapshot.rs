//! What readers see: an immutable picture of the engine after a tick. API, page and metrics read this.

use jiff::Timestamp;
use serde::Serialize;

use crate::analysis::WayBack;
use crate::guard::{Approval, Hold};
use crate::hook::{Alert, Marker};
use crate::ids::{AnalysisId, IncidentId, PlanId, RevisionHash, RuleName, TargetId, WatchName};
use crate::incident::ScalingEnd;
use crate::judge::Finding;
use crate::judge::Phase;
use crate::record::Standing;
use crate::rule::{Scale, Scope, SourceKind};
use crate::scaling::ScaleChange;
use crate::silence::Silence;

/// The state of everything after one tick.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    pub at: Timestamp,
    /// In the order of their targets.
    pub targets: Vec<TargetSnapshot>,
    pub lost_sources: Vec<LostSource>,
    pub pending_notices: usize,
    /// Alerts that others reported and that fire.
    pub alerts: Vec<Alert>,
    /// Silences in force, as they were last known.
    pub silences: Vec<Silence>,
    /// What people are asked to agree to, or have agreed to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// Notices that they hold back.
    pub held_notices: Vec<HeldBack>,
    /// What is taken up when somebody asks about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_request: Vec<RequestSnapshot>,
    #[serde(skip)]
    pub room: Room,
}

impl Snapshot {
    /// One target, if it is watched.
    pub fn target(&self, id: &TargetId) -> Option<&TargetSnapshot> {
        let place = self
            .targets
            .binary_search_by(|target| target.target.cmp(id))
            .ok()?;
        self.targets.get(place)
    }
}

/// A notice that a silence holds back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldBack {
    pub target: Option<TargetId>,
    pub headline: String,
    pub since: Timestamp,
    /// Messages about the same that were held.
    pub count: u64,
    /// By whom, until when, why.
    pub silence: String,
}

/// A source that cannot be used now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LostSource {
    pub source: SourceKind,
    pub reason: String,
}

/// Whether another target can be taken up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Targets that were taken up.
    pub taken: usize,
    /// How many there may be.
    pub most: usize,
    /// There are fewer, or one of them could be let go.
    pub free: bool,
}

/// A watch of what is asked about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestSnapshot {
    pub watch: WatchName,
    pub scope: Scope,
}

/// The state of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetSnapshot {
    pub watch: WatchName,
    pub target: TargetId,
    /// It was taken up because somebody asked about it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_request: bool,
    /// False: the cluster has not shown it since the start.
    pub seen: bool,
    pub current: Option<RevisionHash>,
    pub standing: Option<Standing>,
    /// The revision that failed last, as long as it is remembered as bad.
    pub failed: Option<RevisionHash>,
    /// Why releases of it cannot be judged now: a source that its rules ask cannot be used.
    pub blind: Option<String>,
    pub analysis: Option<AnalysisSnapshot>,
    pub plan: Option<PlanSnapshot>,
    /// The traffic of its last release, where that is stepped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficSnapshot>,
    /// A rollback was carried out, and its effect is being verified.
    pub verifying: bool,
    pub holds: Vec<Hold>,
    pub rules_without_data: Vec<RuleName>,
    /// Deployments that CI told of, oldest first.
    pub markers: Vec<Marker>,
    /// The rules between releases.
    pub always: Vec<AlwaysSnapshot>,
}

/// The state of one rule between releases.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlwaysSnapshot {
    pub rule: RuleName,
    /// What it says now; `None`: it has not been looked at since the start.
    pub finding: Option<Finding>,
    pub without_data: bool,
    /// The open incident.
    pub incident: Option<IncidentSnapshot>,
    /// What was scaled and will be taken back.
    pub scaled: Option<ScaleChange>,
    /// Where a scaling is, or its undo; `None`: none is wanted now.
    pub doing: Option<Doing>,
}

/// How far something is that is done because of a rule between releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Doing {
    /// It is due, and the workload is being looked at, or a guard holds it.
    Deciding,
    /// It was decided: it is being written, or its pods are waited for.
    Acting,
}

/// The state of an open incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentSnapshot {
    pub id: IncidentId,
    pub began: Timestamp,
    /// What is to be scaled.
    pub scale: Option<Scale>,
    /// The scaling that was decided.
    pub scaling: Option<ScaleChange>,
    /// What came of it.
    pub settled: Option<ScalingEnd>,
    /// The guard that holds it.
    pub held: Option<Hold>,
}

/// The state of one analysis.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSnapshot {
    pub id: AnalysisId,
    pub canary: RevisionHash,
    pub baseline: Option<RevisionHash>,
    pub phase: Phase,
    pub began: Timestamp,
    pub ends: Timestamp,
    pub failed: bool,
    /// Every rule was surely kept, now or earlier, and nothing is broken just now, also not for the baseline: a gate may
    /// open. A Fail may still follow.
    pub passing: bool,
    /// 0 to 100: 50 when nothing is known, 100 when every rule is surely kept, 0 when the release is bad.
    pub score: Option<f64>,
    pub findings: Vec<Finding>,
    pub way_back: Option<WayBack>,
}

/// A plan that is being carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSnapshot {
    pub id: PlanId,
    pub step: usize,
    pub steps: usize,
}

/// The traffic of a stepped release.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficSnapshot {
    pub revision: RevisionHash,
    /// The object that splits it.
    pub route: String,
    pub backend: String,
    /// The share that Recant last set or found, 0 to 100; `None`: it has set none for this release.
    pub percent: Option<u32>,
    /// How many steps are reached,
    pub step: usize,
    /// of these, in percent.
    pub steps: Vec<u32>,
    /// The next one, in percent; `None`: there is none.
    pub next: Option<u32>,
    /// What has to be before that; no whole sentence. `None`: it is over.
    pub waits_for: Option<String>,
    /// The guard that holds it.
    pub held: Option<Hold>,
    /// How it ended.
    pub ended: Option<String>,
}
