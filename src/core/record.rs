//! What the journal holds: everything that happened and why, durable before any effect leaves (P3).

use serde::{Deserialize, Serialize};

use crate::notice::{Delivery, Notice};
use crate::plan::{StepCommand, StepOutcome};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "record")]
pub enum Record {
    /// The agent started; the version that wrote what follows.
    Started {
        version: String,
    },
    /// A step is about to be carried out.
    StepBegun(StepCommand),
    StepEnded(StepOutcome),
    /// A notice is about to be sent.
    Noticed(Box<Notice>),
    /// A notice reached a channel, or was given up.
    NoticeEnded(Delivery),
}
