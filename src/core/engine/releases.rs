//! Cluster news: which revision is new, which one is back, and which release ends another.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::live::{Live, LiveRule};
use super::operations::is_ours;
use super::verify::Told;
use super::{Turn, always, drifting, progress, tell, verify};
use crate::analysis::{Analysis, Ending, LONGEST};
use crate::ids::{AnalysisId, RevisionHash, TargetId};
use crate::judge::{Before, Phase, State};
use crate::ledger::TargetLedger;
use crate::record::{Record, Standing};
use crate::target::{TargetNews, TargetState};
use crate::time::{elapsed, later};

/// Creation times of the API server are whole seconds.
const PRECISION: SignedDuration = SignedDuration::from_secs(1);

pub(super) fn take_in(turn: &mut Turn<'_>, lives: &mut BTreeMap<TargetId, Live>, news: TargetNews) {
    match news {
        TargetNews::Gone(target) => {
            let Some(live) = lives.get_mut(&target) else {
                return;
            };
            live.state = None;
            always::drop_all(turn, &target, live, &format!("{target} was deleted"));
            live.news = true;
            if turn.known(&target).is_some() {
                replaced(turn, live, &target, &format!("{target} was deleted"));
                turn.record(Record::TargetGone { target });
            }
        }
        TargetNews::State(state) => {
            let target = state.id.clone();
            let Some(live) = lives.get_mut(&target) else {
                return;
            };
            live.see(*state);
            see(turn, live, &target);
        }
    }
}

fn see(turn: &mut Turn<'_>, live: &mut Live, target: &TargetId) {
    let Some(state) = live.state.clone() else {
        return;
    };
    // Until the controller has seen the latest spec there is no telling which revision it is.
    let Some(current) = current_of(&state) else {
        return;
    };
    match turn.known(target) {
        Some(known) if known.uid != state.uid => {
            let reason = format!("{target} was deleted and created again");
            replaced(turn, live, target, &reason);
            first_sight(turn, live, &state, &current);
        }
        None => first_sight(turn, live, &state, &current),
        Some(known) if known.current != current => revision_changed(turn, live, &state, current),
        Some(_) => {}
    }
    promoted(turn, target, &state);
    ran(turn, target, &state);
}

/// What had no ready pod at first sight has one now.
fn ran(turn: &mut Turn<'_>, target: &TargetId, state: &TargetState) {
    let never_ran = turn.known(target).and_then(|known| known.never_ran.clone());
    if let Some(revision) = never_ran.filter(|revision| has_ready_pod(state, revision)) {
        turn.record(Record::Ran {
            target: target.clone(),
            revision,
        });
    }
}

fn has_ready_pod(state: &TargetState, revision: &RevisionHash) -> bool {
    let mut pods = state.pods.iter();
    pods.any(|pod| pod.hash == *revision && pod.ready && !pod.terminating)
}

/// The revision that is new since the last look, at the time when it came.
pub(super) fn see_back(turn: &mut Turn<'_>, live: &mut Live, target: &TargetId) {
    let Some(state) = live.state.clone() else {
        return;
    };
    let Some(current) = current_of(&state) else {
        return;
    };
    match turn.known(target) {
        None => first_sight(turn, live, &state, &current),
        Some(known) if known.uid == state.uid && known.current != current => {
            revision_changed(turn, live, &state, current);
        }
        Some(_) => {}
    }
}

/// When the revision came that the target is at now, if that was after `since` and an analysis of it is to begin.
pub(super) fn came(
    known: Option<&TargetLedger>,
    state: &TargetState,
    since: Timestamp,
) -> Option<Timestamp> {
    let current = current_of(state)?;
    let mut revisions = state.revisions.iter();
    let created = revisions.find(|revision| revision.hash == current)?.created;
    match known {
        None => older_revision(state, &current).map(|_| created.max(since)),
        Some(known) if known.uid != state.uid || known.current == current => None,
        Some(known) => {
            let returned = known.standings.contains_key(&current) || known.stable == current;
            // Creation times are whole seconds.
            (!returned && created >= later(since, -PRECISION)).then(|| created.max(since))
        }
    }
}

