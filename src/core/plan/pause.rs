//! Pausing a Deployment in the middle of a release, and letting it go on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Admission, Fence, fenced};
use crate::ids::PlanId;
use crate::target::TargetState;

/// One step of a pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseStep {
    pub fence: Fence,
    pub write: PauseWrite,
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "write")]
pub enum PauseWrite {
    /// `spec.paused`, with our mark and by when it has to go on.
    Pause { until: Timestamp },
    /// Takes both away; the mark of the plan stays.
    Resume,
}

impl PauseStep {
    /// Holds the step of `plan` against the object as it was read just before the write.
    ///
    /// As with a rollback, what shows that it was carried out comes first: a pause that is repeated after a crash must
    /// not pause again what a person has resumed.
    pub fn admit(&self, plan: &PlanId, fresh: &TargetState) -> Admission {
        let Fence {
            target,
            uid,
            judged,
            number: _,
        } = &self.fence;
        if fresh.id != *target {
            return fenced(format!("{} was read in place of {target}", fresh.id));
        }
        if fresh.uid != *uid {
            return fenced(format!("{target} was deleted and created again"));
        }
        let own = fresh.pause.as_ref().filter(|pause| pause.plan == *plan);
        let kill_switch = || {
            let place = fresh.kill_switch.as_ref()?;
            Some(fenced(format!(
                "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
            )))
        };
        match &self.write {
            PauseWrite::Resume => {
                if !own.is_some_and(|own| own.holds) {
                    return Admission::AlreadyDone;
                }
                kill_switch().unwrap_or(Admission::Write)
            }
            PauseWrite::Pause { .. } => {
                if own.is_some() {
                    return Admission::AlreadyDone;
                }
                if let Some(held) = kill_switch() {
                    return held;
                }
                if fresh.paused {
                    return fenced(format!("{target} was paused by somebody else"));
                }
                match &fresh.current {
                    None => Admission::NotYet {
                        reason: format!(
                            "the controller has not seen the latest spec of {target} yet"
                        ),
                    },
                    Some(current) if current != judged => fenced(format!(
                        "{target} is at revision {current}, no longer at {judged}"
                    )),
                    Some(_) if fresh.complete => fenced(format!(
                        "revision {judged} of {target} had all its pods already"
                    )),
                    Some(_) => Admission::Write,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
