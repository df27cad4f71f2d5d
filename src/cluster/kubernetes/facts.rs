//! What is kept of a watched workload or revision of it: the little that a [`TargetState`] is made of.
//!
//! [`TargetState`]: recant_core::target::TargetState

use std::collections::BTreeSet;

use jiff::Timestamp;
use recant_core::ids::{PlanId, RevisionHash, TargetKind};
use recant_core::target::naming::Names;
use recant_core::target::{GitOwner, OwnPause, Replacement, Revision, Rolling, RolloutStatus};
use serde_json::Value;

use super::objects::{
    ControllerRevision, ReplicaSet, Workload, WorkloadSpec, WorkloadStatus, annotations,
    controlled_by, hash_in, hash_label, revision_annotation,
};
use super::template::{TemplateDigest, images};
use super::{git_owner, kill_switch, own_pause};
use crate::cluster::{FLOOR_ANNOTATION, PLAN_ANNOTATION};

/// An object may have more, which nobody uses as names.
pub(super) const MOST_LABELS: usize = 64;

/// What is kept of a target's object.
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
    pub(super) pause: Option<OwnPause>,
    /// Of a Deployment.
    pub(super) rolling: Option<Rolling>,
    pub(super) owner: Option<GitOwner>,
    pub(super) shipped_by: Option<String>,
    pub(super) rollout: Option<RolloutFacts>,
    pub(super) progress: Progress,
    pub(super) names: Names,
    /// Of a `StatefulSet`: the revision that its spec asks for.
    pub(super) update_revision: Option<RevisionHash>,
    pub(super) replacement: Replacement,
    pub(super) floor: Option<String>,
    pub(super) history_limit: Option<i64>,
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
            current: hash(status.current_pod_hash.clone()),
            status: RolloutStatus {
                stable: hash(status.stable_rs.clone()),
                aborted: status.abort.unwrap_or(false),
                promote_full: status.promote_full.unwrap_or(false),
                phase: status.phase.clone().unwrap_or_default(),
                message: status.message.clone().unwrap_or_default(),
                workload_ref: spec.workload_ref.is_some(),
                active: status
                    .blue_green
                    .as_ref()
                    .and_then(|blue_green| hash(blue_green.active_selector.clone())),
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
            replicas: Replicas::of(spec, &status, kind),
            kill_switch: kill_switch::is_on(metadata),
            last_plan: annotations(metadata)
                .get(PLAN_ANNOTATION)
                .map(|plan| PlanId(plan.clone())),
            pause: own_pause::read(workload),
            rolling: (kind == TargetKind::Deployment).then(|| rolling(spec)),
            owner: git_owner::read(metadata, spec.template.as_ref(), kind),
            shipped_by: git_owner::shipped_by(metadata),
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
            update_revision: status.update_revision.as_deref().and_then(hash_in),
            replacement: replacement(spec, kind),
            floor: annotations(metadata).get(FLOOR_ANNOTATION).cloned(),
            history_limit: spec.revision_history_limit,
        }
    }
}

impl Replicas {
    fn of(spec: &WorkloadSpec, status: &WorkloadStatus, kind: TargetKind) -> Self {
        let or_none = |count: Option<i64>| count.unwrap_or(0);
        match kind {
            TargetKind::Deployment | TargetKind::Rollout | TargetKind::StatefulSet => Self {
                // The API server's default.
                wanted: spec.replicas.unwrap_or(1),
                all: or_none(status.replicas),
                updated: or_none(status.updated_replicas),
                ready: or_none(status.ready_replicas),
                available: or_none(status.available_replicas),
            },
            // One on each node that is fit for it.
            TargetKind::DaemonSet => Self {
                wanted: or_none(status.desired_number_scheduled),
                all: or_none(status.current_number_scheduled),
                updated: or_none(status.updated_number_scheduled),
                ready: or_none(status.number_ready),
                available: or_none(status.number_available),
            },
        }
    }
}

