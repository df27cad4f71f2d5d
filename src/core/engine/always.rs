//! Rules between releases: looked at on every tick over the whole target. A broken one opens an incident, once, and its
//! recovery ends it.
//!
//! What follows from a record is looked up in the ledger and not remembered: a journal that was cut off behind any
//! record goes on from there.

mod act;
mod gone;
mod live;
mod past;
mod scale;
mod undo;

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::live::Live;
use super::{Turn, tell};
use crate::ids::{IncidentId, RuleName, TargetId};
use crate::incident::{Incident, IncidentEnd, IncidentState, ScalingEnd};
use crate::judge::State;
use crate::ledger::AlwaysLedger;
use crate::record::Record;
use crate::rule::ScaleTarget;
use crate::scaling::ScaleState;
use crate::time::elapsed;

pub(super) use gone::{drop_all, end_gone};
pub(super) use live::{AlwaysLive, AlwaysRule, take_in};
pub(super) use past::{looks_back, restore_back, tend_past};
pub(super) use scale::step_ended;

/// Evidence is recorded at least this often while something is going on.
const CHECKPOINT: SignedDuration = SignedDuration::from_secs(60);
/// A rule that has no data for this long is told.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// What the cluster said of workloads that are to be scaled, in this tick.
pub(super) type Looked = BTreeMap<ScaleTarget, Result<Option<ScaleState>, String>>;

/// Looks at every rule between releases of one target.
pub(super) fn tend(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, looked: &Looked) {
    if live.always.rules.is_empty() {
        return;
    }
    begin_anew_after_release(turn, target, live);
    if live.hears_alerts {
        let Live {
            always,
            pods,
            state,
            ..
        } = &mut *live;
        let of_target = (target, &*pods, state.as_ref());
        always.hear(&turn.ledger.reported, of_target, turn.now);
    }
    live.always.judge(turn.now);
    for index in 0..live.always.rules.len() {
        data(turn, target, live, index);
        open(turn, target, live, index);
        act::respond(turn, target, live, index, looked);
        close(turn, target, live, index);
        undo::undo(turn, target, live, index, looked);
    }
    checkpoint(turn, target, live);
}

fn known<'a>(turn: &'a Turn<'_>, target: &TargetId) -> Option<&'a AlwaysLedger> {
    turn.ledger.always.get(target)
}

fn incident<'a>(
    turn: &'a Turn<'_>,
    target: &TargetId,
    rule: &RuleName,
) -> Option<&'a IncidentState> {
    known(turn, target)?.incidents.get(rule)
}

/// A release that has failed, is being rolled back or verified explains what else is broken just now.
fn explained_by_release(turn: &Turn<'_>, target: &TargetId) -> bool {
    turn.known(target).is_some_and(|known| {
        known.plan.is_some()
            || known.verification.is_some()
            || known
                .analysis
                .as_ref()
                .is_some_and(|analysis| analysis.failed.is_some())
    })
}

/// What was counted while a bad release served is no evidence once it has been taken back.
fn begin_anew_after_release(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let explained = explained_by_release(turn, target);
    if std::mem::replace(&mut live.always.explained, explained) && !explained {
        let known = known(turn, target);
        let open = |rule: &RuleName| known.is_some_and(|known| known.incidents.contains_key(rule));
        live.always.begin_anew(open);
        turn.record(live.always.checkpoint(target, turn.now));
    }
}

fn open(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, index: usize) {
    begin(turn, target, live, index);
    let Some(rule) = live.always.rules.get(index) else {
        return;
    };
    if let Some(state) = incident(turn, target, &rule.always.rule.name).cloned() {
        tell::incident_began(turn, live, index, &state);
    }
}

