//! Whether a Lease is held, and which time that is.
//!
//! A process that was stopped may find its Lease run out, taken, given back, and free again. Holding it anew is another
//! term: what was known in the term before is old, and whatever was begun in it has ended.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Whether this process may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// Until this moment, unless it is renewed before.
    Held {
        until: Instant,
        /// Rises whenever it is held again after it was not: somebody else may have held it in between.
        term: u64,
    },
    /// Not held: who holds it, or why it cannot be had.
    Waiting { reason: String },
}

/// One time of holding a Lease without a break.
#[derive(Debug, Clone)]
pub struct Term {
    state: watch::Receiver<LeaseState>,
    number: u64,
}

impl Term {
    /// The present one; `None`: the Lease is not held now.
    pub fn of(state: &watch::Receiver<LeaseState>) -> Option<Self> {
        let number = present(state)?;
        Some(Self {
            state: state.clone(),
            number,
        })
    }

    /// Whether it lasts. Once it has ended it never comes back, even when the same process holds the Lease again.
    pub fn holds(&self) -> bool {
        present(&self.state) == Some(self.number)
    }

    /// Resolves when it has ended.
    pub async fn ended(&self) {
        let mut state = self.state.clone();
        while self.holds() {
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }
}

/// Whether the Lease of this state is held now.
pub fn holds(state: &watch::Receiver<LeaseState>) -> bool {
    present(state).is_some()
}

fn present(state: &watch::Receiver<LeaseState>) -> Option<u64> {
    match &*state.borrow() {
        LeaseState::Held { until, term } if Instant::now() < *until => Some(*term),
        LeaseState::Held { .. } | LeaseState::Waiting { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_held_again_after_a_stop_is_another_term() {
        let held = |term| LeaseState::Held {
            until: Instant::now() + Duration::from_secs(4),
            term,
        };
        let (sender, state) = watch::channel(held(1));
        let first = Term::of(&state).expect("held");
        tokio::time::advance(Duration::from_secs(3)).await;
        sender.send_replace(held(1));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(first.holds(), "renewed in time");
        // The process is stopped for longer than its Lease lasts; the renewal is the first that runs then.
        tokio::time::advance(Duration::from_mins(1)).await;
        sender.send_replace(held(2));
        assert!(!first.holds() && holds(&state));
        first.ended().await;
        assert!(Term::of(&state).is_some_and(|second| second.holds()));
    }
}
