//! What is kept of a watched workload or `ReplicaSet`: the little that a [`TargetState`] is made of.
//!
//! [`TargetState`]: recant_core::target::TargetState

use std::collections::BTreeSet;

use jiff::Timestamp;
use recant_core::ids::{PlanId, RevisionHash, TargetKind};
use recant_core::target::naming::Names;
use recant_core::target::{Revision, RolloutStatus};
use serde_json::Value;

use super::kill_switch;
use super::objects::{
    ReplicaSet, Workload, annotations, controlled_by, hash_label, revision_annotation,
};
use super::template::{TemplateDigest, images};
use crate::cluster::PLAN_ANNOTATION;

/// An object may have more, which nobody uses as names.
const MOST_LABELS: usize = 64;

/// What is kept of a Deployment or a Rollout.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WorkloadFacts {
    pub(super) uid: String,
    /// The controller has seen the latest spec.
    pub(super) observed: bool,
    pub(super) paused: bool,
    /// `None`: the template lives in another object.
    pub(super) template: Option<TemplateDigest>,
    pub(super) replicas: Replicas,
    pub(super) kill_switch: bool,
    pub(super) last_plan: Option<PlanId>,
    pub(super) rollout: Option<RolloutFacts>,
    pub(super) progress: Progress,
    pub(super) names: Names,
}

/// Whether the controller still works on the latest spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Made,
    /// Its progress deadline is over: the controller has given the rollout up.
    GivenUp,
}

/// Replica counts: what is wanted, and what the controller says there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replicas {
    wanted: i64,
    all: i64,
    updated: i64,
    ready: i64,
    available: i64,
}

impl Replicas {
    /// As many as wanted, all of them updated, ready and available, and none besides.
    pub(super) fn complete(self) -> bool {
        [self.all, self.updated, self.ready, self.available]
            .iter()
            .all(|count| *count == self.wanted)
    }
}

/// What only a Rollout has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RolloutFacts {
    pub(super) current: Option<RevisionHash>,
    pub(super) status: RolloutStatus,
}

impl WorkloadFacts {
    pub(super) fn of(workload: &Workload, kind: TargetKind) -> Self {
        let metadata = &workload.metadata;
        let status = workload.status.clone().unwrap_or_default();
        let spec = &workload.spec;
        let rollout = (kind == TargetKind::Rollout).then(|| RolloutFacts {
            current: hash(status.current_pod_hash),
            status: RolloutStatus {
                stable: hash(status.stable_rs),
                aborted: status.abort.unwrap_or(false),
                promote_full: status.promote_full.unwrap_or(false),
                phase: status.phase.unwrap_or_default(),
                message: status.message.unwrap_or_default(),
                workload_ref: spec.workload_ref.is_some(),
            },
        });
        let given_up = status.conditions.iter().flatten().any(|condition| {
            condition.kind == "Progressing"
                && condition.status == "False"
                && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
        });
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            observed: metadata.generation.is_some()
                && status.observed_generation.as_ref().and_then(generation) == metadata.generation,
            paused: spec.paused.unwrap_or(false),
            template: spec
                .template
                .as_ref()
                .map(|template| TemplateDigest::of(template, kind)),
            replicas: Replicas {
                // The API server's default.
                wanted: spec.replicas.unwrap_or(1),
                all: status.replicas.unwrap_or(0),
                updated: status.updated_replicas.unwrap_or(0),
                ready: status.ready_replicas.unwrap_or(0),
                available: status.available_replicas.unwrap_or(0),
            },
            kill_switch: kill_switch::is_on(metadata),
            last_plan: annotations(metadata)
                .get(PLAN_ANNOTATION)
                .map(|plan| PlanId(plan.clone())),
            rollout,
            progress: if given_up {
                Progress::GivenUp
            } else {
                Progress::Made
            },
            names: Names {
                labels: metadata
                    .labels
                    .iter()
                    .flatten()
                    .take(MOST_LABELS)
                    .map(|(label, value)| (label.clone(), value.clone()))
                    .collect(),
                services: spec.strategy.as_ref().map(services).unwrap_or_default(),
            },
        }
    }
}

/// What is kept of a `ReplicaSet`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReplicaSetFacts {
    pub(super) uid: String,
    /// Uid of the workload that controls it.
    pub(super) owner: String,
    pub(super) revision: Revision,
    pub(super) template: TemplateDigest,
    pub(super) replicas: i64,
}

impl ReplicaSetFacts {
    /// `None`: it belongs to no Deployment and no Rollout, has no hash, or is going.
    pub(super) fn of(set: &ReplicaSet) -> Option<Self> {
        let metadata = &set.metadata;
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let (owner, kind) = [TargetKind::Deployment, TargetKind::Rollout]
            .into_iter()
            .find_map(|kind| Some((controlled_by(metadata, &[&kind.to_string()])?, kind)))?;
        let hash = metadata.labels.as_ref()?.get(hash_label(kind))?;
        let number = annotations(metadata)
            .get(revision_annotation(kind))
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        Some(Self {
            uid: metadata.uid.clone()?,
            owner: owner.to_owned(),
            revision: Revision {
                hash: RevisionHash(hash.clone()),
                number,
                images: images(&set.spec.template),
                created: metadata
                    .creation_timestamp
                    .as_ref()
                    .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            },
            template: TemplateDigest::of(&set.spec.template, kind),
            replicas: set
                .status
                .as_ref()
                .and_then(|status| status.replicas)
                .unwrap_or(0),
        })
    }
}

/// The Services that the strategy of a Rollout names.
fn services(strategy: &Value) -> BTreeSet<String> {
    let places = [
        "/canary/canaryService",
        "/canary/stableService",
        "/canary/pingPong/pingService",
        "/canary/pingPong/pongService",
        "/blueGreen/activeService",
        "/blueGreen/previewService",
    ];
    let texts = places
        .iter()
        .filter_map(|place| strategy.pointer(place)?.as_str());
    texts
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

fn hash(text: Option<String>) -> Option<RevisionHash> {
    text.filter(|text| !text.is_empty()).map(RevisionHash)
}

fn generation(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    }
}
