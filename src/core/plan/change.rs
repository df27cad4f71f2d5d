//! The fence of a change: what must still be true of the object when it is written.

use super::{Admission, fenced};
use crate::change::{Apply, CHANGE_ANNOTATION, Change, ObjectState, Seen, annotation_of};
use crate::ids::PlanId;

impl Change {
    /// Holds step `index` of `plan` against the object as it was read just before the write; `None`: it does not exist.
    ///
    /// What shows that this very step was carried out comes first: a step that is repeated after a crash finds the
    /// object changed by itself.
    pub fn admit(&self, plan: &PlanId, index: usize, fresh: Option<&ObjectState>) -> Admission {
        let object = &self.object;
        let Some(fresh) = fresh else {
            return fenced(format!("{object} does not exist any more"));
        };
        if fresh.uid() != self.uid {
            return fenced(format!("{object} was deleted and created again"));
        }
        if self.shows_on(plan, index, &fresh.object) {
            return Admission::AlreadyDone;
        }
        if let Some(place) = &fresh.kill_switch {
            return fenced(format!(
                "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
            ));
        }
        match self.edit.seen(&fresh.object) {
            Seen::From => Admission::Write,
            Seen::To => fenced(format!(
                "{object} is already as wanted: somebody else did it meanwhile"
            )),
            Seen::Other { now } => fenced(format!(
                "{object} {now}: somebody else changed it meanwhile"
            )),
            Seen::Impossible { reason } => fenced(format!("{object} cannot be changed: {reason}")),
        }
    }
}

impl Apply {
    /// The same for a manifest. `stopped`: the kill switch is on the namespace.
    pub fn admit(
        &self,
        plan: &PlanId,
        index: usize,
        fresh: Option<&ObjectState>,
        stopped: bool,
    ) -> Admission {
        let object = &self.applied;
        let mark = Change::mark(plan, index);
        let marked = |fresh: &ObjectState| {
            annotation_of(&fresh.object, CHANGE_ANNOTATION) == Some(mark.as_str())
        };
        if fresh.is_some_and(marked) {
            return Admission::AlreadyDone;
        }
        let on_namespace = stopped.then(|| format!("namespace {}", object.namespace));
        let place = fresh.and_then(|fresh| fresh.kill_switch.clone());
        if let Some(place) = place.or(on_namespace) {
            return fenced(format!(
                "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
            ));
        }
        match (&self.uid, fresh) {
            (None, None) => Admission::Write,
            (None, Some(_)) => fenced(format!("{object} was made by somebody else meanwhile")),
            (Some(_), None) => fenced(format!("{object} does not exist any more")),
            (Some(uid), Some(fresh)) if fresh.uid() == uid => Admission::Write,
            (Some(_), Some(_)) => fenced(format!("{object} was deleted and created again")),
        }
    }
}
