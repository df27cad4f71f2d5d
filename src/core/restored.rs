//! What a ledger alone says of a snapshot: the fields that last, by the names that they have there. So a journal that is
//! folded somewhere else can be held against what the agent shows (P5).

use jiff::Timestamp;
use serde::Serialize;

use crate::guard::Guard;
use crate::hook::Alert;
use crate::ids::{AnalysisId, IncidentId, PlanId, RevisionHash, RuleName, TargetId};
use crate::incident::ScalingEnd;
use crate::judge::Phase;
use crate::ledger::{AlwaysLedger, Ledger, TargetLedger};
use crate::record::Standing;
use crate::rule::SourceKind;
use crate::scaling::ScaleChange;
use crate::silence::Silence;

/// The lasting part of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    pub targets: Vec<RestoredTarget>,
    pub lost_sources: Vec<RestoredSource>,
    pub alerts: Vec<Alert>,
    pub silences: Vec<Silence>,
}

/// A source that cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestoredSource {
    pub source: SourceKind,
    pub reason: String,
}

/// What lasts of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredTarget {
    pub target: TargetId,
    pub current: Option<RevisionHash>,
    pub standing: Option<Standing>,
    pub failed: Option<RevisionHash>,
    pub analysis: Option<RestoredAnalysis>,
    pub plan: Option<RestoredPlan>,
    pub verifying: bool,
    pub holds: Vec<RestoredHold>,
    pub rules_without_data: Vec<RuleName>,
    /// The rules between releases of which something lasts.
    pub always: Vec<RestoredRule>,
}

/// An analysis that is under way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredAnalysis {
    pub id: AnalysisId,
    pub canary: RevisionHash,
    pub baseline: Option<RevisionHash>,
    pub phase: Phase,
    pub began: Timestamp,
    pub failed: bool,
}

/// A plan that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoredPlan {
    pub id: PlanId,
    pub step: usize,
    pub steps: usize,
}

/// The guard of a hold; its words are those of now in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoredHold {
    pub guard: Guard,
}

/// A rule between releases.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredRule {
    pub rule: RuleName,
    pub without_data: bool,
    pub incident: Option<RestoredIncident>,
    pub scaled: Option<ScaleChange>,
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredIncident {
    pub id: IncidentId,
    pub began: Timestamp,
    pub scaling: Option<ScaleChange>,
    pub settled: Option<ScalingEnd>,
}

/// What the ledger says at a time.
pub fn restore(ledger: &Ledger, at: Timestamp) -> Restored {
    let targets = ledger.targets.iter();
    Restored {
        targets: targets
            .map(|(id, known)| target(id, known, ledger.always.get(id)))
            .collect(),
        lost_sources: ledger
            .lost_sources
            .iter()
            .map(|(source, reason)| RestoredSource {
                source: *source,
                reason: reason.clone(),
            })
            .collect(),
        alerts: ledger.reported.firing(at).cloned().collect(),
        silences: ledger
            .silences
            .values()
            .flatten()
            .filter(|silence| silence.is_active(at))
            .cloned()
            .collect(),
    }
}

fn target(id: &TargetId, known: &TargetLedger, always: Option<&AlwaysLedger>) -> RestoredTarget {
    let failed = known.judged.as_ref().map(|judged| &judged.canary);
    RestoredTarget {
        target: id.clone(),
        current: Some(known.current.clone()),
        standing: known.standings.get(&known.current).copied(),
        failed: failed.filter(|canary| known.has_failed(canary)).cloned(),
        analysis: known.analysis.as_ref().map(|analysis| RestoredAnalysis {
            id: analysis.id.clone(),
            canary: analysis.canary.clone(),
            baseline: analysis.baseline.clone(),
            phase: analysis.phase,
            began: analysis.began,
            failed: analysis.failed.is_some(),
        }),
        plan: known.plan.as_ref().map(|plan| RestoredPlan {
            id: plan.plan.id.clone(),
            step: plan.next,
            steps: plan.plan.steps.len(),
        }),
        verifying: known.verification.is_some(),
        holds: known
            .holds
            .iter()
            .map(|hold| RestoredHold { guard: hold.guard })
            .collect(),
        rules_without_data: known.rules_without_data.iter().cloned().collect(),
        always: always.map_or_else(Vec::new, rules),
    }
}

fn rules(always: &AlwaysLedger) -> Vec<RestoredRule> {
    let mut names: Vec<&RuleName> = always
        .incidents
        .keys()
        .chain(always.scaled.keys())
        .chain(&always.without_data)
        .collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|rule| RestoredRule {
            rule: rule.clone(),
            without_data: always.without_data.contains(rule),
            incident: always.incidents.get(rule).map(|state| RestoredIncident {
                id: state.incident.id.clone(),
                began: state.began,
                scaling: state
                    .scaling
                    .as_ref()
                    .map(|scaling| scaling.plan.change.clone()),
                settled: state.settled.clone(),
            }),
            scaled: always.scaled.get(rule).map(|scaled| scaled.change.clone()),
        })
        .collect()
}
