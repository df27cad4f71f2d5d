//! What is done to a workload that a `GitOps` tool keeps as Git says.

use std::fmt;

/// By the watch, else by the setting `gitops.policy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GitOps {
    /// Nothing is written: people are told what to commit.
    Tell,
    /// Act, and watch whether the change holds; if it is reverted, nothing more is done.
    #[default]
    Verify,
}

impl GitOps {
    /// All of them, as they are written.
    pub const WRITTEN: [(&'static str, Self); 2] = [("tell", Self::Tell), ("verify", Self::Verify)];
}

impl fmt::Display for GitOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tell => "tell",
            Self::Verify => "verify",
        })
    }
}
