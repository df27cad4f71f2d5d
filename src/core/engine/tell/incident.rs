//! Notices about rules between releases: that one is broken, what is done about it, and that it is kept again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;

use super::emit;
use crate::engine::Turn;
use crate::engine::always::AlwaysRule;
use crate::engine::live::Live;
use crate::ids::{AnalysisId, IncidentId, NoticeId, RuleName, TargetId};
use crate::incident::{Holds, IncidentEnd, IncidentState, ScalingEnd, ScalingPlan};
use crate::notice::{Fact, Notice, NoticeKind, Severity};
use crate::record::Standing;
use crate::time::elapsed;
use crate::wording::{capitalised, span};

/// What differs between these notices.
struct Words {
    kind: NoticeKind,
    severity: Severity,
    headline: String,
    sentences: Vec<String>,
}

fn rule(live: &Live, index: usize) -> Option<&AlwaysRule> {
    live.always.rules.get(index)
}

fn tell(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    incident: Option<&IncidentId>,
    words: Words,
) {
    let Some(rule) = rule(live, index) else {
        return;
    };
    let mut facts = Vec::new();
    if let Some(state) = &live.state {
        let pods = || state.pods.iter().filter(|pod| !pod.terminating);
        let ready = pods().filter(|pod| pod.ready).count();
        facts.push(Fact {
            // Said whose: the workload that was scaled may be another one.
            label: format!("Ready pods of {}", live.watch.target.name),
            value: format!("{ready} of {}", pods().count()),
        });
    }
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind: words.kind,
        severity: words.severity,
        watch: Some(live.watch.name.clone()),
        target: Some(live.watch.target.clone()),
        correlation: incident.map(|incident| AnalysisId(incident.0.clone())),
        headline: words.headline,
        sentences: words.sentences,
        facts,
        links: live.watch.links.clone(),
        channels: rule.always.notify.clone(),
    };
    emit(turn, notice);
}

/// Whether people were told of this already, be it by the process before.
fn said(turn: &Turn<'_>, target: &TargetId, incident: &IncidentId, kind: NoticeKind) -> bool {
    let Some(known) = turn.ledger.always.get(target) else {
        return false;
    };
    let open = known
        .incidents
        .values()
        .find(|state| state.incident.id == *incident)
        .map(|state| &state.said);
    let found: Option<&BTreeSet<NoticeKind>> = open.or_else(|| {
        let mut scaled = known.scaled.values();
        scaled
            .find(|scaled| scaled.incident == *incident)
            .map(|scaled| &scaled.said)
    });
    found.is_some_and(|said| said.contains(&kind))
}

fn once(turn: &mut Turn<'_>, live: &Live, index: usize, incident: &IncidentId, words: Words) {
    if !said(turn, &live.watch.target, incident, words.kind) {
        tell(turn, live, index, Some(incident), words);
    }
}

pub(in crate::engine) fn incident_began(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    state: &IncidentState,
) {
    let Some(rule) = rule(live, index) else {
        return;
    };
    let target = &state.incident.target;
    let mut sentences = vec![format!("{}.", state.sentence)];
    if !rule.always.rule.lasting.is_zero() {
        let lasting = signed(rule.always.rule.lasting);
        sentences.push(format!("It has lasted for at least {}.", span(lasting)));
    }
    sentences.extend(in_force(turn, target));
    sentences.push(match &state.incident.scale {
        Some(scale) => format!("Recant scales {scale}; a message follows."),
        None => "Recant changes nothing.".to_owned(),
    });
    sentences.push("A message follows when the rule is kept again.".to_owned());
    let words = Words {
        kind: NoticeKind::IncidentBegan,
        severity: Severity::Critical,
        headline: format!("{target}: {} is broken", named(&state.incident.rule)),
        sentences,
    };
    once(turn, live, index, &state.incident.id, words);
}

/// The revision that a trouble falls to. One that passed its watch is not taken back for what came later: that is proposed.
fn in_force(turn: &Turn<'_>, target: &TargetId) -> Option<String> {
    let known = turn.known(target)?;
    if let Some(analysis) = &known.analysis {
        let canary = &analysis.canary;
        return Some(format!("Revision {canary} is being watched just now."));
    }
    let current = &known.current;
    match known.standings.get(current) {
        Some(Standing::KnownGood { at }) => Some(format!(
            "Revision {current} is in force; it passed its watch {} ago, so Recant does not take it back by itself: if it \
             is to blame, do it with `recant rollback`.",
            span(elapsed(*at, turn.now))
        )),
        Some(Standing::Failed { .. } | Standing::Inconclusive { .. }) | None => None,
    }
}

pub(in crate::engine) fn incident_ended(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    state: &IncidentState,
    end: &IncidentEnd,
) {
    let target = &state.incident.target;
    let name = named(&state.incident.rule);
    let lasted = span(elapsed(state.began, turn.now));
    let (headline, first) = match end {
        IncidentEnd::Recovered { sentence } => {
            (format!("{target}: {name} is kept again"), sentence.clone())
        }
        IncidentEnd::Dropped { reason } => (
            format!("{target}: {name} is looked at no longer"),
            capitalised(reason),
        ),
    };
    let mut sentences = vec![
        format!("{first}."),
        format!("The incident lasted {lasted}."),
    ];
    sentences.extend(what_was_done(state));
    let words = Words {
        kind: NoticeKind::IncidentEnded,
        severity: Severity::Info,
        headline,
        sentences,
    };
    once(turn, live, index, &state.incident.id, words);
}