/// The revision that the target is at: that of its spec, but an aborted Rollout goes back to its stable one.
pub(super) fn current_of(state: &TargetState) -> Option<RevisionHash> {
    let current = state.current.clone()?;
    let aborted = state.rollout.as_ref().filter(|rollout| rollout.aborted);
    Some(
        aborted
            .and_then(|rollout| rollout.stable.clone())
            .unwrap_or(current),
    )
}

/// The Rollout has made the canary its stable revision.
fn promoted(turn: &mut Turn<'_>, target: &TargetId, state: &TargetState) {
    let analysis = turn.known(target).and_then(|known| known.analysis.as_ref());
    let Some(analysis) = analysis.filter(|analysis| analysis.promoted.is_none()) else {
        return;
    };
    let stable = state
        .rollout
        .as_ref()
        .and_then(|rollout| rollout.stable.as_ref());
    if stable == Some(&analysis.canary) {
        turn.record(Record::Promoted {
            target: target.clone(),
        });
    }
}

/// The object is not the one that everything under way is about.
fn replaced(turn: &mut Turn<'_>, live: &mut Live, target: &TargetId, reason: &str) {
    let reason = || reason.to_owned();
    progress::fence(turn, target, live, reason());
    verify::end(turn, target, live, reason(), Told::Here);
    end(turn, live, target, Ending::Superseded { reason: reason() });
}

