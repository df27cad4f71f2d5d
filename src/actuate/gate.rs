//! Whether this process may act now: asked before every attempt.

/// What stands between a decided step and its write, for the whole process.
pub trait Gate: Send + Sync {
    /// Never waits.
    fn permit(&self) -> Permit;
}

/// The answer of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// Go on.
    Act,
    /// Not now, maybe later: the acting Lease is not held. The step waits until its deadline.
    Later { reason: String },
    /// Not at all: the kill switch of the process is on. The step ends as fenced.
    Never { reason: String },
}

impl<F: Fn() -> Permit + Send + Sync> Gate for F {
    fn permit(&self) -> Permit {
        self()
    }
}
