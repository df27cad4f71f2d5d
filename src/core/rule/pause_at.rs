//! Where a release of a Deployment is paused until its evidence is in: `release: {pauseAt: 1}`.

use std::fmt;

/// How many pods of the new revision a release is paused at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseAt {
    /// 1 or more.
    Pods(u32),
    /// Of the replicas that are wanted, 1 to 99, in percent.
    Share(u8),
}

impl PauseAt {
    /// The number, of so many wanted replicas; never 0, or there would be nothing to judge.
    pub fn of(self, wanted: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods.max(1),
            Self::Share(percent) => {
                let pods = u64::from(wanted) * u64::from(percent);
                u32::try_from(pods.div_ceil(100)).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

/// As it is written.
impl fmt::Display for PauseAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods(pods) => write!(f, "{pods}"),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_nothing() {
        // (where, wanted, pods)
        for (at, wanted, pods) in [
            (PauseAt::Pods(1), 10, 1),
            (PauseAt::Pods(3), 1, 3),
            (PauseAt::Share(10), 10, 1),
            (PauseAt::Share(10), 11, 2),
            (PauseAt::Share(10), 0, 1),
            (PauseAt::Share(99), u32::MAX, 4_252_017_623),
        ] {
            assert_eq!(at.of(wanted), pods, "{at} of {wanted}");
        }
    }
}
