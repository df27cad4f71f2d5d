//! Cluster news: which revision is new, which one is back, and which release ends another.

use std::collections::BTreeMap;

use super::{Live, Turn, observe, tell};
use crate::analysis::{Analysis, Ending, Phase};
use crate::ids::{AnalysisId, RevisionHash, TargetId};
use crate::judge::State;
use crate::record::{Record, Standing};
use crate::target::{TargetNews, TargetState};
use crate::verify::Verification;

pub(super) fn take_in(turn: &mut Turn<'_>, lives: &mut BTreeMap<TargetId, Live>, news: TargetNews) {
    match news {
        TargetNews::Gone(target) => {
            let Some(live) = lives.get_mut(&target) else {
                return;
            };
            live.state = None;
            if turn.ledger.targets.contains_key(&target) {
                end(
                    turn,
                    live,
                    &target,
                    Ending::Superseded {
                        reason: format!("{target} was deleted"),
                    },
                );
                turn.record(Record::TargetGone { target });
            }
        }
        TargetNews::State(state) => {
            let target = state.id.clone();
            let Some(live) = lives.get_mut(&target) else {
                return;
            };
            live.state = Some(*state);
            see(turn, live, &target);
        }
    }
}

fn see(turn: &mut Turn<'_>, live: &mut Live, target: &TargetId) {
    let Some(state) = live.state.clone() else {
        return;
    };
    // Until the controller has seen the latest spec there is no telling which revision it is.
    let Some(current) = state.current.clone() else {
        return;
    };
    match turn.ledger.targets.get(target) {
        Some(known) if known.uid != state.uid => {
            let reason = format!("{target} was deleted and created again");
            end(turn, live, target, Ending::Superseded { reason });
            first_sight(turn, live, &state, current);
        }
        None => first_sight(turn, live, &state, current),
        Some(known) if known.current != current => revision_changed(turn, live, &state, current),
        Some(known) => {
            let promoted = state
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.stable.as_ref() == Some(&current));
            let waits = known
                .analysis
                .as_ref()
                .is_some_and(|analysis| analysis.promoted.is_none());
            if promoted && waits {
                turn.record(Record::Promoted {
                    target: target.clone(),
                });
            }
            taken_back(turn, live, &state);
        }
    }
}

/// One revision with pods is the way back and is not judged; of two the newer is judged from now on.
fn first_sight(turn: &mut Turn<'_>, live: &mut Live, state: &TargetState, current: RevisionHash) {
    let target = state.id.clone();
    let older = older_revision(state, &current);
    turn.record(Record::TargetSeen {
        target,
        uid: state.uid.clone(),
        stable: older.clone().unwrap_or_else(|| current.clone()),
    });
    if older.is_some() {
        begin(turn, live, state, current);
    }
}

fn older_revision(state: &TargetState, current: &RevisionHash) -> Option<RevisionHash> {
    if let Some(rollout) = &state.rollout {
        return rollout.stable.clone().filter(|stable| stable != current);
    }
    state
        .revisions
        .iter()
        .filter(|revision| revision.hash != *current)
        .filter(|revision| {
            state
                .pods
                .iter()
                .any(|pod| pod.hash == revision.hash && !pod.terminating)
        })
        .max_by_key(|revision| revision.number)
        .map(|revision| revision.hash.clone())
}

fn revision_changed(
    turn: &mut Turn<'_>,
    live: &mut Live,
    state: &TargetState,
    current: RevisionHash,
) {
    let target = &state.id;
    let Some(known) = turn.ledger.targets.get(target) else {
        return;
    };
    let ours = known
        .plan
        .as_ref()
        .is_some_and(|plan| plan.plan.to.revision == current);
    let standing = known.standings.get(&current).copied();
    let way_back = known.stable == current || known.known_good(&current);
    let analysis = known.analysis.clone();
    let reason = format!("revision {current} came");
    if ours {
        returned(turn, target, current, standing);
        return;
    }
    let suspected: Vec<_> = live
        .findings
        .iter()
        .filter(|finding| matches!(finding.state, State::Failing | State::Suspected))
        .map(|finding| finding.rule.clone())
        .collect();
    end(turn, live, target, Ending::Superseded { reason });
    match standing {
        Some(Standing::Failed { at }) => {
            returned(turn, target, current.clone(), standing);
            tell::failed_revision_back(turn, live, target, &current, at);
        }
        _ if way_back => {
            returned(turn, target, current.clone(), standing);
            // A person took a suspected release back: see whether that helped.
            if let Some(analysis) = analysis
                && !suspected.is_empty()
            {
                observe::restart_evidence(live, Some(&analysis));
                let verification = Verification {
                    target: target.clone(),
                    analysis: analysis.id,
                    plan: None,
                    revision: current,
                    rules: suspected,
                    began: turn.now,
                    evidence: live.evidence.clone(),
                };
                turn.record(Record::VerificationBegan {
                    verification: Box::new(verification),
                });
            }
        }
        Some(Standing::KnownGood { .. } | Standing::Inconclusive { .. }) | None => {
            begin(turn, live, state, current);
        }
    }
}

fn returned(
    turn: &mut Turn<'_>,
    target: &TargetId,
    revision: RevisionHash,
    standing: Option<Standing>,
) {
    turn.record(Record::RevisionReturned {
        target: target.clone(),
        revision,
        standing,
    });
}

/// A person aborted the Rollout that is being analysed.
fn taken_back(turn: &mut Turn<'_>, live: &mut Live, state: &TargetState) {
    let target = &state.id;
    let aborted = state
        .rollout
        .as_ref()
        .is_some_and(|rollout| rollout.aborted);
    let Some(known) = turn.ledger.targets.get(target) else {
        return;
    };
    if aborted && known.plan.is_none() && known.analysis.is_some() {
        let reason = "somebody aborted the Rollout".to_owned();
        end(turn, live, target, Ending::Superseded { reason });
    }
}

fn begin(turn: &mut Turn<'_>, live: &mut Live, state: &TargetState, canary: RevisionHash) {
    let target = &state.id;
    let Some(known) = turn.ledger.targets.get(target) else {
        return;
    };
    let baseline = known.way_back(&canary).map(|way_back| way_back.revision);
    let phase = if baseline.is_some() {
        Phase::Beside
    } else {
        Phase::Alone
    };
    observe::restart_evidence(live, None);
    let analysis = Analysis {
        id: AnalysisId(format!("{}-{canary}-{}", target.name, turn.now.as_second())),
        watch: live.watch.name.clone(),
        target: target.clone(),
        uid: state.uid.clone(),
        canary,
        baseline,
        phase,
        began: turn.now,
        first_traffic: None,
        promoted: None,
        failed: None,
        evidence: live.evidence.clone(),
    };
    live.checkpoint = Some(turn.now);
    turn.record(Record::AnalysisBegan {
        analysis: Box::new(analysis),
    });
}

/// Ends the analysis of a target, if there is one.
pub(super) fn end(turn: &mut Turn<'_>, live: &mut Live, target: &TargetId, ending: Ending) {
    let Some(analysis) = turn
        .ledger
        .targets
        .get(target)
        .and_then(|known| known.analysis.as_ref())
    else {
        return;
    };
    let record = Record::AnalysisEnded {
        target: target.clone(),
        analysis: analysis.id.clone(),
        revision: analysis.canary.clone(),
        ending,
        findings: std::mem::take(&mut live.findings),
    };
    live.candidates.clear();
    turn.record(record);
}
