//! What a target needs to be well: another watch, or the target of one.

use std::fmt;

use crate::ids::{TargetId, WatchName};

/// One dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependsOn {
    Watch { watch: WatchName },
    Target { target: TargetId },
}

impl fmt::Display for DependsOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watch { watch } => write!(f, "watch `{watch}`"),
            Self::Target { target } => target.fmt(f),
        }
    }
}