/// Begins the incident of a rule that is broken, if there is none and no release explains it.
fn begin(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, index: usize) {
    let Some(rule) = live.always.rules.get(index) else {
        return;
    };
    let name = &rule.always.rule.name;
    if incident(turn, target, name).is_some() || explained_by_release(turn, target) {
        return;
    }
    let Some(finding) = rule.finding().filter(|found| found.state == State::Failing) else {
        return;
    };
    let found = Incident {
        id: IncidentId(format!(
            "{}-{}-{}-{}",
            target.name,
            name.as_str().replace('/', "-"),
            turn.now.as_second(),
            turn.ledger.incidents + 1
        )),
        watch: live.watch.name.clone(),
        target: target.clone(),
        rule: name.clone(),
        scale: rule.always.scale.clone(),
        run: rule.always.run.as_deref().cloned(),
    };
    turn.record(live.always.checkpoint(target, turn.now));
    turn.record(Record::IncidentBegan {
        incident: Box::new(found),
        finding,
    });
}

/// Ends the incident of a rule that has been kept for long enough.
fn close(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, index: usize) {
    let Some(rule) = live.always.rules.get(index) else {
        return;
    };
    let Some(state) = incident(turn, target, &rule.always.rule.name).cloned() else {
        return;
    };
    let recovery = SignedDuration::try_from(rule.always.recovers_after());
    let recovery = recovery.unwrap_or(SignedDuration::MAX);
    // A write that is under way is waited for: what comes of it belongs to the incident.
    if state.writes() || !rule.kept_for(recovery, turn.now) {
        return;
    }
    let Some(finding) = rule.finding() else {
        return;
    };
    if state.scaling.is_some() && state.settled.is_none() {
        turn.record(Record::ScalingEnded {
            target: target.clone(),
            rule: state.incident.rule.clone(),
            undo: false,
            end: ScalingEnd::Done,
        });
    }
    let end = IncidentEnd::Recovered {
        sentence: finding.sentence,
    };
    tell::incident_ended(turn, live, index, &state, &end);
    turn.record(Record::IncidentEnded {
        target: target.clone(),
        rule: state.incident.rule,
        incident: state.incident.id,
        end,
    });
}

/// Takes up the evidence of the last checkpoint, and ends what no watch asks for any more.
pub(super) fn resume(turn: &mut Turn<'_>, lives: &mut BTreeMap<TargetId, Live>) {
    gone::forget_unwatched(turn, lives);
    // Those that were looked back at have been taken up with that.
    for (target, live) in lives.iter_mut().filter(|(_, live)| !live.restored) {
        if let Some(checkpoint) = known(turn, target).and_then(|known| known.checkpoint.as_ref()) {
            live.always.restore(checkpoint, turn.now);
        }
    }
}

/// No data neither opens nor ends an incident; people are told once.
fn data(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, index: usize) {
    let now = turn.now;
    let Some(rule) = live.always.rules.get_mut(index) else {
        return;
    };
    // That no alert was reported is what is hoped for.
    if rule.always.rule.only_accuses() {
        return;
    }
    let name = rule.always.rule.name.clone();
    let first = rule.heard(now);
    let lost = known(turn, target).is_some_and(|known| known.without_data.contains(&name));
    if !rule.is_silent() {
        if lost {
            turn.record(Record::DataBack {
                target: target.clone(),
                rule: name,
            });
        }
        return;
    }
    let since = rule.last_data.unwrap_or(first);
    if lost || elapsed(since, now) < SILENCE || live.state.is_none() {
        return;
    }
    let reason = live.always.why_no_data(index);
    let source = live.source_of(&live.always.rules[index].question, &turn.settings);
    // A lost source is told once for all its targets.
    if !turn.ledger.lost_sources.contains_key(&source) {
        tell::without_data(turn, live, index, &reason);
    }
    turn.record(Record::DataLost {
        target: target.clone(),
        rule: name,
        reason,
    });
}

/// Records the evidence once a minute while something is going on: what is quiet needs no past.
fn checkpoint(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let busy = live.always.is_busy()
        || known(turn, target)
            .is_some_and(|known| !known.incidents.is_empty() || !known.scaled.is_empty());
    let due = live
        .always
        .recorded
        .is_none_or(|last| turn.now < last || elapsed(last, turn.now) >= CHECKPOINT);
    // Once more when it has become quiet: old evidence must not be taken for new after a restart.
    if due && (busy || live.always.was_busy) {
        live.always.was_busy = busy;
        turn.record(live.always.checkpoint(target, turn.now));
    }
}
