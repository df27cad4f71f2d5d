//! Notices about operations: what begins, what was done and what not, what holds it, and that it was taken back.

use jiff::SignedDuration;

use super::emit;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::engine::operations::{Wish, channels};
use crate::guard::Hold;
use crate::ids::{AnalysisId, ChannelName, NoticeId, PlanId, TargetId, WatchName};
use crate::notice::{Notice, NoticeKind, Severity};
use crate::operation::{Cause, OperationEnd, OperationState, Step};
use crate::plan::StepResult;
use crate::rule::WhenStuck;
use crate::wording::{capitalised, span};

/// Steps that fit into a message.
const SHOWN: usize = 8;

struct About<'a> {
    id: &'a PlanId,
    watch: &'a WatchName,
    target: &'a TargetId,
    channels: Vec<ChannelName>,
}

struct Words {
    kind: NoticeKind,
    severity: Severity,
    headline: String,
    sentences: Vec<String>,
}

fn tell(turn: &mut Turn<'_>, live: Option<&Live>, about: &About<'_>, words: Words) {
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind: words.kind,
        severity: words.severity,
        watch: Some(about.watch.clone()),
        target: Some(about.target.clone()),
        correlation: Some(AnalysisId(about.id.0.clone())),
        headline: words.headline,
        sentences: words.sentences,
        facts: Vec::new(),
        links: live
            .map(|live| live.watch.links.clone())
            .unwrap_or_default(),
        channels: about.channels.clone(),
    };
    emit(turn, notice);
}

fn of_state(state: &OperationState) -> About<'_> {
    let operation = &state.operation;
    About {
        id: &operation.id,
        watch: &operation.watch,
        target: &operation.target,
        channels: operation.notify.clone(),
    }
}

fn of_wish<'a>(live: &'a Live, wish: &'a Wish) -> About<'a> {
    About {
        id: &wish.id,
        watch: &live.watch.name,
        target: &wish.target,
        channels: channels(live, &wish.cause),
    }
}

/// What is news of an operation: that it began, and how it ended.
pub(in crate::engine) fn operation(
    turn: &mut Turn<'_>,
    live: Option<&Live>,
    state: &OperationState,
) {
    let undo = state.operation.undoes.is_some();
    if !undo && !state.said.contains(&NoticeKind::OperationBegan) {
        tell(turn, live, &of_state(state), began(state));
    }
    let kind = if undo {
        NoticeKind::OperationUndone
    } else {
        NoticeKind::OperationEnded
    };
    if let Some(end) = &state.ended
        && !state.said.contains(&kind)
    {
        let words = ended(state, end, kind);
        tell(turn, live, &of_state(state), words);
    }
}

fn began(state: &OperationState) -> Words {
    let operation = &state.operation;
    let mut sentences = vec![why(&operation.cause)];
    let steps: Vec<String> = operation.steps.iter().map(Step::in_words).collect();
    sentences.push(format!(
        "Recant does, one after the other: {}.",
        some(&steps)
    ));
    sentences.extend(notes(&operation.notes));
    sentences.push(what_comes(state));
    if let Some(then) = &operation.then_down {
        let after = span(SignedDuration::try_from(then.after).unwrap_or(SignedDuration::MAX));
        sentences.push(format!(
            "If it does well for {after}, {} goes to no replicas; what takes it back brings it up again first.",
            then.target
        ));
    }
    Words {
        kind: NoticeKind::OperationBegan,
        severity: Severity::Warning,
        headline: format!("{}: `{}` begins", operation.target, operation.title),
        sentences,
    }
}

fn ended(state: &OperationState, end: &OperationEnd, kind: NoticeKind) -> Words {
    let operation = &state.operation;
    let undo = operation.undoes.is_some();
    let name = format!("{}: `{}`", operation.target, operation.title);
    let (headline, reason) = match end {
        OperationEnd::Done => (format!("{name} is done"), None),
        OperationEnd::Partly { reason } => (format!("{name} is done only in part"), Some(reason)),
        OperationEnd::NotDone { reason } => (format!("{name} was not done"), Some(reason)),
    };
    let mut sentences = Vec::new();
    let mut done = Vec::new();
    let mut unknown = Vec::new();
    let mut not = Vec::new();
    let mut kept = None;
    for (index, step) in operation.steps.iter().enumerate() {
        let words = step.in_words();
        match state.done.get(index).map(|done| &done.result) {
            Some(StepResult::Kept { place, sha256 }) => {
                done.push(format!("{words} (sha256 {sha256})"));
                kept = Some(place.clone());
            }
            Some(StepResult::Called { repeated: true, .. }) => done.push(format!(
                "{words} (after a restart: it may have been called twice, with the same `idempotency-key`)"
            )),
            Some(StepResult::Done | StepResult::AlreadyDone | StepResult::Called { .. }) => {
                done.push(words);
            }
            Some(StepResult::Failed { .. }) if step.has_effect() => unknown.push(words),
            Some(
                StepResult::Failed { .. } | StepResult::Fenced { .. } | StepResult::Refused { .. },
            )
            | None => not.push(words),
        }
    }
    for (word, steps) in [
        ("Done", &done),
        ("Not known whether it was done", &unknown),
        ("Not done", &not),
    ] {
        if !steps.is_empty() {
            sentences.push(format!("{word}: {}.", some(steps)));
        }
    }
    sentences.extend(kept.map(|place| format!("Evidence lies in {place}.")));
    sentences.extend(reason.map(|reason| format!("{}.", capitalised(reason))));
    sentences.extend(notes(&operation.notes));
    let well = reason.is_none();
    if !undo {
        sentences.push(what_comes(state));
    }
    if !well {
        sentences.push("A person has to look.".to_owned());
    }
    Words {
        kind,
        severity: match (well, undo) {
            (true, true) => Severity::Info,
            (true, false) | (false, true) => Severity::Warning,
            (false, false) => Severity::Critical,
        },
        headline,
        sentences,
    }
}

