//! What the cluster says of a way back just before it is taken: whether what its template names is still there, and
//! what else is at work. Only what is known to be missing holds anything back; what could not be looked at is told.

use crate::ids::{RevisionHash, TargetId};

/// A way back that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WayBackQuestion {
    pub target: TargetId,
    pub revision: RevisionHash,
    /// Secrets are looked for as well: that needs the right to read them.
    pub secrets: bool,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// What its template names and what does not exist, for people: ``ConfigMap `a` (volume `config`)``.
    pub missing: Vec<String>,
    /// Jobs of this release that are running, such as a migration of the database.
    pub jobs: Vec<String>,
    /// What is worth telling and holds nothing back: a sentence each.
    pub notes: Vec<String>,
}

/// What came of a look; else why nothing could be seen.
#[derive(Debug, Clone)]
pub struct WayBackAnswer {
    pub question: WayBackQuestion,
    pub seen: Result<Preflight, String>,
}
