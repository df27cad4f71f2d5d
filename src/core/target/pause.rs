//! A pause of Recant's own, as the object itself shows it: told from a person's, and readable without any journal.

use jiff::Timestamp;

use super::TargetState;
use crate::ids::PlanId;

/// The mark that a pause of Recant's leaves on a Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPause {
    /// The plan that paused it. The mark stays when the Deployment has been resumed, by whomever.
    pub plan: PlanId,
    /// By when it has to go on, whatever is known then; `None`: that cannot be read.
    pub until: Option<Timestamp>,
    /// It is paused now, and it was Recant who set that.
    pub holds: bool,
    /// The template was changed since: nothing comes of that while it is paused.
    pub changed: bool,
}

/// What a Deployment says of how it replaces its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolling {
    /// `spec.replicas`.
    pub wanted: u32,
    /// Pods of a new revision that are made before any of them is ready: `maxSurge` and `maxUnavailable` together, as
    /// numbers; `None`: all at once.
    pub at_once: Option<u32>,
}

impl TargetState {
    /// It is paused, and not by Recant.
    pub fn paused_by_somebody(&self) -> bool {
        self.paused && !self.pause.as_ref().is_some_and(|pause| pause.holds)
    }

    /// Pods of a revision that are not on their way out.
    pub fn pods_of(&self, revision: &crate::ids::RevisionHash) -> usize {
        let live = self.pods.iter().filter(|pod| !pod.terminating);
        live.filter(|pod| pod.hash == *revision).count()
    }
}
