//! From what is asked for, and one look at everything, to steps that leave nothing to choose.

mod traffic;

use std::collections::BTreeMap;
use std::time::Duration;

use super::Step;
use crate::change::{Annotation, Apply, Change, Edit, Environment, ObjectRef, ObjectState, Seen};
use crate::evidence::KeepEvidence;
use crate::guard::Guard;
use crate::ids::PlanId;
use crate::rule::{Runbook, ScaleTarget, Task, Webhook};
use crate::scaling::{self, Decided, Obstacle, ScaleState};
use crate::webhook::{Caller, WebhookCall};

/// How long pods may take that get traffic again.
const READY: Duration = Duration::from_mins(5);

/// What the cluster said of everything that is asked about; inside, `None`: it does not exist.
#[derive(Debug, Default)]
pub struct Looks<'a> {
    pub objects: BTreeMap<&'a ObjectRef, Option<&'a ObjectState>>,
    pub scales: BTreeMap<&'a ScaleTarget, Option<&'a ScaleState>>,
    /// On whose behalf somebody outside is called.
    pub caller: Option<&'a Caller>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Act(Chosen),
    /// All is as wanted, or nothing can be done. Sentences without a full stop.
    Nothing {
        notes: Vec<String>,
    },
    /// Not now.
    Held {
        guard: Guard,
        why: String,
    },
}

/// What will be done, and what not and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    pub steps: Vec<Step>,
    pub notes: Vec<String>,
}

/// What one task comes to.
#[derive(Clone)]
enum One {
    Steps(Vec<Step>, Vec<String>),
    Nothing(String),
    Held(Guard, String),
}

/// Decides all tasks of a runbook. What is not possible now holds all of them: half of a runbook is not begun.
pub fn choose(id: &PlanId, runbook: &Runbook, looks: &Looks<'_>) -> Choice {
    let mut chosen = Chosen::default();
    for task in &runbook.steps {
        match of_task(id, task, looks) {
            One::Steps(steps, notes) => {
                chosen.steps.extend(steps);
                chosen.notes.extend(notes);
            }
            One::Nothing(why) => chosen.notes.push(why),
            One::Held(guard, why) => return Choice::Held { guard, why },
        }
    }
    act(chosen)
}

/// Decides what takes these steps back, the last one first. What is no longer as it was set is left as it is.
pub fn choose_undo<'a>(
    steps: impl DoubleEndedIterator<Item = &'a Step>,
    looks: &Looks<'_>,
) -> Choice {
    let steps: Vec<&Step> = steps.collect();
    let mut chosen = Chosen::default();
    // What was scaled up to get traffic may still have it when that cannot be led back: it stays as large.
    let leads = steps.iter().copied().any(Step::leads_traffic);
    for step in steps.into_iter().rev() {
        if let (Step::Scale { change }, true) = (step, leads)
            && change.to > 0
        {
            chosen.notes.push(format!(
                "{} is left as it is: traffic was led to it",
                change.target
            ));
            continue;
        }
        match undo_of(step, looks) {
            One::Steps(steps, notes) => {
                let ready = steps.iter().filter_map(|step| ready_again(step, leads));
                let ready: Vec<Step> = ready.collect();
                chosen.steps.extend(steps);
                chosen.steps.extend(ready);
                chosen.notes.extend(notes);
            }
            One::Nothing(why) if why.is_empty() => {}
            One::Nothing(why) => chosen.notes.push(why),
            One::Held(guard, why) => return Choice::Held { guard, why },
        }
    }
    act(chosen)
}

/// What comes back from no replicas to get traffic again has to be ready before.
fn ready_again(step: &Step, leads: bool) -> Option<Step> {
    let Step::Scale { change } = step else {
        return None;
    };
    (leads && change.from == 0).then(|| Step::Ready {
        target: change.target.clone(),
        replicas: change.to,
        within: READY,
    })
}

fn act(chosen: Chosen) -> Choice {
    if chosen.steps.is_empty() {
        Choice::Nothing {
            notes: chosen.notes,
        }
    } else {
        Choice::Act(chosen)
    }
}

fn of_task(id: &PlanId, task: &Task, looks: &Looks<'_>) -> One {
    match task {
        Task::Scale {
            scale,
            ready,
            evidence,
        } => {
            let state = looks.scales.get(&scale.target).copied().flatten();
            match scaling::decide(scale, state) {
                Decided::Change { change, notes } => {
                    let wait = ready.map(|within| Step::Ready {
                        target: change.target.clone(),
                        replicas: change.to,
                        within,
                    });
                    let kept = evidence.as_ref().map(|rule| Step::Evidence {
                        evidence: Box::new(KeepEvidence {
                            folder: rule.folder.clone(),
                            ..KeepEvidence::new(
                                change.target.clone(),
                                change.uid.clone(),
                                &id.0,
                                rule.lines,
                            )
                        }),
                        required: rule.required,
                    });
                    let change = Box::new(change);
                    let steps = kept.into_iter().chain([Step::Scale { change }]).chain(wait);
                    One::Steps(steps.collect(), notes)
                }
                Decided::Nothing { why } => One::Nothing(why),
                Decided::Held { obstacle, why } => One::Held(guard(obstacle), why),
            }
        }
        Task::SetEnv {
            object,
            container,
            name,
            value,
        } => edit(object, looks, |state| {
            Environment::decide(&state.object, container.as_deref(), name, value)
        }),
        Task::Apply {
            object,
            manifest,
            from,
        } => {
            let found = looks.objects.get(object).copied().flatten();
            if let Some(place) = found.and_then(|found| found.kill_switch.as_ref()) {
                return One::Held(Guard::KillSwitch, stopped(place));
            }
            let apply = Box::new(Apply {
                applied: object.clone(),
                uid: found.map(|found| found.uid().to_owned()),
                manifest: manifest.clone(),
                from: from.clone(),
            });
            One::Steps(vec![Step::Apply { apply }], Vec::new())
        }
        Task::Annotate { object, key, value } => edit(object, looks, |state| {
            Ok(Annotation::decide(&state.object, key, value.as_deref()))
        }),
        Task::Shift { route, percent } => traffic::shift(route, *percent, looks),
        Task::Switch { object, to, up } => traffic::switch(object, to, up.as_ref(), looks),
        Task::Webhook { webhook } => call(webhook, looks),
    }
}

