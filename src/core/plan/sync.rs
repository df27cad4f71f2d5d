//! Switching the self-heal of a `GitOps` tool off around a rollback, and on again.

use serde::{Deserialize, Serialize};

use super::{Admission, Fence, fenced};
use crate::target::{OwnerObject, TargetState};

/// One step of a suspension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStep {
    /// Of the target whose rollback it is for.
    pub fence: Fence,
    pub owner: OwnerObject,
    pub switch: SyncSwitch,
}

/// What is written to the object of the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncSwitch {
    Suspend,
    Resume,
}

impl SyncStep {
    /// Holds the step against the target as it was read just before the write: nothing is suspended for a rollback that
    /// will not be. What was suspended is resumed in any case.
    pub fn admit(&self, fresh: Option<&TargetState>) -> Admission {
        let Fence {
            target,
            uid,
            judged,
            number: _,
        } = &self.fence;
        if self.switch == SyncSwitch::Resume {
            return Admission::Write;
        }
        let Some(fresh) = fresh else {
            return fenced(format!("{target} does not exist any more"));
        };
        if fresh.uid != *uid {
            return fenced(format!("{target} was deleted and created again"));
        }
        if let Some(place) = &fresh.kill_switch {
            return fenced(format!(
                "the kill switch is on: annotation `recant.dev/kill-switch` of {place}"
            ));
        }
        match &fresh.current {
            None => Admission::NotYet {
                reason: format!("the controller has not seen the latest spec of {target} yet"),
            },
            Some(current) if current != judged => fenced(format!(
                "{target} is at revision {current}, no longer at {judged}, which was judged"
            )),
            Some(_) => Admission::Write,
        }
    }
}