/// There was nothing to do.
pub(in crate::engine) fn operation_settled(
    turn: &mut Turn<'_>,
    live: &Live,
    wish: &Wish,
    why_not: &[String],
) {
    let mut sentences = vec![why(&wish.cause)];
    sentences.extend(notes(why_not));
    sentences.push("Recant changes nothing: a person has to look.".to_owned());
    let words = Words {
        kind: NoticeKind::OperationEnded,
        severity: Severity::Warning,
        headline: format!("{}: `{}` has nothing to do", wish.target, wish.runbook.name),
        sentences,
    };
    tell(turn, Some(live), &of_wish(live, wish), words);
}

/// The latest guard that holds it, if people were not told of it.
pub(in crate::engine) fn operation_held(turn: &mut Turn<'_>, live: &Live, wish: &Wish) {
    let Some(hold) = turn
        .ledger
        .held_operations
        .get(&wish.id)
        .and_then(|holds| holds.untold())
        .cloned()
    else {
        return;
    };
    let steps: Vec<String> = wish.runbook.steps.iter().map(ToString::to_string).collect();
    let words = Words {
        kind: NoticeKind::OperationHeld,
        severity: Severity::Critical,
        headline: format!(
            "{}: `{}` is held ({})",
            wish.target, wish.runbook.name, hold.guard
        ),
        sentences: vec![
            why(&wish.cause),
            reason(&hold),
            format!("Without this Recant would: {}.", some(&steps)),
            "Recant looks again by itself.".to_owned(),
        ],
    };
    tell(turn, Some(live), &of_wish(live, wish), words);
}

/// The same for taking it back.
pub(in crate::engine) fn operation_undo_held(
    turn: &mut Turn<'_>,
    live: Option<&Live>,
    state: &OperationState,
) {
    let Some(hold) = state.holds.untold().cloned() else {
        return;
    };
    let operation = &state.operation;
    let words = Words {
        kind: NoticeKind::OperationHeld,
        severity: Severity::Warning,
        headline: format!(
            "{}: `{}` is not taken back yet ({})",
            operation.target, operation.title, hold.guard
        ),
        sentences: vec![reason(&hold), "Recant looks again by itself.".to_owned()],
    };
    tell(turn, live, &of_state(state), words);
}

/// Nothing of it is as it was set.
pub(in crate::engine) fn operation_left(
    turn: &mut Turn<'_>,
    live: Option<&Live>,
    state: &OperationState,
    why_not: &[String],
) {
    let operation = &state.operation;
    let mut sentences: Vec<String> = notes(why_not).collect();
    sentences.push("Recant does not touch it.".to_owned());
    let words = Words {
        kind: NoticeKind::OperationUndone,
        severity: Severity::Info,
        headline: format!(
            "{}: `{}` is left as it is",
            operation.target, operation.title
        ),
        sentences,
    };
    tell(turn, live, &of_state(state), words);
}

fn why(cause: &Cause) -> String {
    match cause {
        Cause::Incident { rule, .. } => format!("Rule `{rule}` is broken."),
        Cause::Release { analysis } => format!("The release failed (analysis `{analysis}`)."),
        Cause::Person { name } => format!("{name} asked for it."),
    }
}

fn what_comes(state: &OperationState) -> String {
    let operation = &state.operation;
    let partly = matches!(state.ended, Some(OperationEnd::Partly { .. }));
    if state.ended.is_some() && !state.may_be_undone() {
        return "It stays so until somebody changes it.".to_owned();
    }
    match (operation.when_stuck, operation.undo_after) {
        (WhenStuck::Undo, _) if partly => "What was done is taken back now.".to_owned(),
        (_, Some(after)) => {
            let after = span(SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX));
            match operation.cause {
                Cause::Incident { .. } => {
                    format!("It is taken back when the incident has been over for {after}.")
                }
                Cause::Release { .. } | Cause::Person { .. } => {
                    format!("It is taken back after {after}.")
                }
            }
        }
        (_, None) => "It stays so until somebody changes it.".to_owned(),
    }
}

fn reason(hold: &Hold) -> String {
    format!("{}.", capitalised(&hold.reason))
}

fn notes(notes: &[String]) -> impl Iterator<Item = String> {
    notes
        .iter()
        .take(SHOWN)
        .map(|note| format!("{}.", capitalised(note)))
}

fn some(steps: &[String]) -> String {
    let mut text = steps
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("; ");
    if steps.len() > SHOWN {
        text = format!("{text}; and {} more", steps.len() - SHOWN);
    }
    text
}
