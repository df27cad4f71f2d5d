//! Whether the process is alive, and whether it does its work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Alive means that the loop ticks; a process that answers here but ticks no more must be restarted.
#[derive(Debug)]
pub struct Health {
    begun: Instant,
    /// Milliseconds from `begun` to the end of the last tick.
    last: AtomicU64,
    stuck_after: Duration,
}

impl Health {
    /// The loop counts as stuck when no tick has ended for `stuck_after`; the first has as long from now.
    pub fn new(stuck_after: Duration) -> Self {
        Self {
            begun: Instant::now(),
            last: AtomicU64::new(0),
            stuck_after,
        }
    }

    /// The loop went round once more.
    pub fn ticked(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// A line for people; an error when the loop is stuck.
    pub fn check(&self) -> Result<String, String> {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        let age = self.begun.elapsed().saturating_sub(last);
        let text = format!("the last tick ended {:.1} s ago", age.as_secs_f64());
        if age <= self.stuck_after {
            Ok(format!("{text}\n"))
        } else {
            Err(format!(
                "{text}; more than {:.1} s mean that the loop is stuck\n",
                self.stuck_after.as_secs_f64()
            ))
        }
    }
}

/// What is still missing before Recant does its work. Starts with one reason: it starts.
#[derive(Debug)]
pub struct Readiness {
    reasons: Mutex<BTreeMap<&'static str, String>>,
}

const START: &str = "start";

impl Default for Readiness {
    fn default() -> Self {
        Self {
            reasons: Mutex::new(BTreeMap::from([(
                START,
                "it has not finished starting".to_owned(),
            )])),
        }
    }
}

impl Readiness {
    /// The start is over; what else blocks still does.
    pub fn started(&self) {
        self.clear(START);
    }

    /// `part` keeps it from being ready, for a reason that people can act on; replaces an earlier reason.
    pub fn block(&self, part: &'static str, reason: String) {
        self.lock().insert(part, reason);
    }

    /// `part` works.
    pub fn clear(&self, part: &'static str) {
        self.lock().remove(part);
    }

    /// All reasons by part; empty when it is ready.
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        // Nothing in here can panic half way.
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
