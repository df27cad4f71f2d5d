//! Rules between releases that are looked at no longer: their incidents end, and what they scaled is left as it is.

use std::collections::BTreeMap;

use super::{known, undo};
use crate::engine::live::Live;
use crate::engine::{Turn, tell};
use crate::ids::{RuleName, TargetId};
use crate::incident::{IncidentEnd, IncidentState, Scaled, ScalingEnd};
use crate::record::Record;

/// Ends every incident of a target: there is nothing left to look at.
pub(in crate::engine) fn drop_all(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &Live,
    reason: &str,
) {
    end_incidents(turn, target, live, |_| Some(reason.to_owned()));
}

/// The rules of a watch change: ends, and tells by the old ones, what those that do not stay had begun.
pub(in crate::engine) fn end_gone(
    turn: &mut Turn<'_>,
    target: &TargetId,
    old: &Live,
    stays: impl Fn(&RuleName) -> bool,
) {
    let why = |rule: &RuleName| (!stays(rule)).then(|| reason(target, rule));
    end_incidents(turn, target, old, why);
    let Some(known) = known(turn, target) else {
        return;
    };
    let scaled: Vec<(RuleName, Scaled)> = known
        .scaled
        .iter()
        .filter(|(rule, _)| !stays(rule))
        .map(|(rule, scaled)| (rule.clone(), scaled.clone()))
        .collect();
    for (rule, scaled) in scaled {
        let why = reason(target, &rule);
        if let Some(index) = old.always.index_of(&rule) {
            let plan = undo::plan(target, &rule, &scaled, scaled.change.clone(), Vec::new());
            tell::undone(turn, old, index, &plan, Some(&why));
        }
        turn.record(Record::ScalingEnded {
            target: target.clone(),
            rule,
            undo: true,
            end: ScalingEnd::Nothing { reason: why },
        });
    }
}

fn end_incidents(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &Live,
    why: impl Fn(&RuleName) -> Option<String>,
) {
    let Some(known) = known(turn, target) else {
        return;
    };
    let states: Vec<IncidentState> = known.incidents.values().cloned().collect();
    for state in states {
        let Some(reason) = why(&state.incident.rule) else {
            continue;
        };
        let end = IncidentEnd::Dropped { reason };
        let index = live.always.index_of(&state.incident.rule);
        if let Some(index) = index {
            tell::incident_ended(turn, live, index, &state, &end);
        }
        turn.record(Record::IncidentEnded {
            target: target.clone(),
            rule: state.incident.rule,
            incident: state.incident.id,
            end,
        });
    }
}

/// After a restart: ends what no watch asks for any more. Who was to be told of it is not known any more, either.
pub(super) fn forget_unwatched(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
    let mut ended = Vec::new();
    for (target, known) in &turn.ledger.always {
        let live = lives.get(target);
        if live.is_none() && !turn.settings.ends_unwatched {
            continue;
        }
        let watched =
            |rule: &RuleName| live.is_some_and(|live| live.always.index_of(rule).is_some());
        for (rule, state) in &known.incidents {
            if !watched(rule) {
                ended.push(Record::IncidentEnded {
                    target: target.clone(),
                    rule: rule.clone(),
                    incident: state.incident.id.clone(),
                    end: IncidentEnd::Dropped {
                        reason: reason(target, rule),
                    },
                });
            }
        }
        for rule in known.scaled.keys().filter(|rule| !watched(rule)) {
            ended.push(Record::ScalingEnded {
                target: target.clone(),
                rule: rule.clone(),
                undo: true,
                end: ScalingEnd::Nothing {
                    reason: reason(target, rule),
                },
            });
        }
    }
    for record in ended {
        turn.record(record);
    }
}

fn reason(target: &TargetId, rule: &RuleName) -> String {
    format!("no watch of {target} has `{rule}` any more")
}
