//! What readers see: the snapshot after a tick.

use jiff::Timestamp;

use super::Engine;
use super::always::AlwaysRule;
use super::live::Live;
use super::resume::ours;
use super::stepping;
use super::verdict::Together;
use crate::guard::Hold;
use crate::hook::Marker;
use crate::ids::{RuleName, TargetId};
use crate::operation::{Cause, OperationState};
use crate::snapshot::{
    AlwaysSnapshot, AnalysisSnapshot, Doing, HeldBack, IncidentSnapshot, LostSource, PlanSnapshot,
    RequestSnapshot, Snapshot, TargetSnapshot,
};

impl Engine {
    /// What readers see now.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            at: now,
            targets: self
                .live
                .iter()
                .map(|(target, live)| self.target(target, live, now))
                .collect(),
            lost_sources: self
                .ledger
                .lost_sources
                .iter()
                .map(|(source, reason)| LostSource {
                    source: *source,
                    reason: reason.clone(),
                })
                .collect(),
            alerts: self.ledger.reported.firing(now).cloned().collect(),
            silences: self
                .ledger
                .silences
                .values()
                .flatten()
                .filter(|silence| silence.is_active(now))
                .cloned()
                .collect(),
            approvals: (self.ledger.people.approvals.values())
                .filter(|asked| asked.stands(now))
                .cloned()
                .collect(),
            held_notices: self
                .ledger
                .held
                .values()
                .map(|held| HeldBack {
                    target: held.notice.target.clone(),
                    headline: held.notice.headline.clone(),
                    since: held.since,
                    count: held.count,
                    silence: held.silence.in_words(),
                })
                .collect(),
            on_request: self
                .requests
                .watches
                .iter()
                .map(|asked| RequestSnapshot {
                    watch: asked.name().clone(),
                    scope: asked.scope.clone(),
                })
                .collect(),
            room: self
                .requests
                .room(now, self.ledger.taken.len(), self.settings.on_request),
            pending_notices: self
                .ledger
                .pending
                .values()
                .filter(|(notice, left)| ours(notice, left, &self.live, &self.channels))
                .count(),
        }
    }

    fn target(&self, target: &TargetId, live: &Live, now: Timestamp) -> TargetSnapshot {
        let known = self.ledger.targets.get(target);
        TargetSnapshot {
            watch: live.watch.name.clone(),
            target: target.clone(),
            on_request: self.ledger.taken.get(target) == Some(&live.watch.name),
            seen: live.state.is_some(),
            current: known.map(|known| known.current.clone()),
            standing: known.and_then(|known| known.standings.get(&known.current).copied()),
            failed: known.and_then(|known| {
                let judged = &known.judged.as_ref()?.canary;
                known.has_failed(judged).then(|| judged.clone())
            }),
            blind: self.blind(live),
            analysis: known.and_then(|known| {
                let analysis = known.analysis.as_ref()?;
                Some(AnalysisSnapshot {
                    id: analysis.id.clone(),
                    canary: analysis.canary.clone(),
                    baseline: analysis.baseline.clone(),
                    phase: analysis.phase,
                    began: analysis.began,
                    ends: analysis.ends(live.watch_time()),
                    failed: analysis.failed.is_some(),
                    passing: live.opens_gate(),
                    score: live.together.as_ref().map(Together::score),
                    findings: live.findings(),
                    way_back: known.destination(&analysis.canary, live.state.as_ref()),
                })
            }),
            plan: known
                .and_then(|known| known.plan.as_ref())
                .map(|plan| PlanSnapshot {
                    id: plan.plan.id.clone(),
                    step: plan.next,
                    steps: plan.plan.steps.len(),
                }),
            traffic: known
                .and_then(|known| known.stepping.as_ref())
                .map(|stepping| stepping::shown(live, stepping, now)),
            verifying: known.is_some_and(|known| known.verification.is_some()),
            holds: known.map_or_else(Vec::new, |known| {
                known.holds.iter().map(|hold| fresh(live, hold)).collect()
            }),
            rules_without_data: known
                .map(|known| known.rules_without_data.iter().cloned().collect())
                .unwrap_or_default(),
            markers: self.markers(target),
            always: live
                .always
                .rules
                .iter()
                .map(|rule| self.always(target, rule, now))
                .collect(),
        }
    }

    fn markers(&self, target: &TargetId) -> Vec<Marker> {
        let markers = self.ledger.reported.markers.get(target);
        markers.cloned().unwrap_or_default()
    }

    /// Why releases cannot be judged: sources of their rules that are lost.
    fn blind(&self, live: &Live) -> Option<String> {
        let lost = &self.ledger.lost_sources;
        if lost.is_empty() {
            return None;
        }
        let asked = live.watch.release_sources(self.settings.source);
        let reasons: Vec<&str> = lost
            .iter()
            .filter(|(source, _)| asked.contains(source))
            .map(|(_, reason)| reason.as_str())
            .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn always(&self, target: &TargetId, rule: &AlwaysRule, now: Timestamp) -> AlwaysSnapshot {
        let name = &rule.always.rule.name;
        let known = self.ledger.always.get(target);
        let open = known.and_then(|known| known.incidents.get(name));
        AlwaysSnapshot {
            rule: name.clone(),
            finding: rule.finding(),
            without_data: known.is_some_and(|known| known.without_data.contains(name)),
            incident: open.map(|state| IncidentSnapshot {
                id: state.incident.id.clone(),
                began: state.began,
                scale: state.incident.scale.clone(),
                scaling: state
                    .scaling
                    .as_ref()
                    .map(|scaling| scaling.plan.change.clone()),
                settled: state.settled.clone(),
                // What has begun is held no more.
                held: state
                    .holds
                    .latest
                    .clone()
                    .filter(|_| state.scaling.is_none() && state.settled.is_none()),
            }),
            scaled: known
                .and_then(|known| known.scaled.get(name))
                .map(|scaled| scaled.change.clone()),
            doing: self
                .operates(target, name)
                .or_else(|| known.and_then(|known| rule.doing(known, now))),
        }
    }
}

impl Engine {
    /// Whether an operation that the rule asked for is carried out.
    fn operates(&self, target: &TargetId, rule: &RuleName) -> Option<Doing> {
        let of_rule = |state: &OperationState| {
            state.operation.target == *target
                && matches!(&state.operation.cause, Cause::Incident { rule: of, .. } if of == rule)
        };
        let mut operations = self.ledger.operations.values();
        operations
            .any(|state| state.runs() && of_rule(state))
            .then_some(Doing::Acting)
    }
}

/// The hold in the words and numbers of now: the record has those of its beginning.
fn fresh(live: &Live, recorded: &Hold) -> Hold {
    let now = live.candidates.iter().find(|(hold, _)| hold.same(recorded));
    now.map_or(recorded, |(hold, _)| hold).clone()
}