/// Nothing of the target is changed, and yet production may be: its kill switch counts.
fn call(webhook: &Webhook, looks: &Looks<'_>) -> One {
    let held = |why: String| One::Held(Guard::ObjectChanged, why);
    let Some(Caller { about, says }) = looks.caller else {
        return held(format!("nobody can say what {webhook} is called about"));
    };
    let Some(state) = looks.objects.get(about).copied().flatten() else {
        return held(format!("{about} does not exist"));
    };
    if let Some(place) = &state.kill_switch {
        return One::Held(Guard::KillSwitch, stopped(place));
    }
    let call = Box::new(WebhookCall {
        called: webhook.clone(),
        about: about.clone(),
        uid: state.uid().to_owned(),
        says: says.clone(),
    });
    One::Steps(vec![Step::Webhook { call }], Vec::new())
}

fn edit(
    object: &ObjectRef,
    looks: &Looks<'_>,
    decide: impl FnOnce(&ObjectState) -> Result<Option<Edit>, String>,
) -> One {
    let Some(state) = looks.objects.get(object).copied().flatten() else {
        return One::Held(Guard::ObjectChanged, format!("{object} does not exist"));
    };
    if let Some(place) = &state.kill_switch {
        return One::Held(Guard::KillSwitch, stopped(place));
    }
    match decide(state) {
        Err(reason) => One::Held(
            Guard::ObjectChanged,
            format!("{object} cannot be changed: {reason}"),
        ),
        Ok(None) => One::Nothing(format!("{object} is as wanted already")),
        Ok(Some(edit)) => match edit.seen(&state.object) {
            Seen::Impossible { reason } => One::Held(
                Guard::ObjectChanged,
                format!("{object} cannot be changed: {reason}"),
            ),
            Seen::From | Seen::To | Seen::Other { .. } => {
                let change = Change {
                    object: object.clone(),
                    uid: state.uid().to_owned(),
                    edit,
                };
                let change = Box::new(change);
                One::Steps(vec![Step::Change { change }], Vec::new())
            }
        },
    }
}

fn undo_of(step: &Step, looks: &Looks<'_>) -> One {
    match step {
        Step::Evidence { .. } | Step::Ready { .. } => One::Nothing(String::new()),
        Step::Apply { apply } => One::Nothing(format!(
            "{} is left as it is: what a manifest set is not taken back",
            apply.applied
        )),
        Step::Webhook { call } => One::Nothing(format!(
            "what {} did is not taken back: that is not known here",
            call.called
        )),
        Step::Scale { change } => {
            let state = looks.scales.get(&change.target).copied().flatten();
            match scaling::undo(change, state) {
                Decided::Change { change, notes } => {
                    let change = Box::new(change);
                    One::Steps(vec![Step::Scale { change }], notes)
                }
                Decided::Nothing { why } => One::Nothing(format!("left as it is: {why}")),
                Decided::Held { obstacle, why } => One::Held(guard(obstacle), why),
            }
        }
        Step::Change { change } => {
            let object = &change.object;
            let left = |why: String| One::Nothing(format!("{object} is left as it is: {why}"));
            let Some(state) = looks.objects.get(object).copied().flatten() else {
                return left("it does not exist any more".to_owned());
            };
            if state.uid() != change.uid {
                return left("it was deleted and created again".to_owned());
            }
            if let Some(place) = &state.kill_switch {
                return One::Held(Guard::KillSwitch, stopped(place));
            }
            let back = change.undo();
            match back.edit.seen(&state.object) {
                Seen::From => {
                    let change = Box::new(back);
                    One::Steps(vec![Step::Change { change }], Vec::new())
                }
                Seen::To => left("it is as it was before already".to_owned()),
                Seen::Other { now } => left(format!("it {now}")),
                // A pause may end: the undo waits for it.
                Seen::Impossible { reason } => One::Held(
                    Guard::ObjectChanged,
                    format!("{object} cannot be changed: {reason}"),
                ),
            }
        }
    }
}

fn stopped(place: &str) -> String {
    format!("the kill switch is on as annotation `recant.dev/kill-switch` on {place}")
}

pub(crate) fn guard(obstacle: Obstacle) -> Guard {
    match obstacle {
        Obstacle::KillSwitch => Guard::KillSwitch,
        Obstacle::Object => Guard::ObjectChanged,
        Obstacle::Autoscaler => Guard::Autoscaler,
    }
}