fn what_was_done(state: &IncidentState) -> Option<String> {
    let scale = state.incident.scale.as_ref()?;
    let Some(scaling) = state
        .scaling
        .as_ref()
        .filter(|found| found.written.is_some())
    else {
        return Some(match &state.settled {
            Some(ScalingEnd::Nothing { .. }) => format!("{} had not to be scaled.", scale.target),
            Some(_) | None => format!("{} was not scaled.", scale.target),
        });
    };
    Some(format!(
        "Recant scaled {}. {}",
        scaling.plan.change.in_words(),
        what_comes(&scaling.plan)
    ))
}

fn what_comes(plan: &ScalingPlan) -> String {
    match plan.undo_after {
        Some(after) => format!(
            "It is taken back when the rule has been kept for {}.",
            span(signed(after))
        ),
        None => "It stays so until somebody changes it.".to_owned(),
    }
}

pub(in crate::engine) fn scaled(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    plan: &ScalingPlan,
) {
    let mut sentences = vec![format!("{} is broken.", capitalised(&named(&plan.rule)))];
    sentences.extend(
        plan.notes
            .iter()
            .map(|note| format!("{}.", capitalised(note))),
    );
    sentences.push(what_comes(plan));
    let words = Words {
        kind: NoticeKind::Scaled,
        severity: Severity::Warning,
        headline: format!("Scaled {}", plan.change.in_words()),
        sentences,
    };
    once(turn, live, index, &plan.incident, words);
}

/// There are as many replicas as are wanted.
pub(in crate::engine) fn not_scaled(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    state: &IncidentState,
    why: &str,
) {
    let Some(scale) = &state.incident.scale else {
        return;
    };
    let words = Words {
        kind: NoticeKind::Scaled,
        severity: Severity::Warning,
        headline: format!("{} is not scaled: it is large enough", scale.target),
        sentences: vec![
            format!("{why}."),
            format!(
                "{} is broken all the same: a person has to look.",
                capitalised(&named(&state.incident.rule))
            ),
        ],
    };
    once(turn, live, index, &state.incident.id, words);
}

/// The latest guard that holds a scaling, or its undo, if people were not told of it.
pub(in crate::engine) fn scaling_held(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    incident: &IncidentId,
    holds: &Holds,
) {
    let Some(rule) = rule(live, index) else {
        return;
    };
    let (Some(hold), Some(scale)) = (holds.untold(), &rule.always.scale) else {
        return;
    };
    let open = turn
        .ledger
        .always
        .get(&live.watch.target)
        .is_some_and(|known| known.incidents.contains_key(&rule.always.rule.name));
    let what = if open {
        format!("Without this Recant would scale {scale}.")
    } else {
        format!("Without this Recant would set {} back.", scale.target)
    };
    let words = Words {
        kind: NoticeKind::ScalingHeld,
        severity: if open {
            Severity::Critical
        } else {
            Severity::Warning
        },
        headline: if open {
            format!("The scaling of {} is held ({})", scale.target, hold.guard)
        } else {
            format!("{} is not set back yet ({})", scale.target, hold.guard)
        },
        sentences: vec![
            format!("{}.", capitalised(&hold.reason)),
            what,
            "Recant looks again by itself.".to_owned(),
        ],
    };
    tell(turn, live, index, Some(incident), words);
}

pub(in crate::engine) fn scaling_failed(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    plan: &ScalingPlan,
    reason: &str,
) {
    let what = if plan.undo { "taken back" } else { "completed" };
    let words = Words {
        kind: NoticeKind::ScalingFailed,
        // The incident is over when something is taken back.
        severity: if plan.undo {
            Severity::Warning
        } else {
            Severity::Critical
        },
        headline: format!("The scaling of {} was not {what}", plan.change.target),
        sentences: vec![
            format!("{}.", capitalised(reason)),
            format!("It was to bring {}.", plan.change.in_words()),
            "Recant scales nothing more in this incident: a person has to look.".to_owned(),
        ],
    };
    once(turn, live, index, &plan.incident, words);
}

/// `left`: why it is left as it is.
pub(in crate::engine) fn undone(
    turn: &mut Turn<'_>,
    live: &Live,
    index: usize,
    plan: &ScalingPlan,
    left: Option<&str>,
) {
    let target = &plan.change.target;
    let kept = format!(
        "{} has been kept for long enough.",
        capitalised(&named(&plan.rule))
    );
    let (headline, sentences) = match left {
        None => {
            let notes = plan
                .notes
                .iter()
                .map(|note| format!("{}.", capitalised(note)));
            (
                format!("Set back {}", plan.change.in_words()),
                std::iter::once(kept).chain(notes).collect(),
            )
        }
        Some(why) => (
            format!("{target} is left as it is"),
            vec![
                format!("{}.", capitalised(why)),
                "Recant does not touch it.".to_owned(),
            ],
        ),
    };
    let words = Words {
        kind: NoticeKind::ScalingUndone,
        severity: Severity::Info,
        headline,
        sentences,
    };
    once(turn, live, index, &plan.incident, words);
}

pub(in crate::engine) fn without_data(turn: &mut Turn<'_>, live: &Live, index: usize, why: &str) {
    let Some(rule) = rule(live, index) else {
        return;
    };
    let name = named(&rule.always.rule.name);
    let target = &live.watch.target;
    let words = Words {
        kind: NoticeKind::RuleWithoutData,
        severity: Severity::Warning,
        headline: format!("{target}: {name} has no data"),
        sentences: vec![
            format!("{}.", capitalised(why)),
            "Without data an incident neither begins nor ends. This is not told again until there are data."
                .to_owned(),
        ],
    };
    tell(turn, live, index, None, words);
}

fn named(rule: &RuleName) -> String {
    format!("rule `{rule}`")
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
