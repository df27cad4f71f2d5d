//! Rules that hold between releases, and what is done when they are broken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Rule, Runbook};
use crate::change::ObjectRef;
use crate::ids::ChannelName;

/// A rule that is looked at all the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Always {
    pub rule: Arc<Rule>,
    /// Events of this long are looked at together; for rules about counts only.
    pub window: Duration,
    /// What it broke has recovered when the rule has been kept for this long; see [`Always::recovers_after`].
    pub recovery: Duration,
    pub scale: Option<Scale>,
    /// What else is done, once per incident; `None` where `scale` is all.
    pub run: Option<Arc<Runbook>>,
    /// Told when it is broken, when something is done, and when it has recovered.
    pub notify: Vec<ChannelName>,
}

impl Always {
    /// The recovery of a watch that does not say.
    pub const RECOVERY: Duration = Duration::from_mins(1);

    /// How long the rule has to be kept until its incident ends: never shorter than it has to be broken until one begins.
    pub fn recovers_after(&self) -> Duration {
        self.rule.lasting.max(self.recovery)
    }
}

/// More replicas for a workload, once per incident. Never fewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scale {
    pub target: ScaleTarget,
    pub to: ScaleTo,
    /// Never above this.
    pub ceiling: Option<u32>,
    /// Back to what it was when the rule has been kept again for this long; `None`: never by itself.
    pub undo_after: Option<Duration>,
}

/// A workload that can be scaled; in the namespace of the watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleTarget {
    pub namespace: String,
    pub kind: ScaleKind,
    pub name: String,
}

/// Kinds of workload that have replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ScaleKind {
    Deployment,
    StatefulSet,
    Rollout,
}

/// How many replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScaleTo {
    Replicas(u32),
    /// In hundredths of what there is: 150 is one and a half times, rounded up. Above 100.
    Factor(u32),
    /// None at all: the only way down, and only where evidence is kept first.
    Zero,
}

impl ScaleTarget {
    /// As the API server calls it.
    pub fn object(&self) -> ObjectRef {
        let api_version = match self.kind {
            ScaleKind::Deployment | ScaleKind::StatefulSet => "apps/v1",
            ScaleKind::Rollout => "argoproj.io/v1alpha1",
        };
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: self.kind.to_string(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl fmt::Display for ScaleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::Rollout => "Rollout",
        })
    }
}

impl fmt::Display for ScaleTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.target)?;
        match self.to {
            ScaleTo::Replicas(replicas) => write!(f, "to {replicas} replicas")?,
            ScaleTo::Factor(hundredths) => write!(f, "to {hundredths} % of its replicas")?,
            ScaleTo::Zero => write!(f, "to 0 replicas")?,
        }
        match self.ceiling {
            Some(ceiling) => write!(f, ", at most {ceiling}"),
            None => Ok(()),
        }
    }
}
