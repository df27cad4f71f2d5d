//! One look at everything that an operation is about: asked for at once, and only taken together while all of it is new.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::change::{ObjectRef, ObjectState};
use crate::engine::always::Looked;
use crate::engine::{Effect, ObjectAnswer, Turn};
use crate::operation::{Looks, Step};
use crate::rule::{ScaleTarget, Task};
use crate::scaling::ScaleState;
use crate::time::elapsed;

/// An answer is of use for this long; then it is asked for again.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// The cluster is asked again about the same object after this long.
const AGAIN: SignedDuration = SignedDuration::from_secs(3);
/// So many looks in a row that could not be made are a reason to tell.
const FAILURES: u32 = 3;
/// What nobody asks about for so long is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug)]
struct Glance<T> {
    wanted: Option<Timestamp>,
    asked: Option<Timestamp>,
    answer: Option<(Timestamp, Option<T>)>,
    failures: u32,
    /// Why it could not be read the last time.
    reason: String,
}

impl<T> Default for Glance<T> {
    fn default() -> Self {
        Self {
            wanted: None,
            asked: None,
            answer: None,
            failures: 0,
            reason: String::new(),
        }
    }
}

/// What the cluster has said lately.
#[derive(Debug, Default)]
pub(super) struct Glances {
    objects: BTreeMap<ObjectRef, Glance<ObjectState>>,
    scales: BTreeMap<ScaleTarget, Glance<ScaleState>>,
    /// What the present question is about.
    want_objects: Vec<ObjectRef>,
    want_scales: Vec<ScaleTarget>,
}

impl<T> Glance<T> {
    fn hear(&mut self, now: Timestamp, answer: Result<Option<T>, String>) {
        match answer {
            Ok(answer) => {
                self.failures = 0;
                self.answer = Some((now, answer));
            }
            Err(reason) => {
                self.failures = self.failures.saturating_add(1);
                self.reason = reason;
            }
        }
    }

    fn fresh(&self, now: Timestamp) -> Option<&Option<T>> {
        let (at, answer) = self.answer.as_ref()?;
        (*at <= now && elapsed(*at, now) < FRESH).then_some(answer)
    }

    /// Whether it is to be asked now.
    fn ask(&mut self, now: Timestamp) -> bool {
        let anew = |at: Timestamp| now < at || elapsed(at, now) >= FRESH;
        if self.wanted.is_none_or(anew) {
            // What failed when somebody else asked says nothing of now.
            self.failures = 0;
        }
        self.wanted = Some(now);
        let due = |at: Timestamp| now < at || elapsed(at, now) >= AGAIN;
        let due = self.fresh(now).is_none() && self.asked.is_none_or(due);
        if due {
            self.asked = Some(now);
        }
        due
    }

    fn lasting(&self) -> Option<&str> {
        (self.failures >= FAILURES).then_some(self.reason.as_str())
    }

    fn old(&self, now: Timestamp) -> bool {
        self.wanted
            .is_none_or(|at| now < at || elapsed(at, now) >= FORGOTTEN)
    }
}

impl Glances {
    /// Takes answers in; whether there are any that somebody asked for.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        objects: Vec<ObjectAnswer>,
        scales: &Looked,
    ) -> bool {
        let mut heard = false;
        for ObjectAnswer { object, state } in objects {
            if let Some(glance) = self.objects.get_mut(&object) {
                glance.hear(now, state);
                heard = true;
            }
        }
        for (target, state) in scales {
            if let Some(glance) = self.scales.get_mut(target) {
                glance.hear(now, state.clone());
                heard = true;
            }
        }
        heard
    }

    pub(super) fn want_task(&mut self, task: &Task) {
        match task {
            Task::Scale { scale, .. } => self.want_scale(&scale.target),
            Task::SetEnv { object, .. }
            | Task::Annotate { object, .. }
            | Task::Apply { object, .. } => self.want_object(object),
            Task::Shift { route, .. } => self.want_object(&ObjectRef::from(route)),
            // Its target is looked at by whoever wants it called.
            Task::Webhook { .. } => {}
            Task::Switch { object, up, .. } => {
                self.want_object(object);
                if let Some(up) = up {
                    self.want_scale(&up.target);
                    if let Some(present) = &up.present {
                        self.want_scale(present);
                    }
                }
            }
        }
    }

    pub(super) fn want_step(&mut self, step: &Step) {
        match step {
            Step::Change { change } => self.want_object(&change.object),
            Step::Scale { change } => self.want_scale(&change.target),
            Step::Apply { .. }
            | Step::Evidence { .. }
            | Step::Webhook { .. }
            | Step::Ready { .. } => {}
        }
    }

    pub(super) fn want_object(&mut self, object: &ObjectRef) {
        self.want_objects.push(object.clone());
    }

    pub(super) fn want_scale(&mut self, target: &ScaleTarget) {
        self.want_scales.push(target.clone());
    }

    /// Asks for what is wanted and not known, and gives all of it when all of it is known and new. An error is one that
    /// lasts.
    pub(super) fn all(&mut self, turn: &mut Turn<'_>) -> Option<Result<Looks<'_>, String>> {
        let objects = std::mem::take(&mut self.want_objects);
        let scales = std::mem::take(&mut self.want_scales);
        for object in &objects {
            let glance = self.objects.entry(object.clone()).or_default();
            if glance.ask(turn.now) {
                let look = Effect::LookAtObject {
                    object: object.clone(),
                };
                turn.output.effects.push(look);
            }
        }
        for target in &scales {
            let glance = self.scales.entry(target.clone()).or_default();
            if glance.ask(turn.now) {
                let look = Effect::LookAtScale {
                    target: target.clone(),
                };
                if !turn.output.effects.contains(&look) {
                    turn.output.effects.push(look);
                }
            }
        }
        let mut looks = Looks::default();
        let mut missing = false;
        for object in &objects {
            let (object, glance) = self.objects.get_key_value(object)?;
            if let Some(reason) = glance.lasting() {
                return Some(Err(format!("{object} could not be read: {reason}")));
            }
            match glance.fresh(turn.now) {
                Some(state) => {
                    looks.objects.insert(object, state.as_ref());
                }
                None => missing = true,
            }
        }
        for target in &scales {
            let (target, glance) = self.scales.get_key_value(target)?;
            if let Some(reason) = glance.lasting() {
                return Some(Err(format!("{target} could not be read: {reason}")));
            }
            match glance.fresh(turn.now) {
                Some(state) => {
                    looks.scales.insert(target, state.as_ref());
                }
                None => missing = true,
            }
        }
        (!missing).then_some(Ok(looks))
    }

    /// What one workload shows now; asks for it.
    pub(super) fn scale(
        &mut self,
        turn: &mut Turn<'_>,
        target: &ScaleTarget,
    ) -> Option<Result<Option<ScaleState>, String>> {
        let all = self.all(turn)?;
        Some(all.map(|looks| looks.scales.get(target).copied().flatten().cloned()))
    }

    /// What was decided from is not decided from again.
    pub(super) fn use_up(&mut self) {
        for glance in self.objects.values_mut() {
            glance.answer = None;
        }
        for glance in self.scales.values_mut() {
            glance.answer = None;
        }
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        self.objects.retain(|_, glance| !glance.old(now));
        self.scales.retain(|_, glance| !glance.old(now));
    }
}
