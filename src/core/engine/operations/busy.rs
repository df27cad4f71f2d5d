//! At most one operation works on an object at a time, and none on what a release or a rollback is about.

use crate::change::{ObjectRef, pod_template};
use crate::engine::Turn;
use crate::operation::Step;
use crate::rule::{ScaleTarget, Task};

/// Operations that are carried out now.
pub(super) fn under_way(turn: &Turn<'_>) -> usize {
    let operations = turn.ledger.operations.values();
    operations.filter(|state| state.runs()).count()
}

/// Why a task has to wait; `None`: nothing else works on its object.
pub(super) fn with_task(turn: &Turn<'_>, task: &Task) -> Option<String> {
    // What is outside is nobody's here.
    let object = task.object()?;
    match task {
        Task::Scale { scale, .. } => {
            with_object(turn, &object).or_else(|| scaled(turn, &scale.target))
        }
        Task::SetEnv { .. } => with_object(turn, &object).or_else(|| released(turn, &object)),
        Task::Apply { .. } if pod_template(&object.kind).is_some() => {
            with_object(turn, &object).or_else(|| released(turn, &object))
        }
        Task::Annotate { .. } | Task::Apply { .. } => with_object(turn, &object),
        Task::Webhook { .. } => None,
        Task::Shift { .. } => with_object(turn, &object).or_else(|| stepped(turn, &object)),
        Task::Switch { up, .. } => with_object(turn, &object).or_else(|| {
            let up = up.as_ref()?;
            with_object(turn, &up.target.object()).or_else(|| scaled(turn, &up.target))
        }),
    }
}

/// The same for a step of an undo.
pub(super) fn with_step(turn: &Turn<'_>, step: &Step) -> Option<String> {
    let object = step.object()?;
    let other = with_object(turn, &object);
    match step {
        Step::Scale { change } => other.or_else(|| scaled(turn, &change.target)),
        Step::Change { change } if change.edit.is_of_template() => {
            other.or_else(|| released(turn, &object))
        }
        Step::Change { .. }
        | Step::Apply { .. }
        | Step::Evidence { .. }
        | Step::Webhook { .. }
        | Step::Ready { .. } => other,
    }
}

fn with_object(turn: &Turn<'_>, object: &ObjectRef) -> Option<String> {
    let mut operations = turn.ledger.operations.values();
    let other = operations.find(|state| state.runs() && state.operation.writes_to(object));
    if let Some(other) = other {
        let title = &other.operation.title;
        return Some(format!("operation `{title}` is changing {object} just now"));
    }
    rolled_back(turn, object).then(|| format!("{object} is being rolled back just now"))
}

fn scaled(turn: &Turn<'_>, target: &ScaleTarget) -> Option<String> {
    let mut always = turn.ledger.always.values();
    always
        .any(|always| always.scales(target))
        .then(|| format!("{target} is being scaled because of another incident just now"))
}

/// A release sets the weights itself.
fn stepped(turn: &Turn<'_>, object: &ObjectRef) -> Option<String> {
    let mut targets = turn.ledger.targets.values();
    let steps = |known: &crate::ledger::TargetLedger| {
        let stepping = known.stepping.as_ref();
        let stepping = stepping.filter(|stepping| stepping.end.is_none());
        stepping.is_some_and(|stepping| ObjectRef::from(&stepping.stepped.route) == *object)
    };
    targets
        .any(steps)
        .then(|| format!("the traffic of a release is stepped on {object} just now"))
}

/// A new template during an analysis would end it without a verdict.
fn released(turn: &Turn<'_>, object: &ObjectRef) -> Option<String> {
    let known = of(turn, object)?;
    known.analysis.is_some().then(|| {
        format!("a release of {object} is being watched, and a change of its template would end that without a verdict")
    })
}

fn rolled_back(turn: &Turn<'_>, object: &ObjectRef) -> bool {
    of(turn, object).is_some_and(|known| known.plan.is_some())
}

fn of<'a>(turn: &'a Turn<'_>, object: &ObjectRef) -> Option<&'a crate::ledger::TargetLedger> {
    let mut targets = turn.ledger.targets.iter();
    targets
        .find(|(target, _)| object.is(target))
        .map(|(_, known)| known)
}