/// One revision with pods is the way back and is not judged; of two the newer is judged from now on.
fn first_sight(turn: &mut Turn<'_>, live: &mut Live, state: &TargetState, current: &RevisionHash) {
    let older = older_revision(state, current);
    let stable = older.clone().unwrap_or_else(|| current.clone());
    turn.record(Record::TargetSeen {
        target: state.id.clone(),
        uid: state.uid.clone(),
        unready: !turn.past && !has_ready_pod(state, &stable),
        stable,
    });
    if older.is_some() {
        begin(turn, live, state, current.clone(), older);
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
    let Some(known) = turn.known(target) else {
        return;
    };
    let standing = known.standings.get(&current).copied();
    if let Some(plan) = &known.plan {
        if plan.plan.to.revision == current {
            returned(turn, target, current, standing);
            return;
        }
        let reason = if plan.plan.fence.judged == current {
            format!(
                "revision {current} was put back meanwhile, by {}; it is not taken back again",
                drifting::who(state)
            )
        } else {
            format!("revision {current} was shipped meanwhile")
        };
        let put_back = plan.plan.fence.judged == current;
        progress::fence(turn, target, live, reason);
        if put_back {
            drifting::reverted(turn, state);
            returned(turn, target, current, standing);
            return;
        }
    }
    drifting::revision_changed(turn, state, &current);
    let Some(known) = turn.known(target) else {
        return;
    };
    if standing.is_none() && is_ours(turn, state, &current) {
        returned(turn, target, current, None);
        return;
    }
    let way_back = known.stable == current || known.known_good(&current);
    let analysis = known.analysis.clone();
    let baseline = baseline_for(known, state, &current, turn.past);
    let suspected: Vec<_> = live
        .rules
        .iter()
        .filter(|rule| suspicious(rule))
        .map(|rule| rule.rule.name.clone())
        .collect();
    let ending = Ending::Superseded {
        reason: why_superseded(state, &current),
    };
    match standing {
        Some(Standing::Failed { at }) => {
            let reason = format!("revision {current}, which failed, came back");
            verify::end(turn, target, live, reason, Told::Elsewhere);
            end(turn, live, target, ending);
            tell::failed_revision_back(turn, live, &current, at);
            returned(turn, target, current, standing);
        }
        _ if way_back => {
            let reason = format!("revision {current} came");
            verify::end(turn, target, live, reason, Told::Here);
            end(turn, live, target, ending);
            returned(turn, target, current.clone(), standing);
            // A person took a suspected release back: see whether that helped.
            if let Some(analysis) = analysis
                && !suspected.is_empty()
            {
                verify::begin_after_somebody(turn, live, analysis, current, suspected);
            }
        }
        Some(Standing::KnownGood { .. } | Standing::Inconclusive { .. }) | None => {
            let reason = format!("revision {current} was shipped meanwhile");
            verify::end(turn, target, live, reason, Told::Here);
            end(turn, live, target, ending);
            begin(turn, live, state, current, baseline);
        }
    }
}

fn suspicious(rule: &LiveRule) -> bool {
    let state = rule.state();
    !rule.rule.dry_run && matches!(state, Some(State::Failing | State::Suspected))
}

fn why_superseded(state: &TargetState, current: &RevisionHash) -> String {
    if state
        .rollout
        .as_ref()
        .is_some_and(|rollout| rollout.aborted)
    {
        "somebody aborted the Rollout".to_owned()
    } else {
        format!("revision {current} came")
    }
}

/// What runs beside the canary: the stable revision of a Rollout; the revision that a Deployment was at, if it still
/// serves and was not itself under test or bad. Else the way back.
fn baseline_for(
    known: &TargetLedger,
    state: &TargetState,
    canary: &RevisionHash,
    past: bool,
) -> Option<RevisionHash> {
    let fit = |revision: &RevisionHash| revision != canary && !known.has_failed(revision);
    let serves = |revision: &RevisionHash| has_ready_pod(state, revision);
    let ran = match &state.rollout {
        Some(rollout) => rollout.stable.clone(),
        None if known.analysis.is_some() => None,
        None => Some(known.current.clone()).filter(|current| past || serves(current)),
    };
    ran.filter(fit)
        .or_else(|| known.way_back(canary).map(|way_back| way_back.revision))
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

fn begin(
    turn: &mut Turn<'_>,
    live: &mut Live,
    state: &TargetState,
    canary: RevisionHash,
    baseline: Option<RevisionHash>,
) {
    let target = &state.id;
    let now = turn.now;
    // All its rules hold between releases: no release is judged.
    if live.rules.is_empty() {
        returned(turn, target, canary, None);
        return;
    }
    let phase = if baseline.is_some() {
        Phase::Beside
    } else {
        Phase::Alone
    };
    // After a restart there is no history yet; but there may be what the release before was compared with.
    let recent = live
        .checkpoint
        .is_some_and(|last| elapsed(last, now) <= LONGEST);
    live.restart(
        |rule| match rule.evidence.before() {
            Before::Counts(recorded) => Before::Counts(
                rule.history
                    .sum(now)
                    .or_else(|| recorded.filter(|_| recent)),
            ),
            Before::Level { beyond, .. } => Before::Level {
                beyond: rule.beyond(now).unwrap_or(beyond && recent),
                incomparable: false,
            },
        },
        Some((phase, now, turn.settings.interval)),
    );
    let analysis = Analysis {
        id: AnalysisId(format!(
            "{}-{canary}-{}-{}",
            target.name,
            now.as_second(),
            turn.ledger.analyses + 1
        )),
        watch: live.watch.name.clone(),
        target: target.clone(),
        uid: state.uid.clone(),
        canary,
        baseline,
        phase,
        began: now,
        first_traffic: None,
        promoted: None,
        failed: None,
        stepped: live.watch.stepped.is_some(),
        in_full: None,
    };
    // First what it is compared with, which only this process knows.
    turn.record(live.checkpoint(now));
    turn.record(Record::AnalysisBegan {
        analysis: Box::new(analysis),
    });
    turn.record(live.checkpoint(now));
}

/// Ends the analysis of a target, if there is one.
pub(super) fn end(turn: &mut Turn<'_>, live: &mut Live, target: &TargetId, ending: Ending) {
    let Some(analysis) = turn.known(target).and_then(|known| known.analysis.as_ref()) else {
        return;
    };
    let record = Record::AnalysisEnded {
        target: target.clone(),
        analysis: analysis.id.clone(),
        revision: analysis.canary.clone(),
        ending,
        findings: live.findings(),
    };
    live.candidates.clear();
    turn.record(record);
}
