//! The look at the way back that comes between the guards and the plan: asked of the cluster once all guards let the
//! action pass, believed for a few seconds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::live::Live;
use super::{Effect, Turn};
use crate::analysis::WayBack;
use crate::guard::{Hold, configuration, migration};
use crate::ids::TargetId;
use crate::preflight::{Preflight, WayBackAnswer, WayBackQuestion};
use crate::time::elapsed;
use crate::wording::short;

/// What was seen is believed for so long.
const FRESH: SignedDuration = SignedDuration::from_secs(10);
/// What does not come within this time does not hold a rollback up: it is a courtesy, and the undo harms nothing.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// Characters of a reason that are told.
const MOST_REASON: usize = 200;

/// The look at one way back.
#[derive(Debug, Clone)]
pub(super) struct Look {
    question: WayBackQuestion,
    asked: Timestamp,
    seen: Option<(Timestamp, Preflight)>,
}

/// What the look says now.
#[derive(Debug, PartialEq)]
pub(super) enum Looked {
    /// It was asked for, and the answer is awaited.
    Awaited,
    Holds(Vec<Hold>),
}

/// Takes in what the cluster said.
pub(super) fn take_in(lives: &mut BTreeMap<TargetId, Live>, now: Timestamp, answer: WayBackAnswer) {
    let Some(live) = lives.get_mut(&answer.question.target) else {
        return;
    };
    let WayBackAnswer { question, seen } = answer;
    let seen = seen.unwrap_or_else(|reason| not_seen(&reason));
    for slot in [&mut live.way_back, &mut live.ordered_way_back] {
        if let Some(look) = slot.as_mut().filter(|look| look.question == question) {
            look.seen = Some((now, seen.clone()));
            live.news = true;
        }
    }
}

/// What holds the way back, as it was seen within the last seconds; asks where it was not. `slot` keeps the look between
/// ticks: a person may want to go elsewhere than the engine.
pub(super) fn look(
    turn: &mut Turn<'_>,
    slot: &mut Option<Look>,
    target: &TargetId,
    way_back: &WayBack,
) -> Looked {
    let now = turn.now;
    let question = WayBackQuestion {
        target: target.clone(),
        revision: way_back.revision.clone(),
        secrets: turn.settings.guards.check_secrets,
    };
    let old = slot.take().filter(|look| look.question == question);
    let recent = |at: Timestamp, limit| at <= now && elapsed(at, now) < limit;
    let known = old.as_ref().and_then(|look| look.seen.clone());
    if let Some((at, seen)) = &known
        && recent(*at, FRESH)
    {
        let holds = holds(way_back, seen);
        *slot = old;
        return Looked::Holds(holds);
    }
    let unanswered = old
        .as_ref()
        .filter(|look| look.seen.as_ref().is_none_or(|(at, _)| *at < look.asked));
    let asked = unanswered.map(|look| look.asked);
    match asked {
        // Long without an answer: what was known before holds on, else nothing does.
        Some(asked) if !recent(asked, PATIENCE) => {
            let seen = known.map_or_else(|| not_seen("no answer"), |(_, seen)| seen);
            let holds = holds(way_back, &seen);
            *slot = Some(Look {
                question,
                asked,
                seen: Some((now, seen)),
            });
            return Looked::Holds(holds);
        }
        Some(_) => *slot = old,
        None => {
            let look = Effect::LookAtWayBack(question.clone());
            if !turn.output.effects.contains(&look) {
                turn.output.effects.push(look);
            }
            *slot = Some(Look {
                question,
                asked: now,
                seen: known.clone(),
            });
        }
    }
    // Until the answer comes, what held goes on to hold.
    let before = known.map(|(_, seen)| holds(way_back, &seen));
    before
        .filter(|holds| !holds.is_empty())
        .map_or(Looked::Awaited, Looked::Holds)
}

/// What is worth telling of the way back that is being taken.
pub(super) fn notes(slot: Option<&Look>) -> Vec<String> {
    let seen = slot.and_then(|look| look.seen.as_ref());
    seen.map(|(_, seen)| seen.notes.clone()).unwrap_or_default()
}

fn holds(way_back: &WayBack, seen: &Preflight) -> Vec<Hold> {
    [configuration::check(way_back, seen), migration::check(seen)]
        .into_iter()
        .flatten()
        .collect()
}

fn not_seen(reason: &str) -> Preflight {
    let reason = short(reason, MOST_REASON);
    Preflight {
        notes: vec![format!(
            "Whether everything that the earlier template names still exists could not be looked at: {reason}."
        )],
        ..Preflight::default()
    }
}
