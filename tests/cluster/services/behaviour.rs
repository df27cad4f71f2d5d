//! How a service answers: decided by its image's tag, and by what a test says while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt as _};

/// What one version of a service does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Behaviour {
    /// The part of all answers that are a 500, 0..=1.
    pub(crate) errors: f64,
    /// How many times longer than a good version an answer takes.
    pub(crate) slower: f64,
}

impl Behaviour {
    /// Answers in 20 to 60 ms; one answer in a thousand is a 500, as in real life.
    pub(crate) const GOOD: Self = Self {
        errors: 0.001,
        slower: 1.0,
    };
    /// Three answers of ten are a 500.
    pub(crate) const FAILING: Self = Self {
        errors: 0.3,
        slower: 1.0,
    };
    /// Answers take four times as long.
    pub(crate) const SLOW: Self = Self {
        errors: 0.001,
        slower: 4.0,
    };

    /// What a tag stands for until a test says otherwise.
    fn of_tag(tag: &str) -> Self {
        if tag.starts_with("slow") {
            Self::SLOW
        } else if tag == "v2" || tag.starts_with("bad") {
            Self::FAILING
        } else {
            Self::GOOD
        }
    }

    /// Draws how long one answer takes, and whether it is an error.
    pub(super) fn draw(self, random: &mut impl Rng) -> (Duration, bool) {
        // Two dice: most answers are near the middle, as latencies are.
        let spread = random.random::<f64>() + random.random::<f64>();
        let seconds = (0.020 + 0.020 * spread) * self.slower;
        let failed = random.random::<f64>() < self.errors;
        (Duration::from_secs_f64(seconds), failed)
    }
}

/// The behaviours that tests have set, by namespace and tag. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviours {
    set: Arc<Mutex<BTreeMap<(String, String), Behaviour>>>,
}

impl Behaviours {
    /// From the next request on.
    pub(crate) fn set(&self, namespace: &str, tag: &str, behaviour: Behaviour) {
        self.set
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((namespace.to_owned(), tag.to_owned()), behaviour);
    }

    pub(super) fn get(&self, namespace: &str, tag: &str) -> Behaviour {
        self.set
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(namespace.to_owned(), tag.to_owned()))
            .copied()
            .unwrap_or_else(|| Behaviour::of_tag(tag))
    }
}
