//! A person has to agree before a bad release is taken back, where a watch or the settings say so: once, for a time, and
//! for one plan only.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ActionContext, Guard, Hold};
use crate::ids::{AnalysisId, PlanId, RevisionHash, TargetId};

/// What a person is asked to agree to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    pub plan: PlanId,
    pub analysis: AnalysisId,
    pub target: TargetId,
    /// The revision that is to be taken back, and where it would go. Another way back is another question.
    pub from: RevisionHash,
    pub to: RevisionHash,
    pub asked: Timestamp,
    /// From then on nobody can agree any more, and an agreement does not count any more.
    pub expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// Who agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    pub by: String,
    pub at: Timestamp,
    /// In their words; may be empty.
    pub reason: String,
}

impl Approval {
    /// Whether it can be given, or counts.
    pub fn stands(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    /// Whether people wait for somebody to agree.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.given.is_none() && self.stands(now)
    }
}

/// What the guard looks at.
#[derive(Debug, Clone, Copy)]
pub struct Approvals<'a> {
    /// The watch, or the settings, say that somebody has to agree.
    pub required: bool,
    /// What was asked last about this plan.
    pub asked: Option<&'a Approval>,
}

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let Approvals { required, asked } = context.approvals;
    if !required {
        return None;
    }
    let to = context.way_back.map(|to| &to.revision);
    let asked =
        asked.filter(|asked| asked.stands(context.now) && to.is_none_or(|to| *to == asked.to));
    if asked.is_some_and(|asked| asked.given.is_some()) {
        return None;
    }
    let plan = crate::saga::plan_of(&context.analysis.id);
    let reason =
        format!("a person has to agree: `recant approve {plan}`, or the link in the message");
    Some(Hold::action(
        Guard::Approval,
        reason,
        // When the question is over it is asked anew.
        None,
    ))
}