fn replacement(spec: &WorkloadSpec, kind: TargetKind) -> Replacement {
    let strategy = spec.update_strategy.clone().unwrap_or_default();
    let on_delete = strategy.kind.as_deref() == Some("OnDelete");
    match kind {
        TargetKind::Deployment | TargetKind::Rollout => Replacement::default(),
        TargetKind::DaemonSet => Replacement {
            on_delete,
            ..Replacement::default()
        },
        TargetKind::StatefulSet => Replacement {
            on_delete,
            partition: strategy
                .rolling_update
                .and_then(|rolling| u32::try_from(rolling.partition?).ok())
                .filter(|_| !on_delete)
                .unwrap_or(0),
            // The API server's default is OrderedReady.
            waits_for_ready: spec.pod_management_policy.as_deref() != Some("Parallel"),
        },
    }
}

/// What is kept of a `ReplicaSet` or a `ControllerRevision`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RevisionFacts {
    pub(super) uid: String,
    /// Uid of the workload that controls it.
    pub(super) owner: String,
    pub(super) revision: Revision,
    pub(super) template: TemplateDigest,
    /// Pods that a `ReplicaSet` says that it has.
    pub(super) replicas: i64,
}

impl RevisionFacts {
    /// `None`: it belongs to no Deployment and no Rollout, has no hash, or is going.
    pub(super) fn of_set(set: &ReplicaSet) -> Option<Self> {
        let metadata = &set.metadata;
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let (owner, kind) = [TargetKind::Deployment, TargetKind::Rollout]
            .into_iter()
            .find_map(|kind| Some((controlled_by(metadata, &[&kind.to_string()])?, kind)))?;
        let hash = metadata.labels.as_ref()?.get(hash_label(kind))?;
        let number = revision_annotation(kind)
            .and_then(|annotation| annotations(metadata).get(annotation))
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

    /// `None`: it belongs to no `StatefulSet` and no `DaemonSet`, holds no pod template, or is going.
    pub(super) fn of_revision(revision: &ControllerRevision) -> Option<Self> {
        let metadata = &revision.metadata;
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let (owner, kind) = [TargetKind::StatefulSet, TargetKind::DaemonSet]
            .into_iter()
            .find_map(|kind| Some((controlled_by(metadata, &[&kind.to_string()])?, kind)))?;
        let template = template_in(&revision.data)?;
        Some(Self {
            uid: metadata.uid.clone()?,
            owner: owner.to_owned(),
            revision: Revision {
                hash: hash_in(metadata.name.as_deref()?)?,
                number: revision.data.get("revision")?.as_u64()?,
                images: images(&template),
                created: metadata
                    .creation_timestamp
                    .as_ref()
                    .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            },
            template: TemplateDigest::of(&template, kind),
            replicas: 0,
        })
    }
}

/// The pod template in a `ControllerRevision`, whose `data` is a strategic merge patch that replaces it.
fn template_in(revision: &Value) -> Option<Value> {
    let mut template = revision.pointer("/data/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    Some(template)
}

/// How many pods the Deployment makes at once: as its controller counts them, `maxSurge` rounded up and `maxUnavailable`
/// down, and one of them if both come to nothing.
fn rolling(spec: &WorkloadSpec) -> Rolling {
    let wanted = u32::try_from(spec.replicas.unwrap_or(1).max(0)).unwrap_or(u32::MAX);
    let strategy = spec.strategy.as_ref();
    let kind = strategy.and_then(|strategy| strategy.get("type")?.as_str());
    if kind == Some("Recreate") {
        return Rolling {
            wanted,
            at_once: None,
        };
    }
    let bound = |field: &str, up: bool| {
        let value = strategy.and_then(|strategy| strategy.pointer("/rollingUpdate")?.get(field));
        match value {
            Some(Value::Number(number)) => u32::try_from(number.as_u64()?).ok(),
            Some(Value::String(text)) => {
                let percent: u64 = text.strip_suffix('%')?.parse().ok()?;
                let pods = u64::from(wanted) * percent;
                let pods = if up { pods.div_ceil(100) } else { pods / 100 };
                u32::try_from(pods).ok()
            }
            _ => None,
        }
    };
    let at_once = bound("maxSurge", true)
        .zip(bound("maxUnavailable", false))
        .map(|(surge, unavailable)| surge.saturating_add(unavailable).max(1));
    Rolling { wanted, at_once }
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
