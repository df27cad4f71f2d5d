//! What is done to a workload that a `GitOps` tool keeps as Git says.

use std::fmt;

/// By the watch, else by the setting `gitops.policy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GitOps {
    /// Nothing is written: people are told what to commit.
    Tell,
    /// Suspend what would revert it, act, and resume when Git shows a good version or a person says so.
    Suspend,
    /// Act, and watch whether the change holds; if it is reverted, nothing more is done.
    #[default]
    Verify,
}

impl GitOps {
    /// All of them, as they are written.
    pub const WRITTEN: [(&'static str, Self); 3] = [
        ("tell", Self::Tell),
        ("suspend", Self::Suspend),
        ("verify", Self::Verify),
    ];
}

impl fmt::Display for GitOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tell => "tell",
            Self::Suspend => "suspend",
            Self::Verify => "verify",
        })
    }
}
